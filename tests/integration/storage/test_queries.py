"""The read models on a real server: what the pages show, before and after the first report."""

from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from checks.model import Verdict
from prober.storage import queries
from prober.storage.latest import latest
from tests.integration.storage.builders import Store, diagnosis, endpoint


async def test_an_endpoint_without_a_report_is_unknown(store: Store) -> None:
    await store.watch(endpoint(labels={"team": "checkout"}))
    (row,) = await queries.fleet(store.db)
    assert (row.verdict, row.slot, row.marks, row.spark, row.incident) == (Verdict.UNKNOWN, None, (), (), None)
    assert (row.url, row.labels) == ("https://shop.example/mcp", {"team": "checkout"})
    page = await queries.endpoint_page(store.db, "shop")
    assert page is not None
    assert (page.fleet, page.endpoint.name, page.reports, page.latest) == (row, "shop", (), None)


async def test_the_latest_verdicts_are_of_endpoints_that_are_probed(store: Store) -> None:
    await store.watch(endpoint(), endpoint(name="paused", enabled=False))
    (fresh,) = await latest(store.db)
    assert (fresh.name, fresh.verdict, fresh.slot, fresh.cause_summary) == ("shop", Verdict.UNKNOWN, None, "")
    claim, _ = await store.probe(verdict=Verdict.DOWN, diagnoses=(diagnosis(),))
    (probed,) = await latest(store.db)
    assert (probed.verdict, probed.cause, probed.slot) == (Verdict.DOWN, "tools-empty", claim.slot)


async def test_the_page_of_an_endpoint_lists_its_reports_newest_first(watched: Store) -> None:
    _, first = await watched.probe()
    _, second = await watched.probe(verdict=Verdict.DOWN, diagnoses=(diagnosis(),))
    page = await queries.endpoint_page(watched.db, "shop")
    assert page is not None
    assert [report.id for report in page.reports] == [second.report_id, first.report_id]
    assert page.latest is not None
    assert page.latest.report == page.reports[0]
    assert page.latest.detail is not None
    assert page.latest.detail["diagnoses"][0]["id"] == "tools-empty"
    short = await queries.endpoint_page(watched.db, "shop", reports=1)
    assert short is not None
    assert len(short.reports) == 1


async def test_missed_slots_are_in_the_list_but_never_the_latest_probe(watched: Store) -> None:
    _, probed = await watched.probe()
    await watched.due_now()
    await watched.sql("update endpoint set next_due = next_due - interval '2 min'")
    await watched.sql("update report set slot = slot - interval '1 h'")
    await watched.claim()
    page = await queries.endpoint_page(watched.db, "shop")
    assert page is not None
    assert [(report.missed, report.verdict) for report in page.reports] == [(2, Verdict.UNKNOWN), (0, Verdict.UP)]
    assert page.latest is not None
    assert page.latest.report.id == probed.report_id
    hole = await queries.probe_page(watched.db, page.reports[0].id)
    assert hole is not None
    assert (hole.detail, hole.report.unknown_reason) == (None, "missed")


async def test_a_probe_knows_its_neighbours(watched: Store) -> None:
    saved = [(await watched.probe())[1].report_id for _ in range(3)]
    pages = [await queries.probe_page(watched.db, each) for each in saved]
    assert [(page.earlier, page.later) for page in pages if page] == [
        (None, saved[1]),
        (saved[0], saved[2]),
        (saved[1], None),
    ]


async def test_what_does_not_exist_is_none(store: Store) -> None:
    assert await queries.fleet(store.db) == ()
    assert await queries.endpoint_page(store.db, "nowhere") is None
    assert await queries.probe_page(store.db, uuid4()) is None


async def test_an_error_of_the_database_does_not_quote_what_was_to_be_stored(store: Store) -> None:
    with pytest.raises(DBAPIError) as raised:
        await store.sql("select cast(:value as text) from nowhere", value="hunter2")
    assert "hunter2" not in str(raised.value)
