"""`mcp-prober demo`: a lab of healthy and broken servers, and everything that watches it."""

import argparse
import asyncio
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from prober.app.demo import RIGHT_WITHIN_S, SHOWN, demo, until_right
from prober.app.up import Dashboard, Running
from prober.cli.arguments import port
from prober.cli.errors import ExitCode
from prober.cli.progress import working
from prober.cli.running import run_until_stopped
from prober.cli.up import shown_in_words
from prober.clock import SystemClock
from prober.lab.credentials import MISSING_VARIABLE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        type=Path,
        help="where the lab and PostgreSQL keep their files (default: the platform's data directory)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="where the dashboard listens (default: %(default)s)")
    parser.add_argument(
        "--port", type=port, default=8080, help="of the dashboard; 0 takes any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help=f"end with 0 as soon as every verdict is right, with 1 if one still is not after {RIGHT_WITHIN_S:.0f} s",
    )
    parser.add_argument("--verbose", action="store_true", help="log every change of an endpoint")


def run(options: argparse.Namespace) -> int:
    async def program(stop: asyncio.Event) -> ExitCode:
        checking: list[asyncio.Task[ExitCode]] = []

        def started(running: Running) -> None:
            starting.close()
            print("\n".join(announced(running.dashboard)), flush=True)
            if options.check:
                checking.append(asyncio.create_task(_check(running, stop)))

        with ExitStack() as starting:
            starting.enter_context(working("starting the lab and all that watches it"))
            await demo(options.data_dir, options.host, options.port, stop, started)
        return await checking[0] if checking else ExitCode.UP

    return run_until_stopped(program, log_level=logging.INFO if options.verbose else logging.WARNING)


def announced(dashboard: Dashboard | None) -> Iterator[str]:
    """Where it is shown, what there is to see, and how it ends."""
    yield from shown_in_words(dashboard)
    yield f"it shows {len(SHOWN)} servers of a lab on this machine, most of them broken on purpose"
    yield f"within {RIGHT_WITHIN_S:.0f} s each has its verdict, and the endpoint flapping its first incident"
    yield f"{MISSING_VARIABLE} is not set on purpose, too: the endpoint observer-impaired is for it"
    yield "Ctrl-C ends all of it"


async def _check(running: Running, stop: asyncio.Event) -> ExitCode:
    clock = SystemClock()
    began = clock.monotonic()
    try:
        wrong = await until_right(running.db, clock)
    finally:
        stop.set()
    for each in wrong:
        print(f"wrong: {each}")
    if wrong:
        return ExitCode.NOT_UP
    print(f"every verdict is right after {clock.monotonic() - began:.1f} s")
    return ExitCode.UP
