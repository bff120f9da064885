"""Whether *we* could observe: what the prober knows of itself, and what that leaves of a report.

A fault of ours must not be told as one of the endpoint. So what may be our own doing is taken out of the evidence: the
exchange says that *we* failed, and the detectors judge anew. What they still find in the rest stands.

Reasons why nothing could be observed, beside those of an exchange that we could not begin:
    no-connectivity  no canary answered either
    observer-lag     our own event loop was held up for long while something ran out of time, or was slow
    clock-skew       our clock is too far off for a signature, or for the dates of a certificate
    no-request       the deadline came before the first request
    blocked-…        our own guard refused the address
    prober-bug       a check broke
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from checks.judgement import BrokenDetector, diagnose, verdict_of
from checks.model import (
    CheckResult,
    Effect,
    Evidence,
    Exchange,
    Failure,
    Observer,
    Outcome,
    ProbeReport,
    TransportError,
    Verdict,
)
from checks.proofs import milliseconds
from checks.symptoms import troubled
from checks.text import clean
from checks.unit import Detector

NO_CONNECTIVITY: Final = "no-connectivity"
LAG: Final = "observer-lag"
CLOCK: Final = "clock-skew"

TELLING_SHARE: Final = 0.1
"""Of the time that a probe took: delays that came to less explain no timeout, or a machine that is held up now and then
would never see that a server hangs."""

_NETWORK: Final = frozenset({Failure.DNS, Failure.CONNECT, Failure.DEADLINE, Failure.CONNECTION_LOST})
_OF_THE_NAME: Final = "invalid-name"
_TLS_BROKEN_OFF: Final = frozenset({"timeout", "closed"})
_OF_A_DATE: Final = frozenset({"expired", "not-yet-valid"})
_BY_THE_CLOCK: Final = "streaming"
"""The check that measures nothing but time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A report in the light of how the prober did, and what it was judged by."""

    report: ProbeReport
    evidence: Evidence
    broken: tuple[BrokenDetector, ...] = ()
    """Detectors that raised."""


def lost_on_the_way(report: ProbeReport, evidence: Evidence) -> Exchange | None:
    """The exchange for which the report is bad and that a dead network of our own would have ended alike, or None."""
    return _suspect(report, evidence, _may_be_the_network)


def misdated(report: ProbeReport, evidence: Evidence) -> bool:
    """Whether the report is bad for the dates of a certificate, which a wrong clock of our own would explain."""
    return _suspect(report, evidence, _is_of_a_date) is not None


def held_up(report: ProbeReport, evidence: Evidence, detectors: Iterable[Detector], *, lost_ms: float) -> bool:
    """Whether a delay of our own explains why the report is bad: something ran out of time, or was too slow.

    `lost_ms` is what all delays during the probe came to.
    """
    if _suspect(report, evidence, _ran_out_of_time) is not None:
        return lost_ms >= TELLING_SHARE * report.duration_ms
    timed = {each.id for each in detectors if each.timed}
    return any(each.id in timed and each.effect is not Effect.INFORMATION for each in report.diagnoses)


def review(report: ProbeReport, evidence: Evidence, observer: Observer, detectors: Sequence[Detector]) -> Reviewed:
    """The report without what may be our own doing. `evidence` is what it was judged by."""
    if observer.reason is None and not observer.is_late:
        return Reviewed(report=replace(report, observer=observer), evidence=replace(evidence, observer=observer))
    opening = evidence.opening
    if not opening.established:
        opening = replace(opening, exchanges=_excused(opening.exchanges, observer))
    results = tuple(_result(each, observer) for each in evidence.results)
    seen = replace(evidence, opening=opening, results=results, observer=observer)
    diagnoses, broken = diagnose(seen, detectors)
    verdict = verdict_of(results, diagnoses)
    fair = replace(report, opening=opening, results=results, diagnoses=diagnoses, verdict=verdict, observer=observer)
    return Reviewed(report=fair, evidence=seen, broken=broken)


def unknown_reason(report: ProbeReport) -> str | None:
    """Why nothing could be observed, in a word; None where something was."""
    if report.verdict is not Verdict.UNKNOWN:
        return None
    if report.observer.reason is not None:
        return report.observer.reason
    cause = report.cause
    if cause is None or cause.effect is not Effect.UNKNOWN:
        return "prober-bug"
    reason = cause.facts.get("reason")
    return reason if isinstance(reason, str) else cause.id


def _suspect(report: ProbeReport, evidence: Evidence, may_be_ours: Callable[[TransportError], bool]) -> Exchange | None:
    if report.verdict not in (Verdict.DOWN, Verdict.DEGRADED):
        return None
    failed = ((each, each.transport_error) for each, _ in troubled(evidence))
    return next((each for each, error in failed if error is not None and may_be_ours(error)), None)


def _may_be_the_network(error: TransportError) -> bool:
    if error.failure is Failure.TLS:
        return error.reason in _TLS_BROKEN_OFF
    return error.failure in _NETWORK and error.reason != _OF_THE_NAME


def _ran_out_of_time(error: TransportError) -> bool:
    in_a_phase = error.failure in (Failure.DNS, Failure.CONNECT, Failure.TLS) and error.reason == "timeout"
    return in_a_phase or error.failure is Failure.DEADLINE


def _is_of_a_date(error: TransportError) -> bool:
    return error.failure is Failure.TLS and error.reason in _OF_A_DATE


_EXCUSES: Final = {NO_CONNECTIVITY: _may_be_the_network, LAG: _ran_out_of_time, CLOCK: _is_of_a_date}


def _excused(exchanges: Sequence[Exchange], observer: Observer) -> tuple[Exchange, ...]:
    """The exchanges, those that may have failed by our own doing as ones that we could not make."""
    return tuple(_own(each, observer) if _is_ours(each, observer) else each for each in exchanges)


def _is_ours(exchange: Exchange, observer: Observer) -> bool:
    excuse = _EXCUSES.get(observer.reason or "")
    return excuse is not None and exchange.transport_error is not None and excuse(exchange.transport_error)


def _own(exchange: Exchange, observer: Observer) -> Exchange:
    failed = exchange.transport_error
    assert failed is not None
    detail = f"{observer.detail}; what failed: {clean(failed.detail)}"
    error = TransportError(failure=Failure.OBSERVER, reason=observer.reason or "", detail=detail)
    return replace(exchange, transport_error=error)


def _result(result: CheckResult, observer: Observer) -> CheckResult:
    """The result of a check as one that says nothing, where what it failed for may be our own doing."""
    if result.outcome not in (Outcome.FAIL, Outcome.WARN):
        return result
    exchanges = _excused(result.exchanges, observer)
    by_the_clock = result.check == _BY_THE_CLOCK and observer.is_late
    if not by_the_clock and exchanges == result.exchanges:
        return result
    summary = f"not observed: {observer.detail or held_up_for(observer.lag_ms)}"
    return replace(result, outcome=Outcome.SKIP, summary=summary, exchanges=exchanges, findings=(), facts={})


def held_up_for(lag_ms: float) -> str:
    """A delay of our own in words."""
    return f"the prober itself was held up for {milliseconds(lag_ms)} meanwhile"
