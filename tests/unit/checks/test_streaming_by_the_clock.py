"""Streaming is judged by arrival times: the check and the detector agree, and neither cries over a fast tool."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from checks.model import Effect, Exchange, Failure, Outcome, Sentinel
from checks.spec import Era
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    Judged,
    called,
    endpoint,
    exchange,
    initialized,
    judge,
    ok,
    opened,
    progress,
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
    assert result.summary == "3 events within 2.0 ms, 1.80 s after the request: the events arrive in one burst"
    assert {key: result.facts[key] for key in ("first_event_ms", "last_event_ms", "events", "spread_ms")} == {
        "first_event_ms": 1800.0,
        "last_event_ms": 1802.0,
        "events": 3,
        "spread_ms": 2.0,
    }
    assert "3 events of tools/call arrive within 2.0 ms of each other, 1.80 s after the request" in diagnosis.summary
    assert "RESPONSE_STREAM" in diagnosis.fix
    assert any("message 3 after 1.80 s" in proof.text for proof in diagnosis.evidence)


@pytest.mark.parametrize(
    ("more", "known"),
    [
        ({}, False),
        ({"headers": FUNCTION_URL}, False),
        ({"headers": (LENGTH,)}, True),
        ({"body_size": 200_000}, True),
        ({"wait_ms": 1799.0}, True),
    ],
)
def test_few_events_behind_early_headers_are_joined_by_the_server_and_no_fault(
    more: dict[str, Any], known: bool
) -> None:
    judged = after(streamed(1800.0, 1801.0, **{"wait_ms": 20.0, **more}), True)

    assert judged.ids == ["streaming-buffered"]
    assert judged.diagnoses[0].effect is (Effect.DEGRADED if known else Effect.INFORMATION)
    assert judged.verdict == ("degraded" if known else "up")
    assert judged.result("streaming").outcome is (Outcome.FAIL if known else Outcome.SKIP)


def test_headers_that_come_early_lower_the_confidence() -> None:
    held = after(streamed(1800.0, 1801.0), True).diagnoses[0]
    joined = after(streamed(1800.0, 1801.0, wait_ms=20.0, body_size=200_000), True).diagnoses[0]

    assert joined.confidence < held.confidence


@pytest.mark.parametrize(("streaming", "ids"), [(True, ["streaming-buffered"]), (None, []), (False, [])])
@pytest.mark.parametrize("times", [(40.0, 41.0), (100.0, 300.0, 500.0)])
def test_a_length_of_an_expected_stream_shows_that_it_was_collected(
    times: tuple[float, ...], streaming: bool | None, ids: list[str]
) -> None:
    assert after(streamed(*times, headers=(LENGTH,)), streaming).ids == ids
    assert after(streamed(*times, headers=(("content-length", "7"),)), streaming).ids == ids


@pytest.mark.parametrize("at_ms", [40.0, 600.0])
def test_the_length_of_a_single_event_shows_buffering_behind_a_front_door_of_lambda_alone(at_ms: float) -> None:
    assert after(streamed(at_ms, headers=(LENGTH,)), True).ids == []
    assert after(streamed(at_ms, headers=(LENGTH, *FUNCTION_URL)), True).ids == ["streaming-buffered"]


@pytest.mark.parametrize("streaming", [True, None, False])
def test_an_opening_that_waits_for_a_cold_start_is_no_burst(streaming: bool | None) -> None:
    log = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "ready"}}
    result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "o"}}
    first = initialized(messages=[log, ok(result)], media="text/event-stream", headers=(LENGTH,), wait_ms=2500.0)

    judged = judge(opened(first, era=Era.HANDSHAKE), tool_page("a"), endpoint=endpoint(streaming=streaming))

    assert judged.ids == []


def test_the_proof_holds_the_ratio_of_the_events_to_the_time_taken() -> None:
    diagnosis = after(streamed(1800.0, 1818.0), True).diagnoses[0]

    assert any("the events span 1% of the time" in proof.text for proof in diagnosis.evidence)
    assert any("headers after 1.80 s" in proof.text for proof in diagnosis.evidence)


@pytest.mark.parametrize(
    ("headers", "holder"),
    [
        ((("Apigw-Requestid", "g"),), "HTTP API collects"),
        ((("server", "awselb/2.0"),), "load balancer collects"),
        (FUNCTION_URL, "held back"),
    ],
)
def test_a_door_that_cannot_stream_is_named(headers: tuple[tuple[str, str], ...], holder: str) -> None:
    assert holder in after(streamed(1800.0, 1801.0, headers=headers), True).diagnoses[0].summary


# streams that end too soon

TRAILER = b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\nLambda-Runtime-Function-Error-Body: "
DIED = b"connection closed before message completed"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (TRAILER + base64.b64encode(DIED) + b"\r\n", "Runtime.StreamError: connection closed before message completed"),
        (TRAILER + base64.b64encode(b'{"errorMessage":"out of memory"}'), "Runtime.StreamError: out of memory"),
        (TRAILER + base64.b64encode(b"\x1b[31mred\x00")[:-2], "Runtime.StreamError: "),
        (TRAILER + b"!!! not base64 !!!\r\n", "Runtime.StreamError: !!! not base64 !!!"),
        (b"Lambda-Runtime-Function-Error-Type: Own.Kind\n", "Own.Kind"),
    ],
)
def test_the_error_that_a_runtime_writes_into_the_body_is_decoded_and_cleaned(written: bytes, said: str) -> None:
    cut = exchange("tools/call", media="text/event-stream", body=b'data: {"jsonrpc"' + written)

    diagnosis = after(cut, None).diagnosis("stream-truncated")

    assert f"wrote its error into the body: {said}" in diagnosis.summary
    assert not set(diagnosis.summary) & set("\x1b\x00")
    assert diagnosis.confidence > 0.9
    assert not any("function's timeout" in each for each in diagnosis.alternatives)


def cut_off(total_ms: float, failure: Failure | None = Failure.CONNECTION_LOST, **more: Any) -> Exchange:
    return exchange(
        "tools/call",
        media="text/event-stream",
        messages=[progress(1)],
        total_ms=total_ms,
        failure=failure,
        **more,
    )


@pytest.mark.parametrize(
    ("cut", "diagnosis"),
    [
        (cut_off(1012.0), "function-timeout"),
        (cut_off(3049.0), "function-timeout"),
        (cut_off(15_100.0, Failure.PROTOCOL), "function-timeout"),
        (cut_off(1500.0), "stream-truncated"),
        (cut_off(120.0), "stream-truncated"),
        (cut_off(3049.0, None), "stream-truncated"),
        (cut_off(3049.0, body=b'data: {"x"' + TRAILER), "stream-truncated"),
    ],
)
def test_a_stream_that_breaks_off_at_whole_seconds_ran_into_the_limit(cut: Exchange, diagnosis: str) -> None:
    judged = after(cut, True)

    assert judged.ids == [diagnosis]
    assert judged.verdict == "degraded"
    assert any(
        other in " ".join(judged.diagnoses[0].alternatives) for other in ("stream-truncated", "timeout", "limit")
    )


def test_two_streams_cut_after_the_same_time_are_surer_and_different_times_are_no_limit() -> None:
    watched = endpoint(sentinels=(Sentinel(tool="a"), Sentinel(tool="b")), streaming=True)

    def two(first: float, second: float) -> Judged:
        return judge(opened(), tool_page("a", "b"), cut_off(first), cut_off(second), endpoint=watched)

    assert two(3030.0, 3041.0).ids == ["function-timeout"]
    assert two(3030.0, 3041.0).diagnoses[0].confidence > after(cut_off(3030.0), True).diagnoses[0].confidence
    assert two(3030.0, 2041.0).ids == ["stream-truncated"]


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
