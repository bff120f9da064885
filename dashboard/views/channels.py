"""How the channels do and what was tried on them, in the words of their page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from checks.proofs import counted, milliseconds
from checks.text import clean
from dashboard.views.common import Moment, incident_href, moment_of
from dashboard.wording import span
from prober.storage.channels import AttemptRow, ChannelRow, ChannelState

CHANNELS_HREF: Final = "/channels"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    name: str
    kind: str
    state: str
    icon: str
    since: Moment | None
    """Of the trouble that it is in."""
    fallback: str
    sent: Moment | None
    waiting: str
    error: str
    next_try: Moment | None
    test: str
    """Where a test is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    at: Moment
    href: str
    """The incident that was told of; empty where it is about something else."""
    channel: str
    title: str
    outcome: str
    icon: str
    reason: str
    took: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelsView:
    title: str
    headline: str
    channels: tuple[ChannelView, ...]
    attempts: tuple[AttemptView, ...]


_ICONS: Final = {
    ChannelState.WORKS: "up",
    ChannelState.FAILING: "degraded",
    ChannelState.BROKEN: "down",
    ChannelState.UNUSED: "unknown",
}
_OUTCOME_ICONS: Final = {"sent": "up", "failed": "degraded", "broken": "down", "refused": "down"}


def _test_href(name: str) -> str:
    """Where a test of the channel is asked for; whatever is in the name stays inside the path."""
    return f"{CHANNELS_HREF}/{quote(name, safe='')}/test"


def channels_view(channels: Sequence[ChannelRow], attempts: Sequence[AttemptRow], now: datetime) -> ChannelsView:
    """Every channel, and the newest tries."""
    headline = _headline(channels)
    return ChannelsView(
        title=f"{headline} · mcp-prober",
        headline=headline,
        channels=tuple(_channel(each, now) for each in channels),
        attempts=tuple(attempt_view(each, now) for each in attempts),
    )


def _headline(channels: Sequence[ChannelRow]) -> str:
    troubled = [each for each in channels if each.state in (ChannelState.BROKEN, ChannelState.FAILING)]
    if not channels:
        return "No channel is configured"
    if not troubled:
        return counted(len(channels), "channel")
    broken = sum(each.state is ChannelState.BROKEN for each in troubled)
    words = (
        f"{broken} to mend" if broken else "",
        f"{len(troubled) - broken} failing" if broken < len(troubled) else "",
    )
    return f"{counted(len(channels), 'channel')}: {', '.join(word for word in words if word)}"


def _channel(row: ChannelRow, now: datetime) -> ChannelView:
    since = row.broken_since or row.failing_since
    waits = row.resting_until is not None and row.resting_until > now
    return ChannelView(
        name=clean(row.name),
        kind=clean(row.kind),
        state="to mend" if row.state is ChannelState.BROKEN else row.state.value,
        icon=_ICONS[row.state],
        since=moment_of(since, now) if since else None,
        fallback=clean(row.fallback or ""),
        sent=moment_of(row.sent_at, now) if row.sent_at else None,
        waiting=_waiting(row, now),
        error=clean(row.last_error or "", 300),
        next_try=moment_of(row.resting_until, now) if row.resting_until and waits else None,
        test=_test_href(row.name),
    )


def _waiting(row: ChannelRow, now: datetime) -> str:
    parts = []
    if row.waiting and row.oldest:
        age = span((now - row.oldest).total_seconds())
        parts.append(f"{counted(row.waiting, 'notice')}, the oldest for {age}")
    if row.refused:
        parts.append(f"{row.refused} refused for good within a day")
    return "; ".join(parts)


def attempt_view(row: AttemptRow, now: datetime) -> AttemptView:
    return AttemptView(
        at=moment_of(row.at, now),
        href=incident_href(row.incident_id) if row.incident_id else "",
        channel=clean(row.channel),
        title=clean(row.title),
        outcome=clean(row.outcome),
        icon=_OUTCOME_ICONS.get(row.outcome, "unknown"),
        reason=clean(row.reason, 300),
        took=milliseconds(row.took_ms) if row.took_ms else "-",
    )
