"""Pages and JSON over a real database."""

import re
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Endpoint
from dashboard.guard import SECURITY_HEADERS
from tests.integration.dashboard.conftest import SetClock, browsing
from tests.integration.dashboard.stories import FLEET, Story, tell

NOWHERE = "postgresql://prober@127.0.0.1:1/prober"


async def test_an_empty_fleet_explains_what_to_do(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.status_code == 200
    assert "No endpoints yet" in page.text
    assert "mcp-prober init" in page.text


@pytest.mark.usefixtures("told")
async def test_the_fleet_shows_every_endpoint_worst_first_with_its_cause(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    names = re.findall(r'class="name" href="([^"]+)"', page.text)
    assert names[:2] == ["/endpoints/billing%20adapter", "/endpoints/reports-stream"]
    assert names[-1] == "/endpoints/retired"
    assert len(names) == len(FLEET)
    assert "1 down and 1 degraded of 6 endpoints" in page.text
    assert "console&#39;s sample, not with MCP" in page.text
    assert "Open incidents" in page.text
    assert "geheim" not in page.text


@pytest.mark.usefixtures("told")
async def test_every_page_of_the_fleet_can_be_reached_by_its_links(client: httpx.AsyncClient) -> None:
    waiting, seen = ["/", "/incidents"], set()
    while waiting and len(seen) < 60:
        address = waiting.pop(0).partition("#")[0]
        if address in seen or not address.startswith("/"):
            continue
        seen.add(address)
        page = await client.get(address)
        assert page.status_code == 200, address
        if "text/html" in page.headers["content-type"]:
            waiting += re.findall(r'href="([^"]+)"', page.text)
    assert {f"/endpoints/{name}" for name in ("orders", "ledger", "retired", "billing%20adapter")} <= seen


@pytest.mark.usefixtures("told")
async def test_an_endpoint_shows_diagnosis_fix_and_facts(client: httpx.AsyncClient) -> None:
    page = (await client.get("/endpoints/billing%20adapter")).text
    assert "<code>Handler: run.sh\nEnvironment:" in page
    assert "curl -sS -i -N --globoff" in page
    assert "What else looks like this" in page
    assert 'class="bar is-down"' in page
    assert "billing adapter-mcp 1.4.2" in page


@pytest.mark.usefixtures("told")
async def test_a_probe_shows_what_was_sent_and_what_came_back(client: httpx.AsyncClient) -> None:
    summary = (await client.get("/api/endpoints/orders")).json()["endpoint"]
    page = (await client.get(f"/probes/{summary['last_probe_id']}")).text
    assert "Bearer ${env:ORDERS_TOKEN}" in page
    assert "x-amzn-RequestId" in page
    assert page.count('<details class="exchange"') == 3
    assert 'href="https://modelcontextprotocol.io/specification/2026-07-28/basic"' in page


@pytest.mark.usefixtures("told")
async def test_the_state_of_each_sentinel_is_on_the_page_and_in_the_api(client: httpx.AsyncClient) -> None:
    (sentinel,) = (await client.get("/api/endpoints/orders")).json()["sentinels"]
    page = (await client.get("/endpoints/orders")).text
    assert (sentinel["tool"], sentinel["outcome"], sentinel["ms"]) == ("list_orders", "ok", 41.2)
    assert sentinel["since"] <= sentinel["at"]
    assert '<h2 id="sentinels">Sentinels</h2>' in page
    assert "<span>works</span>" in page


@pytest.mark.usefixtures("told")
async def test_an_endpoint_that_is_up_shows_the_findings_of_its_last_full_probe(client: httpx.AsyncClient) -> None:
    summary = (await client.get("/api/endpoints/orders")).json()
    (full,) = [probe for probe in summary["probes"] if probe["profile"] == "full"]
    assert summary["endpoint"]["full_report_id"] == full["id"]
    assert (summary["endpoint"]["verdict"], summary["endpoint"]["last_probe_id"] != full["id"]) == ("up", True)
    page = (await client.get("/endpoints/orders")).text
    assert "Last full probe" in page
    assert "Which clients can connect" in page
    assert "prompts/list is refused" in page
    assert 'href="https://modelcontextprotocol.io/specification/2026-07-28/server/prompts"' in page
    assert "full profile</span>" in page
    probe = (await client.get(f"/probes/{full['id']}")).text
    for said in ("full profile", "prompts/list is refused", "Which clients can connect", "a byte order mark before"):
        assert said in probe


async def test_slots_without_a_probe_have_a_page_that_says_so(client: httpx.AsyncClient, told: AsyncEngine) -> None:
    probes = (await client.get("/api/endpoints/ledger")).json()["probes"]
    missed = next(probe for probe in probes if probe["missed"])
    page = await client.get(f"/probes/{missed['id']}")
    assert page.status_code == 200
    assert "3 probes did not happen" in page.text


@pytest.mark.usefixtures("told")
async def test_incidents_show_their_notices_and_whether_they_went_out(client: httpx.AsyncClient) -> None:
    page = (await client.get("/incidents")).text
    assert "2 open incidents" in page
    assert "billing adapter is down" in page
    assert "waiting" in page


@pytest.mark.usefixtures("told")
async def test_a_fragment_is_the_content_alone(client: httpx.AsyncClient) -> None:
    fragment = (await client.get("/?fragment=1")).text
    assert "<main>" in fragment
    assert "<script" not in fragment
    assert "billing adapter" in fragment


async def test_a_fleet_that_nobody_probes_any_more_carries_a_red_bar(
    client: httpx.AsyncClient, told: AsyncEngine, clock: SetClock
) -> None:
    assert "the prober does not run" not in (await client.get("/")).text
    clock.moment = clock.moment.replace(year=clock.moment.year + 1)
    assert '<p class="trouble" role="alert">No probe saved since' in (await client.get("/")).text


async def test_a_name_with_slashes_and_markup_has_its_page(
    client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    name = 'a/b <img src=x onerror="alert(1)">?x#y'
    await tell(
        db, [Story(Endpoint(name=name, url="https://x.example/mcp"), past="u", tools=("<b>t</b>",))], clock.now()
    )
    href = re.findall(r'class="name" href="([^"]+)"', (await client.get("/")).text)[0]
    page = await client.get(href)
    assert page.status_code == 200
    assert "<img" not in page.text
    assert "<b>t</b>" not in page.text
    assert (await client.get(f"/api{href}")).json()["endpoint"]["name"] == name


@pytest.mark.usefixtures("told")
async def test_the_json_tells_the_same(client: httpx.AsyncClient) -> None:
    fleet = (await client.get("/api/endpoints")).json()
    assert fleet["counts"] == {"up": 2, "degraded": 1, "down": 1, "unknown": 2}
    billing = next(each for each in fleet["endpoints"] if each["name"] == "billing adapter")
    assert billing["cause"] == "adapter-missing"
    assert billing["incident"]["verdict"] == "down"
    assert billing["url"] == "https://k3x.lambda-url.eu-central-1.on.aws/mcp?[redacted]"
    probe = (await client.get(f"/api/probes/{billing['last_probe_id']}")).json()
    assert probe["endpoint"] == "billing adapter"
    assert probe["report"]["diagnoses"][0]["id"] == "adapter-missing"


@pytest.mark.parametrize(
    "address", ["/", "/incidents", "/nowhere", "/endpoints/none", "/api/endpoints", "/static/style.css", "/livez"]
)
async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient, address: str) -> None:
    answer = await client.get(address)
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/nowhere", 404),
        ("/endpoints/none", 404),
        ("/probes/not-an-id", 404),
        ("/probes/7f0c0f4e-9a57-5b8e-8a53-2d1f4f7d8c11", 404),
        ("//evil.example/", 404),
    ],
)
async def test_what_is_not_there_has_a_page_that_says_so(client: httpx.AsyncClient, address: str, status: int) -> None:
    answer = await client.get(f"http://localhost{address}")
    assert answer.status_code == status
    assert "Back to the fleet" in answer.text


async def test_a_refusal_can_quote_any_name(client: httpx.AsyncClient) -> None:
    for name in ("日本", "…", "a\r\nb", "\x7f", "%E2"):
        quoted = quote(name, safe="")
        for address in (f"/probe-requests/{quoted}", f"/baselines/{quoted}?fingerprint=x", f"/channels/{quoted}/test"):
            answer = await client.post(address)
            assert answer.status_code == 404, address
            assert answer.headers["x-trouble"].isascii()
            assert answer.headers["x-trouble"].isprintable()


@pytest.mark.parametrize(
    ("address", "status"), [("/api/endpoints/none", 404), ("/api/probes/x", 422), ("/api/nowhere", 404)]
)
async def test_errors_of_the_json_have_one_shape(client: httpx.AsyncClient, address: str, status: int) -> None:
    answer = await client.get(address)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail", "errors"}


async def test_nothing_can_be_written(client: httpx.AsyncClient) -> None:
    for address in ("/", "/api/outages", "/incidents"):
        assert (await client.post(address)).status_code == 405
        assert (await client.head("/")).status_code == 200


async def test_a_database_that_cannot_be_reached_is_said_plainly(clock: SetClock) -> None:
    async with browsing(NOWHERE, clock) as client:
        page, data = await client.get("/"), await client.get("/api/endpoints")
        assert (page.status_code, data.status_code) == (503, 503)
        assert "The database cannot be reached." in page.text
        assert page.headers["x-trouble"] == "The database cannot be reached."
        assert "Traceback" not in page.text
        assert data.json()["detail"].startswith("The database cannot be reached.")
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503


async def test_a_database_without_tables_names_the_command(empty_database_url: str, clock: SetClock) -> None:
    async with browsing(empty_database_url, clock) as client:
        page = await client.get("/")
        assert page.status_code == 503
        assert "mcp-prober migrate" in page.text


async def test_a_bug_shows_no_traceback(client: httpx.AsyncClient, told: AsyncEngine, clock: SetClock) -> None:
    clock.moment = clock.moment.replace(tzinfo=None)  # which no clock of ours does
    answer = await client.get("/")
    assert answer.status_code == 500
    assert "The dashboard made a mistake." in answer.text
    assert "TypeError" not in answer.text
    assert answer.headers["content-security-policy"] == SECURITY_HEADERS["Content-Security-Policy"]


async def test_a_strangers_host_name_is_refused(database_url: str, clock: SetClock) -> None:
    async with browsing(database_url, clock, "http://rebound.example") as client:
        answer = await client.get("/")
    assert answer.status_code == 421
    assert "PROBER_DASHBOARD_ALLOWED_HOSTS" in answer.text


async def test_static_files_are_kept_for_ever_under_the_address_of_their_content(client: httpx.AsyncClient) -> None:
    style = re.findall(r'href="(/static/style.css[^"]*)"', (await client.get("/")).text)[0]
    assert "immutable" in (await client.get(style)).headers["cache-control"]
    assert "immutable" not in (await client.get("/static/style.css")).headers["cache-control"]
    assert (await client.get("/static/../app.py")).status_code == 404
    assert (await client.get("/static/%2e%2e/app.py")).status_code == 404
