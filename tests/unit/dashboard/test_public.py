"""The public status page, its badges and its feed, from what storage projected."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from xml.etree import ElementTree

import pytest

from checks.model import Verdict
from dashboard.views.public import Quiet, StatusPageView, badge_view, feed, slug_of, status_page_view
from prober.incidents.availability import Slots
from prober.incidents.windows import MaintenanceWindow
from prober.storage.mutes import MuteRow
from prober.storage.public import PublicEndpoint, PublicIncident, PublicState
from prober.storage.series import Day

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def endpoint(title: str = "Orders", verdict: Verdict = Verdict.UP, name: str = "orders-internal") -> PublicEndpoint:
    days = (Day(day=NOW.date(), slots=Slots(up=99, degraded=0, down=1, unknown=0)),)
    return PublicEndpoint(title=title, verdict=verdict, since=NOW - HOUR, days=days, name=name, labels={"team": "shop"})


def incident(ended: bool = False) -> PublicIncident:
    return PublicIncident(
        id=UUID(int=7),
        title="Orders",
        verdict=Verdict.DOWN,
        since=NOW - HOUR,
        ended_at=NOW - HOUR / 2 if ended else None,
    )


def shown(
    *endpoints: PublicEndpoint, quiet: Quiet | None = None, incidents: tuple[PublicIncident, ...] = ()
) -> StatusPageView:
    state = PublicState(endpoints=endpoints, incidents=incidents)
    return status_page_view(state, quiet or Quiet(), NOW, date(2026, 11, 21))


@pytest.mark.parametrize(
    ("verdicts", "headline"),
    [
        ([Verdict.UP, Verdict.UP], "Everything is operational"),
        ([Verdict.UP, Verdict.DOWN], "Orders is down"),
        ([Verdict.DEGRADED, Verdict.DOWN], "2 services are down and degraded"),
        ([Verdict.UP, Verdict.UNKNOWN], "The state of 1 service is not known"),
    ],
)
def test_the_headline_says_how_the_worst_are(verdicts: list[Verdict], headline: str) -> None:
    page = shown(*(endpoint(verdict=each) for each in verdicts))

    assert page.headline == headline


def test_nothing_of_the_endpoint_but_its_public_name_is_in_the_view() -> None:
    page = shown(endpoint(verdict=Verdict.DOWN), incidents=(incident(),))

    assert "orders-internal" not in repr(page)
    assert "shop" not in repr(page)
    assert page.rows[0].uptime == "99 % up in 90 days"


def test_a_service_without_a_watched_day_says_so() -> None:
    row = shown(replace(endpoint(), days=())).rows[0]

    assert (row.uptime, row.bars_label) == ("no data yet", "last 90 days: no data yet")


def test_maintenance_is_shown_in_place_of_an_alarm_to_those_that_it_concerns() -> None:
    mute = MuteRow(
        id=UUID(int=1), kind="maintenance", endpoints=("orders-internal",), labels={}, starts_at=NOW - HOUR,
        ends_at=NOW + HOUR, reason="secret reason", created_by="somebody",
    )  # fmt: skip
    quiet = Quiet(single=(mute,))
    page = shown(endpoint(verdict=Verdict.DOWN), endpoint("Stock", name="stock"), quiet=quiet)

    assert (page.headline, page.verdict) == ("Orders is in maintenance; everything else is operational", Verdict.UP)
    assert [row.maintenance for row in page.rows] == ["in maintenance until 21 Nov 13:00 UTC", ""]
    assert [(row.word, row.verdict) for row in page.rows] == [
        ("maintenance", Verdict.UNKNOWN),
        ("operational", Verdict.UP),
    ]
    assert badge_view(page.rows[0]).message == "maintenance"
    assert "secret reason" not in repr(page)


def test_a_page_of_nothing_but_maintenance_calls_nothing_operational() -> None:
    window = MaintenanceWindow(name="noon", at_minute=11 * 60 + 30, lasts_s=3600.0, zone="UTC")
    page = shown(endpoint(), endpoint("Stock"), quiet=Quiet(windows=(window,)))

    assert (page.headline, page.verdict) == ("2 services are in maintenance", Verdict.UNKNOWN)


def test_what_answers_again_while_its_incident_is_open_is_said_to_recover() -> None:
    recovering = shown(endpoint(), incidents=(incident(),)).incidents[0]
    down = shown(endpoint(verdict=Verdict.DOWN), incidents=(incident(),)).incidents[0]

    assert (recovering.words, recovering.lasted) == ("was down and is recovering", "1 h")
    assert down.words == "is down"
    assert shown(endpoint(), incidents=(incident(ended=True),)).incidents[0].words == "was down"


def test_a_recurring_window_counts_as_maintenance_and_a_deploy_does_not() -> None:
    window = MaintenanceWindow(name="noon", at_minute=11 * 60 + 30, lasts_s=3600.0, zone="UTC")
    deploy = MuteRow(
        id=UUID(int=1), kind="deploy", endpoints=(), labels={}, starts_at=NOW - HOUR, ends_at=NOW + HOUR, reason="",
        created_by="",
    )  # fmt: skip

    assert shown(endpoint(), quiet=Quiet(windows=(window,))).rows[0].maintenance
    assert not shown(endpoint(), quiet=Quiet(single=(deploy,))).rows[0].maintenance


def test_a_badge_says_the_name_and_the_state() -> None:
    badge = badge_view(shown(endpoint(verdict=Verdict.DEGRADED)).rows[0])

    assert (badge.label, badge.message, badge.colour) == ("Orders", "degraded", "orange")
    assert badge.label_width > len("Orders") * 5


@pytest.mark.parametrize(
    ("title", "slug"),
    [("Orders API", "orders-api"), ("  Ünï/../<x> ", "n-x"), ("‮\x00", "u-202e-u-0"), ("///", "endpoint")],
)
def test_a_public_name_is_safe_in_an_address(title: str, slug: str) -> None:
    assert slug_of(title) == slug


def test_the_feed_has_the_beginning_and_the_end_of_an_incident_the_newest_first() -> None:
    page = shown(endpoint("Orders <&>"))
    root = ElementTree.fromstring(feed(page, [incident(ended=True)], "https://status.example.com/status"))

    titles = [each.text for each in root.iterfind("channel/item/title")]
    assert titles == ["Orders is operational again", "Orders is down"]
    assert len({each.text for each in root.iterfind("channel/item/guid")}) == 2
    assert root.findtext("channel/item/pubDate") == "Sat, 21 Nov 2026 11:30:00 +0000"


def test_names_that_look_alike_have_badges_of_their_own() -> None:
    page = shown(endpoint("Orders!"), endpoint("Orders?"))

    assert [row.slug for row in page.rows] == ["orders", "orders-2"]
