"""Accepting a list of tools on its page and as JSON, and who may not."""

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.inventory import inventory_of
from prober.storage import accepted_tools
from tests.integration.storage.builders import Store, endpoint
from tests.integration.storage.test_accepted_tools import read

OLD = inventory_of([{"name": "get_order", "description": "<b>Reads</b>"}, {"name": "search"}])
NEW = inventory_of([{"name": "get_order", "description": "<b>Reads</b> one"}])
HREF = f"/baselines/a%2Fshop?fingerprint={NEW.fingerprint}"
SELF = {"origin": "http://localhost"}


@pytest.fixture
async def drifted(db: AsyncEngine) -> Store:
    """An endpoint whose tools changed since its first list was accepted."""
    store = Store(db)
    await store.watch(endpoint("a/shop", url="https://shop.example/mcp"))
    await read(store, OLD, OLD, OLD, NEW, NEW, NEW, name="a/shop", version="1")
    return store


@pytest.mark.usefixtures("drifted")
async def test_the_page_shows_the_diff_escaped_and_a_button(client: httpx.AsyncClient) -> None:
    page = await client.get("/endpoints/a%2Fshop")

    assert page.status_code == 200
    assert "Changed since: 1 breaking and 1 text only" in page.text
    assert "search</code> tool removed" in page.text
    assert "&lt;b&gt;Reads&lt;/b&gt; one" in page.text
    assert "<b>Reads" not in page.text
    assert f'<form method="post" action="{HREF}">' in page.text


async def test_the_button_accepts_the_list_that_the_page_showed(client: httpx.AsyncClient, drifted: Store) -> None:
    answer = await client.post(HREF, headers=SELF)

    assert (answer.status_code, answer.headers["location"]) == (303, "/endpoints/a%2Fshop")
    lists = await accepted_tools.known(drifted.db, "a/shop")
    assert (lists.accepted, lists.accepted_by) == (NEW, "somebody at the dashboard")
    page = (await client.get("/endpoints/a%2Fshop")).text
    assert "Accept this list" not in page
    assert "accepted by somebody at the dashboard" in page


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
@pytest.mark.parametrize("address", [HREF, f"/api{HREF}"])
async def test_a_page_of_another_site_accepts_nothing(
    client: httpx.AsyncClient, drifted: Store, headers: dict[str, str], address: str
) -> None:
    answer = await client.post(address, headers=headers)

    assert answer.status_code == 403
    assert (await accepted_tools.known(drifted.db, "a/shop")).accepted == OLD


@pytest.mark.usefixtures("drifted")
async def test_the_json_shows_and_accepts_the_same(client: httpx.AsyncClient) -> None:
    before = (await client.get("/api/baselines/a%2Fshop")).json()
    assert (before["accepted"]["fingerprint"], before["accepted_by"]) == (OLD.fingerprint, "first seen")
    assert before["candidate"]["fingerprint"] == NEW.fingerprint
    assert before["settled"] is True
    assert [(each["tool"], each["kind"], each["impact"]) for each in before["changes"]] == [
        ("search", "tool-removed", "breaking"),
        ("get_order", "text-changed", "text"),
    ]

    answer = await client.post("/api/baselines/a%2Fshop")

    assert answer.status_code == 200
    after = answer.json()
    assert (after["accepted"]["fingerprint"], after["accepted_by"]) == (NEW.fingerprint, "somebody at the API")
    assert (after["candidate"], after["changes"]) == (None, [])
    deploys = (await client.get("/api/endpoints/a%2Fshop")).json()["deploys"]
    assert [each["what"] for each in deploys] == ["another list of tools"]


@pytest.mark.usefixtures("drifted")
async def test_what_cannot_be_accepted_is_said(client: httpx.AsyncClient) -> None:
    gone = await client.post("/api/baselines/a%2Fshop?fingerprint=0123456789abcdef")
    assert gone.status_code == 409
    assert gone.json()["detail"].startswith("No recent probe read a list with the fingerprint 0123456789abcdef")
    nowhere = await client.post("/baselines/nowhere?fingerprint=0123456789abcdef", headers=SELF)
    assert nowhere.status_code == 404
    assert "No endpoint of the name nowhere is watched." in nowhere.text
    assert (await client.get("/api/baselines/nowhere")).status_code == 404
    assert (await client.post("/baselines/a%2Fshop", headers=SELF)).status_code == 422
