"""What the commands share by which nobody is told for a while: whom it is for, and how long."""

import argparse
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.proofs import listed
from checks.text import clean
from prober import values
from prober.cli.credentials import checked
from prober.cli.database import in_database
from prober.cli.errors import CommandError
from prober.cli.person import at_the_prompt
from prober.storage import mutes
from prober.storage.mutes import NobodyMeant

LONGEST: Final = timedelta(days=30)
SHORTEST: Final = timedelta(minutes=1)


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

    async def adding(db: AsyncEngine) -> None:
        await mutes.add(
            db,
            kind=kind,
            endpoints=options.names,
            labels=labels,
            starts_at=begins,
            ends_at=begins + lasts,
            reason=options.reason,
            by=options.by or at_the_prompt(),
        )

    try:
        in_database(url, adding)
    except NobodyMeant as nobody:
        raise CommandError(str(nobody), "mcp-prober endpoints lists those that are") from None
    whom = whom_in_words(options.names, labels)
    return f"nobody is told of {whom} from {moment_in_words(begins)} until {moment_in_words(begins + lasts)}"


def whom_in_words(names: Sequence[str], labels: Mapping[str, str]) -> str:
    """`shop and search`, `whoever bears team=pay`, `all endpoints`."""
    parts = [clean(name, 60) for name in names]
    if labels:
        parts.append(f"whoever bears {', '.join(f'{clean(key, 60)}={clean(labels[key], 60)}' for key in labels)}")
    return listed(parts) if parts else "all endpoints"


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
