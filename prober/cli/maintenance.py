"""`mcp-prober maintenance [list|add|end]`: times in which nobody is told, while probing goes on."""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.encode import as_json
from checks.text import clean
from prober.cli.database import add_database_arguments, in_database, migrated_url
from prober.cli.dispatch import Parser
from prober.cli.errors import CommandError, ExitCode
from prober.cli.muting import add_mute_arguments, moment_in_words, mute, span_of
from prober.cli.person import author
from prober.clock import SystemClock
from prober.incidents.windows import MaintenanceWindow, active_until, next_start, whom_in_words
from prober.storage import audit, mutes
from prober.storage.mutes import MAINTENANCE, MuteRow

SCHEMA_VERSION: Final = 1

_ID_SHOWN: Final = 8


def add_arguments(parser: Parser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action")
    parser.default_action = "list"
    shown = actions.add_parser(
        "list", help="list them (where no action is named)", description="Lists the times that last or are to come."
    )
    shown.add_argument(
        "--format", choices=("text", "json"), default="text", help="form of the list on stdout (default: %(default)s)"
    )
    add = actions.add_parser("add", help="add a single one", description="Has nobody told of endpoints for a while.")
    add.add_argument("names", nargs="*", metavar="NAME", help="endpoints that it is for")
    add.add_argument("--for", dest="lasts", metavar="TIME", help="how long, such as 2h")
    add.add_argument("--from", dest="begins", metavar="MOMENT", help="when it begins, in UTC if no zone is told")
    add_mute_arguments(add)
    parser.examples = (
        "mcp-prober maintenance add orders --for 2h --reason 'new certificate'",
        "mcp-prober maintenance add --label team=shop --from 2027-01-31T22:00 --for 90m",
        "mcp-prober maintenance end 1234abcd",
    )
    add.epilog = (
        "Probing goes on. Times that come again stand under maintenance in the configuration file. What is still "
        "broken when a time ends is told then."
    )
    end = actions.add_parser("end", help="end a single one now", description="Ends a single time now.")
    end.add_argument("id", nargs="?", metavar="ID", help="as the list shows it, or its beginning")
    end.add_argument("--by", metavar="PERSON", help="whose decision it is; by default whoever runs the command")
    for each in (shown, add, end):
        add_database_arguments(each)


def run(options: argparse.Namespace) -> int:
    actions = {"list": _list, "add": _add, "end": _end}
    print(actions[options.action](options))
    return ExitCode.UP


def table(single: Sequence[MuteRow], windows: Sequence[MaintenanceWindow], now: datetime) -> str:
    """What mutes now and what will, a line each."""
    lines = [f"{str(row.id)[:_ID_SHOWN]}  {_line(row, now)}" for row in single]
    for window in windows:
        until, begins = active_until(window, now), next_start(window, now)
        lasting = f"now, until {moment_in_words(until)}; " if until else ""
        later = f"next at {moment_in_words(begins)}" if begins else "it never comes"
        whom = whom_in_words(window.endpoints, window.labels)
        lines.append(f"{'':<{_ID_SHOWN}}  {clean(window.name, 60)}, {lasting}{later}, for {whom}")
    return "\n".join(lines) if lines else "nobody is muted, now or later"


def document(single: Sequence[MuteRow], windows: Sequence[MaintenanceWindow], now: datetime) -> str:
    """The same for machines."""
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "single": [_entry(row) for row in single],
            "recurring": [
                {
                    "name": as_json(each.name),
                    "active_until": as_json(active_until(each, now)),
                    "next_start": as_json(next_start(each, now)),
                    "endpoints": as_json(each.endpoints),
                    "labels": as_json(each.labels),
                }
                for each in windows
            ],
        },
        indent=2,
    )


def _list(options: argparse.Namespace) -> str:
    async def reading(db: AsyncEngine) -> tuple[tuple[MuteRow, ...], tuple[MaintenanceWindow, ...]]:
        return await mutes.coming(db), await mutes.stored_windows(db)

    single, windows = in_database(migrated_url(options), reading)
    shown = document if options.format == "json" else table
    return shown(single, windows, SystemClock().now())


def _add(options: argparse.Namespace) -> str:
    if options.lasts is None:
        raise CommandError("for how long?", "write such as --for 2h")
    lasts, now = span_of("--for", options.lasts), SystemClock().now()
    begins = _moment(options.begins) if options.begins else now
    if begins + lasts <= now:
        raise CommandError("that time is over already", "give a later --from, or a longer --for")
    return mute(migrated_url(options), options, kind=MAINTENANCE, begins=begins, lasts=lasts)


def _end(options: argparse.Namespace) -> str:
    if not options.id:
        raise CommandError("which one?", "write: mcp-prober maintenance end ID, with an id that the list shows")

    async def ending(db: AsyncEngine) -> tuple[MuteRow | None, tuple[MaintenanceWindow, ...]]:
        async with db.begin() as connection:
            row = await mutes.end(connection, options.id)
            if row is not None:
                whom = whom_in_words(row.endpoints, row.labels)
                await audit.note(connection, author(options.by), "maintenance.end", whom, {"mute": str(row.id)})
        return row, () if row is not None else await mutes.stored_windows(db)

    ended, windows = in_database(migrated_url(options), ending)
    if ended is None:
        raise _not_ended(options.id, windows)
    return f"{whom_in_words(ended.endpoints, ended.labels)}: the {ended.kind} is over"


def _not_ended(written: str, windows: Sequence[MaintenanceWindow]) -> CommandError:
    shown = clean(written, 60)
    if written in (each.name for each in windows):
        return CommandError(
            f"{shown} comes again and again: it stands in the configuration file",
            "edit it there, under maintenance; a running prober takes it over",
        )
    return CommandError(f"no single time has the id {shown}", "mcp-prober maintenance lists them with their ids")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError("--from is no moment", "such as 2026-12-24T18:00 or 2026-12-24T18:00+01:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _line(row: MuteRow, now: datetime) -> str:
    when = "now" if row.starts_at <= now else f"from {moment_in_words(row.starts_at)}"
    reason = f": {clean(row.reason, 200)}" if row.reason else ""
    whom = whom_in_words(row.endpoints, row.labels)
    return (
        f"{row.kind}{reason}, {when}, until {moment_in_words(row.ends_at)}, for {whom}, by {clean(row.created_by, 60)}"
    )


def _entry(row: MuteRow) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "kind": as_json(row.kind),
        "endpoints": as_json(row.endpoints),
        "labels": as_json(row.labels),
        "starts_at": as_json(row.starts_at),
        "ends_at": as_json(row.ends_at),
        "reason": as_json(row.reason),
        "by": as_json(row.created_by),
    }
