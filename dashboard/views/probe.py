"""The page of one probe, whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from checks.model import Verdict
from checks.text import clean
from dashboard.views.common import UNEXPLAINED, WITHOUT_CAUSE, Moment, endpoint_href, moment_of, probe_href, start_ms
from dashboard.views.evidence import ReportView, report_view
from dashboard.wording import counted, milliseconds
from prober.storage.queries import ProbePage, ReportRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeView:
    endpoint: str
    endpoint_href: str
    headline: str
    verdict: Verdict
    summary: str
    at: Moment
    report: ReportView | None
    no_report: str
    facts: tuple[tuple[str, str], ...]
    earlier: str | None
    later: str | None


def probe_view(page: ProbePage, questions: Mapping[str, str], now: datetime) -> ProbeView:
    """One probe, whole."""
    report = report_view(page.detail, questions) if page.detail else None
    missed = page.report.missed
    name = clean(page.endpoint_name)
    return ProbeView(
        endpoint=name,
        endpoint_href=endpoint_href(page.endpoint_name),
        headline=f"{counted(missed, 'probe')} did not happen" if missed else f"{name} was {page.report.verdict}",
        verdict=page.report.verdict,
        summary=clean(page.report.cause_summary, 500) or WITHOUT_CAUSE.get(page.report.verdict, UNEXPLAINED),
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
    )


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
