"""The page of incidents, and of what people were told about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from checks.model import Verdict
from checks.text import clean
from dashboard.views.common import IncidentView, Moment, endpoint_href, incident_view, moment_of
from dashboard.views.silence import UNMUTED, OutageView, SilenceView, outage_view
from dashboard.wording import counted
from prober.incidents.outages import Outage
from prober.incidents.rules import Severity
from prober.storage.queries import IncidentRow, NoticeRow


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    endpoint: str
    href: str
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
class IncidentsView:
    title: str
    headline: str
    items: tuple[IncidentView, ...]
    notices: tuple[NoticeView, ...]
    outages: tuple[OutageView, ...] = ()
    silence: SilenceView = UNMUTED


def incidents_view(
    incidents: Sequence[IncidentRow],
    notices: Sequence[NoticeRow],
    now: datetime,
    outages: Sequence[Outage] = (),
    silence: SilenceView = UNMUTED,
) -> IncidentsView:
    """Incidents of all endpoints, and what people were told about them."""
    still_open = sum(each.ended_at is None for each in incidents)
    headline = f"{counted(still_open, 'open incident')}" if still_open else "No open incidents"
    return IncidentsView(
        title=f"{headline} · mcp-prober",
        headline=headline,
        items=tuple(incident_view(each, now) for each in incidents),
        notices=tuple(_notice(each, now) for each in notices),
        outages=tuple(outage_view(each) for each in outages),
        silence=silence,
    )


def _notice(row: NoticeRow, now: datetime) -> NoticeView:
    return NoticeView(
        endpoint=clean(row.endpoint_name),
        href=endpoint_href(row.endpoint_name),
        title=clean(row.title),
        channel=clean(row.channel),
        verdict=row.verdict,
        severity=row.severity,
        kind=clean(row.kind),
        state=_state_of(row),
        at=moment_of(row.sent_at or row.failed_at or row.created_at, now),
        attempts=counted(row.attempts, "attempt") if row.attempts > 1 else "",
        error=""
        if row.sent_at
        else " · ".join(word for word in (_taker(row), clean(row.last_error or "", 300)) if word),
    )


def _state_of(row: NoticeRow) -> str:
    if row.sent_at:
        return "sent"
    if row.superseded_by:
        return "told by a newer one"
    if row.handed_to:
        return "handed over"
    return "given up" if row.failed_at else "waiting"


def _taker(row: NoticeRow) -> str:
    return f"to {clean(row.handed_to)}" if row.handed_to else ""
