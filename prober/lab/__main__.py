"""The lab as a child process: one line of JSON with the addresses, then it serves until stopped or orphaned."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from prober.lab import LabError, serve

POLL_S: Final = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after SIGINT, SIGTERM or the parent's death, 2 when the lab cannot start."""
    parser = argparse.ArgumentParser(prog="python -m prober.lab", description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="SCENARIO", help="scenarios to serve (default: all)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="first of consecutive ports (default: any free ones)")
    options = parser.parse_args(argv)
    try:
        asyncio.run(_run(options.ids, options.host, options.port, parent=os.getppid()))
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _run(ids: Sequence[str], host: str, port: int, *, parent: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving = asyncio.create_task(serve(ids, host, port, _announce))
    ends = {serving, asyncio.create_task(_until_orphaned(parent)), asyncio.create_task(stop.wait())}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for task in ends:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def _until_orphaned(parent: int) -> None:
    """Return when another process has become our parent, because the one that started us is gone."""
    while os.getppid() == parent:  # noqa: ASYNC110 - no event tells a process that its parent has died
        await asyncio.sleep(POLL_S)


def _announce(urls: Mapping[str, str]) -> None:
    sys.stdout.write(json.dumps({"urls": dict(urls)}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
