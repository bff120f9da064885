"""The channels on their page and as JSON, and the test notice that a person asks for."""

import re

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.incidents.notice import NoticeKind
from tests.integration.notifiers.stage import GONE, Stages, staged, tell

SELF = {"origin": "http://localhost"}
OPENED = NoticeKind.OPENED


@pytest.fixture
async def broken(db: AsyncEngine) -> Stages:
    """Of two channels one is broken, and the other has taken over what it could not tell."""
    stages = await staged(db, "pager", "mail", pager="mail")
    stages.stages["pager"].failures = [GONE]
    await tell(db, OPENED, to=("pager",), about="<b>orders</b>")
    await stages.work()
    return stages


@pytest.mark.usefixtures("broken")
async def test_the_page_shows_what_is_broken_what_took_over_and_every_try(client: httpx.AsyncClient) -> None:
    page = await client.get("/channels")
    assert page.status_code == 200
    assert "2 channels: 1 to mend" in page.text
    assert "HTTP 404: no_service" in page.text
    assert "fallback <strong>mail</strong>" in page.text
    assert "&lt;b&gt;orders&lt;/b&gt; opened" in page.text
    assert "<b>orders" not in page.text
    assert re.search(r'<a href="/incidents/[0-9a-f-]{36}">&lt;b&gt;orders&lt;/b&gt; opened</a>', page.text)
    log = await client.get("/incidents")
    assert "handed over" in log.text
    assert "to mail" in log.text


async def test_the_button_writes_a_test_that_is_tried_at_once(client: httpx.AsyncClient, broken: Stages) -> None:
    answer = await client.post("/channels/pager/test", headers=SELF)
    assert (answer.status_code, answer.headers["location"]) == (303, "/channels")
    await broken.work()
    assert broken.stages["pager"].titles == ["Test of the channel pager"]
    assert "somebody at the dashboard" in broken.stages["pager"].took[0].lines[0]
    page = await client.get("/channels")
    assert "2 channels</h1>" in page.text, "the test showed that it is mended"


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
@pytest.mark.parametrize("address", ["/channels/pager/test", "/api/channels/pager/test"])
async def test_a_page_of_another_site_sends_nothing(
    client: httpx.AsyncClient, broken: Stages, headers: dict[str, str], address: str
) -> None:
    assert (await client.post(address, headers=headers)).status_code == 403
    await broken.work()
    assert broken.stages["pager"].tries == 1


async def test_the_json_shows_and_asks_the_same(client: httpx.AsyncClient, broken: Stages) -> None:
    listed = (await client.get("/api/channels")).json()["channels"]
    assert [(each["name"], each["state"], each["fallback"]) for each in listed] == [
        ("mail", "works", None),
        ("pager", "broken", "mail"),
    ]
    assert (await client.post("/api/channels/mail/test")).status_code == 200
    await broken.work()
    assert broken.stages["mail"].titles[-1] == "Test of the channel mail"


@pytest.mark.usefixtures("db")
async def test_a_channel_that_nobody_knows_is_not_found(client: httpx.AsyncClient) -> None:
    assert "No channel is configured" in (await client.get("/channels")).text
    answer = await client.post("/api/channels/pigeon/test")
    assert answer.status_code == 404
    assert "pigeon" in answer.json()["detail"]
