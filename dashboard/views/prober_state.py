"""How the prober itself does, for the top of the fleet page: whether what is shown is true, and who looks."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from checks.proofs import counted, listed
from checks.text import clean
from dashboard.wording import absolute, span
from prober.storage.workers import GONE_AFTER_S, Prober

_LATE_AFTER: Final = timedelta(minutes=5)
"""By then a notice has been tried several times."""
_TROUBLES_SHOWN: Final = 3
_OF_THE_WHOLE: Final = frozenset(
    {
        "clock",
        "database",
        "database-away",
        "descriptors",
        "migrations",
        "no-connectivity",
        "observer-lag",
        "resolver-starved",
        "spool-disk",
        "spool-full",
        "trust",
    }
)
"""Troubles of the prober as a whole; those about single endpoints are told, and stand in their rows."""
_WORKERS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberView:
    silent: str = ""
    """Why what is shown may no longer be true; empty while a worker is there, or none ever was."""
    alarms: tuple[str, ...] = ()
    """What keeps it from its work."""
    workers: str = ""


UNTOLD: Final = ProberView()
"""Where nobody asked."""


def prober_view(prober: Prober, now: datetime) -> ProberView:
    """What a person must know of the prober to read the rest of the page."""
    return ProberView(
        silent=_silent(prober, now), alarms=(*_troubles(prober), *_late(prober, now)), workers=_there(prober)
    )


def _silent(prober: Prober, now: datetime) -> str:
    if prober.workers or prober.seen_at is None or now - prober.seen_at <= timedelta(seconds=GONE_AFTER_S):
        return ""
    return (
        f"Results are stale: no prober has been seen since {absolute(prober.seen_at)}. "
        "It does not run, or cannot reach its database. What you see is from then."
    )


def _troubles(prober: Prober) -> list[str]:
    of_the_whole = [each for each in prober.troubles if each.reason in _OF_THE_WHOLE]
    shown = [
        f"The prober is impaired since {absolute(each.since)} ({each.reason}). {clean(each.detail)}"
        for each in of_the_whole[:_TROUBLES_SHOWN]
    ]
    more = len(of_the_whole) - _TROUBLES_SHOWN
    return [*shown, f"And {counted(more, 'more trouble')} of the prober."] if more > 0 else shown


def _late(prober: Prober, now: datetime) -> list[str]:
    if prober.unsent_since is None or now - prober.unsent_since < _LATE_AFTER:
        return []
    waited = span((now - prober.unsent_since).total_seconds())
    return [f"Notices are late: the oldest has been waiting for {waited}. The page of the channels says why."]


def _there(prober: Prober) -> str:
    if not prober.workers:
        return ""
    names = [f"{clean(each.name, 80)} at {clean(each.location, 60)}" for each in prober.workers[:_WORKERS_SHOWN]]
    more = len(prober.workers) - _WORKERS_SHOWN
    others = [f"{more} more"] if more > 0 else []
    return f"Probed by {listed([*names, *others])}."
