"""What one probe measures is judged by those before it: over real probes, a real past and to the incident."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Endpoint, OnRequest, Profile
from prober.incidents.rules import Rules
from prober.lab.faults.parts import buffered
from prober.lab.http import Handler, Request, Response
from prober.lab.servers.stateless import StatelessServer
from tests.integration.probing.line import line
from tests.integration.probing.servers import serving
from tests.integration.storage.builders import Store

Probe = Callable[[], Awaitable[None]]


@pytest.fixture
def store(db: AsyncEngine) -> Store:
    return Store(db)


@pytest.fixture
async def probe(store: Store, tmp_path: Path) -> AsyncIterator[Probe]:
    async with line(store.db, tmp_path, Rules(fail_after=3, recover_after=2)) as made:

        async def once() -> None:
            await made.run(await store.claim_one())

        yield once


async def causes(store: Store) -> list[str | None]:
    return [cause for (cause,) in await store.sql("select cause from report order by slot")]


class Delayed:
    """A server whose answers take their time while it is told so."""

    def __init__(self) -> None:
        self.by_s = 0.0
        self.server: Handler = StatelessServer()

    async def __call__(self, request: Request) -> Response:
        await asyncio.sleep(self.by_s)
        return await self.server(request)


async def test_an_endpoint_becomes_slow_after_several_slow_probes_and_recovers(store: Store, probe: Probe) -> None:
    server = Delayed()
    async with serving(server) as (_, url):
        await store.watch(Endpoint(name="shop", url=url, timeout_s=5.0, slow_after_s=0.2))
        for delay in (0.0, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.0):
            server.by_s = delay
            await probe()

    assert await causes(store) == [None, None, None, None, "slow", "slow", "slow", None]
    assert await store.sql("select cause, verdict from incident") == [("slow", "degraded")]


async def test_cold_starts_that_outlast_clients_are_told_from_the_second_on(store: Store, probe: Probe) -> None:
    server = buffered(StatelessServer, cold_start_s=0.4, idle_s=0.5)()
    async with serving(server) as (_, url):
        await store.watch(Endpoint(name="shop", url=url, timeout_s=5.0, client_timeout_s=0.3))
        for _ in range(3):
            await probe()
            await asyncio.sleep(0.6)  # in which the idle instance is recycled

    assert await causes(store) == ["cold-start", "cold-start-exceeds-timeout", "cold-start-exceeds-timeout"]
    assert await store.sql("select cold from report") == [(True,)] * 3


async def test_what_a_burst_woke_is_kept_beside_the_probe(store: Store, probe: Probe) -> None:
    application = Delayed()
    application.by_s = 0.05
    server = buffered(lambda: application, cold_start_s=0.4)()
    async with serving(server) as (_, url):
        asked = (OnRequest.COLD_STARTS,)
        await store.watch(Endpoint(name="shop", url=url, timeout_s=10.0, on_request=asked))
        await probe()
        await store.sql("update endpoint_state set full_due = 'next-slot'")
        await probe()

    found = await store.sql("select profile, cardinality(burst_ms), cause from report order by slot")
    assert found[0] == (Profile.STANDARD.value, None, "cold-start")
    assert found[1][0] == Profile.FULL.value
    assert found[1][1] >= 3
