"""Streaming is judged by arrival times: the check and the detector agree, and neither cries over a fast tool."""

from dataclasses import replace

import pytest

from checks.model import Exchange, Outcome, Sentinel
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    Judged,
    called,
    endpoint,
    exchange,
    judge,
    opened,
    streamed,
    tool_page,
)

LENGTH = ("Content-Length", "312")


def after(answer: Exchange, streaming: bool | None) -> Judged:
    watched = endpoint(sentinels=(Sentinel(tool="a"),), streaming=streaming)
    return judge(opened(), tool_page("a"), answer, endpoint=watched)


@pytest.mark.parametrize(
    ("times", "streaming", "headers", "outcome"),
    [
        ((1800.0, 1801.0, 1802.0), True, (), Outcome.FAIL),
        ((500.0, 549.0), True, (), Outcome.FAIL),
        ((500.0, 560.0), True, (), Outcome.PASS),
        ((2800.0, 3000.0), True, (), Outcome.FAIL),
        ((2600.0, 3000.0), True, (), Outcome.PASS),
        ((450.0, 451.0), True, (), Outcome.SKIP),
        ((3000.0,), True, (), Outcome.SKIP),
        ((1800.0, 1801.0), None, (LENGTH,), Outcome.WARN),
        ((1800.0, 1801.0), None, (), Outcome.SKIP),
        ((1800.0, 1801.0), None, (("x-amzn-Remapped-content-length", "312"),), Outcome.SKIP),
        ((450.0, 451.0), None, (LENGTH,), Outcome.SKIP),
        ((600.0, 1200.0, 1800.0), None, (LENGTH,), Outcome.PASS),
        ((1800.0, 1801.0), False, (LENGTH,), Outcome.SKIP),
    ],
)
def test_the_clock_decides_as_the_owner_expects(
    times: tuple[float, ...], streaming: bool | None, headers: tuple[tuple[str, str], ...], outcome: Outcome
) -> None:
    judged = after(streamed(*times, headers=headers), streaming)

    assert judged.result("streaming").outcome is outcome
    assert (judged.ids == ["streaming-buffered"]) is (outcome in (Outcome.FAIL, Outcome.WARN))


@pytest.mark.parametrize(
    ("wait_ms", "streaming", "outcome"),
    [
        (1000.0, True, Outcome.FAIL),
        (990.0, True, Outcome.SKIP),
        (5000.0, None, Outcome.SKIP),
        (5000.0, False, Outcome.SKIP),
    ],
)
def test_a_late_json_body_counts_only_where_streaming_is_expected(
    wait_ms: float, streaming: bool | None, outcome: Outcome
) -> None:
    judged = after(called(wait_ms=wait_ms), streaming)

    assert judged.result("streaming").outcome is outcome
    assert judged.verdict == ("degraded" if outcome is Outcome.FAIL else "up")


def test_the_measured_numbers_stand_in_summary_facts_and_proof() -> None:
    judged = after(streamed(1800.0, 1801.0, 1802.0, headers=FUNCTION_URL), True)

    result, diagnosis = judged.result("streaming"), judged.diagnoses[0]
    assert result.summary == "3 events within 2 ms, 1,802 ms after the request: the events arrive in one burst"
    assert {key: result.facts[key] for key in ("first_event_ms", "last_event_ms", "events", "spread_ms")} == {
        "first_event_ms": 1800.0,
        "last_event_ms": 1802.0,
        "events": 3,
        "spread_ms": 2.0,
    }
    assert "3 events of tools/call arrive within 2 ms of each other, 1,802 ms after the request" in diagnosis.summary
    assert "RESPONSE_STREAM" in diagnosis.fix
    assert any("message 3 after 1,802 ms" in proof.text for proof in diagnosis.evidence)


def test_headers_that_come_early_lower_the_confidence() -> None:
    held = after(streamed(1800.0, 1801.0), True).diagnoses[0]
    joined = after(streamed(1800.0, 1801.0, wait_ms=20.0), True).diagnoses[0]

    assert joined.confidence < held.confidence


@pytest.mark.parametrize(
    ("headers", "fix"),
    [
        ((("apigw-requestid", "g"),), "HTTP API cannot stream"),
        ((("x-amz-apigw-id", "g"),), "responseTransferMode: STREAM"),
        ((), "proxy_buffering off"),
    ],
)
def test_the_fix_is_that_of_the_front_door(headers: tuple[tuple[str, str], ...], fix: str) -> None:
    assert fix in after(streamed(1800.0, 1801.0, headers=headers), True).diagnoses[0].fix


def test_without_an_event_stream_there_is_nothing_to_measure() -> None:
    result = after(called(), None).result("streaming")

    assert result.outcome is Outcome.SKIP
    assert result.facts["first_event_ms"] is None


def test_an_expected_stream_without_a_sentinel_says_what_is_missing() -> None:
    judged = judge(opened(), tool_page("a"), endpoint=endpoint(streaming=True))

    assert judged.result("streaming").outcome is Outcome.SKIP
    assert "sentinel" in judged.result("streaming").summary


def test_events_on_the_stream_beside_a_legacy_request_are_measured_too() -> None:
    def on_the_stream(*times: float) -> Exchange:
        answer = streamed(*times, status=202, media="text/plain", body=b"Accepted")
        return replace(answer, timings=replace(answer.timings, first_event_ms=times[0], last_event_ms=times[-1]))

    assert after(on_the_stream(200.0, 400.0, 600.0), True).result("streaming").outcome is Outcome.PASS
    assert after(on_the_stream(600.0, 601.0, 602.0), True).ids == ["streaming-buffered"]


def test_the_check_fails_on_an_empty_stream_whatever_the_owner_says() -> None:
    empty = exchange("tools/call", media="text/event-stream", body=b"")

    assert after(empty, False).result("streaming").outcome is Outcome.FAIL
