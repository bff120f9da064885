"""An endpoint is slow by its owner's limit or by its own past, over several probes, and never through our fault."""

from dataclasses import replace

import pytest

from checks.model import Failure, History, Timings
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    Judged,
    discovered,
    endpoint,
    failed,
    judge,
    opened,
    tool_page,
)

DAY = (24.0, 22.0, 26.0, 23.0, 25.0)
SLOWED = History(warm_wait_ms=(400.0, 410.0, 390.0, 420.0), usual_wait_ms=DAY)


def probe(wait_ms: float, history: History, *, limit_s: float | None = None, connect_ms: float = 5.0) -> Judged:
    first = discovered(wait_ms=wait_ms, headers=FUNCTION_URL, reused=False)
    first = replace(first, timings=replace(first.timings, connect_ms=connect_ms))
    return judge(
        opened(first), tool_page("a", wait_ms=wait_ms), history=history, endpoint=endpoint(slow_after_s=limit_s)
    )


def test_far_off_its_own_past_in_probe_after_probe_is_slow() -> None:
    judged = probe(405.0, SLOWED)

    assert (judged.ids, judged.verdict) == (["slow"], "degraded")
    assert "against 24 ms usually" in judged.diagnoses[0].summary
    assert judged.diagnoses[0].confidence < 0.8


def test_the_owners_limit_stands_in_place_of_the_past() -> None:
    over = probe(405.0, replace(SLOWED, usual_wait_ms=()), limit_s=0.3)

    assert over.ids == ["slow"]
    assert "the 300 ms that its owner accepts" in over.diagnoses[0].summary
    assert probe(405.0, SLOWED, limit_s=0.8).ids == []


@pytest.mark.parametrize(
    ("wait_ms", "history"),
    [
        (405.0, History(usual_wait_ms=DAY)),
        (405.0, History(warm_wait_ms=(400.0, 410.0, 390.0), usual_wait_ms=DAY)),
        (405.0, History(warm_wait_ms=(24.0, 410.0, 25.0, 420.0), usual_wait_ms=DAY)),
        (24.0, SLOWED),
        (405.0, replace(SLOWED, usual_wait_ms=DAY[:3])),
        (240.0, History(warm_wait_ms=(240.0, 239.0, 241.0, 238.0), usual_wait_ms=DAY)),
        (120.0, History(warm_wait_ms=(118.0, 121.0, 119.0, 122.0), usual_wait_ms=DAY)),
        (405.0, replace(SLOWED, usual_wait_ms=(300.0, 310.0, 295.0, 305.0, 290.0))),
        (405.0, replace(SLOWED, usual_wait_ms=(60.0, 300.0, 100.0, 220.0, 140.0))),
    ],
    ids=[
        "a single probe",
        "too few",
        "two of five",
        "over",
        "too short a past",
        "more than twice as long, and still quick",
        "within the variation of networks",
        "less than twice as long",
        "within its own variation",
    ],
)
def test_what_does_not_last_or_is_not_out_of_the_ordinary_is_not_slow(wait_ms: float, history: History) -> None:
    assert probe(wait_ms, history).ids == []


def test_one_quick_answer_in_between_does_not_end_it() -> None:
    assert probe(405.0, replace(SLOWED, warm_wait_ms=(400.0, 24.0, 390.0, 420.0))).ids == ["slow"]


def test_a_way_that_became_longer_is_not_the_endpoints_doing() -> None:
    assert probe(405.0, SLOWED, connect_ms=380.0).ids == []


def test_a_cold_start_is_not_slowness() -> None:
    first = discovered(wait_ms=4000.0, headers=FUNCTION_URL, reused=False)
    judged = judge(opened(first), tool_page("a", wait_ms=8.0), history=replace(SLOWED, warm_wait_ms=(400.0,) * 5))

    assert judged.ids == ["cold-start"]


def test_an_impaired_observer_finds_nothing_slow() -> None:
    first = replace(discovered(headers=FUNCTION_URL), timings=Timings(sent_ms=0.0, first_byte_ms=405.0, total_ms=405.0))
    judged = judge(opened(first), failed(Failure.OBSERVER, "loop-lag", method="tools/list"), history=SLOWED)

    assert judged.ids == ["observer-impaired"]
