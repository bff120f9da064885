"""Everything on one machine: a database, a worker and the dashboard, started in order and stopped in reverse."""

import asyncio
import hashlib
import logging
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from prober.app import channels, dashboard_process, first_admin, status_server
from prober.app.monitor import Following, Monitor
from prober.app.own_database import EMBEDDED, own_database, platform_data_dir
from prober.app.own_places import own_places
from prober.clock import SystemClock
from prober.endpoints.config_file import ConfigFileWatcher
from prober.settings import Access, Settings
from prober.storage import migrations
from prober.storage.database import open_engine, shown
from prober.storage.schedule import FIRST_WITHIN_S

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What is to run. None leaves a choice to the configuration, and then to the default."""

    config: Path
    data_dir: Path | None = None
    host: str | None = None
    port: int | None = None
    dashboard: bool = True
    listener: socket.socket | None = None
    """Where the dashboard listens, if somebody has opened it already: then host and port say nothing."""
    insecure_no_auth: bool = False
    first_within_s: float = FIRST_WITHIN_S
    """Within this time each new endpoint is first probed."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    """What stands over the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard that is served."""

    address: str
    access: Access
    setup: str | None
    """Where the first admin chooses a password; None where there is one, or nobody logs in. It is a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What `up` has started, for whoever asked for it."""

    db: AsyncEngine
    dashboard: Dashboard | None
    settings: Settings


def worker_name() -> str:
    """A name for this process that no other worker on the database has."""
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{uuid4().hex[:8]}"


def configured(config: Path, environment: Mapping[str, str]) -> tuple[Settings, ConfigFileWatcher]:
    """The settings in the file, judged in full, and the watcher that follows it. Raises ConfigError."""
    watcher = ConfigFileWatcher(config, environment, judge=channels.problems_with)
    return watcher.load(), watcher


async def up(options: UpOptions, stop: asyncio.Event, started: Callable[[Running], None]) -> None:
    """Run until `stop` is set. `started` is called once everything else runs, just before probing begins.

    Raises ConfigError, EmbeddedError, DatabaseUnavailable, DatabaseTooNew, NotLoopback, OpenAndVouched,
    EnvironmentRefused, PasswordFileUnusable, PortTaken and CannotListen, each with a message that names the way out.
    """
    settings, watcher = configured(options.config, options.environment)
    _refuse_taken(settings)
    async with AsyncExitStack() as ending:
        listener = options.listener or _listener(options, settings, ending)
        directory = options.data_dir or settings.data_dir or platform_data_dir()
        url = settings.database_url or await own_database(directory / EMBEDDED, stop, ending)
        if url is None:
            return
        await asyncio.to_thread(migrations.upgrade, url)
        db = open_engine(url)
        ending.push_async_callback(db.dispose)
        dashboard = None if listener is None else await _show(options, url, db, settings, listener, ending)
        monitor = Monitor(
            db=db,
            settings=settings,
            following=Following(watcher=watcher, owns_endpoints=True, first_within_s=options.first_within_s),
            clock=SystemClock(),
            worker=worker_name(),
            spool=_spool(options.data_dir or settings.data_dir, settings.database_url),
            own=own_places(url, listener, settings.status),
        )
        started(Running(db=db, dashboard=dashboard, settings=settings))
        await monitor.run(stop)


async def work(config: Path, stop: asyncio.Event, started: Callable[[], None]) -> None:
    """One more worker on the database that `DATABASE_URL` or the file names, with the file's rules and channels.

    Raises ConfigError, NoDatabase, CannotListen, DatabaseUnavailable and DatabaseTooNew.
    """
    settings, watcher = configured(config, os.environ)
    if settings.database_url is None:
        raise NoDatabase
    _refuse_taken(settings)
    await asyncio.to_thread(migrations.upgrade, settings.database_url)
    db = open_engine(settings.database_url)
    try:
        monitor = Monitor(
            db=db,
            settings=settings,
            following=Following(watcher=watcher, owns_endpoints=False),
            clock=SystemClock(),
            worker=worker_name(),
            spool=_spool(settings.data_dir, settings.database_url),
            own=own_places(settings.database_url, status=settings.status),
        )
        started()
        await monitor.run(stop)
    finally:
        await db.dispose()


class NoDatabase(Exception):
    """A worker without a database to share."""

    def __init__(self) -> None:
        super().__init__(
            "a worker shares the database of a running prober: name it in DATABASE_URL or in database_url of the file"
        )


def _listener(options: UpOptions, settings: Settings, ending: AsyncExitStack) -> socket.socket | None:
    if not options.dashboard:
        return None
    host = options.host or settings.dashboard.host
    port = settings.dashboard.port if options.port is None else options.port
    _access(options, settings, host)
    first_admin.password_in_file(options.environment)  # before a database is started, if it cannot be used
    listener = dashboard_process.listen(host, port)
    ending.callback(listener.close)
    return listener


async def _show(
    options: UpOptions, url: str, db: AsyncEngine, settings: Settings, listener: socket.socket, ending: AsyncExitStack
) -> Dashboard:
    """Serve the dashboard on `listener` until the end."""
    host = listener.getsockname()[0]
    access = _access(options, settings, host)
    dashboard_process.warn_of_plain_http(host, settings.dashboard, options.environment, access)
    address, setup = dashboard_process.address(listener), None
    if access is Access.LOGIN:
        said = dashboard_process.told(settings.dashboard, options.environment)
        setup = await first_admin.let_in(db, said, settings.dashboard.public_url or address)
    hidden = dashboard_process.blanked(os.environ, options.environment)
    environment = {**hidden, **dashboard_process.environment_of(url, settings.dashboard, access)}
    await dashboard_process.check(environment)
    serving = asyncio.create_task(dashboard_process.keep_running(listener, environment))
    ending.push_async_callback(_end, serving)
    return Dashboard(address=address, access=access, setup=setup)


def _access(options: UpOptions, settings: Settings, host: str) -> Access:
    return dashboard_process.access_at(
        host, settings.dashboard, options.environment, insecure_no_auth=options.insecure_no_auth
    )


def _refuse_taken(settings: Settings) -> None:
    if settings.status.port is not None:
        status_server.refuse_taken(settings.status.host, settings.status.port)


def _spool(data_dir: Path | None, database_url: str | None) -> Path:
    """Where reports wait for this database: those for another one are none of its business."""
    of_database = "own" if database_url is None else hashlib.sha256(shown(database_url).encode()).hexdigest()[:16]
    return (data_dir or platform_data_dir()) / "spool" / of_database


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
