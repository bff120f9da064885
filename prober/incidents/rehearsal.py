"""The notice that shows whether a channel works."""

from datetime import datetime
from uuid import UUID

from checks.text import clean
from prober.incidents.notice import About, Notice, NoticeKind
from prober.incidents.rules import Severity


def rehearsal_notice(channel: str, *, id: UUID, at: datetime, by: str) -> Notice:  # noqa: A002 - as the field is called
    """A notice about the channel itself, asked for by somebody. It is a thread of its own."""
    name = clean(channel, 100)
    return Notice(
        id=id,
        kind=NoticeKind.TEST,
        about=About.CHANNEL,
        thread=id,
        endpoint=name,
        severity=Severity.INFO,
        diagnosis=None,
        title=f"Test of the channel {name}",
        lines=(
            f"It was asked for by {clean(by, 100)}.",
            "Whoever reads this would have been told of an incident. Nothing is wrong.",
        ),
        fix="",
        since=at,
        at=at,
        path="/channels",
    )
