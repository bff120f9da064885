"""What several pages show: moments, incidents, the words for a verdict, addresses of pages.

Names, URLs, labels and summaries may come from a hostile server or a careless file, so all of them are cleaned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote
from uuid import UUID

from checks.model import Verdict
from checks.proofs import counted, listed
from checks.text import clean
from dashboard.views.silence import hands_of
from dashboard.wording import absolute, ago, short, span
from prober.incidents.rules import Severity
from prober.storage.queries import FleetRow, IncidentRow, ReportRow

WORST_FIRST: Final = (Verdict.DOWN, Verdict.DEGRADED, Verdict.UNKNOWN, Verdict.UP)
"""Worst first: what nobody could observe may be worse than what is up."""
_OVERDUE_AFTER: Final = 2
"""Intervals after which a probe that should have come is called overdue."""
_OVERDUE_GRACE: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time for a `<time>` element."""

    iso: str
    absolute: str
    short: str
    relative: str
    age: str
    """How long ago, without the word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    page: str
    endpoint: str
    href: str
    verdict: Verdict
    severity: Severity
    cause: str
    summary: str
    since: Moment
    ended: Moment | None
    lasted: str
    hands: tuple[str, ...]
    """Who has it in hand, and why nobody is told of it."""
    acknowledge: str
    """Where it can be acknowledged; empty where it is over, or somebody has done so."""


def endpoint_href(name: str) -> str:
    """The page of an endpoint; whatever is in the name stays inside the path."""
    return f"/endpoints/{quote(name, safe='')}"


def probe_href(report: UUID) -> str:
    return f"/probes/{report}"


def incident_href(incident: UUID) -> str:
    return f"/incidents/{incident}"


WITHOUT_CAUSE: Final = {Verdict.UP: "Works as a client expects.", Verdict.UNKNOWN: "We could not observe it."}
UNEXPLAINED: Final = "No known cause explains it; the exchanges show what came back."


def word_of(row: FleetRow) -> str:
    if not row.enabled:
        return "paused"
    return "waiting" if row.slot is None else row.verdict.value


def icon_of(row: FleetRow) -> str:
    return row.verdict.value if row.enabled else "skip"


def summary_of(row: FleetRow) -> str:
    """Why the endpoint has its verdict, in words, also where no diagnosis stands behind it."""
    if not row.enabled:
        return "Not probed: its configuration says enabled: false."
    if row.slot is None:
        return "Waiting for its first probe."
    if row.cause_summary:
        return clean(row.cause_summary, 500)
    return WITHOUT_CAUSE.get(row.verdict, UNEXPLAINED)


def is_overdue(row: FleetRow, now: datetime) -> bool:
    if not row.enabled or row.slot is None:
        return False
    longest = timedelta(seconds=row.interval_s * _OVERDUE_AFTER + row.pause_s)
    return now - row.slot > longest + _OVERDUE_GRACE


def moment_of(moment: datetime, now: datetime) -> Moment:
    return Moment(
        iso=moment.isoformat(),
        absolute=absolute(moment),
        short=short(moment),
        relative=ago(moment, now),
        age=span((now - moment).total_seconds()),
    )


def labels_of(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((clean(str(key), 60), clean(str(value), 60)) for key, value in sorted(labels.items()))


def bars_label(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "no probes yet"
    found = [f"{verdicts.count(each)} {each}" for each in reversed(WORST_FIRST) if each in verdicts]
    return f"last {counted(len(verdicts), 'probe')}: {listed(found)}"


def start_ms(report: ReportRow) -> float | None:
    return report.init_ms if report.restore_ms is None else report.restore_ms


def incident_view(row: IncidentRow, now: datetime) -> IncidentView:
    return IncidentView(
        page=incident_href(row.id),
        endpoint=clean(row.endpoint_name),
        href=endpoint_href(row.endpoint_name),
        verdict=row.verdict,
        severity=row.severity,
        cause=clean(row.cause or ""),
        summary=clean(row.cause_summary, 500),
        since=moment_of(row.since, now),
        ended=moment_of(row.ended_at, now) if row.ended_at else None,
        lasted=span(((row.ended_at or now) - row.since).total_seconds()),
        hands=hands_of(row, now),
        acknowledge=f"{incident_href(row.id)}/acknowledge"
        if row.ended_at is None and row.acknowledged_at is None
        else "",
    )
