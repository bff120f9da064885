"""`mcp-prober worker`: one more process that probes, on the database of a prober that runs already."""

import argparse
import asyncio
from pathlib import Path

from prober.app.up import work
from prober.cli.errors import ExitCode
from prober.cli.running import run_until_stopped


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=Path("prober.yaml"),
        help="for its rules, channels and network; endpoints come from the database (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    async def program(stop: asyncio.Event) -> ExitCode:
        await work(options.config, stop, lambda: print("probing", flush=True))
        return ExitCode.UP

    return run_until_stopped(program)
