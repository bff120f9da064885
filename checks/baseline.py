"""What is usual for one endpoint: warm waits, boiled down to one median for each half hour of about a day."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median
from typing import Final

SPAN_S: Final = 1800
"""How long one median stands for. A fault that lasts shorter leaves the baseline as it was."""

MEDIANS_KEPT: Final = 48
"""A day of half hours in which the endpoint was probed."""

WAITS_KEPT: Final = 60
"""Of one span, the first so many: an endpoint that is probed every second needs no more for its median."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The waits of the span that is under way, and the medians of those before it; newest last."""

    span: int = 0
    """Number of the span since 1970."""
    waits: tuple[float, ...] = ()
    medians: tuple[float, ...] = ()


def with_wait(baseline: Baseline, at: datetime, wait_ms: float) -> Baseline:
    """The baseline after one more warm wait. One of a span that is over already is left out."""
    span = int(at.astimezone(UTC).timestamp() // SPAN_S)
    if span < baseline.span:
        return baseline
    if span == baseline.span:
        return replace(baseline, waits=(*baseline.waits, round(wait_ms, 1))[:WAITS_KEPT])
    over = (round(median(baseline.waits), 1),) if baseline.waits else ()
    return Baseline(span=span, waits=(round(wait_ms, 1),), medians=(*baseline.medians, *over)[-MEDIANS_KEPT:])
