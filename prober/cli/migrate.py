"""`mcp-prober migrate`: the schema of this version, before the processes that need it start."""

import argparse

from prober.cli.database import add_database_arguments, database_url, named_failures
from prober.cli.errors import ExitCode
from prober.cli.progress import working
from prober.storage import migrations
from prober.storage.database import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_database_arguments(parser)


def run(options: argparse.Namespace) -> int:
    with named_failures():
        url = database_url(options)
        with working(f"asking {shown(url)}") as say:
            before, head = migrations.current(url), migrations.head()
            say(f"bringing {shown(url)} from {before or 'nothing'} to {head}")
            migrations.upgrade(url)
        print(f"{shown(url)} is at {head}" + (" already" if before == head else ""))
    return ExitCode.UP
