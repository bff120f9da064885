"""A whole worker that looks after itself: what it answers, whom it calls, and what it writes of its own faults."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Endpoint
from prober.app.monitor import Monitor
from prober.app.status_server import CannotListen
from prober.clock import SystemClock
from prober.lab.http import Handler, Request, Response
from prober.lab.servers.stateless import StatelessServer
from prober.net.client import Net, PostOutcome
from prober.net.guard import GuardPolicy
from prober.settings import Network, ObserverSettings, Settings, StatusSettings, WatchdogSettings
from prober.storage import endpoints
from tests.integration.probing.servers import serving
from tests.ports import free_ports

NET = Net(GuardPolicy(allow_private=True), clock=SystemClock())


@dataclass
class Outside:
    """A place that takes connections and remembers what was asked, for as long as it is there."""

    requests: list[str] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if line:
            self.requests.append(line.decode().strip())
            self.called.set()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        writer.close()


@dataclass
class Noticing:
    """A server that says when it is asked."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    server: Handler = field(default_factory=StatelessServer)

    async def __call__(self, request: Request) -> Response:
        self.asked.set()
        return await self.server(request)


@asynccontextmanager
async def outside() -> AsyncIterator[Outside]:
    place = Outside()
    server = await asyncio.start_server(place.answer, "127.0.0.1", 0)
    place.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield place


@asynccontextmanager
async def working(db: AsyncEngine, spool: Path, *urls: str, **sections: Any) -> AsyncIterator[Monitor]:
    watched = tuple(
        Endpoint(name=f"e{number}", url=url, interval_s=1.0, timeout_s=1.0) for number, url in enumerate(urls)
    )
    await endpoints.sync(db, watched)
    settings = Settings(endpoints=watched, network=Network(allow_private=True), **sections)
    monitor = Monitor(db=db, settings=settings, following=None, clock=SystemClock(), worker="tested", spool=spool)
    stop = asyncio.Event()
    running = asyncio.create_task(monitor.run(stop))
    try:
        yield monitor
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await running


async def rows(db: AsyncEngine, statement: str) -> list[dict[str, Any]]:
    async with db.connect() as connection:
        return [dict(row) for row in (await connection.execute(text(statement))).mappings()]


async def until(db: AsyncEngine, statement: str, count: int = 1) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 40
    while len(found := await rows(db, statement)) < count:
        assert time.monotonic() < deadline, statement
        await asyncio.sleep(0.1)
    return found


async def asked(port: int, path: str) -> PostOutcome:
    return await NET.get(f"http://127.0.0.1:{port}{path}", timeout_s=5)


async def test_a_worker_at_work_is_live_and_ready_and_calls_its_watchdog(db: AsyncEngine, tmp_path: Path) -> None:
    port = free_ports()
    async with outside() as place, serving(StatelessServer()) as (_, url):
        watchdog = WatchdogSettings(url=f"http://{place.address}/ping", every_s=1.0)
        sections = {"watchdog": watchdog, "status": StatusSettings(port=port)}
        async with working(db, tmp_path, url, **sections):
            async with asyncio.timeout(20):
                await place.called.wait()
            await until(db, "select 1 from worker")
            live, ready, metrics = [await asked(port, path) for path in ("/livez", "/readyz", "/metrics")]
    assert set(place.requests) == {"GET /ping HTTP/1.1"}
    assert (live.status, json.loads(live.body_excerpt)["reasons"]) == (200, [])
    assert (ready.status, json.loads(ready.body_excerpt)["reasons"]) == (200, [])
    assert metrics.status == 200
    assert "mcp_" in metrics.body_excerpt
    assert (await rows(db, "select name, location from worker")) == [{"name": "tested", "location": "local"}]


async def test_a_worker_without_endpoints_calls_its_watchdog_by_the_word_of_the_database(
    db: AsyncEngine, tmp_path: Path
) -> None:
    async with outside() as place:
        watchdog = WatchdogSettings(url=f"http://{place.address}/ping", every_s=1.0)
        async with working(db, tmp_path, watchdog=watchdog), asyncio.timeout(20):
            await place.called.wait()


async def test_without_a_network_slots_are_unknown_with_their_reason_and_nobody_is_down(
    db: AsyncEngine, tmp_path: Path
) -> None:
    async with outside() as canary, serving(StatelessServer()) as (_, url):
        settings = ObserverSettings(canaries=(canary.address,))
    async with working(db, tmp_path, url, observer=settings):
        await until(db, "select 1 from report where missed = 0", 3)
    found = await rows(db, "select distinct verdict, cause, unknown_reason from report where missed = 0")
    assert found == [{"verdict": "unknown", "cause": "observer-impaired", "unknown_reason": "no-connectivity"}]
    assert await rows(db, "select 1 from incident") == []


async def test_a_probe_of_a_worker_that_was_held_up_says_so(db: AsyncEngine, tmp_path: Path) -> None:
    server = Noticing()
    async with serving(server) as (_, url), working(db, tmp_path, url):
        async with asyncio.timeout(20):
            await server.asked.wait()
        time.sleep(1.2)  # noqa: ASYNC251 - the loop is to be held up
        flagged = await until(db, "select verdict, unknown_reason, lag_ms from report where lag_ms > 1000")
    assert {each["verdict"] for each in flagged} <= {"up", "unknown"}
    assert all(each["verdict"] == "up" or each["unknown_reason"] == "observer-lag" for each in flagged)


async def test_a_status_that_cannot_be_served_ends_the_start(db: AsyncEngine, tmp_path: Path) -> None:
    async with outside() as taken:
        status = StatusSettings(port=int(taken.address.rpartition(":")[2]))
        with pytest.raises(CannotListen, match=r"status\.port"):
            async with working(db, tmp_path, status=status):
                await asyncio.sleep(1)
