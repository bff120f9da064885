"""The pages of incidents: which of them, on what axis, and the story of one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl
from uuid import UUID

import pytest

from checks.model import Verdict
from dashboard.views.incident import incident_page, nap_ends, naps
from dashboard.views.incident_query import EVERYTHING, IncidentQuery, State, Window, href, query_of
from dashboard.views.incidents import incidents_view
from dashboard.views.timeline import MOST_ROWS, timeline
from dashboard.wording import absolute
from prober.incidents.rules import Severity
from prober.storage.decisions import What
from prober.storage.incident_log import Overview, Place, SpellRow
from tests.unit.dashboard.rows import ID, NOW, attempt, comment, decision, incident, notice, outage, transition

STRETCH = EVERYTHING.stretch(NOW)


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ({}, IncidentQuery()),
        ({"window": "24h", "state": "open"}, IncidentQuery(window=Window.DAY, state=State.OPEN)),
        ({"severity": "critical", "endpoint": " shop "}, IncidentQuery(severity=Severity.CRITICAL, endpoint="shop")),
        ({"until": "2026-11-20T09:00:00Z"}, IncidentQuery(until=datetime(2026, 11, 20, 9, tzinfo=UTC))),
        ({"until": "2026-11-20"}, IncidentQuery(until=datetime(2026, 11, 20, tzinfo=UTC))),
        ({"window": "1y", "state": "?", "severity": "<b>", "until": "soon"}, IncidentQuery()),
        ({"until": "9999-12-31T23:59:59Z"}, IncidentQuery()),
        ({"until": "0001-01-01"}, IncidentQuery()),
    ],
)
def test_the_address_says_which_incidents(said: dict[str, str], query: IncidentQuery) -> None:
    assert query_of(said) == query


def test_an_address_without_a_filter_is_short_and_one_with_it_is_read_back() -> None:
    assert href(EVERYTHING) == "/incidents"
    until = datetime(2026, 11, 20, 9, tzinfo=UTC)
    query = IncidentQuery(
        window=Window.MONTH, until=until, state=State.OVER, severity=Severity.WARNING, endpoint="a&b=c"
    )
    pairs = (pair.split("=") for pair in href(query).partition("?")[2].split("&"))
    assert [name for name, _ in pairs] == ["window", "until", "state", "severity", "endpoint"]
    assert href(query).endswith("endpoint=a%26b%3Dc")


def test_earlier_and_later_lead_through_time_and_back_to_now() -> None:
    earlier = query_of({"until": EVERYTHING.earlier(NOW).partition("until=")[2].replace("%3A", ":")})
    assert earlier.until == (NOW - timedelta(days=7)).replace(microsecond=0)
    assert EVERYTHING.later(NOW) is None
    assert earlier.later(NOW) in ("/incidents", href(IncidentQuery(until=NOW)))


def test_an_end_ahead_of_now_is_now() -> None:
    assert IncidentQuery(until=NOW + timedelta(days=3)).stretch(NOW) == STRETCH


def test_a_row_for_each_endpoint_open_ones_first() -> None:
    over = incident(endpoint_name="search", since=NOW - timedelta(days=2), ended_at=NOW - timedelta(days=1))
    found = timeline(
        [
            over,
            incident(),
            incident(endpoint_name="search", since=NOW - timedelta(days=6), ended_at=NOW - timedelta(days=5)),
        ],
        STRETCH,
        NOW,
    )
    assert [(row.endpoint, len(row.spells)) for row in found.rows] == [("orders", 1), ("search", 2)]
    assert found.rows[1].label.startswith("2 incidents: down since")
    first, second = found.rows[1].spells
    assert (round(first.x, 1), round(first.width, 1)) == (14.3, 14.3)
    assert second.x > first.x + first.width


def test_spells_stay_within_the_axis_and_can_be_seen() -> None:
    ages = (timedelta(days=400), timedelta(days=7), timedelta(seconds=1))
    rows = timeline([incident(since=NOW - age) for age in ages], STRETCH, NOW).rows
    for spell in rows[0].spells:
        assert spell.width >= 0.4
        assert 0 <= spell.x <= spell.x + spell.width <= 100.001


def test_a_verdict_shows_without_its_colour() -> None:
    heights = {
        verdict: timeline([incident(verdict=verdict)], STRETCH, NOW).rows[0].spells[0].height
        for verdict in (Verdict.DOWN, Verdict.DEGRADED)
    }
    assert heights[Verdict.DOWN] > heights[Verdict.DEGRADED]


@pytest.mark.parametrize("window", list(Window))
def test_every_window_has_a_few_round_marks(window: Window) -> None:
    marks = timeline([], IncidentQuery(window=window).stretch(NOW), NOW).marks
    assert 4 <= len(marks) <= 9
    assert [mark.x for mark in marks] == sorted(mark.x for mark in marks)


def test_endpoints_without_a_row_are_counted() -> None:
    many = [incident(endpoint_name=f"shop-{number}") for number in range(MOST_ROWS + 3)]
    assert timeline(many, STRETCH, NOW).left_out.startswith("3 more endpoints")


def test_the_story_of_an_incident_is_told_in_order() -> None:
    closed = transition(kind="closed", at=NOW - timedelta(minutes=1))
    decided = [
        decision(what=What.ACKNOWLEDGE, at=NOW - timedelta(minutes=6), until=None, reason=""),
        decision(what=What.SNOOZE, until=NOW, reason=""),
        decision(what=What.WAKE, at=NOW - timedelta(minutes=4), until=None, reason=""),
    ]
    view = incident_page(
        incident(ended_at=NOW - timedelta(minutes=1)),
        NOW,
        transitions=[closed, transition()],
        comments=[comment()],
        decisions=decided,
    )
    assert [each.title or each.author for each in view.happenings] == [
        "It opened (down · adapter-missing)",
        "ada has it in hand",
        f"ada snoozed it until {absolute(NOW)}",
        "ada ended the snooze",
        "ada",
        "It closed",
    ]
    assert view.happenings[4].words == ("rolled back", "to 1.4.1")
    assert (view.state, view.naps, view.snoozed) == ("over", (), None)


def test_the_story_of_an_incident_names_who_had_nobody_told_of_its_endpoint() -> None:
    told = [decision(), decision(what=What.DEPLOY, reason=""), decision(what=What.END, until=None, reason="")]
    maintenance, deploy, end = incident_page(incident(), NOW, decisions=told).happenings
    assert maintenance.title == f"Maintenance until {absolute(NOW + timedelta(hours=1))} by ada: nobody is told"
    assert (maintenance.text, maintenance.icon) == ("new certificate", "skip")
    assert deploy.title.startswith("ada marked a deploy: nobody is told until ")
    assert (end.title, end.icon) == ("ada ended it before its time: people are told again", "info")


def test_an_open_incident_can_be_snoozed_until_a_morning() -> None:
    view = incident_page(incident(snoozed_until=NOW + timedelta(hours=1)), NOW)
    assert [nap.value for nap in view.naps] == ["1h", "4h", "tomorrow", "monday"]
    assert view.snoozed is not None
    assert incident_page(incident(snoozed_until=NOW - timedelta(hours=1)), NOW).snoozed is None


def test_every_button_names_an_end_ahead_and_nothing_else_does() -> None:
    for day in range(7):
        now = datetime(2026, 11, 16 + day, 23, 30, tzinfo=UTC)
        for nap in naps(now):
            ends = nap_ends(nap.value, now)
            assert ends is not None
            assert timedelta(hours=1) <= ends - now <= timedelta(days=7)
    monday = nap_ends("monday", datetime(2026, 11, 16, 8, tzinfo=UTC))
    assert monday == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert nap_ends("end", NOW) is nap_ends("2h; drop table", NOW) is None


def test_notices_of_an_incident_show_every_try() -> None:
    view = incident_page(incident(), NOW, notices=[notice()], tries={ID: [attempt(), attempt()]}, outage=outage())
    (story,) = view.notices
    assert (story.tried, len(story.tries)) == ("2 tries", 2)
    assert view.outage is not None


def test_a_notice_leads_to_its_incident_where_it_is_about_one() -> None:
    thread = UUID(int=7)
    told = [notice(thread=thread), notice(thread=thread, kind="outage-opened"), notice(thread=thread, kind="test")]
    assert [each.href for each in incidents_view([], told, NOW).notices] == [f"/incidents/{thread}", "", ""]


def test_what_the_filter_leaves_out_can_be_shown_again() -> None:
    assert incidents_view([], [], NOW).filter.clear == ""
    narrowed = incidents_view([], [], NOW, query=IncidentQuery(window=Window.DAY, state=State.OPEN)).filter
    assert narrowed.clear == "/incidents?window=24h"
    assert [each.word for each in narrowed.states if each.is_chosen] == ["open"]


def test_a_page_leads_to_the_next_one_and_back_to_the_first() -> None:
    last = incident(id=UUID(int=9), ended_at=NOW, opened_at=NOW - timedelta(microseconds=1))
    query = IncidentQuery(window=Window.DAY, state=State.OVER)
    first = incidents_view([incident(), last], [], NOW, query=query, beyond=12)
    assert (first.more, first.first) == ("12 more incidents", "")
    following = query_of(dict(parse_qsl(first.older.partition("?")[2])))
    assert following == replace(query, after=Place.of(last))
    end = incidents_view([incident()], [], NOW, query=following)
    assert (end.older, end.more, end.first) == ("", "", href(query))
    assert "after" not in following.earlier(NOW)


@pytest.mark.parametrize(
    "after",
    ["", "over", "over.20261120T101112000000.x", "?.20261120T101112000000." + 32 * "0", "open.now." + 32 * "0"],
)
def test_an_address_after_nothing_is_that_of_the_first_page(after: str) -> None:
    assert query_of({"after": after}).after is None


def test_the_time_axis_and_the_number_are_those_of_all_pages() -> None:
    spell = SpellRow(id=ID, endpoint_name="shop", since=NOW, ended_at=None, verdict=Verdict.DOWN, cause=None, of=300)
    whole = Overview(number=512, endpoints=MOST_ROWS + 2, spells=(spell,))
    view = incidents_view([incident()], [], NOW, beyond=511, overview=whole)
    assert view.filter.told.startswith("512 incidents from")
    (row,) = view.timeline.rows
    assert (row.endpoint, row.label.partition(",")[0]) == ("shop", "300 incidents")
    assert view.timeline.left_out.startswith(f"{MOST_ROWS + 1} more endpoints")


def test_no_two_buttons_snooze_an_incident_until_the_same_morning() -> None:
    sunday = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert [each.words for each in naps(sunday)] == ["1 hour", "4 hours", "until 2026-11-23 09:00 UTC"]
    assert [each.value for each in naps(sunday + timedelta(days=1))] == ["1h", "4h", "tomorrow", "monday"]
