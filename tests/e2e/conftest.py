"""A real browser on a real dashboard. Skipped, with the reason, where there is no browser."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.secrets import passwords
from prober.storage import migrations, people, setup_tokens
from prober.storage.database import open_engine
from prober.storage.embedded import EmbeddedPostgres
from prober.storage.people import Role
from tests.integration.dashboard.stories import FLEET, Story, add_probe, tell

ROOT = Path(__file__).parents[2]
READY = "Uvicorn running on "
TEMPLATE: Final = "told"
PASSWORD: Final = "correct horse battery staple"
"""Of everybody who may log in."""
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Dashboard:
    """A dashboard that runs, and a hand on the database behind it."""

    address: str
    database_url: str

    @property
    def plain_url(self) -> str:
        """The database for psycopg itself."""
        return make_url(self.database_url).set(drivername="postgresql").render_as_string(hide_password=False)

    def add_probe(self, story: Story, letter: str) -> None:
        async def added(db: AsyncEngine) -> None:
            await add_probe(db, story, letter, datetime.now(UTC))

        with_database(self.database_url, added)

    def add_person(self, name: str, role: Role) -> None:
        """Somebody who may log in with PASSWORD."""

        async def added(db: AsyncEngine) -> None:
            async with db.begin() as connection:
                await people.add(connection, name, role, password=passwords.hashed(PASSWORD), by="the test")

        with_database(self.database_url, added)

    def setup_link(self) -> str:
        """What the dashboard prints at its start while there is no admin."""
        secrets: list[str] = []

        async def offered(db: AsyncEngine) -> None:
            async with db.begin() as connection:
                secrets.append(await setup_tokens.offer(connection))

        with_database(self.database_url, offered)
        return f"{self.address}/setup#{secrets[0]}"

    def rename(self, name: str, other: str) -> None:
        """Call an endpoint something else on the pages."""
        with psycopg.connect(self.plain_url) as connection:
            connection.execute("update endpoint set name = %s where name = %s", (other, name))

    def publish(self, name: str, title: str) -> None:
        """Put an endpoint on the public page."""
        chosen = "update endpoint set options = options || jsonb_build_object('public', %s::text) where name = %s"
        with psycopg.connect(self.plain_url) as connection:
            connection.execute(chosen, (title, name))

    def rows(self, query: str) -> list[Any]:
        """What the first column of a query holds."""
        with psycopg.connect(self.plain_url) as connection:
            return [each for (each, *_) in connection.execute(query)]

    def break_tables(self) -> None:
        """Make the pages unreadable, as a database that is being restored is."""
        self._execute("alter table endpoint rename to endpoint_away")

    def mend_tables(self) -> None:
        self._execute("alter table endpoint_away rename to endpoint")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.plain_url, autocommit=True) as admin:
            admin.execute(statement)


@dataclass
class Visit:
    """A page in the browser and everything that it complained about."""

    page: Any
    complaints: list[str] = field(default_factory=list)


Open = Callable[..., Visit]
"""Opens an address in a window with these options."""


@pytest.fixture(scope="session")
def told_server(browser: Any) -> Iterator[str]:
    """A database server with the example fleet in a template, where there is a browser to look at it. Its address."""
    # Not pytest's own directory: as root, the server runs as another user, who could not enter that.
    directory = Path("/var/tmp") / f"prober-e2e-{os.getpid()}"
    shutil.rmtree(directory, ignore_errors=True)
    try:
        with EmbeddedPostgres(directory, settings={"fsync": "off", "max_connections": "100"}) as server:
            with psycopg.connect(server.url, autocommit=True) as admin:
                admin.execute(SQL("create database {}").format(Identifier(TEMPLATE)))
            template = make_url(server.url).set(database=TEMPLATE).render_as_string(hide_password=False)
            migrations.upgrade(template)
            with_database(template, _tell)
            yield server.url
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def dashboard(told_server: str) -> Iterator[Dashboard]:
    """The example fleet on its own database and its own dashboard process, which asks nobody who they are."""
    with _dashboard(told_server, access="open") as started:
        yield started


@pytest.fixture(scope="session")
def read_dashboard(told_server: str) -> Iterator[Dashboard]:
    """The same for all tests that change nothing."""
    with _dashboard(told_server, access="open") as started:
        yield started


@pytest.fixture
def guarded_dashboard(told_server: str) -> Iterator[Dashboard]:
    """The same, at which people log in; nobody may yet."""
    with _dashboard(told_server, access="login") as started:
        yield started


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install -r tests/e2e/requirements.lock"
    )
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on PATH: apt-get install chromium")
    with playwright.sync_playwright() as engine:
        running = engine.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Open]:
    """Opens an address in a fresh window; what the console says and what the policy blocks is collected."""
    with ExitStack() as stack:

        def open_page(address: str, **options: Any) -> Visit:
            context = browser.new_context(**options)
            stack.callback(context.close)
            page = context.new_page()
            opened = Visit(page)
            page.on("console", lambda said: opened.complaints.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: opened.complaints.append(str(error)))
            assert page.goto(address).status != 500, "the dashboard's log, below, says why"
            return opened

        yield open_page


def with_database(url: str, work: Callable[[AsyncEngine], Coroutine[Any, Any, None]]) -> None:
    """Run to the end in a thread: Playwright keeps an event loop running in this one."""

    async def worked() -> None:
        db = open_engine(url)
        await work(db)
        await db.dispose()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, worked()).result()


async def _tell(db: AsyncEngine) -> None:
    await tell(db, FLEET, datetime.now(UTC))


@contextmanager
def _dashboard(server: str, access: str) -> Iterator[Dashboard]:
    name = f"shown_{uuid4().hex[:12]}"
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(SQL("create database {} template {}").format(Identifier(name), Identifier(TEMPLATE)))
        with _serving(url, access) as address:
            yield Dashboard(address, url)
        admin.execute(SQL("drop database {} with (force)").format(Identifier(name)))


@contextmanager
def _serving(database_url: str, access: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "dashboard.app:create_app", "--factory", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url, "PROBER_DASHBOARD_ACCESS": access},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        ready = next((line for line in process.stderr if READY in line), None)
        assert ready is not None, "the dashboard ended before it was ready"
        yield ready.partition(READY)[2].split()[0]
    finally:
        process.terminate()
        process.communicate(timeout=10)
