"""Times in which nobody is told."""

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from checks.proofs import listed
from checks.text import clean

_DAY: Final = timedelta(days=1)
_FARTHEST: Final = timedelta(days=3 * 366)
"""A month's 31st that is a Monday comes within two years; what does not come in three never does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWindow:
    """A time that comes again, in which nobody is told. Probing goes on."""

    name: str
    zone: str
    """By its IANA name."""
    at_minute: int
    """When it begins: minutes after midnight, on the zone's wall clock."""
    lasts_s: float
    weekdays: tuple[int, ...] = ()
    """0 is Monday. With no weekdays and no month days it comes every day; with both, on days that are both."""
    month_days: tuple[int, ...] = ()
    """1 to 31; -1 is the last day of the month."""
    endpoints: tuple[str, ...] = ()
    """Names; with neither names nor labels it is for all."""
    labels: Mapping[str, str] = field(default_factory=dict)


def concerns(names: tuple[str, ...], wanted: Mapping[str, str], endpoint: str, labels: Mapping[str, str]) -> bool:
    """Whether a mute of these names, or of whoever bears all of the wanted labels, is for this endpoint. One that names
    neither is for all."""
    if not names and not wanted:
        return True
    return endpoint in names or (bool(wanted) and wanted.items() <= labels.items())


def whom_in_words(names: Sequence[str], labels: Mapping[str, str]) -> str:
    """Whom a mute of these is for: `shop and search`, `whoever bears team=pay`, `all endpoints`."""
    parts = [clean(name, 60) for name in names]
    if labels:
        parts.append(f"whoever bears {', '.join(f'{clean(key, 60)}={clean(labels[key], 60)}' for key in labels)}")
    return listed(parts) if parts else "all endpoints"


def active_until(window: MaintenanceWindow, now: datetime) -> datetime | None:
    """When the window that is open now ends, in UTC; None outside of it."""
    lasts, zone = timedelta(seconds=window.lasts_s), ZoneInfo(window.zone)
    first = (now - lasts).astimezone(zone).date() - _DAY
    last = now.astimezone(zone).date() + _DAY
    ends = [start + lasts for start in _starts(window, zone, first, last) if start <= now < start + lasts]
    return max(ends, default=None)


def next_start(window: MaintenanceWindow, now: datetime) -> datetime | None:
    """When the window opens next, later than now, in UTC; None if it never does."""
    zone = ZoneInfo(window.zone)
    first = now.astimezone(zone).date() - _DAY
    return next((start for start in _starts(window, zone, first, first + _FARTHEST) if start > now), None)


def _starts(window: MaintenanceWindow, zone: ZoneInfo, first: date, last: date) -> Iterator[datetime]:
    at = time(window.at_minute // 60, window.at_minute % 60)
    for number in range((last - first).days + 1):
        day = first + number * _DAY
        if _comes_on(window, day):
            yield _instant(datetime.combine(day, at), zone)


def _comes_on(window: MaintenanceWindow, day: date) -> bool:
    if window.weekdays and day.weekday() not in window.weekdays:
        return False
    is_last = day.day == monthrange(day.year, day.month)[1]
    return not window.month_days or day.day in window.month_days or (is_last and -1 in window.month_days)


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which the zone's clocks show this time: the first of two where they are put back, and the first
    that there is at all where they are put forward over it."""
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
        return moment
    early, late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), moment
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        middle = middle.replace(microsecond=0)
        if middle <= early:
            break
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late
