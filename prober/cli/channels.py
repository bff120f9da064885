"""`mcp-prober channels [list|test]`: how the channels do, and whether one of them works."""

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.encode import as_json
from checks.text import clean
from prober.app import channels as app
from prober.cli.config import unusable
from prober.cli.database import add_database_arguments, in_database, known_url, migrated_url
from prober.cli.dispatch import Parser
from prober.cli.errors import CommandError, ExitCode
from prober.cli.person import at_the_prompt, author
from prober.clock import Clock, SystemClock
from prober.incidents.notice import Notice
from prober.incidents.rehearsal import rehearsal_notice
from prober.settings import ConfigError, Settings, load
from prober.storage import audit, channels, outbox
from prober.storage.channels import ChannelRow, Fate, NoSuchChannel

SCHEMA_VERSION: Final = 1

PATIENCE_S: Final = 20.0
"""A send may take 12 seconds, and finding the notice one more."""
LOOKS_EVERY_S: Final = 0.1

_HEADINGS: Final = ("STATE", "CHANNEL", "KIND", "WAITING", "FALLBACK", "LAST NOTICE")


def add_arguments(parser: Parser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action")
    parser.default_action = "list"
    shown = actions.add_parser(
        "list", help="list them with their state (where no action is named)", description="Lists the channels."
    )
    shown.add_argument(
        "--format", choices=("text", "json"), default="text", help="form of the list on stdout (default: %(default)s)"
    )
    parser.examples = ("mcp-prober channels", "mcp-prober channels test team")
    test = actions.add_parser("test", help="send one a test notice", description="Sends a channel a test notice.")
    test.add_argument("name", nargs="?", metavar="NAME", help="of the channel")
    test.epilog = (
        "A prober that runs on the database sends it. Without a database, it is sent from here, with the configuration "
        "of --config."
    )
    for each in (shown, test):
        add_database_arguments(each)


def run(options: argparse.Namespace) -> int:
    if options.action == "test":
        if options.name is None:
            raise CommandError("which channel is to be tested?", "write: mcp-prober channels test NAME")
        return _test(options)
    rows = in_database(migrated_url(options), channels.overview)
    print(document(rows) if options.format == "json" else table(rows))
    return ExitCode.UP


def table(rows: Sequence[ChannelRow]) -> str:
    """One line per channel, columns as wide as they need to be, and below a channel in trouble what it said."""
    if not rows:
        return "no channel is configured: they stand under notifiers in the configuration file"
    cells = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADINGS))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    shown = [lines[0]]
    for row, line in zip(rows, lines[1:], strict=True):
        since = row.broken_since or row.failing_since
        shown.append(line)
        if row.last_error:
            when = f"since {_moment(since)}: " if since else ""
            shown.append(f"  {when}{clean(row.last_error, 200)}")
    return "\n".join(shown)


def document(rows: Sequence[ChannelRow]) -> str:
    """The list for machines."""
    return json.dumps({"schema_version": SCHEMA_VERSION, "channels": [_entry(row) for row in rows]}, indent=2)


def said_of(name: str, fate: Fate | None, clock: Clock) -> str:
    """That the notice was delivered. Raises CommandError for anything else that became of it within the time."""
    shown = clean(name, 60)
    if fate is not None and fate.sent_at is not None:
        return f"{shown}: delivered"
    if fate is not None and fate.failed_at is not None and fate.attempts:
        raise CommandError(
            f"{shown} did not take the notice: {clean(fate.last_error or 'no reason is known', 500)}",
            code=ExitCode.NOT_UP,
        )
    if fate is not None and fate.resting_until is not None and fate.resting_until > clock.now():
        raise CommandError(
            f"{shown} has asked to be left alone until {_moment(fate.resting_until)}",
            "try again after that",
            code=ExitCode.UNOBSERVED,
        )
    raise CommandError(
        f"no prober has sent the notice to {shown} within {PATIENCE_S:.0f} s",
        "is mcp-prober up running on this database, with this channel in its configuration?",
        code=ExitCode.UNOBSERVED,
    )


def _test(options: argparse.Namespace) -> int:
    clock = SystemClock()
    notice = rehearsal_notice(options.name, id=uuid4(), at=clock.now(), by=at_the_prompt())
    settings = _settings(options)
    if settings is not None and known_url(options) is None:
        return _send_from_here(settings, options.name, notice, clock)
    url = migrated_url(options)
    try:
        fate = in_database(url, lambda db: through_the_outbox(db, options.name, notice, clock))
    except NoSuchChannel as missing:
        raise CommandError(str(missing), "mcp-prober channels lists those that are") from None
    print(said_of(options.name, fate, clock))
    return ExitCode.UP


def _settings(options: argparse.Namespace) -> Settings | None:
    if options.config is None:
        return None
    try:
        return load(options.config, os.environ, judge=app.problems_with)
    except ConfigError as error:
        raise unusable(error) from None


def _send_from_here(settings: Settings, name: str, notice: Notice, clock: Clock) -> int:
    known = [spec.name for spec in settings.notifiers]
    if name not in known:
        raise CommandError(
            f"no channel of the name {clean(name, 60)} is configured",
            f"there are {', '.join(known)}" if known else "channels stand under notifiers in the configuration file",
        )
    refusal = asyncio.run(app.send_once(settings, name, notice, clock))
    if refusal is not None:
        raise CommandError(f"{clean(name, 60)} did not take the notice: {refusal}", code=ExitCode.NOT_UP)
    print(f"{clean(name, 60)}: delivered")
    return ExitCode.UP


async def through_the_outbox(
    db: AsyncEngine, name: str, notice: Notice, clock: Clock, patience_s: float = PATIENCE_S
) -> Fate | None:
    """Let a prober send it: what became of it within `patience_s` seconds. Raises NoSuchChannel."""
    async with audit.change(db, author(), "channel.test", name, {"notice": str(notice.id)}) as connection:
        row = await outbox.put_test(connection, notice, channel=name)
    ends = clock.monotonic() + patience_s
    while clock.monotonic() < ends:
        fate = await channels.fate(db, row)
        if fate is None or fate.sent_at is not None or fate.failed_at is not None:
            return fate
        await asyncio.sleep(LOOKS_EVERY_S)
    return await _taken_back(db, row)


async def _taken_back(db: AsyncEngine, row: UUID) -> Fate | None:
    """Whoever asked is told that it was not sent: it must not arrive later."""
    before = await channels.fate(db, row)
    return before if await outbox.withdraw(db, row) else await channels.fate(db, row)


def _cells(row: ChannelRow) -> tuple[str, ...]:
    return (
        row.state.value,
        clean(row.name, 60),
        clean(row.kind, 20),
        str(row.waiting or "-"),
        clean(row.fallback or "-", 60),
        "never" if row.sent_at is None else _moment(row.sent_at),
    )


def _entry(row: ChannelRow) -> dict[str, Any]:
    return {
        "name": as_json(row.name),
        "kind": as_json(row.kind),
        "state": row.state.value,
        "fallback": as_json(row.fallback),
        "sent_at": as_json(row.sent_at),
        "failing_since": as_json(row.failing_since),
        "broken_since": as_json(row.broken_since),
        "resting_until": as_json(row.resting_until),
        "last_error": as_json(row.last_error),
        "waiting": row.waiting,
        "oldest": as_json(row.oldest),
        "refused": row.refused,
    }


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%SZ}"
