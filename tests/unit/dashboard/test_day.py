"""A day of an endpoint, hour by hour."""

from datetime import UTC, datetime, timedelta

from checks.model import Verdict
from dashboard.views.day import day_view
from dashboard.views.endpoint import endpoint_view
from dashboard.views.long_run import DAYS, day_bars, long_run_view
from tests.unit.dashboard.rows import NOW, STATS, day_page, endpoint_page

TODAY = NOW.date()


def test_every_day_of_the_long_run_leads_to_its_hours() -> None:
    view = long_run_view(STATS, (), TODAY, lambda day: f"?day={day}")
    assert view is not None
    assert [view.bars[0].href, view.bars[-1].href] == ["?day=2026-08-23", "?day=2026-11-20"]
    assert (view.first, view.last) == ("2026-08-23", "2026-11-20")
    assert {bar.href for bar in day_bars((), TODAY)} == {""}, "a page for everybody leads nowhere"


def test_deploys_stand_on_the_day_and_the_time_they_were_at() -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    deploys = [(noon - timedelta(days=100), "too old"), (noon - timedelta(days=89), "first"), (noon, "last")]
    view = long_run_view(STATS, (), TODAY, deploys=deploys)
    assert view is not None
    assert view.deploys == ((0.556, "first"), (99.444, "last"))


def test_an_hour_says_what_its_probes_came_to_and_leads_to_them() -> None:
    view = day_view("a/b", day_page(), TODAY, DAYS)
    assert view.title == "Friday, 2026-11-20"
    (row,) = view.rows
    assert (row.name, row.uptime, row.told) == ("09:00", "98.33 %", "57 up, 2 degraded and 1 down")
    assert (row.warm, row.cold) == ("p50 44 ms, p95 91 ms", "p95 1.79 s")
    assert (row.href, row.is_open) == ("/endpoints/a%2Fb?day=2026-11-20&hour=9#hour", True)
    assert len(view.bars) == 24
    assert [block.verdict for block in view.bars[9].blocks] == [Verdict.DOWN, Verdict.DEGRADED, Verdict.UP]
    assert view.bars[10].blocks == ()
    assert view.hour == "09:00 to 10:00"
    assert view.marks == (
        (0.0, "start", "00:00"),
        (25.0, "start", "06:00"),
        (50.0, "start", "12:00"),
        (75.0, "start", "18:00"),
    )


def test_days_that_were_not_yet_or_are_too_old_have_no_link() -> None:
    view = day_view("a", day_page(hours=(), hour=None), TODAY, DAYS)
    assert (view.before, view.after, view.rows, view.hour) == ("/endpoints/a?day=2026-11-19#day", "", (), "")
    oldest = day_view("a", day_page(day=TODAY - timedelta(days=DAYS - 1)), TODAY, DAYS)
    assert (oldest.before, oldest.after) == ("", "/endpoints/a?day=2026-08-24#day")


def test_the_page_lists_the_probes_of_the_hour_that_is_open() -> None:
    view = endpoint_view(endpoint_page(), {}, NOW)
    assert [probe.row.at.iso for probe in view.day_probes] == ["2026-11-20T09:00:00+00:00"]
    closed = endpoint_view(endpoint_page(opened=None), {}, NOW)
    assert (closed.day, closed.day_probes) == (None, ())
