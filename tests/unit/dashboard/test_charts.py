"""Geometry: what is drawn stays inside its frame and says what the figures say."""

import re

import pytest

from checks.model import Verdict
from dashboard.charts import bars, durations, lane, latency_chart, round_steps, segments, sparkline, time_axis

FULL = {
    "dns_ms": 3.0,
    "connect_ms": 10.0,
    "tls_ms": 20.0,
    "sent_ms": 34.0,
    "first_byte_ms": 84.0,
    "total_ms": 184.0,
}


def test_a_sparkline_breaks_where_a_value_is_missing() -> None:
    drawn = sparkline([10, None, 20, 30])
    assert drawn is not None
    assert len(re.findall("M", drawn.line)) == 2


def test_a_sparkline_stays_in_its_frame_with_its_highest_value_highest() -> None:
    drawn = sparkline([0, 500, 1000], width=100, height=30)
    assert drawn is not None
    places = [tuple(map(float, pair.split())) for pair in re.findall(r"[\d.]+ [\d.]+", drawn.line)]
    assert all(0 <= x <= 100 and 0 <= y <= 30 for x, y in places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)


@pytest.mark.parametrize("values", [[], [None, None]])
def test_nothing_known_draws_no_sparkline(values: list[None]) -> None:
    assert sparkline(values) is None


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0], [7.0]])
def test_few_or_zero_values_still_draw(values: list[float]) -> None:
    drawn = sparkline(values)
    assert drawn is not None
    assert "nan" not in drawn.line


def test_bars_stand_on_the_baseline_at_the_right_edge_and_grow_with_the_trouble() -> None:
    row = bars([Verdict.UNKNOWN, Verdict.UP, Verdict.DEGRADED, Verdict.DOWN], slots=10, height=20)
    assert all(bar.y + bar.height == pytest.approx(20) for bar in row)
    assert [bar.height for bar in row] == sorted(bar.height for bar in row)
    assert 98 < row[-1].x + row[-1].width <= 100


def test_only_the_newest_bars_are_shown() -> None:
    row = bars([Verdict.UP] * 9 + [Verdict.DOWN], slots=3, height=20)
    assert [bar.verdict for bar in row] == [Verdict.UP, Verdict.UP, Verdict.DOWN]


def test_the_phases_of_an_exchange_are_told_apart() -> None:
    assert durations(segments(FULL)) == {
        "dns": 3.0, "connect": 10.0, "tls": 20.0, "send": 1.0, "wait": 50.0, "stream": 100.0,
    }  # fmt: skip


def test_a_reused_connection_has_no_phases_of_its_making() -> None:
    parts = segments({"sent_ms": 1.0, "first_byte_ms": 41.0, "total_ms": 41.0})
    assert durations(parts) == {"send": 1.0, "wait": 40.0}


@pytest.mark.parametrize(
    ("failure", "phase"), [("connect", "connect"), ("tls", "tls"), ("deadline", "wait"), (None, "wait")]
)
def test_the_rest_of_a_failed_exchange_belongs_to_the_phase_that_failed(failure: str | None, phase: str) -> None:
    parts = segments({"dns_ms": 2.0, "total_ms": 3002.0}, failure)
    assert durations(parts) == {"dns": 2.0, phase: 3000.0}


def test_an_answer_that_never_came_is_waited_for_until_the_end() -> None:
    assert durations(segments({"sent_ms": 1.0, "total_ms": 10_000.0}, "deadline"))["wait"] == 9999.0


def test_a_lane_lies_on_the_time_axis_of_the_whole_probe() -> None:
    blocks = lane(segments(FULL), offset_ms=100, whole_ms=400, height=10)
    assert blocks[0].x == 25.0
    assert blocks[-1].x + blocks[-1].width == pytest.approx(71.0)


def test_an_axis_has_round_values() -> None:
    assert [tick.value for tick in time_axis(310)] == [0, 100, 200, 300]
    assert round_steps(1.0, 4) == (0, 0.5, 1.0)
    assert time_axis(0) == ()


def test_one_cold_start_does_not_press_the_warm_probes_flat() -> None:
    chart = latency_chart([{"wait": 50.0}] * 20 + [{"wait": 3000.0}], slots=60, height=100)
    assert chart is not None
    warm, cold = chart.columns[0], chart.columns[-1]
    assert warm is not None
    assert cold is not None
    assert warm.blocks[0].height > 40
    assert cold.cut
    assert not warm.cut
    assert cold.blocks[0].y >= 0


def test_stacked_phases_reach_as_high_as_their_sum() -> None:
    chart = latency_chart([{"dns": 10.0, "wait": 90.0}, None], slots=2, height=100)
    assert chart is not None
    column, missing = chart.columns
    assert missing is None
    assert column is not None
    dns, wait = column.blocks
    assert dns.y + dns.height == pytest.approx(100)
    assert wait.y + wait.height == pytest.approx(dns.y, abs=0.02)
    assert wait.height == pytest.approx(9 * dns.height, abs=0.1)


def test_a_past_without_timings_draws_no_chart() -> None:
    assert latency_chart([None, {}], slots=10) is None
