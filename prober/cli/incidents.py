"""`mcp-prober incidents [list|ack|snooze|unsnooze]`: what is not well, who has it in hand, and who need not be told."""

import argparse
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.encode import as_json
from checks.proofs import listed
from checks.text import clean
from prober.cli.database import add_database_arguments, in_database, migrated_url
from prober.cli.dispatch import Parser
from prober.cli.errors import CommandError, ExitCode
from prober.cli.muting import moment_in_words, span_of
from prober.cli.person import author
from prober.storage import audit, incidents, queries
from prober.storage.incidents import Decided
from prober.storage.queries import IncidentRow
from prober.storage.told import Told, ToldOf, told_of

SCHEMA_VERSION: Final = 1

_LISTED: Final = 100
_ACTIONS: Final = {"ack": "incident.acknowledge", "snooze": "incident.snooze", "unsnooze": "incident.wake"}
"""As the audit log calls them."""
_AS_BEFORE: Final = {"ack": "somebody has it in hand already", "unsnooze": "it is not snoozed"}
"""What is said where nothing changes."""
_HEADINGS: Final = ("SEVERITY", "ENDPOINT", "STATE", "DIAGNOSIS", "SINCE", "ENDED", "TOLD")


def add_arguments(parser: Parser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action")
    parser.default_action = "list"
    shown = actions.add_parser(
        "list", help="list them (where no action is named)", description="Lists the open incidents, and who was told."
    )
    shown.add_argument("--all", action="store_true", help="list those that have ended as well")
    shown.add_argument(
        "--format", choices=("text", "json"), default="text", help="form of the list on stdout (default: %(default)s)"
    )
    ack = actions.add_parser("ack", help="say that somebody has it in hand", description="Acknowledges open incidents.")
    ack.epilog = "Whoever acknowledges an incident has it in hand: no more reminders, and it is not escalated."
    snooze = actions.add_parser(
        "snooze", help="have nobody told for a while", description="Has nobody told of open incidents for a while."
    )
    snooze.epilog = "If it still lasts afterwards, they are told. Its end is always told."
    wake = actions.add_parser("unsnooze", help="have everybody told again", description="Ends a snooze.")
    for each in (ack, snooze, wake):
        each.add_argument("names", nargs="*", metavar="NAME", help="of the endpoints whose open incidents are meant")
        each.add_argument("--by", metavar="PERSON", help="who decides it; by default whoever runs the command")
        each.set_defaults(lasts=None)
    parser.examples = (
        "mcp-prober incidents --all",
        "mcp-prober incidents ack orders",
        "mcp-prober incidents snooze orders --for 2h",
    )
    snooze.add_argument("--for", dest="lasts", metavar="TIME", help="how long, such as 2h")
    for each in (shown, ack, snooze, wake):
        add_database_arguments(each)


def run(options: argparse.Namespace) -> int:
    if options.action == "list":
        return _list(options)
    if not options.names:
        raise CommandError("whose incident is meant?", f"write: mcp-prober incidents {options.action} NAME")
    return _decide(options)


def table(rows: Sequence[IncidentRow], told: ToldOf) -> str:
    """One line per incident, columns as wide as they need to be."""
    if not rows:
        return "no incident is open"
    cells = [_HEADINGS, *(_cells(row, told.get(row.id, ())) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def document(rows: Sequence[IncidentRow], told: ToldOf) -> str:
    """The list for machines."""
    entries = [_entry(row, told.get(row.id, ())) for row in rows]
    return json.dumps({"schema_version": SCHEMA_VERSION, "incidents": entries}, indent=2)


def _list(options: argparse.Namespace) -> int:
    async def reading(db: AsyncEngine) -> tuple[Sequence[IncidentRow], ToldOf]:
        rows = [row for row in await queries.incidents(db, limit=_LISTED) if options.all or row.ended_at is None]
        return rows, await told_of(db, {row.id: row.outage_id for row in rows})

    rows, told = in_database(migrated_url(options), reading)
    print(document(rows, told) if options.format == "json" else table(rows, told))
    return ExitCode.UP


def _decide(options: argparse.Namespace) -> int:
    names, lasts = list(dict.fromkeys(options.names)), _snoozed_for(options)

    async def deciding(db: AsyncEngine) -> tuple[Decided, ...]:
        who, which = author(options.by), incidents.open_of(names)
        async with db.begin() as connection:
            if options.action == "ack":
                decided = await incidents.acknowledge(connection, which, by=who.name)
            else:
                decided = await incidents.snooze(connection, which, lasts)
            for each in decided:
                if each.is_news:
                    detail = incidents.detail_of(each)
                    await audit.note(connection, who, _ACTIONS[options.action], each.endpoint, detail)
        return decided

    done = in_database(migrated_url(options), deciding)
    said = {
        "ack": "acknowledged",
        "snooze": f"nobody is told for {options.lasts}",
        "unsnooze": "whoever is to be told is told again",
    }[options.action]
    for each in done:
        print(f"{clean(each.endpoint, 60)}: {said if each.is_news else _AS_BEFORE[options.action]}")
    known = {each.endpoint for each in done}
    missing = [clean(name, 60) for name in names if name not in known]
    if missing:
        whose = f"{listed(missing)} {'has' if len(missing) == 1 else 'have'}"
        raise CommandError(f"{whose} no open incident", "mcp-prober incidents lists those that are open")
    return ExitCode.UP


def _snoozed_for(options: argparse.Namespace) -> timedelta | None:
    if options.action != "snooze":
        return None
    if options.lasts is None:
        raise CommandError("for how long?", "write such as --for 2h")
    return span_of("--for", options.lasts)


def _cells(row: IncidentRow, told: Sequence[Told]) -> tuple[str, ...]:
    return (
        row.severity.value,
        clean(row.endpoint_name, 60),
        row.verdict.value,
        clean(row.cause or "-", 40),
        moment_in_words(row.since),
        "-" if row.ended_at is None else moment_in_words(row.ended_at),
        _told(row, told),
    )


def _told(row: IncidentRow, told: Sequence[Told]) -> str:
    """Who was told and who is about to be, who has it in hand, and why nobody is told."""
    said = [_by(each) for each in told]
    if row.acknowledged_at is not None:
        said.append(f"acknowledged by {clean(row.acknowledged_by or 'somebody', 60)}")
    if row.ended_at is None and row.muted is not None:
        until = f" until {moment_in_words(row.muted_until)}" if row.muted_until else ""
        said.append(f"muted: {clean(row.muted, 80)}{until}")
    return ", ".join(said) or "nobody"


def _by(told: Told) -> str:
    name = clean(told.channel, 60)
    if told.waiting:
        return f"{name} (waits to be sent)"
    if told.sent_at is None:
        return f"{name} (not delivered)"
    return name


def _entry(row: IncidentRow, told: Sequence[Told]) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "endpoint": as_json(row.endpoint_name),
        "severity": row.severity.value,
        "verdict": row.verdict.value,
        "diagnosis": as_json(row.cause),
        "summary": as_json(row.cause_summary),
        "since": as_json(row.since),
        "opened_at": as_json(row.opened_at),
        "ended_at": as_json(row.ended_at),
        "told": [
            {"channel": as_json(each.channel), "sent_at": as_json(each.sent_at), "waiting": each.waiting}
            for each in told
        ],
        "acknowledged_at": as_json(row.acknowledged_at),
        "acknowledged_by": as_json(row.acknowledged_by),
        "snoozed_until": as_json(row.snoozed_until),
        "muted": as_json(row.muted),
        "muted_until": as_json(row.muted_until),
        "outage": None if row.outage_id is None else str(row.outage_id),
    }
