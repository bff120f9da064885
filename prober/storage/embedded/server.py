"""One server over one directory, from its start to its stop."""

import asyncio
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from sqlalchemy.engine.url import URL

from prober.clock import Clock, SystemClock
from prober.storage.embedded.directory import (
    Owner,
    give,
    locked,
    make_reachable,
    remove_stale_pid_file,
    server_owner,
)
from prober.storage.embedded.errors import DirectoryUnusable, EmbeddedError
from prober.storage.embedded.keeper import Keeper
from prober.storage.embedded.programs import NAME, binaries_for, initialise, refuse_other_version

PORT: Final = 5432
"""No port is opened; the number is part of the socket's name."""

SOCKET_PATH_LIMIT: Final = 103
"""Bytes in the path of a Unix socket on macOS; Linux allows 107 (`sun_path` of unix(7) without its NUL)."""

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "40",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
}


class EmbeddedPostgres:
    """One server over the files in `data_dir`, from `start` to `stop`; also a context manager.

    `settings` are server parameters beside `SETTINGS`. Raises EmbeddedError where it cannot run. `started` and
    `stopped` do the same without holding up the event loop.
    """

    def __init__(
        self, data_dir: Path, *, settings: Mapping[str, str] | None = None, clock: Clock | None = None
    ) -> None:
        self.data_dir = data_dir.expanduser().absolute()
        self._settings = {**SETTINGS, **(settings or {})}
        self._clock = clock or SystemClock()
        self._cluster = self.data_dir / "cluster"
        self._lock: int | None = None
        self._keeper: Keeper | None = None
        self._unwanted = threading.Event()
        self._short_socket_dir: Path | None = None
        self.url = ""
        """The address of the database while the server runs."""

    def start(self) -> str:
        """Make the database where there is none, start the server, wait until it answers; returns its address."""
        if self._keeper is not None:
            return self.url
        self._unwanted.clear()
        try:
            with _explained(self.data_dir):
                self._start()
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Shut the server down cleanly. Does nothing when it does not run."""
        if self._keeper is not None:
            self._keeper.stop()
            self._keeper = None
        if self._short_socket_dir is not None:
            shutil.rmtree(self._short_socket_dir, ignore_errors=True)
            self._short_socket_dir = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def started(self) -> str:
        """As `start`. When it is cancelled it does not wait for a recovery that is under way: the next start goes on
        with it."""
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._unwanted.set()
            await asyncio.wait({starting})
            if not starting.cancelled() and starting.exception() is None:
                await self.stopped()
            raise

    async def stopped(self) -> None:
        """As `stop`."""
        await asyncio.to_thread(self.stop)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Process id of the server, while one runs."""
        return self._keeper.pid if self._keeper else None

    def _start(self) -> None:
        owner = server_owner(self._cluster)
        make_reachable(self.data_dir, owner)
        self._lock = locked(self.data_dir, self._clock)
        binaries = binaries_for(owner, self.data_dir)
        remove_stale_pid_file(self._cluster)
        if not (self._cluster / "PG_VERSION").exists():
            initialise(self._cluster, binaries, owner)
        refuse_other_version(self._cluster, binaries)
        socket_dir = self._socket_dir(owner)
        self._keeper = Keeper(
            command=[str(binaries / "postgres"), "-D", str(self._cluster), "-k", str(socket_dir), "-p", str(PORT)]
            + [f"--{name}={value}" for name, value in self._settings.items()],
            owner=owner,
            cluster=self._cluster,
            log_file=self.data_dir / "server.log",
            lock=self._lock,
            clock=self._clock,
            stopping=self._unwanted,
        )
        self._keeper.start()
        _make_database(socket_dir)
        self.url = _address(socket_dir, NAME).render_as_string(hide_password=False)

    def _socket_dir(self, owner: Owner) -> Path:
        """A directory for the socket that nobody else can enter; a short one elsewhere where the path is too long."""
        directory = self.data_dir / "run"
        if len(os.fsencode(directory / f".s.PGSQL.{PORT}")) > SOCKET_PATH_LIMIT:
            directory = self._short_socket_dir = Path(tempfile.mkdtemp(prefix="prober-"))
        directory.mkdir(mode=0o700, exist_ok=True)
        directory.chmod(0o700)
        give(directory, owner)
        return directory


def running_url(data_dir: Path) -> str | None:
    """The address of the server that another process runs over the files in `data_dir`; None where none runs, or where
    this user may not look."""
    try:
        # "The postmaster.pid file" in PostgreSQL's documentation of the database file layout: process id first, the
        # socket's directory fifth.
        lines = (data_dir.expanduser().absolute() / "cluster" / "postmaster.pid").read_text().splitlines()
        os.kill(int(lines[0]), 0)
        socket_dir = Path(lines[4])
    except (OSError, ValueError, IndexError):
        return None
    return _address(socket_dir, NAME).render_as_string(hide_password=False)


@contextmanager
def _explained(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DirectoryUnusable(
            f"the database directory {data_dir} cannot be used: {error.strerror or error} "
            f"({error.filename or data_dir}). Choose another with --data-dir, or set DATABASE_URL"
        ) from None
    except psycopg.Error as error:
        raise EmbeddedError(f"PostgreSQL in {data_dir} does not answer: {' '.join(str(error).split())[:300]}") from None


def _make_database(socket_dir: Path) -> None:
    address = _address(socket_dir, "postgres").set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
        if connection.execute("select from pg_database where datname = %s", [NAME]).fetchone() is None:
            connection.execute(f"create database {NAME}")


def _address(socket_dir: Path, database: str) -> URL:
    return URL.create("postgresql", username=NAME, port=PORT, database=database, query={"host": str(socket_dir)})
