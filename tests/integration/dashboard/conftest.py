"""The dashboard over a real database, in this process and as a process of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from dashboard.access.mode import AccessConfig, Mode
from dashboard.app import build
from dashboard.config import Config
from prober.storage.database import open_engine
from tests.integration.conftest import TEMPLATE, database
from tests.integration.dashboard.stories import FLEET, tell

ROOT = Path(__file__).parents[3]
OPEN = AccessConfig(mode=Mode.OPEN)
READY = b"Uvicorn running on http://127.0.0.1:"


class SetClock:
    """A wall clock that stands where a test puts it."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@dataclass(frozen=True)
class Past:
    """A database to make others of, and the time at which it was now there."""

    template: str
    moment: datetime


@pytest.fixture(scope="module")
def past(postgres_url: str) -> Iterator[Past]:
    """The recent past of the whole example fleet, told once: that takes as long as ten tests."""
    moment = datetime.now(UTC)

    async def tell_all(url: str) -> None:
        db = open_engine(url)
        await tell(db, [replace(story, past=story.past[-14:]) for story in FLEET], moment)
        await db.dispose()

    with database(postgres_url) as url:
        asyncio.run(tell_all(url))
        yield Past(str(make_url(url).database), moment)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[str]:
    """A migrated database, with the fleet's past in it where a test asks for `told`."""
    template = request.getfixturevalue("past").template if "told" in request.fixturenames else TEMPLATE
    with database(postgres_url, template) as url:
        yield url


@pytest.fixture
async def told(db: AsyncEngine, clock: SetClock, past: Past) -> AsyncEngine:
    """A database that holds the recent past of the whole example fleet, and a clock that stands at its end."""
    clock.moment = past.moment
    return db


@asynccontextmanager
async def browsing(
    url: str, clock: SetClock, base_url: str = "http://localhost", access: AccessConfig = OPEN
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application over the database at `url`, without a socket and without its listener."""
    app = build(Config(database_url=url, access=access), clock)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
        yield client
    await app.state.services.db.dispose()


@pytest.fixture
async def client(database_url: str, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    async with browsing(database_url, clock) as each:
        yield each


Serve = Callable[[str], Awaitable[tuple[str, asyncio.subprocess.Process]]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts the dashboard as its users do, on a free port; gives its address and its process."""
    async with AsyncExitStack() as stack:

        async def start(database_url: str) -> tuple[str, asyncio.subprocess.Process]:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "uvicorn", "dashboard.app:create_app", "--factory", "--host", "127.0.0.1", "--port", "0"),
                cwd=ROOT,
                env={**os.environ, "DATABASE_URL": database_url, "PROBER_DASHBOARD_ACCESS": "open"},
                stderr=asyncio.subprocess.PIPE,
            )
            stack.push_async_callback(_end, process)
            assert process.stderr is not None
            async for line in process.stderr:
                if READY in line:
                    port = line.partition(READY)[2].split()[0].decode()
                    return f"http://127.0.0.1:{port}", process
            raise AssertionError("the dashboard ended before it was ready")

        yield start


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()
