"""What a person is told about a transition, in the words that every channel uses."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from checks.text import clean
from prober.incidents.lifecycle import Incident, Transition, TransitionKind
from prober.incidents.notice import Notice, NoticeKind

_NO_CAUSE: Final = "No known cause explains it; the probe's own page shows what was sent and what came back."


def notice_of(transition: Transition, endpoint: str) -> Notice:
    """What to tell about a transition of the endpoint with this name. Its URL is left out: it may hold a secret."""
    name = clean(endpoint, 100)
    incident = transition.incident
    is_over = transition.kind is TransitionKind.CLOSED
    return Notice(
        id=transition.id,
        kind=NoticeKind(transition.kind),
        thread=incident.id,
        endpoint=name,
        severity=incident.severity,
        verdict=incident.verdict,
        diagnosis=incident.shown.cause_id,
        title=_TITLES[transition.kind](name, incident),
        lines=_LINES[transition.kind](transition),
        fix="" if is_over else clean(incident.shown.fix, 2000, keep_lines=True),
        since=incident.since,
        at=transition.at,
        path=f"/probes/{transition.report_id}",
    )


def duration_in_words(length: timedelta) -> str:
    """Two units at most, as people say it: `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`. Never negative."""
    seconds = max(round(length.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def moment_in_words(at: datetime) -> str:
    """A moment in UTC, for readers in any zone."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _lasted(incident: Incident) -> str:
    return duration_in_words((incident.ended_at or incident.since) - incident.since)


def _cause(transition: Transition) -> tuple[str, ...]:
    shown = transition.incident.shown
    summary = clean(shown.cause_summary, 500)
    if shown.cause_id is None:
        return (summary, _NO_CAUSE) if summary else (_NO_CAUSE,)
    return (f"{summary} ({shown.cause_id})", *(f"Evidence: {clean(text, 300)}" for text in shown.evidence))


def _since(transition: Transition) -> str:
    since = transition.incident.since
    return f"Since {moment_in_words(since)}, {duration_in_words(transition.at - since)} before this notice."


def _lines_of_opening(transition: Transition) -> tuple[str, ...]:
    return (*_cause(transition), _since(transition))


def _lines_of_change(transition: Transition) -> tuple[str, ...]:
    before = transition.before.cause_id if transition.before else None
    told = transition.incident.shown.cause_id
    earlier = (f"Before, the cause was {before}.",) if before is not None and before != told else ()
    return (*_cause(transition), *earlier, _since(transition))


def _lines_of_end(transition: Transition) -> tuple[str, ...]:
    incident = transition.incident
    ended = moment_in_words(incident.ended_at or transition.at)
    span = f"It began at {moment_in_words(incident.since)} and ended at {ended}: {_lasted(incident)} in all."
    if incident.shown.cause_id is None:
        return (span,)
    return (span, f"The cause was {incident.shown.cause_id}: {clean(incident.shown.cause_summary, 500)}")


_TITLES: Final[Mapping[TransitionKind, Callable[[str, Incident], str]]] = {
    TransitionKind.OPENED: lambda name, incident: f"{name} is {incident.verdict}",
    TransitionKind.WORSENED: lambda name, incident: f"{name} got worse: it is {incident.verdict} now",
    TransitionKind.CAUSE_CHANGED: lambda name, incident: f"{name} is still not well, for another reason",
    TransitionKind.CLOSED: lambda name, incident: f"{name} is up again after {_lasted(incident)}",
}
_LINES: Final[Mapping[TransitionKind, Callable[[Transition], tuple[str, ...]]]] = {
    TransitionKind.OPENED: _lines_of_opening,
    TransitionKind.WORSENED: _lines_of_change,
    TransitionKind.CAUSE_CHANGED: _lines_of_change,
    TransitionKind.CLOSED: _lines_of_end,
}
