"""The page of incidents: a stretch of time across the fleet, and what people were told in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from checks.model import Verdict
from checks.proofs import counted
from checks.text import clean
from dashboard.views.common import IncidentView, Moment, incident_href, incident_view, moment_of
from dashboard.views.fleet import Option
from dashboard.views.incident_query import EVERYTHING, IncidentQuery, State, Window, href
from dashboard.views.silence import UNMUTED, OutageView, SilenceView, outage_view
from dashboard.views.timeline import Timeline, timeline
from dashboard.wording import absolute
from prober.incidents.outages import Outage
from prober.incidents.rules import Severity
from prober.storage.incident_log import Overview, Place
from prober.storage.queries import IncidentRow, NoticeRow

_ENDPOINT_KINDS: Final = frozenset(
    {"opened", "worsened", "cause-changed", "flapping", "reminder", "escalated", "closed"}
)
"""Of notices whose thread is an incident (`prober.incidents.notice`)."""
_WINDOWS: Final = {
    Window.DAY: "24 hours", Window.WEEK: "7 days", Window.MONTH: "30 days", Window.QUARTER: "90 days",
}  # fmt: skip
_STATES: Final = {State.ALL: "open and over", State.OPEN: "open", State.OVER: "over"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    endpoint: str
    href: str
    """The page of what it is about: of the incident, where it is one."""
    title: str
    channel: str
    verdict: Verdict | None
    severity: Severity
    kind: str
    state: str
    """`sent`, `waiting`, `told by a newer one`, `handed over` or `given up`."""
    at: Moment
    attempts: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFilter:
    """The form above the list."""

    windows: tuple[Option, ...]
    states: tuple[Option, ...]
    severities: tuple[Option, ...]
    endpoint: str
    told: str
    """What is shown, in words."""
    clear: str
    """The address without the filter; empty where there is none."""
    earlier: str
    later: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsView:
    title: str
    headline: str
    filter: IncidentFilter
    timeline: Timeline
    items: tuple[IncidentView, ...]
    older: str
    """The address of the next page of the list; empty on the last one."""
    more: str
    """How many stand on the pages after this one."""
    first: str
    """The address of the first page; empty there."""
    notices: tuple[NoticeView, ...]
    outages: tuple[OutageView, ...] = ()
    silence: SilenceView = UNMUTED


def incidents_view(
    incidents: Sequence[IncidentRow],
    notices: Sequence[NoticeRow],
    now: datetime,
    *,
    query: IncidentQuery = EVERYTHING,
    beyond: int = 0,
    overview: Overview | None = None,
    still_open: int | None = None,
    outages: Sequence[Outage] = (),
    silence: SilenceView = UNMUTED,
) -> IncidentsView:
    """Incidents of all endpoints, and what people were told about them.

    `beyond` is how many stand on later pages, `overview` shows all of the stretch where `incidents` are not all of
    them, and `still_open` is how many are open at all.
    """
    opened = sum(each.ended_at is None for each in incidents) if still_open is None else still_open
    headline = f"{counted(opened, 'open incident')}" if opened else "No open incidents"
    number = len(incidents) if overview is None else overview.number
    spells = incidents if overview is None else overview.spells
    endpoints = None if overview is None else overview.endpoints
    return IncidentsView(
        title=f"{headline} · mcp-prober",
        headline=headline,
        filter=_filter(query, number, now),
        timeline=timeline(spells, query.stretch(now), now, endpoints=endpoints),
        items=tuple(incident_view(each, now) for each in incidents),
        older=href(replace(query, after=Place.of(incidents[-1]))) if beyond else "",
        more=f"{counted(beyond, 'more incident')}" if beyond else "",
        first=href(replace(query, after=None)) if query.after is not None else "",
        notices=tuple(notice_view(each, now) for each in notices),
        outages=tuple(outage_view(each) for each in outages),
        silence=silence,
    )


def notice_view(row: NoticeRow, now: datetime) -> NoticeView:
    """A notice of the log; from one about an incident a link leads to it."""
    return NoticeView(
        endpoint=clean(row.endpoint_name),
        href=incident_href(row.thread) if row.kind in _ENDPOINT_KINDS else "",
        title=clean(row.title),
        channel=clean(row.channel),
        verdict=row.verdict,
        severity=row.severity,
        kind=clean(row.kind),
        state=state_of(row),
        at=moment_of(row.sent_at or row.failed_at or row.created_at, now),
        attempts=counted(row.attempts, "attempt") if row.attempts > 1 else "",
        error=""
        if row.sent_at
        else " · ".join(word for word in (_taker(row), clean(row.last_error or "", 300)) if word),
    )


def state_of(row: NoticeRow) -> str:
    """What became of a notice, in a few words."""
    if row.sent_at:
        return "sent"
    if row.superseded_by:
        return "told by a newer one"
    if row.handed_to:
        return "handed over"
    return "given up" if row.failed_at else "waiting"


def _filter(query: IncidentQuery, number: int, now: datetime) -> IncidentFilter:
    stretch = query.stretch(now)
    until = f"{absolute(stretch.until)[:16]} UTC" if query.until else "now"
    return IncidentFilter(
        windows=tuple(Option(each.value, words, each is query.window) for each, words in _WINDOWS.items()),
        states=tuple(Option(each.value, words, each is query.state) for each, words in _STATES.items()),
        severities=(
            Option("", "any", query.severity is None),
            *(Option(each.value, each.value, each is query.severity) for each in Severity),
        ),
        endpoint=query.endpoint,
        told=f"{counted(number, 'incident')} from {absolute(stretch.since)[:16]} to {until}",
        clear=href(IncidentQuery(window=query.window, until=query.until)) if query.is_narrowed else "",
        earlier=query.earlier(now),
        later=query.later(now),
    )


def _taker(row: NoticeRow) -> str:
    return f"to {clean(row.handed_to)}" if row.handed_to else ""
