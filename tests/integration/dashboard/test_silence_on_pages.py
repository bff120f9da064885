"""Maintenance, acknowledgements and outages as viewers see them."""

from datetime import timedelta

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.incidents.windows import MaintenanceWindow
from prober.storage import mutes
from tests.integration.dashboard.conftest import SetClock
from tests.integration.storage.builders import Store
from tests.integration.storage.test_telling import Desk


async def test_viewers_see_maintenance_and_who_has_an_incident_in_hand(
    client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    desk = Desk(Store(db), now=clock.now())
    await desk.watch("shop", "search")
    await desk.see(Verdict.DOWN, "shop")
    await desk.acknowledge(["shop"], by="ada")
    await mutes.sync_windows(db, [MaintenanceWindow(name="night", zone="UTC", at_minute=0, lasts_s=86_400.0)])
    ends = clock.now() + timedelta(hours=1)
    async with db.begin() as connection:
        await mutes.add(
            connection,
            kind=mutes.DEPLOY,
            endpoints=["shop"],
            labels={},
            starts_at=clock.now(),
            ends_at=ends,
            reason="v2",
            by="pipeline",
        )
    for address in ("/", "/incidents", "/endpoints/shop"):
        page = (await client.get(address)).text
        assert "acknowledged by ada" in page, address
        assert "Deploy (v2) by pipeline until" in page, address
        assert "Maintenance night until" in page, address
    assert "Deploy (v2)" not in (await client.get("/endpoints/search")).text
    assert (await client.get("/api/endpoints")).json()["endpoints"][1]["incident"]["acknowledged_by"] == "ada"


async def test_an_outage_is_shown_with_its_names_and_causes(
    client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    desk = Desk(Store(db), now=clock.now())
    names = [f"shop-{number}" for number in range(6)]
    await desk.watch(*names)
    await desk.see(Verdict.DOWN, *names)
    page = (await client.get("/incidents")).text
    assert "6 endpoints are failing together" in page
    assert "nobody is told: told as one outage" in page
    await desk.see(Verdict.UP, *names)
    await desk.passes(1)
    page = (await client.get("/incidents")).text
    assert "6 endpoints failed together" in page
    assert "was told as part of an outage" in page
