"""What integration tests share: a real PostgreSQL, one server per session and an empty migrated database per test; AWS
as moto plays it, one server per file; the lab, one per file; and a process that commands are forked from."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import uuid4

import psycopg
import pytest
from moto.server import ThreadedMotoServer
from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.storage import migrations
from prober.storage.database import open_engine
from prober.storage.embedded import EmbeddedPostgres
from tests.integration.commands import Commands, forking

ROOT = Path(__file__).parents[2]
TEMPLATE = "migrated"
DISPOSABLE = {"fsync": "off", "synchronous_commit": "off", "wal_level": "minimal", "max_wal_senders": "0"}
"""What survives no crash need not be written down twice: a database is copied in half the time."""


@pytest.fixture(scope="module")
def aws_url() -> Iterator[str]:
    """The address of an AWS in which nothing is."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # Every such server in a process shows the same resources: those of other tests go.
    urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
    yield url
    server.stop()


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """What commands are forked from."""
    with forking() as made:
        yield made


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a running server, with an empty database of its own and a migrated template."""
    # Not pytest's own directory: as root, the server runs as another user, who could not enter that.
    directory = Path(tempfile.mkdtemp(prefix="prober-tests-"))
    directory.chmod(0o711)
    try:
        with EmbeddedPostgres(directory / "postgres", settings={**DISPOSABLE, "max_connections": "100"}) as server:
            with psycopg.connect(server.url, autocommit=True) as admin:
                admin.execute(SQL("create database {}").format(Identifier(TEMPLATE)))
            migrations.upgrade(_other(server.url, TEMPLATE))
            yield server.url
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database without any table, gone after the test."""
    with database(postgres_url, "template1") as url:
        yield url


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """A migrated database without any row, gone after the test."""
    with database(postgres_url) as url:
        yield url


@pytest.fixture(scope="module")
def shared_database_url(postgres_url: str) -> Iterator[str]:
    """A migrated database for all tests of a file that can bear what the others leave in it."""
    with database(postgres_url) as url:
        yield url


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine over a migrated database without any row."""
    engine = open_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="module")
def lab() -> Iterator[dict[str, str]]:
    """Addresses of the lab's scenarios by id."""
    with subprocess.Popen([sys.executable, "-m", "prober.lab"], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["urls"]
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def database(postgres_url: str, template: str = TEMPLATE) -> Iterator[str]:
    """The address of a database made of a template, which ends with the block."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(
            SQL("create database {} template {} strategy file_copy").format(Identifier(name), Identifier(template))
        )
        yield _other(postgres_url, name)
        admin.execute(SQL("drop database {} with (force)").format(Identifier(name)))


def _other(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)
