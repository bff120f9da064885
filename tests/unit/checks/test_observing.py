"""What may be the prober's own doing is told as that, and everything else stands."""

from datetime import UTC, datetime
from typing import Any

import pytest

from checks.catalog import DETECTORS
from checks.judgement import diagnose, verdict_of
from checks.model import (
    CheckResult,
    Evidence,
    Exchange,
    Failure,
    History,
    Observer,
    Opening,
    Outcome,
    ProbeReport,
    SigV4,
    Verdict,
)
from checks.observing import LAG, NO_CONNECTIVITY, Reviewed, held_up, lost_on_the_way, review, unknown_reason
from tests.unit.checks.conversations import (
    ENDPOINT,
    discovered,
    endpoint,
    error,
    exchange,
    failed,
    opened,
    refused,
    tool_page,
)

SLOT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AWAY = Observer(reason=NO_CONNECTIVITY, detail="none of 3 canaries answered")
LATE = Observer(lag_ms=2100.0, is_late=True, reason=LAG, detail="the prober itself was held up for 2.1 s meanwhile")


def result(check: str, outcome: Outcome, *exchanges: Exchange, **more: Any) -> CheckResult:
    return CheckResult(check=check, outcome=outcome, summary="as the check said", exchanges=exchanges, **more)


def reported(evidence: Evidence) -> ProbeReport:
    diagnoses, broken = diagnose(evidence, DETECTORS)
    assert broken == ()
    return ProbeReport(
        endpoint=evidence.endpoint.name,
        slot=SLOT,
        started_at=SLOT,
        duration_ms=5.0,
        verdict=verdict_of(evidence.results, diagnoses),
        opening=evidence.opening,
        results=evidence.results,
        diagnoses=diagnoses,
    )


def unopened(*exchanges: Exchange) -> Evidence:
    lifecycle = result("lifecycle", Outcome.FAIL, *exchanges)
    return Evidence(endpoint=ENDPOINT, opening=refused(*exchanges), results=(lifecycle,))


def listed(listing: Exchange, outcome: Outcome = Outcome.FAIL) -> Evidence:
    opening = opened(discovered())
    results = (result("lifecycle", Outcome.PASS, *opening.exchanges), result("tools_list", outcome, listing))
    return Evidence(endpoint=ENDPOINT, opening=opening, results=results)


def reviewed(evidence: Evidence, observer: Observer) -> Reviewed:
    return review(reported(evidence), evidence, observer, DETECTORS)


@pytest.mark.parametrize(
    ("failure", "reason", "is_suspect"),
    [
        (Failure.DNS, "not-found", True),
        (Failure.DNS, "invalid-name", False),
        (Failure.CONNECT, "timeout", True),
        (Failure.CONNECT, "refused", True),
        (Failure.TLS, "timeout", True),
        (Failure.TLS, "expired", False),
        (Failure.DEADLINE, "no-answer", True),
        (Failure.CONNECTION_LOST, "before-answer", True),
        (Failure.PROTOCOL, "malformed-http", False),
    ],
)
def test_only_what_a_dead_network_would_end_alike_is_suspected(failure: Failure, reason: str, is_suspect: bool) -> None:
    evidence = unopened(failed(failure, reason))
    assert (lost_on_the_way(reported(evidence), evidence) is not None) is is_suspect


def test_a_server_that_answers_is_no_matter_of_the_network_however_wrong_it_is() -> None:
    evidence = listed(exchange("tools/list", messages=(error(-32603, "broken"),)))
    report = reported(evidence)
    assert report.verdict is Verdict.DOWN
    assert lost_on_the_way(report, evidence) is None
    assert not held_up(report, evidence, DETECTORS, lost_ms=2100.0)


@pytest.mark.parametrize("failure", [Failure.DNS, Failure.CONNECT, Failure.DEADLINE, Failure.CONNECTION_LOST])
def test_without_connectivity_of_our_own_nothing_is_known(failure: Failure) -> None:
    evidence = unopened(failed(failure, "timeout"))
    assert reported(evidence).verdict is Verdict.DOWN

    report = reviewed(evidence, AWAY).report

    assert report.verdict is Verdict.UNKNOWN
    assert [each.id for each in report.diagnoses] == ["observer-impaired"]
    assert unknown_reason(report) == NO_CONNECTIVITY
    assert report.result("lifecycle").outcome is Outcome.SKIP
    failure_shown = report.opening.exchanges[0].transport_error
    assert failure_shown is not None
    assert failure_shown.detail == "none of 3 canaries answered; what failed: timeout"


def test_a_refusal_that_a_server_sent_stands_although_the_network_went_away_after_it() -> None:
    evidence = listed(exchange("tools/list", status=401, messages=(), body=b"no"))
    report = reviewed(evidence, AWAY).report
    assert report.verdict is Verdict.DOWN
    assert report.cause == reported(evidence).cause
    assert unknown_reason(report) is None


def test_a_timeout_while_the_prober_was_held_up_is_its_own() -> None:
    evidence = listed(failed(Failure.DEADLINE, "no-answer", method="tools/list"))
    assert held_up(reported(evidence), evidence, DETECTORS, lost_ms=2100.0)

    report = reviewed(evidence, LATE).report

    assert report.verdict is Verdict.UNKNOWN
    assert unknown_reason(report) == LAG
    assert report.observer.lag_ms == 2100.0


def test_a_refused_connection_is_no_matter_of_delays() -> None:
    evidence = unopened(failed(Failure.CONNECT, "refused"))
    assert not held_up(reported(evidence), evidence, DETECTORS, lost_ms=2100.0)
    late = Observer(lag_ms=2100.0, is_late=True)
    assert reviewed(evidence, late).report.verdict is Verdict.DOWN


def slow() -> Evidence:
    opening = opened(discovered(wait_ms=3000.0))
    lifecycle = result("lifecycle", Outcome.PASS, *opening.exchanges)
    page = result("tools_list", Outcome.PASS, tool_page("add"))
    watched = endpoint(slow_after_s=0.5)
    history = History(warm_wait_ms=(3000.0,) * 5)
    return Evidence(endpoint=watched, opening=opening, results=(lifecycle, page), history=history)


def test_slowness_that_was_seen_while_the_prober_was_held_up_is_not_known() -> None:
    evidence = slow()
    assert [each.id for each in reported(evidence).diagnoses] == ["slow"]
    assert held_up(reported(evidence), evidence, DETECTORS, lost_ms=2100.0)

    report = reviewed(evidence, LATE).report

    assert report.verdict is Verdict.UNKNOWN
    assert [each.id for each in report.diagnoses] == ["observer-impaired"]
    assert unknown_reason(report) == LAG


def test_a_healthy_probe_of_a_late_prober_is_up_and_says_how_late() -> None:
    evidence = listed(tool_page("add"), Outcome.PASS)
    late = Observer(lag_ms=700.0, is_late=True)
    report = reviewed(evidence, late).report
    assert report.verdict is Verdict.UP
    assert report.observer == late
    assert unknown_reason(report) is None


def test_a_burst_of_events_that_a_late_prober_read_at_once_is_no_finding() -> None:
    evidence = listed(tool_page("add"), Outcome.PASS)
    burst = result("streaming", Outcome.FAIL)
    evidence = Evidence(endpoint=ENDPOINT, opening=evidence.opening, results=(*evidence.results, burst))
    report = reviewed(evidence, Observer(lag_ms=700.0, is_late=True)).report
    assert report.verdict is Verdict.UP
    assert report.result("streaming").summary == "not observed: the prober itself was held up for 700 ms meanwhile"


def test_a_prober_in_order_changes_nothing_but_the_note_of_how_it_did() -> None:
    evidence = unopened(failed(Failure.CONNECT, "timeout"))
    before = reported(evidence)
    after = reviewed(evidence, Observer(lag_ms=12.0)).report
    assert after.diagnoses == before.diagnoses
    assert after.verdict is Verdict.DOWN
    assert after.observer.lag_ms == 12.0


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (unopened(failed(Failure.OBSERVER, "token-endpoint")), "token-endpoint"),
        (unopened(failed(Failure.OBSERVER, "resolver-starved")), "resolver-starved"),
        (unopened(failed(Failure.BLOCKED, "private")), "blocked-private"),
        (Evidence(endpoint=ENDPOINT, opening=Opening(), results=()), "no-request"),
        (
            Evidence(endpoint=ENDPOINT, opening=opened(discovered()), results=(result("order", Outcome.ERROR),)),
            "prober-bug",
        ),
    ],
)
def test_every_unknown_has_a_word_for_why(evidence: Evidence, reason: str) -> None:
    report = reported(evidence)
    assert report.verdict is Verdict.UNKNOWN
    assert unknown_reason(report) == reason


def test_a_signature_that_our_clock_spoiled_is_a_matter_of_our_clock() -> None:
    body = b'{"Message":"Signature expired: 20261120T120000Z is now earlier than 20261120T125500Z"}'
    kind = (("x-amzn-errortype", "InvalidSignatureException"),)
    asked = exchange("server/discover", status=403, body=body, messages=(), headers=kind)
    lifecycle = result("lifecycle", Outcome.FAIL, asked)
    evidence = Evidence(endpoint=endpoint(sigv4=SigV4()), opening=refused(asked), results=(lifecycle,))
    report = reported(evidence)
    assert report.verdict is Verdict.UNKNOWN
    assert unknown_reason(report) == "clock-skew"
