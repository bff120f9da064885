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
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from prober.storage import migrations
from prober.storage.database import open_engine
from prober.storage.embedded import EmbeddedPostgres
from tests.integration.dashboard.stories import FLEET, Story, add_probe, tell

ROOT = Path(__file__).parents[2]
READY = "Uvicorn running on "
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

    def add_probe(self, story: Story, letter: str) -> None:
        _finish(_add_probe(self.database_url, story, letter))

    def break_tables(self) -> None:
        """Make the pages unreadable, as a database that is being restored is."""
        self._execute("alter table endpoint rename to endpoint_away")

    def mend_tables(self) -> None:
        self._execute("alter table endpoint_away rename to endpoint")

    def _execute(self, statement: str) -> None:
        url = make_url(self.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(statement)


@dataclass
class Visit:
    """A page in the browser and everything that it complained about."""

    page: Any
    complaints: list[str] = field(default_factory=list)


Open = Callable[..., Visit]
"""Opens an address in a window with these options."""


@pytest.fixture
def dashboard(browser: Any) -> Iterator[Dashboard]:
    """The example fleet on its own database and its own dashboard process, where there is a browser to look at it."""
    # Not pytest's own directory: as root, the server runs as another user, who could not enter that.
    directory = Path("/var/tmp") / f"prober-e2e-{os.getpid()}"
    shutil.rmtree(directory, ignore_errors=True)
    try:
        with EmbeddedPostgres(directory, settings={"fsync": "off"}) as server:
            migrations.upgrade(server.url)
            _finish(_tell(server.url))
            with _serving(server.url) as address:
                yield Dashboard(address, server.url)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


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
            page.goto(address)
            return opened

        yield open_page


@contextmanager
def _serving(database_url: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "dashboard.app:create_app", "--factory", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url, "PROBER_DASHBOARD_ACCESS": "open"},
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


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end in a thread: Playwright keeps an event loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


async def _tell(url: str) -> None:
    db = open_engine(url)
    await tell(db, FLEET, datetime.now(UTC))
    await db.dispose()


async def _add_probe(url: str, story: Story, letter: str) -> None:
    db = open_engine(url)
    await add_probe(db, story, letter, datetime.now(UTC))
    await db.dispose()
