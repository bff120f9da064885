"""What a smoke check concludes of reports: a failure is one, and silence never looks like a pass."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from checks.inventory import inventory_of
from checks.model import (
    CheckResult,
    Diagnosis,
    Effect,
    Endpoint,
    Exchange,
    Failure,
    Observer,
    Opener,
    Opening,
    Outcome,
    ProbeReport,
    Sentinel,
    Timings,
    TransportError,
    Verdict,
)
from checks.spec import Era, Transport
from prober.app.baseline_file import BaselineUnusable, Saved, compared, read, written
from prober.app.smoke import Attempt, Conclusion, Demands, FailOn, begins_with, concluded, in_brief, judge, worst

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
HERE = Endpoint(name="orders", url="https://orders.example.com/mcp")
OPENER = Opener(
    transport=Transport.STREAMABLE_HTTP, era=Era.STATELESS, protocol_version="2026-07-28", reason="", chosen_at=AT
)


def listing(*missing: str) -> CheckResult:
    return CheckResult(
        check="tools_list", outcome=Outcome.PASS, summary="", facts={"complete": True, "missing": list(missing)}
    )


def report(
    verdict: Verdict = Verdict.UP, *results: CheckResult, cause: str | None = None, version: str | None = "1.4.2"
) -> ProbeReport:
    effect = Effect.DOWN if verdict is Verdict.DOWN else Effect.DEGRADED
    diagnosis = Diagnosis(id=cause or "", effect=effect, confidence=0.9, summary="", evidence=(), fix="")
    return ProbeReport(
        endpoint="orders", slot=AT, started_at=AT, duration_ms=20.0, verdict=verdict, results=results or (listing(),),
        opening=Opening(opener=OPENER, server_version=version, server_name="orders"),
        diagnoses=(diagnosis,) if cause else (),
    )  # fmt: skip


def conclude(found: ProbeReport, endpoint: Endpoint = HERE, *, with_burst: bool = False, **demands: Any) -> Conclusion:
    return judge(endpoint, found, Demands(**demands), with_burst=with_burst).conclusion


@pytest.mark.parametrize(
    ("verdict", "fail_on", "conclusion"),
    [
        ("up", "warning", "passed"), ("degraded", "degraded", "failed"), ("degraded", "down", "warnings"),
        ("down", "down", "failed"), ("unknown", "warning", "unobserved"),
    ],
)  # fmt: skip
def test_the_verdict_decides_from_where_the_owner_says(verdict: str, fail_on: str, conclusion: str) -> None:
    assert conclude(report(Verdict(verdict)), fail_on=FailOn(fail_on)) == conclusion


def test_a_warning_passes_unless_it_must_not() -> None:
    warned = report(Verdict.UP, CheckResult(check="order", outcome=Outcome.WARN, summary="shuffled"))
    assert conclude(warned) is Conclusion.WARNINGS
    assert conclude(warned, fail_on=FailOn.WARNING) is Conclusion.FAILED


@pytest.mark.parametrize("cause", ["auth-required", "auth-rejected", "signature-rejected"])
def test_credentials_that_are_refused_are_told_from_a_fault(cause: str) -> None:
    assert conclude(report(Verdict.DOWN, cause=cause)) is Conclusion.AUTHENTICATION
    assert conclude(report(Verdict.DOWN, cause="function-url-forbidden")) is Conclusion.FAILED


def test_what_was_asked_for_and_skipped_is_no_pass() -> None:
    skipped = CheckResult(check="sentinel_call", outcome=Outcome.SKIP, summary="not called")
    watched = replace(HERE, sentinels=(Sentinel(tool="find"),))
    assert conclude(report(Verdict.UP, listing(), skipped)) is Conclusion.PASSED
    judged = judge(watched, report(Verdict.UP, listing(), skipped), Demands(), with_burst=False)
    assert judged.conclusion is Conclusion.UNOBSERVED
    assert judged.why == ("sentinel_call was asked for: not called",)
    streamed = CheckResult(check="streaming", outcome=Outcome.SKIP, summary="")
    assert conclude(report(Verdict.UP, streamed), replace(HERE, streaming=True)) is Conclusion.UNOBSERVED
    assert conclude(report(Verdict.UP, streamed), replace(HERE, streaming=False)) is Conclusion.PASSED
    assert conclude(report(), with_burst=True, cold=2) is Conclusion.UNOBSERVED


def test_a_burst_of_which_a_part_was_answered_is_no_pass() -> None:
    """What the others met, a new instance that fails or a limit, nobody has seen."""

    def burst(answered: int) -> CheckResult:
        said = f"{answered} of 4 requests at once were answered"
        facts = {"asked": 4, "answered": answered}
        return CheckResult(check="cold_starts", outcome=Outcome.PASS, summary=said, facts=facts)

    assert conclude(report(Verdict.UP, burst(4)), with_burst=True, cold=4) is Conclusion.PASSED
    judged = judge(HERE, report(Verdict.UP, burst(2)), Demands(cold=4), with_burst=True)
    assert judged.conclusion is Conclusion.UNOBSERVED
    assert judged.why == ("cold_starts was not answered in full: 2 of 4 requests at once were answered",)


def test_a_check_that_the_deadline_cut_short_is_no_pass() -> None:
    late = Exchange(
        id="x9", method="POST", url=HERE.url, started_at=AT,
        transport_error=TransportError(failure=Failure.DEADLINE, reason="exhausted", detail=""),
    )  # fmt: skip
    for outcome in (Outcome.SKIP, Outcome.PASS):
        cut = CheckResult(check="eras", outcome=outcome, summary="not judged", exchanges=(late,))
        assert conclude(report(Verdict.UP, listing(), cut)) is Conclusion.UNOBSERVED


def test_one_sentinel_of_two_that_was_not_called_is_no_pass() -> None:
    facts = [{"tool": "find", "outcome": "ok"}, {"tool": "pay", "outcome": "skipped", "summary": "not called: unsafe"}]
    called = CheckResult(check="sentinel_call", outcome=Outcome.WARN, summary="", facts={"sentinels": facts})
    judged = judge(HERE, report(Verdict.UP, listing(), called), Demands(), with_burst=False)
    assert judged.conclusion is Conclusion.UNOBSERVED
    assert "the sentinel pay was asked for: not called: unsafe" in judged.why


@pytest.mark.parametrize(
    ("version", "wanted", "holds"),
    [
        ("1.4.2", "1.4.2", True), ("1.4.2", "1.4", True), ("1.40.1", "1.4", False), ("1.4.2", "1.4.", True),
        ("a1b2c3d4e5", "a1b2c3", True), ("2.0", "1.4", False), ("1.4.2-rc1", "1.4.2", True),
        ("1.4.2", "1", True), ("10.2.0", "1", False), ("v10.2", "v1", False), ("123abc4", "12", True),
    ],
)  # fmt: skip
def test_a_version_is_known_by_its_beginning(version: str, wanted: str, holds: bool) -> None:
    assert begins_with(version, wanted) is holds
    assert conclude(report(version=version), version=wanted) is (Conclusion.PASSED if holds else Conclusion.FAILED)


def test_a_server_without_a_version_is_not_the_expected_one() -> None:
    assert conclude(report(version=None), version="1") is Conclusion.FAILED


def asked(check: str, first_byte_ms: float | None, method: str = "tools/list") -> CheckResult:
    exchange = Exchange(
        id=check, method="POST", url=HERE.url, started_at=AT, rpc_method=method,
        timings=Timings(first_byte_ms=first_byte_ms, total_ms=5000.0),
    )  # fmt: skip
    return CheckResult(check=check, outcome=Outcome.PASS, summary="", exchanges=(exchange,))


@pytest.mark.parametrize(
    ("longest_ms", "limit_s", "conclusion"),
    [(799.0, 0.8, Conclusion.PASSED), (801.0, 0.8, Conclusion.FAILED), (None, 0.8, Conclusion.UNOBSERVED)],
)
def test_an_answer_that_clients_wait_for_must_begin_in_time(
    longest_ms: float | None, limit_s: float, conclusion: Conclusion
) -> None:
    found = report(Verdict.UP, asked("lifecycle", longest_ms, "initialize"), asked("session", 9000.0))
    judged = judge(HERE, found, Demands(answer_within_s=limit_s), with_burst=False)
    assert judged.conclusion is conclusion
    assert [each.check for each in judged.demands] == ["answer_within"]
    if conclusion is Conclusion.FAILED:
        assert judged.why == ("answer_within: the answer to initialize began after 801 ms, 800 ms were demanded",)


def test_no_answer_at_all_is_one_that_comes_too_late() -> None:
    given_up = replace(
        asked("sentinel_call", None, "tools/call").exchanges[0], timings=Timings(sent_ms=2.0, total_ms=5000.0),
        transport_error=TransportError(failure=Failure.DEADLINE, reason="no-answer", detail=""),
    )  # fmt: skip
    silent = CheckResult(check="sentinel_call", outcome=Outcome.WARN, summary="", exchanges=(given_up,))
    found = report(Verdict.DEGRADED, asked("lifecycle", 100.0), silent)
    judged = judge(HERE, found, Demands(answer_within_s=2, fail_on=FailOn.DOWN), with_burst=False)
    assert judged.conclusion is Conclusion.FAILED
    assert judged.why[1] == "answer_within: tools/call was not answered within 5.00 s, 2.00 s were demanded"
    assert conclude(found, answer_within_s=6, fail_on=FailOn.DOWN) is Conclusion.WARNINGS
    assert conclude(replace(found, verdict=Verdict.UNKNOWN), answer_within_s=2) is Conclusion.UNOBSERVED


def test_a_quick_refusal_is_no_answer_in_time() -> None:
    closed = replace(report(Verdict.DOWN, asked("lifecycle", 3.0), cause="function-crash"), opening=Opening())
    (within,) = judge(HERE, closed, Demands(answer_within_s=2), with_burst=False).demands
    assert (within.outcome, within.summary) == (Outcome.SKIP, "no conversation is open")
    (late,) = judge(HERE, closed, Demands(answer_within_s=0.002), with_burst=False).demands
    assert late.outcome is Outcome.FAIL


def test_a_machine_that_was_held_up_itself_times_nobody() -> None:
    late = replace(report(Verdict.UP, asked("lifecycle", 900.0)), observer=Observer(lag_ms=400.0, is_late=True))
    judged = judge(HERE, late, Demands(answer_within_s=0.8), with_burst=False)
    assert judged.conclusion is Conclusion.UNOBSERVED
    assert "our own machine was held up for 400 ms" in judged.why[0]
    assert conclude(late, answer_within_s=1.0) is Conclusion.PASSED


def test_the_longest_of_all_waits_counts() -> None:
    found = report(Verdict.UP, asked("lifecycle", 100.0), asked("tools_list", 900.0), asked("sentinel_call", 300.0))
    assert conclude(found, answer_within_s=0.8) is Conclusion.FAILED
    assert conclude(found, answer_within_s=1.0) is Conclusion.PASSED


def test_tools_that_must_be_there_are_missed_by_name_also_where_degraded_passes() -> None:
    judged = judge(
        HERE, report(Verdict.DEGRADED, listing("pay")), Demands(tools=("pay", "find"), fail_on=FailOn.DOWN),
        with_burst=False,
    )  # fmt: skip
    assert judged.conclusion is Conclusion.FAILED
    assert "expect_tool: not listed: pay" in judged.why


def attempts(*conclusions: Conclusion) -> list[Attempt]:
    return [
        Attempt(
            at_ms=2000.0 * at, ms=100.0, verdict=Verdict.UP if each is Conclusion.PASSED else Verdict.DOWN,
            cause=None if each is Conclusion.PASSED else "function-crash", conclusion=each,
        )
        for at, each in enumerate(conclusions)
    ]  # fmt: skip


def test_readiness_shows_the_warming_before_it() -> None:
    passed, failed = Conclusion.PASSED, Conclusion.FAILED
    demands = Demands(wait_s=30, passes=2)
    good, bad = judge(HERE, report(), demands, with_burst=False), judge(
        HERE, report(Verdict.DOWN, cause="function-crash"), demands, with_burst=False
    )  # fmt: skip
    ready = concluded(attempts(failed, failed, passed, passed), good, demands)
    assert ready.conclusion is passed
    assert (
        ready.demands[0].summary
        == "2 of 2 probes in a row passed, after 2 probes in 2.10 s (down: function-crash (2 times))"
    )
    assert concluded(attempts(failed, passed), good, demands).conclusion is failed
    assert concluded(attempts(passed), good, demands).conclusion is Conclusion.UNOBSERVED
    assert concluded(attempts(failed, failed), bad, demands).why[0].endswith("; 30 s leave no time for another")
    assert concluded([], None, demands).conclusion is Conclusion.UNOBSERVED
    assert concluded(attempts(passed), good, Demands()) is good


def test_readiness_of_one_probe_speaks_of_no_row() -> None:
    passed, failed = Conclusion.PASSED, Conclusion.FAILED
    demands = Demands(wait_s=30)
    good = judge(HERE, report(), demands, with_burst=False)
    bad = judge(HERE, report(Verdict.DOWN, cause="function-crash"), demands, with_burst=False)
    assert concluded(attempts(passed), good, demands).demands[0].summary == "the first probe passed"
    later = concluded(attempts(failed, passed), good, demands).demands[0].summary
    assert later == "a probe passed, after 1 probe in 100 ms (down: function-crash)"
    never = concluded(attempts(failed, failed), bad, demands).demands[0].summary
    assert never.startswith("no probe passed: 2 probes in 2.10 s (down: function-crash (2 times)); 30 s leave")


def test_readiness_names_what_probes_of_a_server_that_is_up_did_not_meet() -> None:
    demands = Demands(wait_s=30, passes=2, version="2.0", answer_within_s=2)
    judged = judge(HERE, report(), demands, with_burst=False)
    assert judged.missed == ("expect_version",)
    up = Attempt(
        at_ms=0.0, ms=9.0, verdict=Verdict.UP, cause=None, conclusion=judged.conclusion, missed=judged.missed
    )  # fmt: skip
    ready = concluded([up, up], judged, demands).demands[0]
    assert ready.summary.startswith(
        "0 of 2 probes in a row passed, after 2 probes in 9.0 ms (up, but expect_version did not pass (2 times))"
    )
    down = judge(HERE, report(Verdict.DOWN, cause="function-crash"), demands, with_burst=False)
    assert down.missed == ()
    warned = CheckResult(check="session", outcome=Outcome.WARN, summary="odd")
    strict = judge(HERE, report(Verdict.UP, listing(), warned), Demands(fail_on=FailOn.WARNING), with_burst=False)
    assert strict.missed == ("session",)
    assert in_brief(replace(up, missed=("session", "baseline"))) == "up, but session and baseline did not pass"
    blind = replace(up, conclusion=Conclusion.UNOBSERVED, missed=())
    assert in_brief(blind) == "up, but not all was observed"


def test_the_worst_endpoint_decides_and_nothing_asked_is_no_pass() -> None:
    assert worst([Conclusion.PASSED, Conclusion.UNOBSERVED, Conclusion.WARNINGS]) is Conclusion.UNOBSERVED
    assert worst([Conclusion.AUTHENTICATION, Conclusion.FAILED, Conclusion.UNOBSERVED]) is Conclusion.FAILED
    assert worst([]) is Conclusion.UNOBSERVED


FIND = {"name": "find", "inputSchema": {"type": "object", "properties": {"id": {"type": "integer"}}}}


def saved(*tools: dict[str, Any], url: str = HERE.url, name: str = "orders", server: str | None = "orders") -> Saved:
    return Saved(name=name, url=url, server=server, server_version="1", inventory=inventory_of(tools))


def test_a_baseline_comes_back_as_it_was_saved() -> None:
    text = written([saved(FIND)], AT)
    assert json.loads(text)["schema_version"] == 1
    assert compared(read(text.encode()), saved(FIND)).outcome is Outcome.PASS


def test_every_difference_makes_it_fail_and_says_whom_it_hurts() -> None:
    baseline = read(written([saved(FIND)], AT).encode())
    gone = compared(baseline, saved())
    assert (gone.outcome, gone.findings[0].text) == (Outcome.FAIL, "find tool removed (breaking)")
    assert "stale" not in gone.summary
    more = compared(baseline, saved(FIND, {**FIND, "name": "pay"}))
    assert more.outcome is Outcome.FAIL
    assert "the file is stale: save it anew with --save-baseline" in more.summary


def test_a_stage_is_compared_with_another_and_a_foreign_list_is_refused() -> None:
    baseline = read(written([saved(FIND)], AT).encode())
    assert compared(baseline, saved(FIND, url="https://prod/mcp", name="prod")).outcome is Outcome.PASS
    foreign = compared(baseline, saved(FIND, url="https://prod/mcp", name="prod", server="search"))
    assert foreign.outcome is Outcome.FAIL
    assert foreign.summary == "the file holds no list of this endpoint (server search): it is of orders"


def test_a_list_that_was_not_read_is_not_compared() -> None:
    baseline = read(written([saved(FIND)], AT).encode())
    assert compared(baseline, replace(saved(FIND), inventory=None)).outcome is Outcome.SKIP


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.update(schema_version=2), "is of version 2, and this release reads 1"),
        (lambda data: data.update(kind="other"), "is no baseline of mcp-prober"),
        (lambda data: data["endpoints"][0].pop("url"), "is damaged"),
        (lambda data: data["endpoints"][0]["tools"][0]["definition"].update(description="x"), "is damaged"),
        (lambda data: data["endpoints"].append(7), "is damaged"),
        (lambda data: data.update(endpoints=None), "is damaged"),
    ],
)
def test_a_file_that_is_no_baseline_says_what_it_is(change: Any, said: str) -> None:
    data = json.loads(written([saved(FIND)], AT))
    change(data)
    with pytest.raises(BaselineUnusable, match=said):
        read(json.dumps(data).encode())


@pytest.mark.parametrize("content", [b"", b"\xff", b"[" * 100_000, b"7"])
def test_bytes_that_are_none_are_refused(content: bytes) -> None:
    with pytest.raises(BaselineUnusable):
        read(content)
