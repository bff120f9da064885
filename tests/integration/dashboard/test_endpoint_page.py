"""What is done on an endpoint's page, and its days."""

from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Profile
from prober.storage import audit, mutes, probe_requests
from prober.storage.audit import AuditRow, Via
from prober.storage.probe_requests import Stage
from prober.storage.rollups import roll_up
from tests.integration.dashboard.conftest import SetClock

SELF = {"origin": "http://localhost"}
PAGE = "/endpoints/orders"


async def last_change(db: AsyncEngine) -> AuditRow:
    return (await audit.newest(db, limit=1))[0]


@pytest.mark.parametrize(("body", "profile"), [({"profile": "full"}, Profile.FULL), ({}, Profile.STANDARD)])
async def test_a_probe_is_asked_for_by_a_button_and_the_page_says_how_far_it_is(
    client: httpx.AsyncClient, told: AsyncEngine, body: dict[str, str], profile: Profile
) -> None:
    assert 'action="/probe-requests/orders"' in (await client.get(PAGE)).text
    answer = await client.post("/probe-requests/orders", data=body, headers=SELF)

    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}#asked")
    request = await probe_requests.newest(told, "orders")
    assert request is not None
    assert (request.profile, request.stage) == (profile, Stage.WAITING)
    assert (
        f"A {profile} probe that somebody at the dashboard asked for waits for a worker"
        in (await client.get(PAGE)).text
    )
    change = await last_change(told)
    assert (change.action, change.subject, change.via) == ("probe.ask", "orders", Via.PAGE)

    again = await client.post("/probe-requests/orders", data=body, headers=SELF)
    assert again.status_code == 409
    assert "was asked for already" in again.text


async def test_a_paused_endpoint_has_no_button_and_is_not_probed(client: httpx.AsyncClient, told: AsyncEngine) -> None:
    assert "/probe-requests/" not in (await client.get("/endpoints/retired")).text
    assert (await client.post("/probe-requests/retired", headers=SELF)).status_code == 409
    assert (await client.post("/probe-requests/orders", data={"profile": "odd"}, headers=SELF)).status_code == 422
    assert (await client.post("/probe-requests/nowhere", headers=SELF)).status_code == 404


async def test_a_deploy_is_marked_with_its_reason_and_stands_on_the_page(
    client: httpx.AsyncClient, told: AsyncEngine
) -> None:
    answer = await client.post("/deploys/orders", data={"reason": "1.5 <b>"}, headers=SELF)

    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    (mute,) = await mutes.coming(told)
    assert (mute.kind, mute.endpoints, mute.reason) == ("deploy", ("orders",), "1.5 <b>")
    page = (await client.get(PAGE)).text
    assert "marked by somebody at the dashboard (1.5 &lt;b&gt;)" in page
    assert "marked by" not in (await client.get("/endpoints/search")).text
    assert (await last_change(told)).action == "deploy.mark"


async def test_a_day_shows_its_hours_and_an_hour_its_probes(
    client: httpx.AsyncClient, told: AsyncEngine, clock: SetClock
) -> None:
    await roll_up(told, lag_ms=250.0, reports_days=30, every_s=0.0)
    latest: datetime = clock.now() - timedelta(seconds=4)

    page = (await client.get(PAGE, params={"day": latest.date().isoformat(), "hour": str(latest.hour)})).text

    assert f'<h2 id="day">{latest:%A}, {latest.date().isoformat()}</h2>' in page
    assert f"?day={latest.date().isoformat()}&amp;hour={latest.hour}#hour" in page
    hour = page.partition('<h2 id="hour">')[2].partition("</section>")[0]
    assert f"{latest:%H:%M:%S}" in hour
    empty = (await client.get(PAGE, params={"day": "2020-02-29", "hour": "7"})).text
    assert "its hours are no longer kept" in empty
    assert "None is kept of that hour." in empty


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    "query", ["day=tomorrow", "day=2026-02-30", "day=0001-01-01&hour=0", "day=9999-12-31&hour=99", "hour=3"]
)
async def test_a_day_that_nobody_understands_or_that_never_was_is_no_error(
    client: httpx.AsyncClient, query: str
) -> None:
    assert (await client.get(f"{PAGE}?{query}")).status_code == 200


@pytest.mark.usefixtures("told")
async def test_the_page_says_who_keeps_the_endpoint_and_what_probing_costs(client: httpx.AsyncClient) -> None:
    page = (await client.get(PAGE)).text
    assert "change its entry named orders there" in page
    assert 'href="/settings/audit?subject=orders"' in page
    assert "a month.</strong>" in page


@pytest.mark.usefixtures("told")
async def test_the_fleet_is_filtered_and_grouped_by_its_address(client: httpx.AsyncClient) -> None:
    page = (await client.get("/?show=trouble&group=env")).text
    assert "2 of 7 endpoints" in page
    assert page.index("env production") < page.index("env staging")
    assert 'href="/endpoints/orders"' not in page
    assert "No endpoint is like that." in (await client.get("/?q=nowhere")).text
