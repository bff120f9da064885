"""`mcp-prober endpoints`: what is registered, and what the latest probe of each found."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from checks.encode import as_json
from checks.text import clean, shown_url
from prober.cli.database import add_database_arguments, database_url, named_failures
from prober.cli.errors import CommandError, ExitCode
from prober.cli.terminal import DIM, VERDICT_COLOURS, columns_of, painted, wants_colour
from prober.storage import database, migrations, queries
from prober.storage.queries import FleetRow

SCHEMA_VERSION = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_database_arguments(parser)
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="form of the list on stdout (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    with named_failures():
        url = database_url(options)
        if migrations.current(url) is None:
            raise CommandError("the database has no tables of the prober yet", "make them with: mcp-prober migrate")
        with database.named_failures(url):
            rows = asyncio.run(_fleet(url))
    if options.format == "json":
        print(document(rows))
    else:
        print(table(rows, width=columns_of(sys.stdout), colour=wants_colour()))
    return ExitCode.UP


def table(rows: Sequence[FleetRow], *, width: int | None = None, colour: bool = False) -> str:
    """One line per endpoint, columns as wide as they need to be. With a width, addresses are left out where they have
    no room."""
    if not rows:
        return "no endpoint is registered: mcp-prober up takes them from its configuration file"
    lines = [("VERDICT", "ENDPOINT", "DIAGNOSIS", "LAST PROBE", "URL"), *(_line(row) for row in rows)]
    if width is not None and _width(lines) > width:
        lines = [line[:-1] for line in lines]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]) - 1)]
    shown = [
        "  ".join([*(f"{each:<{room}}" for each, room in zip(line, widths, strict=False)), line[-1]]) for line in lines
    ]
    return "\n".join(
        [shown[0], *(_painted(line, row) if colour else line for line, row in zip(shown[1:], rows, strict=True))]
    )


def _width(lines: Sequence[Sequence[str]]) -> int:
    """Columns that the lines take below each other."""
    return sum(max(len(cell) for cell in column) + 2 for column in zip(*lines, strict=True)) - 2


def _painted(line: str, row: FleetRow) -> str:
    """The line with its verdict in that one's colour."""
    word, blank, rest = line.partition(" ")
    return painted(word, VERDICT_COLOURS[row.verdict] if row.enabled else DIM) + blank + rest


def document(rows: Sequence[FleetRow]) -> str:
    """The list for machines."""
    return json.dumps({"schema_version": SCHEMA_VERSION, "endpoints": [_entry(row) for row in rows]}, indent=2)


async def _fleet(url: str) -> Sequence[FleetRow]:
    db = database.open_engine(url, pool_size=1)
    try:
        return await queries.fleet(db)
    finally:
        await db.dispose()


def _line(row: FleetRow) -> tuple[str, ...]:
    return (
        row.verdict.value if row.enabled else "disabled",
        clean(row.name, 60),
        clean(row.cause or "-", 40),
        "never" if row.slot is None else f"{row.slot:%Y-%m-%d %H:%M:%SZ}",
        shown_url(row.url, 200),
    )


def _entry(row: FleetRow) -> dict[str, Any]:
    return {
        "name": as_json(row.name),
        "url": shown_url(row.url),
        "labels": as_json(row.labels),
        "enabled": row.enabled,
        "verdict": row.verdict.value,
        "since": as_json(row.since),
        "diagnosis": as_json(row.cause),
        "summary": as_json(row.cause_summary),
        "last_probe": as_json(row.slot),
        "latency_ms": row.latency_ms,
        "tool_count": row.tool_count,
    }
