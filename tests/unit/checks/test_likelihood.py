"""Percentiles and shares of cold starts say what was seen, and how far a few of them can be trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.likelihood import Likelihood, likelihoods, percentile, wilson


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1.0), (0.5, 5.0), (0.51, 6.0), (0.95, 10.0), (0.99, 10.0), (1.0, 10.0)]
)
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], share) == value


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # Figures of the score interval as tables of statistics give them.
    [
        (0, 10, 0.0, 0.2775),
        (1, 10, 0.0179, 0.4042),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (15, 148, 0.0624, 0.1605),
    ],
)
def test_the_interval_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@given(st.integers(0, 5000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_share_and_stays_within_bounds(seen: tuple[int, int]) -> None:
    hits, of = seen
    low, high = wilson(hits, of)
    assert 0.0 <= low <= high <= 1.0
    if of:
        assert low - 1e-12 <= hits / of <= high + 1e-12


def test_how_likely_a_cold_start_is_to_outlast_each_client() -> None:
    five, ten, thirty, sixty = likelihoods([1200.0, 5000.0, 5001.0, 31_000.0], seen_up_to_s=90.0)

    assert (five.limit_s, five.exceeded, five.of, five.share) == (5.0, 2, 4, 0.5)
    assert (ten.exceeded, thirty.exceeded, sixty.exceeded) == (1, 1, 0)
    assert sixty == Likelihood(limit_s=60.0, exceeded=0, of=4, share=0.0, low=0.0, high=pytest.approx(0.4899, abs=1e-4))


def test_nothing_is_said_of_limits_that_a_probe_does_not_live_to_see() -> None:
    assert [each.limit_s for each in likelihoods([1200.0], seen_up_to_s=10.0)] == [5.0]
    assert likelihoods([], seen_up_to_s=90.0) == ()
