"""The usual wait of an endpoint follows its days, not its minutes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from checks.baseline import MEDIANS_KEPT, WAITS_KEPT, Baseline, with_wait

MORNING = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def probed(waits: list[tuple[float, float]]) -> Baseline:
    """The baseline after waits, each with the minute in which it was measured."""
    baseline = Baseline()
    for minute, wait in waits:
        baseline = with_wait(baseline, MORNING + timedelta(minutes=minute), wait)
    return baseline


def test_a_half_hour_leaves_its_median_behind() -> None:
    baseline = probed([(0, 20.0), (10, 500.0), (20, 22.0), (30, 30.0)])

    assert baseline.medians == (22.0,)
    assert baseline.waits == (30.0,)


def test_hours_without_a_probe_leave_nothing_behind() -> None:
    assert probed([(0, 20.0), (300, 24.0), (330, 25.0)]).medians == (20.0, 24.0)


def test_a_wait_that_comes_late_changes_nothing() -> None:
    baseline = probed([(0, 20.0), (30, 30.0)])

    assert with_wait(baseline, MORNING + timedelta(minutes=29), 999.0) == baseline


def test_a_minute_of_trouble_does_not_move_it_and_a_day_of_it_does() -> None:
    blip = probed([(minute, 900.0 if minute == 7 else 20.0) for minute in range(60)])
    day = probed([(minute, 900.0) for minute in range(0, 25 * 60, 5)])

    assert blip.medians == (20.0,)
    assert set(day.medians) == {900.0}


@given(st.lists(st.tuples(st.floats(0, 10_000), st.floats(0, 60_000)), max_size=300))
def test_it_stays_small(waits: list[tuple[float, float]]) -> None:
    baseline = probed(waits)

    assert len(baseline.medians) <= MEDIANS_KEPT
    assert len(baseline.waits) <= WAITS_KEPT
