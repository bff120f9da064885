"""What an endpoint's page shows of one day, hour by hour, and of the probes of one hour."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from checks.proofs import milliseconds
from dashboard.views.common import endpoint_href
from dashboard.views.long_run import DayBar, blocks_of, counts_of, per_cent, told_of
from prober.incidents.availability import Slots
from prober.storage.queries import DayPage
from prober.storage.series import Hour
from prober.storage.sketches import Sketch

HOURS: Final = 24
_MARKED: Final = 6
"""Every so many hours one is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HourRow:
    """One hour in figures."""

    name: str
    href: str
    """Where its probes stand."""
    is_open: bool
    told: str
    uptime: str
    warm: str
    cold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayView:
    """The section of one day; without rows where nothing is kept of it."""

    title: str
    iso: str
    bars: tuple[DayBar, ...]
    """From midnight to midnight, each with the address of its probes."""
    marks: tuple[tuple[float, str, str], ...]
    """Place of some hours in per cent, text anchor and hour."""
    rows: tuple[HourRow, ...]
    before: str
    """The day before; empty where it is too long ago."""
    after: str
    """The day after; empty where that is not over yet."""
    hour: str
    """The hour whose probes are listed; empty where none is."""


def day_href(name: str, day: date, hour: int | None = None) -> str:
    """The page of the endpoint with that day, or that hour of it, opened. In UTC."""
    opened = "#day" if hour is None else f"&hour={hour}#hour"
    return f"{endpoint_href(name)}?day={day.isoformat()}{opened}"


def day_view(name: str, page: DayPage, today: date, days: int) -> DayView:
    """The section of the page; `days` are as many as the long run shows."""
    before, after = page.day - timedelta(days=1), page.day + timedelta(days=1)
    return DayView(
        title=f"{page.day:%A}, {page.day.isoformat()}",
        iso=page.day.isoformat(),
        bars=tuple(_bars(name, page)),
        marks=tuple((hour / HOURS * 100, "start", f"{hour:02}:00") for hour in range(0, HOURS, _MARKED)),
        rows=tuple(_row(name, page, each) for each in page.hours),
        before=day_href(name, before) if before > today - timedelta(days=days) else "",
        after=day_href(name, after) if after <= today else "",
        hour="" if page.hour is None else _span(page.hour),
    )


def _bars(name: str, page: DayPage) -> Iterator[DayBar]:
    found = {each.hour.hour: each.slots for each in page.hours}
    pitch = 100 / HOURS
    for hour in range(HOURS):
        slots = found.get(hour, Slots())
        place = (round(hour * pitch + pitch * 0.1, 3), round(pitch * 0.8, 3))
        yield DayBar(
            blocks=tuple(blocks_of(slots, *place)),
            title=f"{hour:02}:00 to {hour + 1:02}:00 UTC: {told_of(slots)}",
            href=day_href(name, page.day, hour),
        )


def _row(name: str, page: DayPage, each: Hour) -> HourRow:
    return HourRow(
        name=f"{each.hour.hour:02}:00",
        href=day_href(name, page.day, each.hour.hour),
        is_open=each.hour == page.hour,
        told=counts_of(each.slots),
        uptime=per_cent(each.slots.uptime),
        warm=_percentiles(each.warm, (0.5, 0.95)),
        cold=_percentiles(each.cold, (0.95,)),
    )


def _span(hour: datetime) -> str:
    return f"{hour.hour:02}:00 to {hour.hour + 1:02}:00"


def _percentiles(sketch: Sketch, shares: Sequence[float]) -> str:
    found = [milliseconds(sketch.percentile(each)) for each in shares]
    return ", ".join(f"p{share * 100:.0f} {value}" for share, value in zip(shares, found, strict=True) if value != "-")
