"""Runs `mcp-prober check` as a user would against servers of many kinds, a few at a time."""

import asyncio
import json
import sys
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.interop.kinds import ADD, KINDS, Kind
from tests.interop.serving import prepare, serving

REPOSITORY = Path(__file__).parents[2]
CHECK_TIMEOUT_S = 120.0
"""What a check may take at most; the probe in it has a deadline of its own."""
AT_ONCE = 3
"""Kinds that are installed or probed at the same time."""
DEADLINE = ("--timeout", "30")
"""The servers share a machine with each other and with their installation."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One run of the command, which has put nothing but its report on its output."""

    code: int
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Observed:
    """A server of one kind, the standard probe last: what the full ones have done to it, that one would see."""

    full: Checked
    standard: Checked
    by_handshake: Checked | None
    """A full probe pinned to the handshake, of a server of both eras."""


async def check(url: str, *options: str) -> Checked:
    """Run `mcp-prober check` and read its JSON."""
    program = "import sys; from prober.cli import main; sys.exit(main())"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", program, "check", url, "--format", "json", *DEADLINE, *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    async with asyncio.timeout(CHECK_TIMEOUT_S):
        output, complaint = await process.communicate()
    assert process.returncode in (0, 1, 3, 4), f"exit code {process.returncode}\n{complaint.decode()}"
    (endpoint,) = json.loads(output)["endpoints"]
    return Checked(process.returncode, endpoint["report"])


async def observe(names: Iterable[str]) -> dict[str, Observed | BaseException]:
    """Start and probe the kinds of these names; what went wrong with one is its value, and leaves the others alone."""
    kinds = [kind for kind in KINDS if kind.name in names]
    turn = asyncio.Semaphore(AT_ONCE)
    with ThreadPoolExecutor(AT_ONCE) as installers:
        found = await asyncio.gather(*(_observed(kind, installers, turn) for kind in kinds), return_exceptions=True)
    return dict(zip((kind.name for kind in kinds), found, strict=True))


async def _observed(kind: Kind, installers: Executor, turn: asyncio.Semaphore) -> Observed:
    await asyncio.get_running_loop().run_in_executor(installers, prepare, kind)
    async with turn, serving(kind) as url:
        full = await check(url, "--profile", "full", *ADD)
        pinned = ("--profile", "full", "--era", "handshake", *ADD)
        by_handshake = None if kind.by_handshake is None else await check(url, *pinned)
        return Observed(full, await check(url, *ADD), by_handshake)
