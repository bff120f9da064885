"""How this process itself does: written by whoever works, read from any thread by whoever answers for it.

Every write is one assignment, or one addition under a lock, so that a wedged event loop can still be told from
outside.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final


class Vitals:
    """Moments are seconds on the monotonic clock, `gauges` are what is so now, `counters` only grow.

    Names are those of the metrics that are published of them, without unit suffixes: see `prober.metrics.catalog`.
    """

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._moments: dict[str, float] = {}
        self._gauges: dict[str, float] = {}
        self._counters: Counter[tuple[str, str]] = Counter()
        self._troubles: dict[str, str] = {}

    def happened(self, what: str, at: float) -> None:
        """`what` was done at this moment: `tick`, `probe`, `commit`, `outbox` and others."""
        self._moments[what] = at

    def last(self, what: str) -> float | None:
        """When it was last done."""
        return self._moments.get(what)

    def set(self, gauge: str, value: float) -> None:
        """What is so now."""
        self._gauges[gauge] = value

    def add(self, counter: str, amount: int = 1, *, label: str = "") -> None:
        """Count something, apart by `label`: one of a few fixed words, never a text from outside."""
        with self._lock:
            self._counters[counter, label] += amount

    def trouble(self, reason: str, detail: str | None) -> None:
        """Why this prober cannot do its work, by a fixed word; None once it can again."""
        if detail is None:
            self._troubles.pop(reason, None)
        else:
            self._troubles[reason] = detail

    @property
    def gauges(self) -> Mapping[str, float]:
        return dict(self._gauges)

    @property
    def counters(self) -> Mapping[tuple[str, str], int]:
        """By name and label."""
        with self._lock:
            return dict(self._counters)

    @property
    def troubles(self) -> Mapping[str, str]:
        """What keeps it from its work now, by reason."""
        return dict(self._troubles)
