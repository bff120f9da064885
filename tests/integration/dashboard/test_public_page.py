"""The public status page over a real database: chosen endpoints alone, and nothing of what was found."""

import asyncio
from xml.etree import ElementTree

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncEngine

from dashboard.access.mode import AccessConfig
from tests.integration.dashboard.conftest import SetClock, browsing

TITLE = "<i>Orders</i> & co"


@pytest.fixture
async def chosen(told: AsyncEngine) -> tuple[str, str]:
    """One endpoint of the fleet that is down is chosen; its name and URL are what nobody may see."""
    async with told.begin() as connection:
        await connection.execute(text("update endpoint_state set slot = now()"))
        row = await connection.execute(
            text(
                "update endpoint set options = options || jsonb_build_object('public', cast(:title as text))"
                " where id = (select endpoint_id from endpoint_state join endpoint on endpoint.id = endpoint_id"
                " where verdict = 'down' and enabled order by name limit 1) returning name, spec ->> 'url'"
            ),
            {"title": TITLE},
        )
        name, url = row.one()
    return name, url


async def test_without_a_chosen_endpoint_there_is_no_public_page(told: AsyncEngine, client: httpx.AsyncClient) -> None:
    for path in ("/status", "/status.json", "/status.rss", "/badges/orders.svg", "/badges/orders.json"):
        assert (await client.get(path)).status_code == 404


async def test_the_page_shows_the_chosen_one_by_its_public_name_alone(
    chosen: tuple[str, str], client: httpx.AsyncClient
) -> None:
    answers = [await client.get(path) for path in ("/status", "/status.json", "/status.rss")]

    assert [each.status_code for each in answers] == [200, 200, 200]
    assert all(each.headers["cache-control"] == "public, max-age=25" for each in answers)
    page, facts, feed = (each.text for each in answers)
    name, url = chosen
    for answer in (page, facts, feed):
        assert name not in answer
        assert url not in answer
        assert "HTTP 5" not in answer
    assert "&lt;i&gt;Orders&lt;/i&gt; &amp; co" in page
    assert "<i>" not in page
    assert answers[1].json()["services"] == [
        {"name": TITLE, "state": "down", "since": answers[1].json()["services"][0]["since"], "badge": "i-orders-i-co"}
    ]
    titles = [each.text for each in ElementTree.fromstring(feed).iterfind("channel/item/title")]
    assert f"{TITLE} is down" in titles


async def test_the_feed_leads_to_the_public_address_by_whatever_name_it_is_asked_for(
    chosen: tuple[str, str], database_url: str, clock: SetClock
) -> None:
    assert chosen
    for public, home in ((None, "http://other/status"), ("https://prober.example/", "https://prober.example/status")):
        async with browsing(database_url, clock, "http://other", AccessConfig(public_url=public)) as client:
            feed = ElementTree.fromstring((await client.get("/status.rss")).text)
            assert feed.findtext("channel/link") == home


async def test_a_badge_is_a_picture_and_what_makers_of_badges_read(
    chosen: tuple[str, str], client: httpx.AsyncClient
) -> None:
    picture = await client.get("/badges/i-orders-i-co.svg")
    facts = await client.get("/badges/i-orders-i-co.json")

    assert chosen
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.headers["cross-origin-resource-policy"] == "cross-origin"
    assert ElementTree.fromstring(picture.text).attrib["aria-label"] == f"{TITLE}: down"
    assert facts.json() == {"schemaVersion": 1, "label": TITLE, "message": "down", "color": "red"}


async def test_maintenance_is_said_alike_by_page_json_and_badge(
    chosen: tuple[str, str], told: AsyncEngine, client: httpx.AsyncClient
) -> None:
    async with told.begin() as connection:
        await connection.execute(
            text(
                "insert into mute (id, kind, endpoints, starts_at, ends_at, created_by) values (gen_random_uuid(),"
                " 'maintenance', array[cast(:name as text)], now() - interval '1 h', now() + interval '1 h', 'ann')"
            ),
            {"name": chosen[0]},
        )

    assert "in maintenance until" in (await client.get("/status")).text
    assert (await client.get("/status.json")).json()["services"][0]["state"] == "maintenance"
    assert (await client.get("/badges/i-orders-i-co.json")).json()["message"] == "maintenance"
    assert "999" not in (await client.get("/badges/i-orders-i-co.svg")).text


async def test_a_crowd_is_one_look_at_the_database_every_few_seconds(
    chosen: tuple[str, str], database_url: str, clock: SetClock
) -> None:
    paths = ("/status", "/status.json", "/status.rss", "/badges/i-orders-i-co.svg", "/badges/i-orders-i-co.json")
    asked: list[str] = []
    async with browsing(database_url, clock) as client:
        engine = client._transport.app.state.services.db
        listen(engine.sync_engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        answers = await asyncio.gather(*(client.get(path) for path in paths * 20))
        once = len(asked)
        again = [
            await client.get(path, headers={"If-None-Match": each.headers["etag"]})
            for path, each in zip(paths, answers, strict=False)
        ]

    assert chosen
    assert {each.status_code for each in answers} == {200}
    assert [(each.status_code, each.content) for each in again] == [(304, b"")] * len(paths)
    assert sum("public" in each and "endpoint_state" in each for each in asked) == 1
    assert len(asked) == once
