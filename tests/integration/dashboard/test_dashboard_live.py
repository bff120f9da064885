"""The dashboard as a process: news over server-sent events, a lost database, an end in time."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime

import httpx
import psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.storage.identity import endpoint_id
from tests.integration.dashboard.conftest import ROOT, Serve
from tests.integration.dashboard.stories import FLEET, add_probe, tell

ORDERS = FLEET[0]


async def until(lines: "asyncio.Queue[str]", wanted: str) -> None:
    async with asyncio.timeout(20):
        while await lines.get() != wanted:
            pass


async def listener_of(admin: psycopg.Connection, other_than: int = 0) -> int:
    """The process of the database that serves the dashboard's LISTEN, once there is one."""
    wanted = (
        "select pid from pg_stat_activity "
        "where datname = current_database() and query ilike 'listen%%' and state = 'idle' and pid <> %s"
    )
    async with asyncio.timeout(20):
        while (found := admin.execute(wanted, [other_than]).fetchone()) is None:  # noqa: ASYNC110 - another process connects in its own time
            await asyncio.sleep(0.02)
    return int(found[0])


async def follow(client: httpx.AsyncClient, address: str, lines: "asyncio.Queue[str]") -> None:
    async with client.stream("GET", f"{address}/live", timeout=None) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            lines.put_nowait(line)


async def test_a_saved_report_reaches_the_open_page_also_after_the_database_was_lost(
    serve: Serve, db: AsyncEngine, database_url: str
) -> None:
    await tell(db, [ORDERS], datetime.now(UTC))
    address, _ = await serve(database_url)
    lines: asyncio.Queue[str] = asyncio.Queue()
    async with httpx.AsyncClient(trust_env=False) as client:
        following = asyncio.create_task(follow(client, address, lines))
        await until(lines, "retry: 2000")
        with psycopg.connect(_plain(database_url), autocommit=True) as admin:
            listener = await listener_of(admin)
            await add_probe(db, ORDERS, "u", datetime.now(UTC))
            await until(lines, f"data: {endpoint_id('orders')}")

            admin.execute("select pg_terminate_backend(%s)", [listener])
            await until(lines, "data: ")  # told to read all again, because something may have been missed
            await listener_of(admin, other_than=listener)
        await add_probe(db, ORDERS, "u", datetime.now(UTC))
        await until(lines, f"data: {endpoint_id('orders')}")
        following.cancel()


async def test_open_pages_do_not_hold_up_the_end(serve: Serve, database_url: str) -> None:
    address, process = await serve(database_url)
    lines: asyncio.Queue[str] = asyncio.Queue()
    async with httpx.AsyncClient(trust_env=False) as client:
        following = asyncio.create_task(follow(client, address, lines))
        await until(lines, "retry: 2000")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(3):
            await process.communicate()
            await following


async def test_without_a_database_address_it_ends_with_a_sentence() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", "import dashboard.app; dashboard.app.create_app()"),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"DATABASE_URL is not set" in said
    assert b"Traceback" not in said


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
