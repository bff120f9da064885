"""Accepting a list of tools on its page and as JSON, and who may not."""

import re

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.inventory import inventory_of
from prober.storage import accepted_tools, audit
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


@pytest.mark.usefixtures("drifted")
async def test_the_page_of_baselines_shows_who_drifted_and_asks_before_it_accepts(
    client: httpx.AsyncClient, db: AsyncEngine
) -> None:
    store = Store(db)
    await store.watch(endpoint("a/shop", url="https://shop.example/mcp"), endpoint("bank"), endpoint("calm"))
    await read(store, OLD, OLD, OLD, NEW, name="bank", version="1")
    await read(store, OLD, OLD, OLD, name="calm", version="1")
    page = (await client.get("/settings/baselines")).text
    assert "2 endpoints of 3 have other tools" in page
    assert re.findall(r'<a href="/endpoints/([^"]*)#tool-lists">(?!the diff)', page) == ["a%2Fshop", "bank", "calm"]
    assert "1 breaking and 1 text only" in page
    assert "Seen by 1 probe so far" in page
    one = (await client.get("/settings/baselines/accept?name=bank")).text
    assert "Accept the tools of bank?" in one
    chosen = re.findall(r'name="chosen" value="([^"]*)"', (await client.get("/settings/baselines/accept")).text)
    assert chosen == [f"{NEW.fingerprint} a/shop", f"{NEW.fingerprint} bank"]

    answer = await client.post("/settings/baselines/accept", data={"chosen": chosen}, headers=SELF)

    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/baselines")
    rows = await audit.newest(db)
    assert [(row.action, row.subject) for row in rows] == [("baseline.accept", "bank"), ("baseline.accept", "a/shop")]
    page = (await client.get("/settings/baselines")).text
    assert "No endpoint has other tools than those accepted" in page
    assert "Accept…" not in page
    assert "There is nothing to accept" in (await client.get("/settings/baselines/accept")).text


async def test_a_list_that_is_gone_by_then_is_not_accepted_and_the_others_are(
    client: httpx.AsyncClient, drifted: Store
) -> None:
    chosen = [f"{NEW.fingerprint} <b>gone</b>", "0123456789abcdef a/shop", f"{NEW.fingerprint} a/shop"]

    answer = await client.post("/settings/baselines/accept", data={"chosen": chosen}, headers=SELF)

    assert answer.status_code == 409
    assert "No endpoint of the name &lt;b&gt;gone&lt;/b&gt; is watched." in answer.text
    assert "No recent probe read a list with the fingerprint 0123456789abcdef" in answer.text
    assert (await accepted_tools.known(drifted.db, "a/shop")).accepted == NEW


@pytest.mark.usefixtures("drifted")
async def test_what_chooses_nothing_is_refused(client: httpx.AsyncClient) -> None:
    here = "/settings/baselines/accept"
    assert (await client.post(here, headers=SELF)).status_code == 422
    assert (await client.post(here, data={"chosen": ["x"]}, headers=SELF)).status_code == 422
    assert (await client.get(f"{here}?name=nowhere")).status_code == 404
    assert (await client.get("/settings/baselines?page=7")).status_code == 200
