"""Sketches of durations: counts by logarithmic bucket, which can be added up and still give true percentiles. Pure.

Bucket `b` holds what lies above 1.05^(b-1) and up to 1.05^b milliseconds. `prober.storage.rollups` makes and reads the
same sketches in SQL.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

GROWTH: Final = 1.05
SMALLEST_MS: Final = 0.01
"""What is shorter counts as this long."""

WORST_ERROR: Final = (GROWTH - 1) / (GROWTH + 1)
"""How far a percentile may lie from the true one, as a share of that: 2.44 %."""

BUCKET_SQL: Final = (
    f"ceil(ln(greatest({{ms}}, {SMALLEST_MS})::double precision) / ln({GROWTH}::double precision))::smallint"
)
"""`bucket_of` for a column of PostgreSQL."""

VALUE_SQL: Final = f"power({GROWTH}::double precision, {{bucket}}) * {2 / (GROWTH + 1)!r}::double precision"
"""`value_of` for a column of PostgreSQL."""

RANK_SQL: Final = "greatest(1, ceil({share} * {count} - 1e-9))"
"""`Sketch.percentile` takes the first bucket up to which so many values lie."""


def bucket_of(ms: float) -> int:
    """The bucket that a duration belongs to."""
    return math.ceil(math.log(max(ms, SMALLEST_MS)) / math.log(GROWTH))


def value_of(bucket: int) -> float:
    """The duration in milliseconds that stands for a bucket: as far, by ratio, from its lower end as from its upper."""
    return float(GROWTH**bucket * 2 / (GROWTH + 1))


@dataclass(frozen=True, slots=True)
class Sketch:
    """How many values each bucket holds; buckets rise, and none is empty."""

    buckets: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    @staticmethod
    def of(values: Iterable[float]) -> "Sketch":
        """The sketch of these durations in milliseconds."""
        return _sorted(Counter(bucket_of(value) for value in values))

    @property
    def count(self) -> int:
        """How many values it was made of."""
        return sum(self.counts)

    def percentile(self, share: float) -> float | None:
        """The least value that at least this share of all lie at or below, within `WORST_ERROR`; None without any."""
        rank, below = max(1, math.ceil(share * self.count - 1e-9)), 0
        for bucket, count in zip(self.buckets, self.counts, strict=True):
            below += count
            if below >= rank:
                return value_of(bucket)
        return None


def merged(sketches: Iterable[Sketch]) -> Sketch:
    """The sketch of all values that these were made of."""
    counts: Counter[int] = Counter()
    for sketch in sketches:
        counts.update(dict(zip(sketch.buckets, sketch.counts, strict=True)))
    return _sorted(counts)


def _sorted(counts: Counter[int]) -> Sketch:
    buckets = tuple(sorted(counts))
    return Sketch(buckets, tuple(counts[bucket] for bucket in buckets))
