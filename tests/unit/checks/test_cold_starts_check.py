"""The burst tells new instances from warm ones, says what it cost, and asks only where it was asked for."""

from dataclasses import replace

import pytest

from checks.model import CheckResult, Endpoint, Exchange, Failure, OnRequest, Outcome
from checks.protocol.cold_starts import BURST, burst_of, cold_starts
from checks.unit import CheckContext
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    ScriptedWire,
    discovered,
    endpoint,
    exchange,
    failed,
    opened,
    run,
    tool_page,
)

ASKED = endpoint(on_request=(OnRequest.COLD_STARTS,))


def answer(wait_ms: float, *headers: tuple[str, str]) -> Exchange:
    return tool_page("a", wait_ms=wait_ms, headers=(*FUNCTION_URL, *headers), reused=False)


def burst(
    *crowd: Exchange, watched: Endpoint = ASKED, door: object = FUNCTION_URL, warm_ms: float | None = 20.0
) -> tuple[CheckResult, ScriptedWire]:
    opening = opened(discovered(headers=door, reused=False))
    wire = ScriptedWire(opening, crowd=crowd)
    exchanges = () if warm_ms is None else (tool_page("a", wait_ms=warm_ms),)
    listed = CheckResult(check="tools_list", outcome=Outcome.PASS, summary="", exchanges=exchanges)
    return run(cold_starts.run, CheckContext(endpoint=watched, wire=wire, results=(listed,))), wire


def test_who_waits_far_longer_than_those_before_woke_an_instance() -> None:
    result, wire = burst(answer(22.0), answer(1400.0), answer(1600.0), answer(90.0))

    assert result.outcome is Outcome.PASS
    assert result.facts == {
        "asked": 4, "answered": 4, "throttled": 0, "cold_ms": [1400.0, 1600.0], "warm_ms": [22.0, 90.0],
    }  # fmt: skip
    assert result.summary == (
        "4 of 4 requests at once were answered, 2 likely woke a new instance, the slowest after 1.60 s, "
        "the others met a warm one, the slowest after 90 ms"
    )
    assert wire.asked_otherwise == [("at_once", "tools/list", BURST)]


def test_whoever_names_a_number_needs_not_ask_in_the_configuration() -> None:
    opening = opened(discovered(headers=FUNCTION_URL, reused=False))
    wire = ScriptedWire(opening, crowd=(answer(22.0), answer(1400.0)))
    listed = CheckResult(
        check="tools_list", outcome=Outcome.PASS, summary="", exchanges=(tool_page("a", wait_ms=20.0),)
    )
    context = CheckContext(endpoint=endpoint(), wire=wire, results=(listed,))

    assert run(lambda ctx: burst_of(ctx, 2), context).facts["cold_ms"] == [1400.0]
    assert wire.asked_otherwise == [("at_once", "tools/list", 2)]


def test_where_all_instances_are_warm_it_is_said_how_long_they_took() -> None:
    result, _ = burst(answer(22.0), answer(25.0))
    assert result.summary.endswith("none waited for a new instance, the slowest answered after 25 ms")


def test_new_instances_that_outlast_clients_are_a_warning() -> None:
    impatient = replace(ASKED, client_timeout_s=1.5)
    result, _ = burst(answer(22.0), answer(1400.0), answer(1600.0), watched=impatient)

    assert result.outcome is Outcome.WARN
    assert [each.text for each in result.findings] == [
        "1 new instance answered later than the 1.5 s that clients wait, the last after 1.60 s"
    ]


def test_a_thawed_instance_is_not_new() -> None:
    thawed = answer(
        1400.0, ("Date", "Fri, 20 Nov 2026 12:00:09 GMT"), ("x-amzn-Remapped-Date", "Fri, 20 Nov 2026 11:57:00 GMT")
    )

    assert burst(answer(22.0), thawed)[0].facts["cold_ms"] == []


def test_throttled_and_lost_requests_are_counted_and_no_fault() -> None:
    throttled = exchange("tools/list", status=429, body=b"{}", headers=FUNCTION_URL)
    result, _ = burst(answer(22.0), answer(25.0), throttled, failed(Failure.CONNECTION_LOST, method="tools/list"))

    assert result.outcome is Outcome.PASS
    assert (result.facts["answered"], result.facts["throttled"]) == (2, 1)
    assert "1 were throttled" in result.summary


def test_instances_that_fail_under_a_burst_are_a_warning() -> None:
    crash = exchange("tools/list", status=502, body=b"Internal Server Error", headers=FUNCTION_URL)
    result, _ = burst(answer(22.0), crash, crash, exchange("tools/list", status=504, headers=FUNCTION_URL))

    assert result.outcome is Outcome.WARN
    (finding,) = result.findings
    assert finding.text.startswith("3 requests at once failed with HTTP 502 and HTTP 504, such as HTTP 502,")
    assert "while requests one after the other are answered" in finding.text


def test_a_burst_that_is_hardly_answered_says_nothing() -> None:
    throttled = exchange("tools/list", status=429, body=b"{}", headers=FUNCTION_URL)

    assert burst(answer(22.0), throttled)[0].outcome is Outcome.SKIP
    assert burst()[0].outcome is Outcome.SKIP


@pytest.mark.parametrize(
    ("watched", "door", "warm_ms", "why"),
    [
        (endpoint(), FUNCTION_URL, 20.0, "only on request"),
        (ASKED, (), 20.0, "no Lambda function"),
        (ASKED, FUNCTION_URL, None, "no warm answer"),
    ],
)
def test_it_is_not_asked_where_nobody_wants_it_or_nothing_could_be_told(
    watched: Endpoint, door: object, warm_ms: float | None, why: str
) -> None:
    result, wire = burst(answer(22.0), watched=watched, door=door, warm_ms=warm_ms)

    assert result.outcome is Outcome.SKIP
    assert why in result.summary
    assert wire.asked_otherwise == []
