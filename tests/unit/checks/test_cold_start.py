"""Cold starts are suspected from waits alone, and never from a slow network or a slow server."""

from dataclasses import replace
from datetime import timedelta

import pytest

from checks.model import ColdStart, Exchange, History, Timings
from checks.spec import Era
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    NOW,
    Judged,
    discovered,
    endpoint,
    error,
    exchange,
    initialized,
    judge,
    notified,
    opened,
    refused,
    tool_page,
)

WARM = History(warm_wait_ms=(20.0, 22.0, 19.0, 25.0, 21.0, 20.0))


def probe(
    first_ms: float,
    next_ms: float,
    *,
    history: History = History(),
    headers: object = FUNCTION_URL,
    patience_s: float | None = None,
) -> Judged:
    first = discovered(wait_ms=first_ms, headers=headers, reused=False)
    watched = endpoint(client_timeout_s=patience_s)
    return judge(opened(first), tool_page("a", wait_ms=next_ms), history=history, endpoint=watched)


def test_a_first_wait_far_above_the_next_is_a_suspected_cold_start() -> None:
    judged = probe(1200.0, 8.0)

    assert judged.ids == ["cold-start"]
    assert judged.verdict == "up"
    assert judged.diagnoses[0].confidence <= 0.7
    assert "1.20 s" in judged.diagnoses[0].summary
    assert "8.0 ms" in judged.diagnoses[0].summary


def test_history_makes_it_more_certain() -> None:
    assert probe(1200.0, 8.0, history=WARM).diagnoses[0].confidence > probe(1200.0, 8.0).diagnoses[0].confidence


@pytest.mark.parametrize(
    ("first_ms", "next_ms", "history"),
    [
        (900.0, 880.0, History()),
        (900.0, 400.0, History()),
        (140.0, 5.0, History()),
        (119.0, 20.0, WARM),
        (1200.0, 1100.0, WARM),
        (900.0, 10.0, History(warm_wait_ms=(880.0, 910.0, 905.0, 890.0, 900.0))),
        (700.0, 10.0, History(warm_wait_ms=(200.0, 500.0, 300.0, 400.0, 350.0, 250.0))),
    ],
)
def test_steady_slow_or_merely_varying_servers_are_not_cold(first_ms: float, next_ms: float, history: History) -> None:
    assert probe(first_ms, next_ms, history=history).ids == []


def test_history_speaks_even_where_no_second_wait_was_measured() -> None:
    first = discovered(wait_ms=1200.0, headers=FUNCTION_URL, reused=False)
    judged = judge(opened(first), tool_page("a", reused=False), history=WARM)

    assert judged.ids == ["cold-start"]


def test_without_an_aws_front_door_nothing_is_suspected() -> None:
    assert probe(1200.0, 8.0, headers=()).ids == []


def test_a_slow_connection_is_not_a_cold_start() -> None:
    slow_network = Timings(
        dns_ms=400.0, connect_ms=500.0, tls_ms=600.0, sent_ms=1500.0, first_byte_ms=1510.0, total_ms=1510.0
    )
    first = replace(discovered(headers=FUNCTION_URL, reused=False), timings=slow_network)

    assert judge(opened(first), tool_page("a", wait_ms=8.0)).ids == []


def test_the_first_request_counts_even_if_another_opened_the_conversation() -> None:
    refused = exchange(
        "server/discover",
        status=400,
        messages=[error(-32600, "Missing session ID")],
        wait_ms=1200.0,
        headers=FUNCTION_URL,
    )
    opening = opened(refused, initialized(wait_ms=9.0), notified(), era=Era.HANDSHAKE)

    assert judge(opening, tool_page("a")).ids == ["cold-start"]


def test_a_slow_tool_does_not_hide_a_cold_start_nor_make_one() -> None:
    slow: Exchange = tool_page("a", wait_ms=8.0)

    assert judge(opened(discovered(wait_ms=10.0, headers=FUNCTION_URL)), slow).ids == []


def test_a_conversation_that_does_not_open_says_nothing_about_instances() -> None:
    crashed = exchange(
        "server/discover", status=502, body=b"Internal Server Error", wait_ms=700.0, headers=FUNCTION_URL
    )

    assert judge(refused(crashed), history=WARM).ids == ["function-crash"]


DATES = (("Date", "Fri, 20 Nov 2026 12:00:09 GMT"),)


def dated(remapped: str) -> tuple[tuple[str, str], ...]:
    return (*FUNCTION_URL, *DATES, ("x-amzn-Remapped-Date", remapped))


def test_an_instance_whose_clock_stood_still_was_there_before() -> None:
    assert probe(1200.0, 8.0, history=WARM, headers=dated("Fri, 20 Nov 2026 11:57:00 GMT")).ids == []


@pytest.mark.parametrize(
    "remapped",
    [
        "Fri, 20 Nov 2026 12:00:09 GMT",
        "Fri, 20 Nov 2026 12:00:08 GMT",
        "Fri, 20 Nov 2026 12:00:06 GMT",  # busy since the request came, 1.2 s and the tolerance ago
        "Tue, 10 Nov 2026 12:00:09 GMT",  # no instance lives that long: a snapshot was restored
        "yesterday",
        "Fri, 20 Nov 2026 12:00:09",
        "Fri, 20 Nov 99999999999999999999 12:00:09 GMT",
    ],
)
def test_a_clock_that_runs_or_says_nothing_keeps_the_suspicion(remapped: str) -> None:
    assert probe(1200.0, 8.0, history=WARM, headers=dated(remapped)).ids == ["cold-start"]


def test_a_clock_that_runs_and_an_idle_gap_make_it_a_little_more_certain() -> None:
    plain = probe(1200.0, 8.0, history=WARM).diagnoses[0]
    running = probe(1200.0, 8.0, history=WARM, headers=dated("Fri, 20 Nov 2026 12:00:09 GMT")).diagnoses[0]
    idle = probe(1200.0, 8.0, history=replace(WARM, answered_at=NOW - timedelta(minutes=31))).diagnoses[0]
    busy = probe(1200.0, 8.0, history=replace(WARM, answered_at=NOW - timedelta(seconds=60))).diagnoses[0]

    assert running.confidence > plain.confidence
    assert idle.confidence > plain.confidence == busy.confidence
    assert "31 minutes after the probe before it" in [proof.text for proof in idle.evidence]


WEB = (("lambda-web-request-id", "2b6d1c1e-1111-4222-8333-944444444444"), ("lambda-web-logstream", "2026/11/20/[1]ab"))


def test_a_log_stream_that_answered_before_is_no_new_instance() -> None:
    known = replace(WARM, log_streams=("2026/11/20/[1]cd", "2026/11/20/[1]ab"))

    assert probe(1200.0, 8.0, history=known, headers=WEB).ids == []


def test_a_log_stream_that_never_answered_before_makes_it_surer_than_timing_alone() -> None:
    suspected = probe(1200.0, 8.0, history=WARM, headers=WEB).diagnoses[0]
    surer = probe(1200.0, 8.0, history=replace(WARM, log_streams=("2026/11/20/[1]cd",)), headers=WEB).diagnoses[0]

    assert surer.confidence > suspected.confidence
    assert "lambda-web-logstream: 2026/11/20/[1]ab" in [proof.text for proof in surer.evidence]
    assert surer.confidence < 0.9
    assert "likely" in surer.summary


def test_a_log_stream_means_nothing_on_a_function_url() -> None:
    told = (*FUNCTION_URL, ("lambda-web-logstream", "2026/11/20/[1]ab"))
    known = replace(WARM, log_streams=("2026/11/20/[1]ab",))

    assert probe(1200.0, 8.0, history=known, headers=told).ids == ["cold-start"]


def cold(*answers_ms: float, hours_ago: float = 2.0) -> tuple[ColdStart, ...]:
    return tuple(ColdStart(at=NOW - timedelta(hours=hours_ago), answer_ms=each) for each in answers_ms)


def test_cold_starts_that_outlast_clients_degrade_the_endpoint_also_between_them() -> None:
    judged = probe(20.0, 8.0, history=replace(WARM, cold_starts=cold(1400.0, 11_000.0, 12_500.0)), patience_s=10.0)

    (found,) = judged.diagnoses
    assert (found.id, judged.verdict) == ("cold-start-exceeds-timeout", "degraded")
    assert "2 of the last 3 cold starts" in found.summary
    assert "12.5 s" in found.summary


def test_the_cold_start_of_this_probe_counts_too() -> None:
    assert probe(1200.0, 8.0, history=replace(WARM, cold_starts=cold(1300.0)), patience_s=1.0).ids == [
        "cold-start-exceeds-timeout",
        "cold-start",
    ]


@pytest.mark.parametrize(
    "earlier",
    [
        (),
        cold(12_500.0),
        cold(1400.0, 11_000.0, 1200.0, 12_500.0, 1100.0),
        cold(11_000.0, 12_500.0, 1200.0, 1300.0, 1100.0, 1000.0),
        cold(11_000.0, 12_500.0, hours_ago=25.0),
    ],
)
def test_one_blip_and_what_is_mended_or_long_ago_do_not_count(earlier: tuple[ColdStart, ...]) -> None:
    assert probe(20.0, 8.0, history=replace(WARM, cold_starts=earlier), patience_s=10.0).ids == []


def test_without_a_word_of_the_owner_no_cold_start_is_too_long() -> None:
    assert probe(20.0, 8.0, history=replace(WARM, cold_starts=cold(11_000.0, 12_500.0))).ids == []


def test_what_comes_in_probe_after_probe_a_minute_apart_is_what_opening_costs() -> None:
    each_minute = tuple(ColdStart(at=NOW - timedelta(minutes=ago), answer_ms=1200.0) for ago in (6, 5, 4, 3, 2, 1))
    awake = replace(WARM, cold_starts=each_minute, answered_at=NOW - timedelta(minutes=1))

    assert probe(1200.0, 8.0, history=awake).ids == []
    assert probe(1200.0, 8.0, history=replace(awake, cold_starts=each_minute[-4:])).ids == ["cold-start"]
    assert probe(1200.0, 8.0, history=replace(awake, answered_at=NOW - timedelta(hours=1))).ids == ["cold-start"]
