"""What the pages say of the last days."""

from datetime import date, timedelta

import pytest

from checks.model import Verdict
from dashboard.views.long_run import (
    BAR_HEIGHT,
    DAYS,
    LongRunView,
    fleet_cold,
    fleet_uptime,
    fleet_warm,
    long_run_view,
    per_cent,
)
from prober.incidents.availability import Slots
from prober.storage.series import Day, Stats

TODAY = date(2026, 11, 20)
STATS = Stats(uptime_24h=0.99986, uptime_30d=1.0, warm_p50_ms=42.0, warm_p95_ms=120.0, cold_p95_ms=1840.0)
NOTHING = Stats(uptime_24h=None, uptime_30d=None, warm_p50_ms=None, warm_p95_ms=None, cold_p95_ms=None)


def view(*days: Day, stats: Stats | None = STATS) -> LongRunView:
    found = long_run_view(stats, days, TODAY)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "100 %"),
        (0.999999, "99.99 %"),
        (0.9986, "99.86 %"),
        (0.5, "50 %"),
        (0.0, "0 %"),
        (None, "-"),
        (2 / 3, "66.66 %"),
    ],
)
def test_what_ever_failed_is_not_called_a_hundred_per_cent(share: float | None, text: str) -> None:
    assert per_cent(share) == text


def test_figures_are_named_with_their_span() -> None:
    assert view().facts == (
        ("Uptime, 24 h", "99.98 %"),
        ("30 d", "100 %"),
        ("Warm answers, 24 h", "p50 42 ms, p95 120 ms"),
        ("Cold starts, 7 d", "p95 1.84 s"),
    )
    assert fleet_uptime(STATS) == "99.98 % up in 24 h"
    assert (fleet_warm(STATS), fleet_cold(STATS)) == ("warm p50 42 ms, p95 120 ms", "cold p95 1.84 s")


@pytest.mark.parametrize(
    ("today", "months"),
    [
        (date(2026, 11, 20), [(10.0, "start", "Sep"), (43.333, "start", "Oct"), (77.778, "start", "Nov")]),
        (date(2027, 1, 3), [(28.889, "start", "Nov"), (62.222, "start", "Dec"), (96.667, "end", "Jan 2027")]),
    ],
)
def test_the_days_are_marked_where_a_month_begins(today: date, months: list[tuple[float, str, str]]) -> None:
    found = long_run_view(STATS, (), today)
    assert found is not None
    assert list(found.months) == months


def test_what_nobody_knows_is_not_said() -> None:
    assert long_run_view(None, (), TODAY) is None
    assert long_run_view(NOTHING, (), TODAY) is None
    assert (fleet_uptime(None), fleet_uptime(NOTHING), fleet_warm(NOTHING)) == ("", "", "")


def test_ninety_days_have_a_place_each_with_today_at_the_right_edge() -> None:
    found = view(
        Day(day=TODAY, slots=Slots(up=10)),
        Day(day=TODAY - timedelta(days=DAYS - 1), slots=Slots(up=10)),
        Day(day=TODAY - timedelta(days=DAYS), slots=Slots(down=10)),
    )
    assert len(found.bars) == DAYS
    assert [bool(bar.blocks) for bar in found.bars] == [True, *[False] * (DAYS - 2), True]
    assert found.bars[-1].title == "2026-11-20 UTC: 100 % up (10 up)"
    assert found.bars[-2].title == "2026-11-19 UTC: not watched"
    last = found.bars[-1].blocks[0]
    assert 99 < last.x + last.width <= 100


def test_a_short_trouble_shows_on_top_of_its_day() -> None:
    (*_, today) = view(Day(day=TODAY, slots=Slots(up=1437, degraded=1, down=2, unknown=5))).bars
    assert [block.verdict for block in today.blocks] == [Verdict.DOWN, Verdict.DEGRADED, Verdict.UP]
    assert all(block.height >= BAR_HEIGHT * 0.09 for block in today.blocks)
    assert sum(block.height for block in today.blocks) == pytest.approx(BAR_HEIGHT, abs=0.05)
    assert today.blocks[0].y == 0
    assert today.title == "2026-11-20 UTC: 99.86 % up (1437 up, 1 degraded, 2 down and 5 unknown)"


def test_a_day_that_nobody_could_observe_is_no_trouble() -> None:
    found = view(Day(day=TODAY, slots=Slots(unknown=1440)))
    assert [block.verdict for block in found.bars[-1].blocks] == [Verdict.UNKNOWN]
    assert found.bars[-1].title == "2026-11-20 UTC: 1440 unknown"
    assert found.bars_label == "last 90 days: - up, 1 day watched"
