"""The page of one probe, whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from checks.model import Endpoint, Verdict
from checks.proofs import counted, milliseconds
from checks.spec import Chapter
from checks.text import clean
from dashboard.views.common import (
    UNEXPLAINED,
    WITHOUT_CAUSE,
    IncidentView,
    Moment,
    endpoint_href,
    incident_view,
    moment_of,
    probe_href,
    start_ms,
)
from dashboard.views.evidence import NO_CHAPTERS, ReportView, report_view
from dashboard.views.exchanges import NOBODY, Behind
from prober import values
from prober.storage.queries import IncidentRow, ProbePage, ReportRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeView:
    endpoint: str
    endpoint_href: str
    headline: str
    verdict: Verdict
    summary: str
    """Empty where the first diagnosis, which stands right below, says the same."""
    at: Moment
    report: ReportView | None
    no_report: str
    facts: tuple[tuple[str, str], ...]
    earlier: str | None
    later: str | None
    incident: IncidentView | None
    """In which the endpoint was at that time."""
    proofs: Mapping[int, str]
    """The place on the page of each proof that an exchange shows, by its number."""
    log_hint: str
    """What would make the requests link to the function's log; empty where they do, or cannot."""


def probe_view(
    page: ProbePage,
    questions: Mapping[str, str],
    now: datetime,
    chapters: Mapping[str, Sequence[Chapter]] = NO_CHAPTERS,
    behind: Behind = NOBODY,
    incident: IncidentRow | None = None,
) -> ProbeView:
    """One probe, whole."""
    report = report_view(page.detail, questions, chapters, behind) if page.detail else None
    missed = page.report.missed
    name = clean(page.endpoint_name)
    summary = clean(page.report.cause_summary, 500) or WITHOUT_CAUSE.get(page.report.verdict, UNEXPLAINED)
    is_told_below = report is not None and bool(report.diagnoses) and report.diagnoses[0].summary == summary
    return ProbeView(
        endpoint=name,
        endpoint_href=endpoint_href(page.endpoint_name),
        headline=f"{counted(missed, 'probe')} did not happen" if missed else f"{name} was {page.report.verdict}",
        verdict=page.report.verdict,
        summary="" if is_told_below else summary,
        at=moment_of(page.report.slot, now),
        report=report,
        no_report=_WITHOUT_PROBE if missed else "What this probe saw is no longer kept.",
        facts=(
            *((*_conversation(report), _trace(page.report.id)) if report else ()),
            *_log_facts(page.report),
            *_observer_facts(page),
        ),
        earlier=probe_href(page.earlier) if page.earlier else None,
        later=probe_href(page.later) if page.later else None,
        incident=None if incident is None else incident_view(incident, now),
        proofs=dict(_proofs(report)) if report else {},
        log_hint=_log_hint(report, behind),
    )


def _proofs(report: ReportView) -> Iterator[tuple[int, str]]:
    for diagnosis in reversed(report.diagnoses):
        for proof in diagnosis.evidence:
            if proof.number:
                yield proof.number, f"d-{diagnosis.id}-proof-{proof.number}"


def behind_of(endpoint: Endpoint | None) -> Behind:
    """What links and commands need of the endpoint's configuration."""
    if endpoint is None:
        return NOBODY
    insecure = not endpoint.verify_tls
    if endpoint.function is None:
        return Behind(insecure=insecure)
    group, region = values.log_group(endpoint.function, endpoint.url)
    return Behind(log_group=group, region=region, insecure=insecure)


def _log_hint(report: ReportView | None, behind: Behind) -> str:
    """Why no request leads to its log, where it could."""
    if report is None or not any(each.request_id for each in report.exchanges):
        return ""
    if behind.log_group is None:
        return "Name the Lambda function in the endpoint's configuration (function), and each request links to its log."
    if behind.region is None:
        return "Name the Lambda function by its ARN (function): without a region, no request can link to its log."
    return ""


_WITHOUT_PROBE: Final = "There is nothing to see: nothing was sent. The verdict is unknown, and counts for nobody."


def _observer_facts(page: ProbePage) -> Iterator[tuple[str, str]]:
    """What kept the prober from seeing the endpoint, or from timing it."""
    if page.report.unknown_reason and not page.report.missed:
        yield "Not observed", clean(page.report.unknown_reason, 60)
    observer = page.detail.get("observer") if page.detail else None
    if isinstance(observer, dict) and observer.get("is_late") and isinstance(observer.get("lag_ms"), int | float):
        yield "Own delay", f"the prober was held up for {milliseconds(observer['lag_ms'])}: its times count for nothing"


def _trace(report: UUID) -> tuple[str, str]:
    """Where the probe shows in the server's own records: every request carried the report's id (W3C Trace Context)."""
    return ("Trace id", f"{report.hex}: look for it where the server's traces go, such as X-Ray or OpenTelemetry")


def _log_facts(report: ReportRow) -> tuple[tuple[str, str], ...]:
    """What the function's log says of the probe's first request, where it was asked."""
    if report.cold_confirmed is None:
        return ()
    start = start_ms(report)
    if report.cold_confirmed:
        return (("Cold start", f"confirmed by the function's log: {milliseconds(start)} to start the instance"),)
    ahead = "" if start is None else f"; the instance was started ahead of time, in {milliseconds(start)}"
    return (("Cold start", f"none, by the function's log{ahead}"),)


def _conversation(report: ReportView) -> tuple[tuple[str, str], ...]:
    facts = {
        "Server": report.server,
        "Protocol version": report.version,
        "Era": report.era,
        "Transport": report.transport,
        "Session": report.session,
        "Answers": report.replies,
        "Opened because": report.opened_by,
        "Tools": str(len(report.tools)) if report.tools else "",
    }
    return tuple((term, text) for term, text in facts.items() if text) or (("Conversation", "never opened"),)
