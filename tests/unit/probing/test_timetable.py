"""What a worker makes of the database's clock and of its answers."""

from datetime import UTC, datetime, timedelta

import pytest

from prober.probing.timetable import Horizon, SlotClock

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_a_slot_lies_between_the_question_and_the_answer() -> None:
    clock = SlotClock()
    clock.observe(NOON, asked=100.0, answered=100.02)
    assert clock.at(NOON + timedelta(seconds=5)) == pytest.approx(105.01, abs=0.0101)


def test_a_database_that_becomes_slow_moves_no_start() -> None:
    clock = SlotClock()
    clock.observe(NOON, asked=100.0, answered=100.002)
    before = clock.at(NOON + timedelta(seconds=60))
    clock.observe(NOON + timedelta(seconds=12), asked=111.0, answered=119.0)
    assert clock.at(NOON + timedelta(seconds=60)) == pytest.approx(before, abs=0.02)


def test_a_clock_that_was_set_is_believed_at_once() -> None:
    clock = SlotClock()
    clock.observe(NOON, asked=100.0, answered=100.002)
    later = NOON + timedelta(hours=1)
    clock.observe(later, asked=101.0, answered=101.002)
    assert clock.at(later) == pytest.approx(101.001, abs=0.01)


def test_clocks_may_drift_apart() -> None:
    clock = SlotClock()
    clock.observe(NOON, asked=100.0, answered=100.0)
    hour_later = NOON + timedelta(seconds=3600.3)
    clock.observe(hour_later, asked=3700.0, answered=3700.0)
    assert clock.at(hour_later) == pytest.approx(3700.0, abs=0.001)


def test_an_answer_covers_what_it_was_asked_for_and_nothing_else() -> None:
    horizon: Horizon[str] = Horizon()
    assert not horizon.covers("shop", 0.0)
    horizon.answered(10.0, {"busy"})
    assert horizon.covers("shop", 10.0)
    assert not horizon.covers("shop", 10.1)
    assert not horizon.covers("busy", 9.0)
