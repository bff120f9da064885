"""What the commands share by which nobody is told for a while: whom it is for, and how long."""

import argparse
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from prober import values
from prober.cli.credentials import checked
from prober.cli.database import in_database
from prober.cli.errors import CommandError
from prober.cli.person import author
from prober.incidents.windows import whom_in_words
from prober.storage import audit, mutes
from prober.storage.mutes import DEPLOY, LONGEST, SHORTEST, NobodyMeant


def add_mute_arguments(parser: argparse.ArgumentParser) -> None:
    """Whom a mute is for, and why."""
    parser.add_argument("--label", action="append", default=[], metavar="KEY=VALUE", help="for whoever bears all these")
    parser.add_argument("--all", action="store_true", help="for all endpoints")
    parser.add_argument("--reason", default="", metavar="TEXT", help="shown to whoever looks")
    parser.add_argument("--by", metavar="PERSON", help="whose decision it is; by default whoever runs the command")


def span_of(option: str, text: str) -> timedelta:
    """How long `text` says, such as 2h. Raises CommandError for what is no time, or too short or long a one."""
    lasts = timedelta(seconds=checked(option, values.duration_s, text))
    if not SHORTEST <= lasts <= LONGEST:
        raise CommandError(f"{option} is out of range: 1 minute to 30 days", "such as 30m, 2h or 7d")
    return lasts


def mute(url: str, options: argparse.Namespace, *, kind: str, begins: datetime, lasts: timedelta) -> str:
    """Mute whom the options name. The sentence that says so. Raises CommandError where they name nobody."""
    labels = _labels(options.label)
    if options.all and (options.names or labels):
        raise CommandError("--all is for all endpoints, and others are named beside it", "leave out one of the two")
    if not (options.all or options.names or labels):
        raise CommandError("for which endpoints?", "name them, or write --label KEY=VALUE, or --all")

    who, ends = author(options.by), begins + lasts
    whom = whom_in_words(options.names, labels)
    detail = {"from": begins.isoformat(), "until": ends.isoformat(), "reason": options.reason}

    async def adding(db: AsyncEngine) -> None:
        action = "deploy.mark" if kind == DEPLOY else "maintenance.add"
        async with audit.change(db, who, action, whom, detail) as connection:
            if kind == DEPLOY:
                await mutes.mark_deploy(
                    connection, endpoints=options.names, labels=labels, lasts=lasts, reason=options.reason, by=who.name
                )
                return
            await mutes.add(
                connection,
                kind=kind,
                endpoints=options.names,
                labels=labels,
                starts_at=begins,
                ends_at=ends,
                reason=options.reason,
                by=who.name,
            )

    try:
        in_database(url, adding)
    except NobodyMeant as nobody:
        raise CommandError(str(nobody), "mcp-prober endpoints lists those that are") from None
    return f"nobody is told of {whom} from {moment_in_words(begins)} until {moment_in_words(ends)}"


def moment_in_words(at: datetime) -> str:
    """A moment in UTC, to the second."""
    return f"{at:%Y-%m-%d %H:%M:%SZ}"


def _labels(texts: Sequence[str]) -> Mapping[str, str]:
    labels = {}
    for text in texts:
        key, _, value = text.partition("=")
        if not (key and value):
            raise CommandError("--label is not KEY=VALUE", "such as --label team=payments")
        labels[key] = value
    return labels
