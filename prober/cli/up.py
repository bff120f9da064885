"""`mcp-prober up`: the configured endpoints, with a database, a worker and the dashboard on this machine."""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from checks.model import Verdict
from checks.proofs import counted, listed
from checks.text import clean
from prober.app.first_look import FirstLook, first_look
from prober.app.up import Dashboard, Running, UpOptions, up
from prober.cli.arguments import port
from prober.cli.dispatch import Parser
from prober.cli.errors import ExitCode
from prober.cli.progress import working
from prober.cli.running import run_until_stopped
from prober.cli.terminal import VERDICT_COLOURS, is_watched, painted, terminal_width, wants_colour
from prober.clock import SystemClock
from prober.settings import Access, Settings
from prober.storage.latest import Latest, latest

_BEST_FIRST: Final = (Verdict.UP, Verdict.UNKNOWN, Verdict.DEGRADED, Verdict.DOWN)
_WORST: Final = 10
"""How many that are not up the summary names."""
_LONGEST_NAME: Final = 40
_LEAST_ROOM: Final = 20


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=Path("prober.yaml"),
        help="what is watched, and how (default: %(default)s)",
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        type=Path,
        help="where the embedded PostgreSQL keeps its files (default: the platform's data directory)",
    )
    parser.add_argument("--host", help="where the dashboard listens (default: that of the file, or 127.0.0.1)")
    parser.add_argument(
        "--port", type=port, help="of the dashboard; 0 takes any free one (default: that of the file, or 8080)"
    )
    parser.add_argument("--no-dashboard", action="store_true", help="probe and alert only")
    parser.add_argument(
        "--insecure-no-auth", action="store_true", help="let the dashboard listen beyond this machine without a login"
    )
    parser.add_argument(
        "--summary",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="print what the first probes found, once all endpoints had theirs (default: only on a terminal)",
    )
    parser.examples = (
        "mcp-prober up",
        "mcp-prober up --config prober.yaml --port 9000",
        "DATABASE_URL=postgresql://prober@db.example/prober mcp-prober up --host 0.0.0.0",
    )
    parser.epilog = "DATABASE_URL, or database_url in the file, replaces the embedded PostgreSQL."


def run(options: argparse.Namespace) -> int:
    wanted = UpOptions(
        config=options.config,
        data_dir=options.data_dir,
        host=options.host,
        port=options.port,
        dashboard=not options.no_dashboard,
        insecure_no_auth=options.insecure_no_auth,
    )

    sums_up = is_watched(sys.stdout) if options.summary is None else options.summary

    async def program(stop: asyncio.Event) -> ExitCode:
        looking: list[asyncio.Task[None]] = []

        def started(running: Running) -> None:
            starting.close()
            _announce(running, options.config)
            if sums_up:
                looking.append(asyncio.create_task(_sum_up(running)))

        with ExitStack() as starting:
            starting.enter_context(working("starting"))
            try:
                await up(wanted, stop, started)
            finally:
                for each in looking:
                    each.cancel()
                if looking:
                    await asyncio.wait(looking)
        return ExitCode.UP

    return run_until_stopped(program)


def _announce(running: Running, config: Path) -> None:
    print("\n".join(shown_in_words(running.dashboard)))
    print("\n".join(started_in_words(running.settings, config)), flush=True)


async def _sum_up(running: Running) -> None:
    expected = {each.name for each in running.settings.endpoints if each.enabled}
    look = await first_look(lambda: latest(running.db), expected, SystemClock())
    address = None if running.dashboard is None else running.dashboard.address
    lines = summed_up(look, address, width=terminal_width(), colour=wants_colour())
    with suppress(OSError):  # whoever read it is gone, and probing goes on
        print("\n".join(lines), flush=True)


def shown_in_words(dashboard: Dashboard | None) -> Iterator[str]:
    """Where the dashboard is, and who comes in."""
    if dashboard is None:
        yield "probing"
        return
    yield f"dashboard: {dashboard.address}"
    if dashboard.setup is not None:
        yield f"its first admin chooses a password, once and within an hour, at {dashboard.setup}"
    elif dashboard.access is Access.OPEN:
        yield "it asks nobody who they are: whoever reaches that address may change everything"
        yield "dashboard.access: login in the configuration makes it ask"


def started_in_words(settings: Settings, config: Path) -> Iterator[str]:
    """What runs from now on, and how it is stopped."""
    enabled = sum(each.enabled for each in settings.endpoints)
    yield f"probing {counted(enabled, 'endpoint')} of {config}, whose edits count at once"
    channels = [clean(each.name, 60) for each in settings.notifiers]
    yield f"incidents are told to {listed(channels)}" if channels else "nobody is told of incidents: no notifiers"
    yield "each incident is logged here as it opens and ends; Ctrl-C stops all of it"


def summed_up(look: FirstLook, address: str | None, *, width: int = 80, colour: bool = False) -> Iterator[str]:
    """What the first probes found: how many are well, and the worst with their causes. Nothing where nothing is
    watched."""
    if not look.endpoints:
        return
    probed = [each for each in look.endpoints if each.slot is not None]
    counts = [(each.value, sum(one.verdict is each for one in probed)) for each in _BEST_FIRST]
    counts.append(("not probed yet", len(look.endpoints) - len(probed)))
    said = ", ".join(f"{number} {word}" for word, number in counts if number)
    yield f"after {look.after_s:.0f} s: {counted(len(look.endpoints), 'endpoint')}, {said}"
    ill = [each for each in probed if each.verdict is not Verdict.UP]
    ill.sort(key=lambda each: -_BEST_FIRST.index(each.verdict))
    names = max((len(clean(each.name, _LONGEST_NAME)) for each in ill[:_WORST]), default=0)
    for each in ill[:_WORST]:
        yield _line(each, names, width, colour)
    if len(ill) > _WORST:
        yield f"  and {len(ill) - _WORST} more that are not up"
    if address is not None:
        yield f"all of them, with evidence and fix: {address}"


def _line(endpoint: Latest, names: int, width: int, colour: bool) -> str:
    """One endpoint that is not up, in one line."""
    cause = f"{endpoint.cause}: {endpoint.cause_summary}" if endpoint.cause else "no known cause"
    name, verdict = clean(endpoint.name, _LONGEST_NAME), f"{endpoint.verdict.value:<8}"
    room = max(width - len(verdict) - names - 6, _LEAST_ROOM)
    shown = painted(verdict, VERDICT_COLOURS[endpoint.verdict]) if colour else verdict
    return f"  {shown}  {name:<{names}}  {clean(cause, room)}"
