"""The arithmetic of trying again."""

import pytest

from prober.notifiers.delivery import Pace

PACE = Pace()


@pytest.mark.parametrize(
    ("failures", "delay"), [(0, 2), (1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (6, 45), (7, 45), (10_000, 45)]
)
def test_delays_double_up_to_a_limit(failures: int, delay: float) -> None:
    assert PACE.delay(failures, 0.0) == delay
    assert PACE.delay(failures, 1.0) == pytest.approx(0.8 * delay)


def test_after_a_channel_comes_back_it_is_tried_within_a_minute() -> None:
    worst = PACE.send_timeout + PACE.longest_delay + PACE.poll
    assert worst < 60, "a try that runs into its timeout just before the return, the rest after it, and the next look"


@pytest.mark.parametrize(
    ("asked", "delay"), [(30.0, 30), (2.0, 2), (1e9, 3600), (0.0, None), (-4.0, None), (None, None)]
)
def test_a_channel_is_left_alone_for_as_long_as_it_asks_within_reason(asked: float | None, delay: float | None) -> None:
    assert PACE.asked_delay(asked) == delay


def test_a_lease_is_renewed_long_before_it_ends_and_taken_over_within_seconds_of_a_crash() -> None:
    assert PACE.lease < PACE.send_timeout
    assert PACE.lease + PACE.poll < 10
