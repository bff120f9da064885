"""Accepting a list of tools on its page and as JSON, and who may not."""

import re
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.inventory import Inventory, inventory_of
from dashboard.api.bodies import MOST_BYTES
from dashboard.operations.baselines import AT_ONCE
from dashboard.views.baselines import MOST_AT_ONCE, ON_A_PAGE
from prober.storage import accepted_tools, audit
from prober.storage.identity import endpoint_id
from tests.integration.storage.builders import Store, endpoint
from tests.integration.storage.test_accepted_tools import read

OLD = inventory_of([{"name": "get_order", "description": "<b>Reads</b>"}, {"name": "search"}])
NEW = inventory_of([{"name": "get_order", "description": "<b>Reads</b> one"}])
HREF = f"/baselines/a%2Fshop?fingerprint={NEW.fingerprint}"
SELF = {"origin": "http://localhost"}
COPIES = """with copy as (
  insert into endpoint select (jsonb_populate_record(endpoint, jsonb_build_object(
    'id', gen_random_uuid(), 'name', 'copy ' || number))).* from endpoint, generate_series(1, :number) as each (number)
  returning id
), state as (
  insert into endpoint_state select (jsonb_populate_record(endpoint_state,
    jsonb_build_object('endpoint_id', copy.id))).* from endpoint_state, copy
)
insert into accepted_tools select (jsonb_populate_record(accepted_tools,
  jsonb_build_object('endpoint_id', copy.id))).* from accepted_tools, copy"""
"""More endpoints like the only one that there is."""


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

    assert (answer.status_code, answer.headers["location"]) == (303, "/endpoints/a%2Fshop#tool-lists")
    lists = await accepted_tools.known(drifted.db, "a/shop")
    assert (lists.accepted, lists.accepted_by) == (NEW, "somebody at the dashboard")
    page = (await client.get("/endpoints/a%2Fshop")).text
    assert "Accept this list" not in page
    assert "accepted by somebody at the dashboard" in page


async def test_what_is_accepted_already_is_not_accepted_again_and_that_is_said(
    client: httpx.AsyncClient, drifted: Store
) -> None:
    await client.post(HREF, headers=SELF)
    before = await accepted_tools.known(drifted.db, "a/shop")

    again = await client.post(HREF, headers=SELF)
    answer = await client.post("/api/baselines/a%2Fshop")

    assert (again.status_code, answer.status_code) == (303, 200)
    assert "accepted already: nothing has changed" in (await client.get(again.headers["location"])).text
    assert answer.json()["accepted_by"] == "somebody at the dashboard"
    assert await accepted_tools.known(drifted.db, "a/shop") == before
    assert len(await audit.newest(drifted.db)) == 1


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


async def read_alone(store: Store, name: str, *lists: Inventory) -> None:
    """Probe the endpoint once for each list, while no other one falls due."""
    for each in lists:
        await store.sql("update endpoint set next_due = now() + interval '1 hour'")
        await read(store, each, name=name, version="1")


@pytest.mark.usefixtures("drifted")
async def test_the_page_of_baselines_shows_who_drifted_and_asks_before_it_accepts(
    client: httpx.AsyncClient, db: AsyncEngine
) -> None:
    store = Store(db)
    await store.watch(endpoint("a/shop", url="https://shop.example/mcp"), endpoint("bank"), endpoint("calm"))
    await read_alone(store, "bank", OLD, OLD, OLD, NEW)
    await read_alone(store, "calm", OLD, OLD, OLD)
    page = (await client.get("/settings/baselines")).text
    assert "2 endpoints of 3 have other tools" in page
    assert re.findall(r'<a href="/endpoints/([^"]*)#tool-lists">(?!the diff)', page) == ["a%2Fshop", "bank", "calm"]
    assert "1 breaking and 1 text only" in page
    assert "Seen by 1 probe so far" in page
    one = (await client.get("/settings/baselines/accept?name=bank")).text
    assert "Accept the tools of bank?" in one
    chosen = re.findall(r'name="chosen" value="([^"]*)"', (await client.get("/settings/baselines/accept")).text)
    assert chosen == [f"{endpoint_id(name).hex} {NEW.fingerprint}" for name in ("a/shop", "bank")]

    answer = await client.post("/settings/baselines/accept", data={"chosen": chosen}, headers=SELF)

    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/baselines?accepted=2&before=0")
    assert "Accepted the tools of 2 endpoints." in (await client.get(answer.headers["location"])).text
    again = await client.post("/settings/baselines/accept", data={"chosen": chosen}, headers=SELF)
    assert "Those of 2 endpoints were accepted already." in (await client.get(again.headers["location"])).text
    rows = await audit.newest(db)
    assert [(row.action, row.subject) for row in rows] == [("baseline.accept", "bank"), ("baseline.accept", "a/shop")]
    page = (await client.get("/settings/baselines")).text
    assert "No endpoint has other tools than those accepted" in page
    assert "Accept…" not in page
    assert "There is nothing to accept" in (await client.get("/settings/baselines/accept")).text


async def test_a_list_that_is_gone_by_then_is_not_accepted_and_the_others_are(
    client: httpx.AsyncClient, drifted: Store
) -> None:
    ours = endpoint_id("a/shop").hex
    chosen = [f"{uuid4().hex} {NEW.fingerprint}", f"{ours} 0123456789abcdef", f"{ours} {NEW.fingerprint}"]

    answer = await client.post("/settings/baselines/accept", data={"chosen": chosen}, headers=SELF)

    assert answer.status_code == 409
    assert "1 endpoint of the form: watched no more." in answer.text
    assert "a/shop: No recent probe read a list with the fingerprint 0123456789abcdef" in answer.text
    assert "Accepted the tools of 1 endpoint." in answer.text
    assert (await accepted_tools.known(drifted.db, "a/shop")).accepted == NEW


async def test_all_that_changed_are_accepted_with_one_press_however_many_pages_they_fill(
    client: httpx.AsyncClient, db: AsyncEngine, drifted: Store
) -> None:
    number = ON_A_PAGE + AT_ONCE + 1
    async with db.begin() as connection:
        await connection.execute(text(COPIES), {"number": number - 1})
    assert f"Accept all {number} that changed" in (await client.get("/settings/baselines?page=2")).text
    asked = (await client.get("/settings/baselines/accept")).text
    assert f"Accept the tools of {number} endpoints?" in asked
    chosen = re.findall(r'name="chosen" value="([^"]*)"', asked)

    answer = await client.post("/settings/baselines/accept", data={"chosen": chosen}, headers=SELF)

    page = (await client.get(answer.headers["location"])).text
    assert f"Accepted the tools of {number} endpoints." in page
    assert "No endpoint has other tools than those accepted" in page
    assert len(await audit.newest(db, limit=2 * number)) == number


def test_a_form_that_asks_about_the_most_lists_fits_into_a_body() -> None:
    one = {"chosen": f"{uuid4().hex} {NEW.fingerprint}"}
    assert len(urlencode(one) + "&") * MOST_AT_ONCE + 1000 < MOST_BYTES


@pytest.mark.usefixtures("drifted")
async def test_what_chooses_nothing_is_refused(client: httpx.AsyncClient) -> None:
    here = "/settings/baselines/accept"
    assert (await client.post(here, headers=SELF)).status_code == 422
    assert (await client.post(here, data={"chosen": ["x"]}, headers=SELF)).status_code == 422
    assert (await client.get(f"{here}?name=nowhere")).status_code == 404
    assert (await client.get("/settings/baselines?page=7")).status_code == 200
