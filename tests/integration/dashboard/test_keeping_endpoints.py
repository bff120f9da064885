"""Endpoints that people keep: written like an entry of the file, beside those of the file, and taken over by it."""

from collections.abc import Awaitable

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException

from dashboard.live import Hub
from dashboard.operations import endpoints as operations
from dashboard.operations.refusals import Unusable
from dashboard.services import Services
from prober.storage import audit, endpoints, queries
from prober.storage.audit import Author, Via
from tests.integration.dashboard.conftest import SetClock
from tests.integration.storage.builders import Store, endpoint

ADA = Author(name="ada", via=Via.API)
URL = "https://shop.example/mcp"


@pytest.fixture
def services(db: AsyncEngine, clock: SetClock) -> Services:
    return Services(db=db, clock=clock, hub=Hub())


async def refused(status: int, doing: Awaitable[object]) -> str:
    with pytest.raises(HTTPException) as error:
        await doing
    assert error.value.status_code == status, error.value.detail
    return str(error.value.detail)


async def test_an_endpoint_is_added_changed_and_removed_and_the_audit_log_tells(services: Services) -> None:
    await operations.add(services, ADA, {"name": "shop", "url": URL, "labels": {"team": "pay"}, "fail_after": 2})
    before = await operations.kept(services, "shop")
    assert (before.source, before.endpoint.url, before.options.fail_after) == ("api", URL, 2)
    assert before.options.written == {"name": "shop", "url": URL, "labels": {"team": "pay"}, "fail_after": 2}
    (row,) = await queries.fleet(services.db)
    assert (row.name, row.labels) == ("shop", {"team": "pay"})
    await operations.change(services, ADA, "shop", {"url": URL, "interval": "5m"}, before.edition)
    after = await operations.kept(services, "shop")
    assert (after.endpoint.interval_s, after.endpoint.labels, after.options.fail_after) == (300.0, {}, None)
    assert "meanwhile" in await refused(412, operations.change(services, ADA, "shop", {"url": URL}, before.edition))
    await operations.remove(services, ADA, "shop", after.edition)
    assert await queries.fleet(services.db) == ()
    told = [(each.action, each.author, each.subject) for each in await audit.newest(services.db)]
    assert told == [(f"endpoint.{what}", "ada", "shop") for what in ("remove", "change", "add")]


async def test_what_the_file_keeps_is_neither_changed_nor_removed_nor_named_again(services: Services) -> None:
    await Store(services.db).watch(endpoint("shop", url=URL))
    for doing in (operations.change(services, ADA, "shop", {"url": URL}), operations.remove(services, ADA, "shop")):
        assert "The configuration file keeps shop: change the entry of that name" in await refused(409, doing)
    said = await refused(409, operations.add(services, ADA, {"name": "shop", "url": URL}))
    assert said == "An endpoint of the name shop is watched already: the configuration file keeps it."
    assert await refused(404, operations.remove(services, ADA, "nowhere"))
    assert await audit.newest(services.db) == []


async def test_a_name_that_the_file_takes_later_is_taken_over_and_audited(services: Services) -> None:
    await operations.add(services, ADA, {"name": "shop", "url": URL})
    await operations.add(services, ADA, {"name": "search", "url": URL})
    await Store(services.db).watch(endpoint("shop", url=URL))
    assert (await operations.kept(services, "shop")).source == endpoints.FILE
    assert (await operations.kept(services, "shop")).options.written is None
    newest = (await audit.newest(services.db))[0]
    assert (newest.action, newest.subject, newest.via) == ("endpoint.take-over", "shop", Via.PROBER)
    await Store(services.db).watch()
    assert [each.name for each in await queries.fleet(services.db)] == ["search"], "the file removes its own alone"


async def test_every_fault_of_an_endpoint_is_told_with_its_place_and_nothing_of_its_values(services: Services) -> None:
    document = {
        "name": "a/b",
        "url": "ftp://s3cret",
        "intervall": 1,
        "headers": {"Authorization": "s3cret"},
        "sentinels": [{"tool": "", "arguments": {"x": float("inf")}}],
        "timeout": "2m",
    }
    with pytest.raises(Unusable) as error:
        await operations.add(services, ADA, document)
    places = {each.place for each in error.value.problems}
    assert places >= {"name", "url", "intervall", "headers.Authorization", "sentinels[0].arguments", "timeout"}
    assert "s3cret" not in str(error.value.problems)


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "2852039166", "[::ffff:169.254.170.2]"])
async def test_an_address_that_is_never_connected_to_is_refused_when_it_is_written(
    services: Services, host: str
) -> None:
    with pytest.raises(Unusable) as error:
        await operations.add(services, ADA, {"name": "shop", "url": f"http://{host}/latest/meta-data"})
    assert [(each.place, "cannot be allowed" in each.message) for each in error.value.problems] == [("url", True)]
    assert await audit.newest(services.db) == []


async def test_dependencies_are_watched_and_lead_in_no_circle(services: Services) -> None:
    await operations.add(services, ADA, {"name": "db", "url": URL})
    await operations.add(services, ADA, {"name": "shop", "url": URL, "depends_on": ["db"]})
    looped = operations.change(services, ADA, "db", {"url": URL, "depends_on": ["shop"]})
    assert "circle" in await refused(422, looped)
    unknown = operations.add(services, ADA, {"name": "web", "url": URL, "depends_on": ["dbb"]})
    assert "dbb" in await refused(422, unknown)


async def test_a_document_with_odd_text_is_stored_or_refused_but_never_harmful(services: Services) -> None:
    await operations.add(services, ADA, {"name": "shop", "url": URL, "labels": {"team": "a\x00b\u202e"}})
    (row,) = await queries.fleet(services.db)
    assert row.labels["team"].startswith("a\\u0000b")


def field(page: str, name: str) -> str:
    return page.partition(f'name="{name}" value="')[2].partition('"')[0]


async def test_an_endpoint_is_written_on_the_page_and_what_is_wrong_with_it_is_shown(
    client: httpx.AsyncClient, services: Services
) -> None:
    async def post(address: str, **fields: str) -> httpx.Response:
        return await client.post(f"/settings/{address}", data=fields, headers={"origin": "http://localhost"})

    assert "Watch another endpoint" in (await client.get("/settings/new-endpoint")).text
    wrong = await post("new-endpoint", entry="name: shop\r\nurl: x\r\nintervall: <b>\r\n")
    assert wrong.status_code == 422
    assert "intervall: is not a known key (did you mean interval?)" in wrong.text
    assert "intervall: &lt;b&gt;" in wrong.text, "what was typed is there to be mended"
    for entry in ("name: [", "- shop", "", "name: ${HOME}\nurl: https://a.example/"):
        assert (await post("new-endpoint", entry=entry)).status_code == 422, entry
    added = await post("new-endpoint", entry=f'name: shop\nurl: {URL}\nlabels: {{price: "$${{x}}"}}\n')
    assert (added.status_code, added.headers["location"]) == (303, "/endpoints/shop")
    assert (await operations.kept(services, "shop")).endpoint.labels == {"price": "${x}"}
    assert "/settings/endpoints/shop" in (await client.get("/endpoints/shop")).text
    form = (await client.get("/settings/endpoints/shop")).text
    assert "price: $${x}" in form
    edition = field(form, "edition")
    assert (await post("endpoints/shop", entry=f"name: shop\nurl: {URL}\n", edition=edition)).status_code == 303
    late = await post("endpoints/shop", entry=f"name: shop\nurl: {URL}\n", edition=edition)
    assert late.status_code == 412
    assert "Somebody has changed shop meanwhile" in late.text
    edition = field((await client.get("/settings/endpoints/shop")).text, "edition")
    assert (await post("endpoints/shop/remove", edition=edition)).status_code == 303
    assert (await client.get("/settings/endpoints/shop")).status_code == 404
    told = [(each.action, each.via) for each in await audit.newest(services.db)]
    assert told == [(f"endpoint.{what}", Via.PAGE) for what in ("remove", "change", "add")]


async def test_an_endpoint_may_have_the_name_of_a_page(client: httpx.AsyncClient, services: Services) -> None:
    await operations.add(services, ADA, {"name": "new", "url": URL})
    form = (await client.get("/settings/endpoints/new")).text
    assert "Change new" in form
    fields = {"entry": f"name: new\nurl: {URL}\nlabels: {{team: pay}}\n", "edition": field(form, "edition")}
    changed = await client.post("/settings/endpoints/new", data=fields, headers={"origin": "http://localhost"})
    assert changed.status_code == 303
    assert (await operations.kept(services, "new")).endpoint.labels == {"team": "pay"}


async def test_what_the_file_keeps_has_no_form(client: httpx.AsyncClient, services: Services) -> None:
    await Store(services.db).watch(endpoint("shop", url=URL))
    assert (await client.get("/settings/endpoints/shop")).status_code == 409
    assert "/settings/endpoints/shop" not in (await client.get("/endpoints/shop")).text
