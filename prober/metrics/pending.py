"""Measurements that wait to be published: values with their counts, so that percentiles survive."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

DIMENSION_LIMIT: Final = 1024
"""CloudWatch API reference, Dimension."""

OLDEST: Final = timedelta(days=13)
NEWEST: Final = timedelta(minutes=110)
"""CloudWatch API reference, MetricDatum: one that is older than two weeks, or more than two hours ahead, has the whole
call refused."""

VALUES_KEPT: Final = 100_000
"""Different values that wait while nobody takes them; beyond it the oldest minutes are given up."""


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """One metric of one thing in one minute, the finest that CloudWatch keeps at the usual resolution."""

    minute: datetime
    dimension: str
    """What kind of thing it is."""
    value: str
    """Which one, as `dimension_value` writes it."""
    metric: str


class Pending:
    """What waits, by series. Not for several threads."""

    def __init__(self, *, keep: int = VALUES_KEPT) -> None:
        self._keep = keep
        self._values: dict[Series, Counter[float]] = {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def add(self, series: Series, *values: float) -> None:
        """Let these values wait."""
        if values:
            self._values.setdefault(series, Counter()).update(values)

    def take(self) -> "Pending":
        """All that waits, to be sent elsewhere; nothing waits here any longer."""
        taken = Pending(keep=self._keep)
        taken._values, self._values = self._values, {}
        return taken

    def put_back(self, left: "Pending") -> None:
        """What was taken and is not done with waits again."""
        for series, values in left._values.items():
            self._values.setdefault(series, Counter()).update(values)

    def items(self) -> Iterator[tuple[Series, Counter[float]]]:
        """Everything that waits, the oldest first."""
        return iter(sorted(self._values.items(), key=lambda item: item[0]))

    def done(self, series: Series, values: Counter[float]) -> None:
        """These values need not wait any longer."""
        left = self._values[series] - values
        if left:
            self._values[series] = left
        else:
            del self._values[series]

    def give_up_untimely(self, now: datetime) -> int:
        """Drop what CloudWatch would refuse for its time. Returns how many values that were."""
        floor, ceiling = now - OLDEST, now + NEWEST
        untimely = [series for series in self._values if not floor <= series.minute <= ceiling]
        return sum(self._values.pop(series).total() for series in untimely)

    def give_up_beyond_bound(self) -> int:
        """Drop the oldest of what is too much to keep. Returns how many values that were."""
        kept = sum(len(values) for values in self._values.values())
        lost = 0
        for series in sorted(self._values) if kept > self._keep else ():
            values = self._values.pop(series)
            kept, lost = kept - len(values), lost + values.total()
            if kept <= self._keep:
                break
        return lost


class Sink(Protocol):
    """Where measurements go. It blocks: it is asked from a thread."""

    def send(self, pending: Pending) -> int:
        """Send what waits, and tell `pending` of all that is done with. Never raises for AWS, network or disk.

        Returns how many values were refused for good; they are done with, too.
        """
        ...


def parts(values: Counter[float], limit: int) -> Sequence[Counter[float]]:
    """The values in parts of at most `limit` different ones."""
    items = sorted(values.items())
    return [Counter(dict(items[start : start + limit])) for start in range(0, len(items), limit)]


def dimension_value(name: str) -> str:
    """`name` as CloudWatch takes it: printable ASCII, not blank, no leading colon; different names stay different."""
    written = name.encode("ascii", "backslashreplace").decode("ascii")
    allowed = written.isprintable() and written.strip() and not written.startswith(":")
    if written == name and allowed and len(written) <= DIMENSION_LIMIT:
        return name
    shown = "".join(character if character.isprintable() else "?" for character in written).lstrip(": ")
    digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:12]
    return f"{shown[: DIMENSION_LIMIT - 20]}#{digest}"
