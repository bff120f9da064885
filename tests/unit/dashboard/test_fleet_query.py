"""Which endpoints the fleet page shows is said by its address alone."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from checks.model import Verdict
from dashboard.views.fleet import fleet_view
from dashboard.views.fleet_query import ROWS_ON_A_PAGE, FleetQuery, Shown, Sort, chosen, query_of
from prober.storage.queries import FleetRow
from tests.unit.dashboard.rows import NOW, STATS, fleet_row

FLEET = (
    fleet_row(name="a", labels={"team": "pay", "env": "dev"}, verdict=Verdict.DOWN, cause="adapter-missing"),
    fleet_row(name="b", labels={"team": "pay"}, verdict=Verdict.UP, since=NOW, tool_count=9),
    fleet_row(name="c", labels={"team": "web"}, enabled=False, stats=None),
    fleet_row(
        name="d",
        labels={},
        verdict=Verdict.DEGRADED,
        stats=replace(STATS, uptime_24h=0.5, cold_p95_ms=9e3),
        source="api",
    ),
)


def asked(address: str) -> FleetQuery:
    return query_of(parse_qsl(urlsplit(address).query, keep_blank_values=True))


def names(address: str, fleet: tuple[FleetRow, ...] = FLEET) -> str:
    return "".join(row.name for row in chosen(fleet, asked(address)))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/", "adbc"),
        ("/?show=trouble", "ad"),
        ("/?show=up", "b"),
        ("/?show=paused", "c"),
        ("/?show=people", "d"),
        ("/?q=ADAPTER", "a"),
        ("/?q=team%3Dpay+missing", "a"),
        ("/?q=nowhere", ""),
        ("/?label=team%3Dpay", "ab"),
        ("/?label=team%3Dpay&label=env%3Ddev", "a"),
        ("/?sort=name", "abdc"),
        ("/?sort=since", "badc"),
        ("/?sort=uptime", "dabc"),
        ("/?sort=cold", "dabc"),
        ("/?sort=tools", "badc"),
        ("/?group=team", "abcd"),
    ],
)
def test_an_address_says_which_endpoints_are_shown_and_in_which_order(address: str, shown: str) -> None:
    assert names(address) == shown


@pytest.mark.parametrize("address", ["/?show=odd&sort=&page=x", "/?page=-1", "/?page=99999999", "/?label=nothing"])
def test_what_nobody_understands_in_an_address_is_left_out(address: str) -> None:
    assert asked(address) == FleetQuery()


def test_an_address_is_read_as_it_was_written() -> None:
    query = FleetQuery(
        search="a b&c=d", shown=Shown.TROUBLE, labels=(("team", "a=b"), ("env", "ü")), group="team", sort=Sort.WARM
    )
    assert asked(query.href()) == query
    assert asked(query.href(page=3)) == replace(query, page=3)
    assert asked(replace(query, page=3).href(sort=Sort.NAME)).page == 1
    assert FleetQuery().href() == "/"


def test_groups_say_how_all_of_theirs_are_and_those_without_the_label_stand_last() -> None:
    groups = fleet_view(FLEET, NOW, query=asked("/?group=team")).groups
    assert [(each.name, each.counts, len(each.rows)) for each in groups] == [
        ("team pay", "2 endpoints: 1 down and 1 up", 2),
        ("team web", "1 endpoint: 1 paused", 1),
        ("without team", "1 endpoint: 1 degraded", 1),
    ]


def test_a_large_fleet_is_shown_in_pages_that_keep_what_was_asked() -> None:
    many = [fleet_row(name=f"{each:04}") for each in range(2 * ROWS_ON_A_PAGE + 5)]
    view = fleet_view(many, NOW, query=asked("/?sort=name&page=2"))
    assert [row.name for row in view.groups[0].rows] == [f"{each:04}" for each in range(100, 200)]
    assert view.choosing.told == "101 to 200 of 205 endpoints"
    assert (asked(view.choosing.before).page, asked(view.choosing.after)) == (1, asked("/?sort=name&page=3"))
    beyond = fleet_view(many, NOW, query=asked("/?sort=name&page=9"))
    assert (beyond.choosing.told, beyond.choosing.after) == ("201 to 205 of 205 endpoints", "")


def test_a_filter_says_how_to_take_it_back() -> None:
    choosing = fleet_view(FLEET, NOW, query=asked("/?q=pay&label=team%3Dpay&sort=name")).choosing
    assert choosing.told == "2 of 4 endpoints"
    assert [(pair, asked(href).labels) for pair, href in choosing.labels] == [("team=pay", ())]
    assert asked(choosing.clear) == FleetQuery(sort=Sort.NAME)
    assert fleet_view(FLEET, NOW).choosing.clear == ""


def test_the_newest_first_answer_stands_beside_its_line_and_the_percentiles_of_the_same() -> None:
    (group,) = fleet_view([fleet_row(spark=(40.0, None, 42.0), since=NOW - timedelta(hours=1))], NOW).groups
    (row,) = group.rows
    assert (row.latency, row.warm, row.cold) == ("42 ms", "warm p50 42 ms, p95 84 ms", "cold p95 1.84 s")
    assert row.spark_label == "last 2 first answers after 40 ms to 42 ms"
