"""Sketches against the true percentiles of what they were made of."""

import math

from hypothesis import given
from hypothesis import strategies as st

from prober.storage.sketches import GROWTH, SMALLEST_MS, WORST_ERROR, Sketch, bucket_of, merged, value_of

DURATIONS = st.floats(min_value=SMALLEST_MS, max_value=3_600_000, allow_nan=False)
SAMPLES = st.lists(DURATIONS, min_size=1, max_size=300)
SHARES = st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0])
ROUNDING = 1e-9
"""A value at the very edge of a bucket may fall to its neighbour."""


def true_percentile(values: list[float], share: float) -> float:
    """The least value that at least this share of all lie at or below, as `percentile_disc` of PostgreSQL says it."""
    return sorted(values)[max(1, math.ceil(share * len(values) - 1e-9)) - 1]


@given(SAMPLES, SHARES)
def test_a_percentile_is_within_two_and_a_half_per_cent_of_the_true_one(values: list[float], share: float) -> None:
    found = Sketch.of(values).percentile(share)
    exact = true_percentile(values, share)
    assert found is not None
    assert abs(found - exact) <= exact * (WORST_ERROR + ROUNDING)
    assert WORST_ERROR < 0.025


@given(st.lists(SAMPLES, max_size=5))
def test_merged_sketches_are_the_sketch_of_everything(parts: list[list[float]]) -> None:
    whole = Sketch.of(value for part in parts for value in part)
    assert merged(Sketch.of(part) for part in parts) == whole
    assert whole.count == sum(map(len, parts))


@given(SAMPLES)
def test_buckets_rise_and_none_is_empty(values: list[float]) -> None:
    sketch = Sketch.of(values)
    assert list(sketch.buckets) == sorted(set(sketch.buckets))
    assert all(count > 0 for count in sketch.counts)


@given(DURATIONS)
def test_a_bucket_holds_what_lies_between_its_ends(ms: float) -> None:
    bucket = bucket_of(ms)
    assert GROWTH ** (bucket - 1) * (1 - ROUNDING) <= ms <= GROWTH**bucket * (1 + ROUNDING)
    assert GROWTH ** (bucket - 1) < value_of(bucket) < GROWTH**bucket


def test_what_took_no_time_counts_as_very_short() -> None:
    assert bucket_of(0.0) == bucket_of(-1.0) == bucket_of(SMALLEST_MS)


def test_a_bucket_of_an_hour_and_of_the_shortest_fit_into_a_small_integer() -> None:
    assert -32_768 <= bucket_of(0.0) < bucket_of(86_400_000.0) <= 32_767


def test_nothing_has_no_percentile() -> None:
    assert Sketch().percentile(0.5) is None
    assert merged([]) == Sketch()
