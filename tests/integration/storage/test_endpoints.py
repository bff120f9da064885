"""Following a source of endpoints: what it names is watched, what it drops is not, the past stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Endpoint, Expectation, Opening, Sentinel, Verdict
from checks.spec import Era, Transport
from prober.storage import endpoints, queries
from tests.integration.storage.builders import OPENER, Store, endpoint


async def test_what_is_named_is_added_once(store: Store) -> None:
    assert await store.watch(endpoint("b"), endpoint("a")) == endpoints.Changes(added=("a", "b"))
    assert await store.watch(endpoint("b"), endpoint("a")) == endpoints.Changes()
    assert [row.name for row in await queries.fleet(store.db)] == ["a", "b"]


async def test_every_field_survives_the_database(store: Store) -> None:
    full = Endpoint(
        name="shop",
        url="https://shop.example/mcp",
        labels={"team": "checkout"},
        interval_s=12.5,
        timeout_s=3,
        transport=Transport.SSE,
        era=Era.HANDSHAKE,
        protocol_version="2024-11-05",
        expected_tools=("buy", "sell"),
        sentinels=(
            Sentinel(tool="buy", arguments={"n": [1, None]}, expect=Expectation(text="ok", json={"a": 1})),
            Sentinel(tool="sell", safe_to_repeat=True, pinned="0" * 16),
            Sentinel(tool="sell", expect=Expectation(matches="^a", at={"$.a[0]": None}, schema={"type": "object"})),
        ),
        streaming=False,
        headers={"X-Key": "env:KEY"},
        bearer="file:/run/token",
        verify_tls=False,
    )
    await store.watch(full)
    page = await queries.endpoint_page(store.db, "shop")
    assert page is not None
    assert page.endpoint == full


async def test_what_vanished_is_not_probed_and_keeps_its_reports(watched: Store) -> None:
    _, saved = await watched.probe()
    assert await watched.watch() == endpoints.Changes(removed=("shop",))
    assert await watched.watch() == endpoints.Changes()
    await watched.due_now()
    assert await watched.claim() == []
    assert await queries.fleet(watched.db) == ()
    assert await queries.endpoint_page(watched.db, "shop") is None
    page = await queries.probe_page(watched.db, saved.report_id)
    assert page is not None
    assert page.endpoint_name == "shop"


async def test_what_comes_back_under_its_name_starts_over_and_finds_its_reports(watched: Store) -> None:
    await watched.probe(verdict=Verdict.DOWN)
    await watched.watch()
    await watched.sql("update endpoint set next_due = now() - interval '1 day'")
    assert await watched.watch(endpoint()) == endpoints.Changes(added=("shop",))
    page = await queries.endpoint_page(watched.db, "shop")
    assert page is not None
    assert (page.fleet.verdict, page.fleet.marks) == (Verdict.UNKNOWN, ())
    assert len(page.reports) == 1
    assert (await watched.claim_one()).missed == (), "nobody wanted a probe while it was away"


async def test_a_changed_configuration_keeps_the_state_and_the_timetable(watched: Store) -> None:
    await watched.probe(opening=Opening(opener=OPENER))
    before = await watched.sql("select next_due from endpoint")
    changed = endpoint(timeout_s=33, expected_tools=("buy",), labels={"team": "checkout"})
    assert await watched.watch(changed) == endpoints.Changes(changed=("shop",))
    assert await watched.sql("select next_due from endpoint") == before
    assert await watched.sql("select timeout_s, labels from endpoint") == [(33, {"team": "checkout"})]
    claim = await watched.claim_one()
    assert (claim.endpoint, claim.remembered) == (changed, OPENER)


async def test_another_url_is_another_server(watched: Store) -> None:
    await watched.probe(opening=Opening(opener=OPENER), verdict=Verdict.DOWN)
    running = await watched.claim_one()
    await watched.watch(endpoint(url="https://elsewhere.example/mcp"))
    claim = await watched.claim_one()
    assert claim.edition > running.edition, "what the running probe of the old server finds is worthless"
    assert claim.remembered is None
    assert (await queries.fleet(watched.db))[0].marks == ()


@pytest.mark.parametrize("changed", [endpoint(interval_s=3600.0), endpoint(interval_s=5.0)])
async def test_another_interval_means_another_timetable(watched: Store, changed: Endpoint) -> None:
    await watched.sql("update endpoint set next_due = now() + interval '1 day'")
    await watched.watch(changed)
    ((wait,),) = await watched.sql("select extract(epoch from next_due - now()) from endpoint")
    assert 0 <= wait <= 30


@pytest.mark.parametrize(
    ("edited", "is_open"),
    [
        pytest.param((endpoint(enabled=False),), False, id="switched off"),
        pytest.param((), False, id="removed"),
        pytest.param((endpoint(url="https://elsewhere.example/mcp"),), False, id="another server"),
        pytest.param((endpoint(timeout_s=33),), True, id="another timeout"),
    ],
)
async def test_an_incident_ends_when_nobody_looks_any_more(
    watched: Store, edited: tuple[Endpoint, ...], is_open: bool
) -> None:
    _, saved = await watched.probe(verdict=Verdict.DOWN)
    await watched.sql(
        "insert into incident (id, endpoint_id, verdict, severity, since, opened_at, cause_summary, fix, report_id)"
        " select gen_random_uuid(), id, 'down', 'critical', now(), now(), '', '', :report from endpoint",
        report=saved.report_id,
    )
    await watched.sql("""update endpoint_state set incident = '{"streak": null}'""")
    await watched.watch(*edited)
    assert await watched.sql("select ended_at is null from incident") == [(is_open,)]
    assert await watched.sql("select from endpoint_state where incident is not null") == [()] * is_open


async def test_what_is_switched_on_again_missed_nothing(store: Store) -> None:
    await store.watch(endpoint(enabled=False))
    await store.sql("update endpoint set next_due = now() - interval '1 day'")
    await store.watch(endpoint(enabled=True))
    (claim,) = await store.claim(ahead_s=31)
    assert claim.missed == ()


async def test_a_source_leaves_the_endpoints_of_others_alone_but_takes_over_what_it_names(store: Store) -> None:
    await endpoints.sync(store.db, [endpoint("page"), endpoint("both")], source="dashboard")
    assert await store.watch(endpoint("both")) == endpoints.Changes(changed=("both",))
    assert await store.sql("select name, source from endpoint order by name") == [
        ("both", "file"),
        ("page", "dashboard"),
    ]
    assert await store.watch() == endpoints.Changes(removed=("both",))


@contextmanager
def counted_statements(db: AsyncEngine) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def send(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        sent.append(statement)

    event.listen(db.sync_engine, "before_cursor_execute", send)
    try:
        yield sent
    finally:
        event.remove(db.sync_engine, "before_cursor_execute", send)


async def test_a_large_fleet_takes_no_more_statements_than_a_small_one(store: Store) -> None:
    fleet = [endpoint(f"e{number}") for number in range(200)]
    edits: tuple[list[Endpoint], ...] = (
        fleet,
        [replace(each, timeout_s=5.0) for each in fleet],
        [replace(each, url=f"{each.url}/new") for each in fleet],
        [replace(each, enabled=False) for each in fleet],
        [],
    )
    for edited in edits:
        with counted_statements(store.db) as sent:
            changes = await store.watch(*edited)
        assert len(changes.added + changes.changed + changes.removed) == len(fleet)
        assert len(sent) <= 10
    (gone,) = await store.sql("select count(*) from endpoint where removed_at is not null")
    assert gone == (200,)


async def test_a_fleet_that_stays_as_it_is_is_neither_written_nor_locked(store: Store) -> None:
    fleet = [endpoint(f"e{number}") for number in range(3)]
    await store.watch(*fleet)
    marks = "select name, ctid::text, xmin::text, xmax::text from endpoint where name <> 'e0' order by name"
    written = await store.sql(marks)
    await store.watch(endpoint("e0", timeout_s=5.0), *fleet[1:])
    assert await store.sql("select timeout_s from endpoint where name = 'e0'") == [(5.0,)]
    assert written == await store.sql(marks)


async def test_each_changed_endpoint_gets_what_its_own_change_asks_for(store: Store) -> None:
    fleet = [endpoint(name) for name in ("kept", "moved", "paced", "patient")]
    await store.watch(*fleet)
    await store.sql("update endpoint set next_due = now() - interval '1 day'")
    edited = (
        fleet[0],
        replace(fleet[1], url="https://elsewhere.example/mcp"),
        replace(fleet[2], interval_s=30.0),
        replace(fleet[3], timeout_s=5.0),
    )
    assert await store.watch(*edited) == endpoints.Changes(changed=("moved", "paced", "patient"))
    assert await store.sql("select name, edition, next_due > now() from endpoint order by name") == [
        ("kept", 0, False),
        ("moved", 1, True),
        ("paced", 0, True),
        ("patient", 0, False),
    ]
