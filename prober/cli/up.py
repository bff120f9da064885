"""`mcp-prober up`: the configured endpoints, with a database, a worker and the dashboard on this machine."""

import argparse
import asyncio
from collections.abc import Iterator
from pathlib import Path

from checks.proofs import counted, listed
from checks.text import clean
from prober.app.up import Dashboard, Running, UpOptions, up
from prober.cli.dispatch import Parser
from prober.cli.errors import ExitCode
from prober.cli.running import run_until_stopped
from prober.settings import Access, Settings


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
        "--port", type=int, help="of the dashboard; 0 takes any free one (default: that of the file, or 8080)"
    )
    parser.add_argument("--no-dashboard", action="store_true", help="probe and alert only")
    parser.add_argument(
        "--insecure-no-auth", action="store_true", help="let the dashboard listen beyond this machine without a login"
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

    async def program(stop: asyncio.Event) -> ExitCode:
        await up(wanted, stop, lambda running: _announce(running, options.config))
        return ExitCode.UP

    return run_until_stopped(program)


def _announce(running: Running, config: Path) -> None:
    print("\n".join(shown_in_words(running.dashboard)))
    print("\n".join(started_in_words(running.settings, config)), flush=True)


def shown_in_words(dashboard: Dashboard | None) -> Iterator[str]:
    """Where the dashboard is, and who comes in."""
    if dashboard is None:
        yield "probing"
        return
    yield f"dashboard: {dashboard.address}"
    if dashboard.setup is not None:
        yield f"its first admin sets himself up, once and within an hour, at {dashboard.setup}"
    elif dashboard.access is Access.OPEN:
        yield "it asks nobody who he is: whoever reaches that address may change everything"
        yield "dashboard.access: login in the configuration makes it ask"


def started_in_words(settings: Settings, config: Path) -> Iterator[str]:
    """What runs from now on, and how it is stopped."""
    enabled = sum(each.enabled for each in settings.endpoints)
    yield f"probing {counted(enabled, 'endpoint')} of {config}, whose edits count at once"
    channels = [clean(each.name, 60) for each in settings.notifiers]
    yield f"incidents are told to {listed(channels)}" if channels else "nobody is told of incidents: no notifiers"
    yield "each incident is logged here as it opens and ends; Ctrl-C stops all of it"
