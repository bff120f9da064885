"""What an endpoint's page shows of its sentinels: how each stands, and since when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from checks.proofs import milliseconds
from checks.protocol.sentinel_call import Called
from checks.sentinel_states import SentinelState
from checks.text import clean
from dashboard.views.common import Moment, moment_of

_WORDS: Final = {
    Called.OK: "works",
    Called.FAILED: "fails (isError)",
    Called.ACCESS_DENIED: "refused by IAM",
    Called.ERROR: "error instead of a result",
    Called.MISMATCH: "not as expected",
    Called.INVALID: "breaks its own schema",
    Called.CHANGED: "not called: the tool changed",
    Called.NOT_LISTED: "not listed",
    Called.SKIPPED: "not called",
}
_ICONS: Final = {Called.OK: "up", Called.SKIPPED: "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelView:
    """One sentinel."""

    tool: str
    icon: str
    word: str
    since: Moment
    at: Moment
    """When a probe last came to it."""
    took: str
    """How long the last call took; empty where nothing was called."""
    summary: str


def sentinel_views(states: Sequence[SentinelState], now: datetime) -> tuple[SentinelView, ...]:
    """The sentinels in the order of the configuration."""
    return tuple(_view(each, now) for each in states)


def _view(state: SentinelState, now: datetime) -> SentinelView:
    known = Called(state.outcome) if state.outcome in list(Called) else None
    return SentinelView(
        tool=clean(state.tool, 80),
        icon="unknown" if known is None else _ICONS.get(known, "degraded"),
        word=clean(state.outcome, 40) if known is None else _WORDS[known],
        since=moment_of(state.since, now),
        at=moment_of(state.at, now),
        took="" if state.ms is None else milliseconds(state.ms),
        summary=clean(state.summary, 300),
    )
