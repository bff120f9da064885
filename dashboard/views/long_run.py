"""What the pages say of an endpoint's last days: uptime, percentiles, and a bar for each of ninety days."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from checks.model import Verdict
from checks.proofs import counted, listed, milliseconds
from prober.incidents.availability import Slots
from prober.storage.series import Day, Stats

DAYS: Final = 90
BAR_HEIGHT: Final = 34.0

_LEAST: Final = 0.12
"""Share of a bar's height that the rarest verdict has, so that a short trouble shows."""

_FROM_THE_TOP: Final = (Verdict.DOWN, Verdict.DEGRADED, Verdict.UP)
_NEAR_THE_EDGE: Final = 0.88
"""A share of the width from which on a month's name does not fit to the right of its mark on a phone."""
_HOLLOW: Final = 0.3
"""Height of the bar of a day in which nothing could be observed, as a share."""


@dataclass(frozen=True, slots=True)
class DayBlock:
    """A part of a day's bar. `x` and `width` are per cent, `y` and `height` pixels."""

    verdict: Verdict
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day or hour; without blocks where nobody watched."""

    blocks: tuple[DayBlock, ...]
    title: str
    href: str = ""
    """Where it is shown closer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LongRunView:
    facts: tuple[tuple[str, str], ...]
    bars: tuple[DayBar, ...]
    """Oldest first, today at the right edge."""
    bars_label: str
    months: tuple[tuple[float, str, str], ...]
    """Place of each month's first day in per cent, text anchor and name."""
    deploys: tuple[tuple[float, str], ...]
    """Place of each in per cent, and a title."""
    first: str
    last: str
    """The days that can be asked for, as an input for dates has them."""


def _nowhere(_: date) -> str:
    return ""


def long_run_view(
    stats: Stats | None,
    days: Sequence[Day],
    today: date,
    href: Callable[[date], str] = _nowhere,
    deploys: Sequence[tuple[datetime, str]] = (),
) -> LongRunView | None:
    """The section of the endpoint's page; None while there is nothing to say. `today` is a day of UTC.

    `href` gives the address of a day, and `deploys` are moments with a title each.
    """
    facts = tuple((term, text) for term, text in _facts(stats) if text)
    if not facts and not days:
        return None
    whole = together(day.slots for day in days)
    return LongRunView(
        facts=facts,
        bars=tuple(day_bars(days, today, href)),
        bars_label=f"last {DAYS} days: {per_cent(whole.uptime)} up, {counted(len(days), 'day')} watched",
        months=tuple(month_marks(today)),
        deploys=tuple(_deploys(deploys, today)),
        first=(today - timedelta(days=DAYS - 1)).isoformat(),
        last=today.isoformat(),
    )


def fleet_uptime(stats: Stats | None) -> str:
    """`99.98 % up in 24 h`; empty while nobody knows."""
    return f"{per_cent(stats.uptime_24h)} up in 24 h" if stats and stats.uptime_24h is not None else ""


def fleet_warm(stats: Stats | None) -> str:
    """`warm p50 42 ms, p95 120 ms`; empty without warm answers."""
    if stats is None or stats.warm_p50_ms is None:
        return ""
    return f"warm p50 {milliseconds(stats.warm_p50_ms)}, p95 {milliseconds(stats.warm_p95_ms)}"


def fleet_cold(stats: Stats | None) -> str:
    """`cold p95 1.84 s`; empty without cold starts."""
    return f"cold p95 {milliseconds(stats.cold_p95_ms)}" if stats and stats.cold_p95_ms is not None else ""


def per_cent(share: float | None) -> str:
    """A share with two decimals, rounded down: nothing that ever failed is called 100 %."""
    if share is None:
        return "-"
    return f"{math.floor(share * 10_000 + 1e-9) / 100:.2f}".rstrip("0").rstrip(".") + " %"


def together(parts: Iterable[Slots]) -> Slots:
    """All slots together."""
    up = degraded = down = unknown = 0
    for part in parts:
        up, degraded = up + part.up, degraded + part.degraded
        down, unknown = down + part.down, unknown + part.unknown
    return Slots(up=up, degraded=degraded, down=down, unknown=unknown)


def _facts(stats: Stats | None) -> Iterator[tuple[str, str]]:
    if stats is None:
        return
    if stats.uptime_24h is not None:
        yield "Uptime, 24 h", per_cent(stats.uptime_24h)
    if stats.uptime_30d is not None:
        yield "30 d", per_cent(stats.uptime_30d)
    if stats.warm_p50_ms is not None:
        yield "Warm answers, 24 h", f"p50 {milliseconds(stats.warm_p50_ms)}, p95 {milliseconds(stats.warm_p95_ms)}"
    if stats.cold_p95_ms is not None:
        yield "Cold starts, 7 d", f"p95 {milliseconds(stats.cold_p95_ms)}"


def month_marks(today: date) -> Iterator[tuple[float, str, str]]:
    """Where a month begins within the days that are drawn; a January with its year."""
    for position in range(DAYS):
        day = today - timedelta(days=DAYS - 1 - position)
        if day.day == 1:
            place = position / DAYS
            name = f"{day:%b %Y}" if day.month == 1 else f"{day:%b}"
            yield round(place * 100, 3), "end" if place > _NEAR_THE_EDGE else "start", name


def _deploys(deploys: Sequence[tuple[datetime, str]], today: date) -> Iterator[tuple[float, str]]:
    """Each at its time of day within the days that are drawn."""
    begins = datetime.combine(today - timedelta(days=DAYS - 1), time(), UTC)
    for at, title in deploys:
        share = (at - begins) / timedelta(days=DAYS)
        if 0 <= share < 1:
            yield round(share * 100, 3), title


def day_bars(days: Sequence[Day], today: date, href: Callable[[date], str] = _nowhere) -> Iterator[DayBar]:
    """A bar for each of the last ninety days, today last; `href` gives the address of a day."""
    found = {day.day: day.slots for day in days}
    pitch = 100 / DAYS
    for position in range(DAYS):
        day = today - timedelta(days=DAYS - 1 - position)
        slots = found.get(day, Slots())
        place = (round(position * pitch + pitch * 0.1, 3), round(pitch * 0.8, 3))
        title = f"{day.isoformat()} UTC: {told_of(slots)}"
        yield DayBar(blocks=tuple(blocks_of(slots, *place)), title=title, href=href(day))


def blocks_of(slots: Slots, x: float, width: float) -> Iterator[DayBlock]:
    """The verdicts of a day or an hour as one bar, the worst on top; a hollow stump where none was observed."""
    if not slots.observed:
        if slots.unknown:
            height = BAR_HEIGHT * _HOLLOW
            yield DayBlock(Verdict.UNKNOWN, x, width, round(BAR_HEIGHT - height, 2), round(height, 2))
        return
    counts = {Verdict.DOWN: slots.down, Verdict.DEGRADED: slots.degraded, Verdict.UP: slots.up}
    shares = {verdict: max(count / slots.observed, _LEAST) for verdict, count in counts.items() if count}
    scale, y = BAR_HEIGHT / sum(shares.values()), 0.0
    for verdict in _FROM_THE_TOP:
        if verdict in shares:
            height = shares[verdict] * scale
            yield DayBlock(verdict, x, width, round(y, 2), round(height, 2))
            y += height


def told_of(slots: Slots) -> str:
    """`99.79 % up (1430 up and 3 down)`."""
    if not slots.observed:
        return counts_of(slots)
    return f"{per_cent(slots.uptime)} up ({counts_of(slots)})"


def counts_of(slots: Slots) -> str:
    """`1430 up and 3 down`."""
    counts = (("up", slots.up), ("degraded", slots.degraded), ("down", slots.down), ("unknown", slots.unknown))
    return listed([f"{count} {word}" for word, count in counts if count]) or "not watched"
