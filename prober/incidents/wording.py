"""What a person is told, in the words that every channel uses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote
from uuid import UUID

from checks.model import Verdict
from checks.text import clean
from prober.incidents.impairment import Trouble
from prober.incidents.lifecycle import FLAKY, Incident, TransitionKind
from prober.incidents.notice import About, Notice, NoticeKind
from prober.incidents.outages import NO_KNOWN_CAUSE, Outage
from prober.incidents.rules import Severity
from prober.incidents.telling import Tell

_NO_CAUSE: Final = "No known cause explains it; the probe's own page shows what was sent and what came back."
_OUTAGE_FIX: Final = (
    "Look first at what these endpoints share: an account or a region, a deploy, an authorizer, a gateway or a network."
)
_IMPAIRED_FIX: Final = "Mend what keeps the prober from its work; it goes on by itself as soon as it can."
_NAMES_STILL_FAILING: Final = 10
_ALL: Final = "all endpoints"


def incident_notice(
    tell: Tell, incident: Incident, endpoint: str, labels: Mapping[str, str], at: datetime, *, watched: bool = True
) -> Notice:
    """What to tell about an incident of the endpoint with this name. Its URL is left out: it may hold a secret.

    `watched` is false where the incident ends because nobody looks at the endpoint any more.
    """
    name = clean(endpoint, 100)
    is_over = tell.kind is NoticeKind.CLOSED
    if is_over and not watched:
        title, lines = f"{name} is no longer watched", _lines_unwatched(incident, at)
    else:
        title, lines = _TITLES[tell.kind](name, incident, at), _LINES[tell.kind](incident, at)
    return Notice(
        id=tell.id,
        kind=tell.kind,
        thread=incident.id,
        endpoint=name,
        severity=incident.severity,
        verdict=incident.verdict,
        diagnosis=incident.shown.cause_id,
        title=title,
        lines=lines,
        fix="" if is_over else clean(incident.shown.fix, 2000, keep_lines=True),
        since=incident.since,
        at=at,
        path=f"/probes/{incident.shown.report_id}" if tell.kind in _ABOUT_A_PROBE else f"/endpoints/{quote(name, '')}",
        labels=dict(labels),
    )


def outage_notice(tell: Tell, outage: Outage, at: datetime, *, still: Sequence[str] = ()) -> Notice:
    """What to tell about many endpoints at once. `still` are the names of those that stay behind when it is over."""
    group = clean(outage.group, 200)
    lasted = duration_in_words((outage.ended_at or at) - outage.since)
    of_group = f" ({group})" if group else ""
    most = max(outage.counts)
    title = {
        NoticeKind.OUTAGE_CLOSED: f"The outage of {most} endpoints{of_group} is over after {lasted}",
        NoticeKind.OUTAGE_CHANGED: f"{outage.affected} endpoints{of_group} are failing together by now",
        NoticeKind.REMINDER: f"{outage.affected} endpoints{of_group} are still failing together after {lasted}",
        NoticeKind.ESCALATED: f"{outage.affected} endpoints{of_group} are failing together: nobody has acknowledged it",
    }.get(tell.kind, f"{outage.affected} endpoints{of_group} are failing together")
    is_over = tell.kind is NoticeKind.OUTAGE_CLOSED
    return Notice(
        id=tell.id,
        kind=tell.kind,
        about=About.OUTAGE,
        thread=outage.id,
        endpoint=group or _ALL,
        severity=outage.severity,
        verdict=Verdict.DOWN if outage.severity is Severity.CRITICAL else Verdict.DEGRADED,
        diagnosis=next((clean(cause, 60) for cause, _ in outage.causes if cause != NO_KNOWN_CAUSE), None),
        title=title,
        lines=_lines_of_outage_end(outage, still) if is_over else _lines_of_outage(outage, at),
        fix="" if is_over else _OUTAGE_FIX,
        since=outage.since,
        at=at,
        path="/incidents",
        labels=dict(outage.labels),
    )


def impairment_notice(
    identity: UUID, trouble: Trouble, kind: NoticeKind, at: datetime, *, is_gone: bool = False
) -> Notice:
    """What to tell about a prober that cannot do all of its work, or that can again. `is_gone` is true where nobody has
    seen the prober for so long that another one ends its trouble."""
    worker, ended = clean(trouble.worker, 100), trouble.ended_at or at
    is_over, words = kind is NoticeKind.RESTORED, _words_of(trouble.reason)
    span = f"from {moment_in_words(trouble.since)} to {moment_in_words(ended)}"
    lasted = duration_in_words(ended - trouble.since)
    detail = clean(trouble.detail, 300)
    title = f"The prober {worker} is impaired"
    lines = [detail, words.meanwhile, _since(trouble.since, at)]
    if is_gone:
        title = f"The prober {worker} is gone: nobody has seen it since it was impaired"
        lines = [detail, f"That was at {moment_in_words(trouble.since)}. Others watch its endpoints if they run."]
    elif is_over:
        title = f"The prober {worker} {words.again} after {lasted}"
        lines = [f"It was impaired {span}: {detail}", words.afterwards]
    return Notice(
        id=identity,
        kind=kind,
        about=About.PROBER,
        thread=trouble.id,
        endpoint=worker,
        severity=Severity.WARNING,
        diagnosis=trouble.reason,
        title=title,
        lines=tuple(lines),
        fix="" if is_over else _IMPAIRED_FIX,
        since=trouble.since,
        at=at,
        path="/",
    )


@dataclass(frozen=True, slots=True)
class _Words:
    """What a trouble of the prober means for the endpoints."""

    meanwhile: str
    again: str
    afterwards: str


_BLIND: Final = _Words(
    "Nothing is known about the endpoints meanwhile: their verdicts are unknown, and nobody is told about them.",
    "can observe again",
    "Nothing is known about the endpoints in that time: their verdicts are unknown, and count for no uptime.",
)
_HELD_UP: Final = _Words(
    "Probing goes on, and reports wait on the prober's disk. Nobody is told about endpoints until they are saved.",
    "can save again",
    "What was found meanwhile is saved from now on, and whoever is to be told of it is told then.",
)
_SHORT_OF_ROOM: Final = _Words(
    "Probing goes on. Reports that merely repeat what is known are counted or dropped first, changes last.",
    "has room again",
    "What was dropped meanwhile is counted in the prober's own metrics.",
)
_PARTLY: Final = _Words(
    "Probing goes on. What this alone may have caused is unknown, and nobody is told about it.",
    "observes everything again",
    "Probes that it may have spoilt are unknown, and count for no uptime.",
)
_WORDS: Final[Mapping[str, _Words]] = {
    "no-connectivity": _BLIND,
    "database": _HELD_UP,
    "database-away": _HELD_UP,
    "migrations": _HELD_UP,
    "spool-full": _SHORT_OF_ROOM,
    "spool-disk": _SHORT_OF_ROOM,
}


def _words_of(reason: str) -> _Words:
    """Other reasons than these concern some endpoints, or some of their probes."""
    return _WORDS.get(reason, _PARTLY)


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


def _lasted(incident: Incident, at: datetime) -> str:
    return duration_in_words((incident.ended_at or at) - incident.since)


def _state(incident: Incident) -> str:
    return FLAKY if incident.shown.cause_id == FLAKY else incident.verdict.value


def _cause(incident: Incident) -> tuple[str, ...]:
    shown = incident.shown
    summary = clean(shown.cause_summary, 500)
    if shown.cause_id is None:
        return (summary, _NO_CAUSE) if summary else (_NO_CAUSE,)
    return (f"{summary} ({shown.cause_id})", *(f"Evidence: {clean(text, 300)}" for text in shown.evidence))


def _since(since: datetime, at: datetime) -> str:
    return f"Since {moment_in_words(since)}, {duration_in_words(at - since)} before this notice."


def _lines_of_opening(incident: Incident, at: datetime) -> tuple[str, ...]:
    return (*_cause(incident), _since(incident.since, at))


def _lines_of_change(incident: Incident, at: datetime) -> tuple[str, ...]:
    before = incident.before.cause_id if incident.before else None
    earlier = (f"Before, the cause was {before}.",) if before not in (None, incident.shown.cause_id) else ()
    return (*_cause(incident), *earlier, _since(incident.since, at))


def _lines_of_flapping(incident: Incident, at: datetime) -> tuple[str, ...]:
    since = incident.flapping_since or incident.since
    return (
        f"It failed and recovered again and again: {incident.flaps} changes since {moment_in_words(since)}.",
        "Nothing more is told of each change. The next notice comes when it has stayed up, or down, for half an hour.",
        *_cause(incident),
        _since(incident.since, at),
    )


def _lines_of_end(incident: Incident, at: datetime) -> tuple[str, ...]:
    ended = moment_in_words(incident.ended_at or at)
    span = f"It began at {moment_in_words(incident.since)} and ended at {ended}: {_lasted(incident, at)} in all."
    if incident.shown.cause_id is None:
        return (span,)
    return (span, f"The cause was {incident.shown.cause_id}: {clean(incident.shown.cause_summary, 500)}")


def _lines_unwatched(incident: Incident, at: datetime) -> tuple[str, ...]:
    return (
        "It was removed, disabled or given another address while it was not well, so that this incident is closed. "
        "Nobody has seen it recover.",
        f"It had not been well since {moment_in_words(incident.since)}, {_lasted(incident, at)} in all.",
    )


def _lines_of_outage(outage: Outage, at: datetime) -> tuple[str, ...]:
    more = outage.affected - len(outage.names)
    names = ", ".join(clean(name, 100) for name in outage.names)
    return (
        f"Affected: {names}{f' and {more} more' if more > 0 else ''}.",
        f"The most common causes: {_causes(outage)}.",
        "They are told as one, because they began to fail together.",
        _since(outage.since, at),
    )


def _lines_of_outage_end(outage: Outage, still: Sequence[str]) -> tuple[str, ...]:
    ended = outage.ended_at or outage.opened_at
    lasted = duration_in_words(ended - outage.since)
    span = f"It began at {moment_in_words(outage.since)} and ended at {moment_in_words(ended)}: {lasted} in all."
    if not still:
        return (span, f"None of them is failing any more. The most common causes were: {_causes(outage)}.")
    names = ", ".join(clean(name, 100) for name in still[:_NAMES_STILL_FAILING])
    more = len(still) - _NAMES_STILL_FAILING
    behind = f"Still failing: {names}{f' and {more} more' if more > 0 else ''}; each is told on its own from here."
    return (span, behind, f"The most common causes were: {_causes(outage)}.")


def _causes(outage: Outage) -> str:
    return ", ".join(f"{clean(cause, 60)} ({count})" for cause, count in outage.causes)


def _title_of_worse(name: str, incident: Incident, at: datetime) -> str:
    del at
    if incident.news[-2:] == (TransitionKind.FLAPPING, TransitionKind.WORSENED):
        return f"{name} flaps no more: it stays {incident.verdict}"
    return f"{name} got worse: it is {incident.verdict} now"


def _title_of_end(name: str, incident: Incident, at: datetime) -> str:
    if incident.shown.cause_id == FLAKY:
        return f"{name} is no longer flaky after {_lasted(incident, at)}"
    return f"{name} is up again after {_lasted(incident, at)}"


_ABOUT_A_PROBE: Final = frozenset(
    {NoticeKind.OPENED, NoticeKind.WORSENED, NoticeKind.CAUSE_CHANGED, NoticeKind.ESCALATED}
)
_TITLES: Final[Mapping[NoticeKind, Callable[[str, Incident, datetime], str]]] = {
    NoticeKind.OPENED: lambda name, incident, _: f"{name} is {_state(incident)}",
    NoticeKind.WORSENED: _title_of_worse,
    NoticeKind.CAUSE_CHANGED: lambda name, *_: f"{name} is still not well, for another reason",
    NoticeKind.FLAPPING: lambda name, *_: f"{name} is flapping between up and not well",
    NoticeKind.REMINDER: lambda name, incident, at: f"{name} is still {_state(incident)} after {_lasted(incident, at)}",
    NoticeKind.ESCALATED: lambda name, incident, _: f"{name} is {_state(incident)}, and nobody has acknowledged it",
    NoticeKind.CLOSED: _title_of_end,
}
_LINES: Final[Mapping[NoticeKind, Callable[[Incident, datetime], tuple[str, ...]]]] = {
    NoticeKind.OPENED: _lines_of_opening,
    NoticeKind.WORSENED: _lines_of_change,
    NoticeKind.CAUSE_CHANGED: _lines_of_change,
    NoticeKind.FLAPPING: _lines_of_flapping,
    NoticeKind.REMINDER: _lines_of_opening,
    NoticeKind.ESCALATED: _lines_of_opening,
    NoticeKind.CLOSED: _lines_of_end,
}
