"""Maintenance windows against brute force: what a zone's wall clock shows in every quarter of an hour of ten years."""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from prober.incidents.windows import MaintenanceWindow, active_until, concerns, next_start

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2034, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
NIGHTLY = MaintenanceWindow(name="nightly", zone="Europe/Berlin", at_minute=150, lasts_s=3600)


def walls(zone: str, near: set[int]) -> Iterator[tuple[datetime, datetime]]:
    """Every quarter of an hour whose wall clock shows one of these hours: no change of a clock is finer."""
    place = ZoneInfo(zone)
    instant = FIRST
    while instant < LAST:
        wall = instant.astimezone(place).replace(tzinfo=None, fold=0)
        if wall.hour in near:
            yield instant, wall
            instant += QUARTER
        else:
            instant += timedelta(minutes=60 - wall.minute)


def brute_force(window: MaintenanceWindow) -> list[datetime]:
    """The first quarter of each day of the window whose wall clock shows its time, or a later one."""
    seen = first_quarters(window.zone, window.at_minute)
    return [instant for day, instant in seen.items() if comes_on(window, datetime.fromisoformat(day))]


@cache
def first_quarters(zone: str, at_minute: int) -> Mapping[str, datetime]:
    """By the day."""
    hour = at_minute // 60
    seen: dict[str, datetime] = {}
    for instant, wall in walls(zone, {hour, (hour + 1) % 24}):
        if wall.hour * 60 + wall.minute >= at_minute:
            seen.setdefault(str(wall.date()), instant)
    return seen


def comes_on(window: MaintenanceWindow, day: datetime) -> bool:
    last = monthrange(day.year, day.month)[1]
    month_days = {last if each == -1 else each for each in window.month_days} or {day.day}
    return day.day in month_days and day.weekday() in (window.weekdays or range(7))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("minute", [0, 120, 135, 180])
def test_starts_are_those_of_a_clock_on_the_wall_for_ten_years(zone: str, minute: int) -> None:
    window = replace(NIGHTLY, zone=zone, at_minute=minute)
    expected = brute_force(window)[1:]  # the first day may have begun before
    starts, now = [], expected[0] - timedelta(minutes=1)
    while (start := next_start(window, now)) is not None and start < LAST:
        starts.append(start)
        now = start
    assert starts == expected
    assert all(later - earlier >= timedelta(hours=22) for earlier, later in pairwise(starts))


@pytest.mark.parametrize(
    ("month_days", "weekdays"),
    [((-1,), ()), ((31,), ()), ((29, 30), (0, 6)), ((1, 2, 3, 4, 5, 6, 7), (0,)), ((), (2, 4))],
)
def test_days_of_the_month_and_of_the_week_are_those_of_the_calendar(
    month_days: tuple[int, ...], weekdays: tuple[int, ...]
) -> None:
    window = replace(NIGHTLY, month_days=month_days, weekdays=weekdays, at_minute=120)
    expected = brute_force(window)
    now = FIRST
    for start in expected:
        assert next_start(window, now) == start
        now = start


@pytest.mark.parametrize("lasts_s", [60.0, 3600.0, 7200.0, 30 * 3600.0])
def test_a_window_is_open_exactly_as_long_as_it_lasts_also_over_changes_of_the_clock(lasts_s: float) -> None:
    window = replace(NIGHTLY, lasts_s=lasts_s)
    lasts = timedelta(seconds=lasts_s)
    starts = [each for each in brute_force(window) if each.month in (3, 10) and each.day >= 20]
    for start in starts:
        assert active_until(window, start) == start + lasts
        assert active_until(window, start + lasts - timedelta(seconds=1)) is not None
        if lasts < timedelta(hours=20):
            assert active_until(window, start - timedelta(seconds=1)) is None
            assert active_until(window, start + lasts) is None


def test_the_hour_that_clocks_skip_begins_with_the_next_one_and_the_one_they_repeat_counts_once() -> None:
    night = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert next_start(NIGHTLY, night) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "02:30 is skipped; 03:00 is first"
    autumn = datetime(2026, 10, 24, 12, tzinfo=UTC)
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert next_start(NIGHTLY, autumn) == first
    assert active_until(NIGHTLY, first + timedelta(minutes=59)) is not None
    assert active_until(NIGHTLY, first + timedelta(hours=1)) is None, "the second 02:30 opens none"


def test_a_day_that_never_comes_has_no_next_window() -> None:
    assert next_start(replace(NIGHTLY, month_days=(0,)), FIRST) is None


def test_a_mute_is_for_its_names_or_for_who_bears_all_labels_or_for_all() -> None:
    assert concerns((), {}, "shop", {})
    assert concerns(("shop",), {"team": "pay"}, "shop", {})
    assert concerns(("shop",), {"team": "pay"}, "search", {"team": "pay", "stage": "live"})
    assert not concerns(("shop",), {}, "search", {})
    assert not concerns((), {"team": "pay", "stage": "test"}, "search", {"team": "pay"})
