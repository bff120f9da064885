"""What keeps a worker from observing is written down and told once, with a database and without one."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Endpoint
from prober.app.reporting import Reporting
from prober.clock import SystemClock
from prober.incidents.notice import Notice, Route
from prober.incidents.rules import Alerting
from prober.notifiers.contract import NotifyError
from prober.notifiers.delivery import Channel
from prober.probing.loop_lag import LoopLag
from prober.probing.observer import Vantage
from prober.settings import NotifierSpec, ObserverSettings, Settings
from prober.storage import endpoints, in_force, workers
from prober.storage.in_force import InForce
from prober.vitals import Vitals


class FastClock(SystemClock):
    """Runs ahead of the system's by what the test says."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead.total_seconds()


class Told:
    """A channel that keeps what it is told, unless it is broken."""

    kind = "told"

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.is_broken = False
        self.is_silent = False

    async def send(self, notice: Notice) -> None:
        if self.is_silent:
            raise TimeoutError
        if self.is_broken:
            raise NotifyError("no", permanent=False)
        self.notices.append(notice)


class Worker:
    def __init__(self, db: AsyncEngine, name: str = "w1") -> None:
        self.db, self.clock, self.vitals = db, FastClock(), Vitals()
        self.channel, self.other = Told(), Told()
        lag = LoopLag(self.clock, self.vitals)
        specs = (
            NotifierSpec(name="ops", kind="told", route=Route(channel="ops")),
            NotifierSpec(name="boss", kind="told", route=Route(channel="boss", after_s=600.0)),
            NotifierSpec(name="team", kind="told", route=Route(channel="team", impairments=False)),
        )
        self.settings = Settings(notifiers=specs)
        self.reporting = Reporting(
            db=db,
            settings=lambda: self.settings,
            channels=lambda: [Channel(name="ops", notifier=self.channel), Channel(name="team", notifier=self.other)],
            vantage=Vantage(settings=ObserverSettings, reach=_nobody, lag=lag, clock=self.clock, vitals=self.vitals),
            lag=lag,
            vitals=self.vitals,
            clock=self.clock,
            worker=name,
        )

    async def later(self, seconds: float) -> None:
        self.clock.ahead += timedelta(seconds=seconds)
        await self.reporting.look()


async def _nobody(host: str, port: int) -> None:
    raise AssertionError(f"nobody asks {host}:{port}")


@pytest.fixture
async def worker(db: AsyncEngine) -> Worker:
    return Worker(db)


async def rows(db: AsyncEngine, statement: str) -> list[dict[str, Any]]:
    async with db.connect() as connection:
        return [dict(row) for row in (await connection.execute(text(statement))).mappings()]


NOTICES = "select channel, payload ->> 'kind' as kind, sent_at is not null as sent from notice order by number"


@contextmanager
def away(postgres_url: str, database_url: str) -> Iterator[None]:
    """The database lets nobody in."""
    name = make_url(database_url).database or ""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(SQL("alter database {} with allow_connections false").format(Identifier(name)))
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        try:
            yield
        finally:
            admin.execute(SQL("alter database {} with allow_connections true").format(Identifier(name)))


async def test_a_worker_says_that_it_is_there(worker: Worker) -> None:
    worker.vitals.set("spool_records", 3.0)
    await worker.reporting.look()
    async with worker.db.connect() as connection:
        prober = await workers.how_they_do(connection)
    assert [each.name for each in prober.workers] == ["w1"]
    assert prober.seen_at is not None
    assert (prober.troubles, prober.unsent_since) == ((), None)
    assert worker.vitals.last("database") is not None
    assert worker.vitals.last("idle") is not None
    assert (await rows(worker.db, "select vitals from worker"))[0]["vitals"]["gauges"] == {"spool_records": 3.0}


async def test_a_worker_says_which_settings_count_also_after_they_were_read_again(worker: Worker) -> None:
    for deploy_mute_s, lag_ms in ((300.0, 250.0), (60.0, 40.0)):
        observer = ObserverSettings(lag_ms=lag_ms)
        worker.settings = replace(worker.settings, alerting=Alerting(deploy_mute_s=deploy_mute_s), observer=observer)
        await worker.reporting.look()
        async with worker.db.connect() as connection:
            found = await in_force.known(connection)
        assert found == InForce(deploy_mute_s=deploy_mute_s, lag_ms=lag_ms)


@pytest.mark.parametrize(
    ("next_due", "is_idle"), [("1 s", True), ("-29 s", True), ("-31 s", False), ("149 s", True), ("1 hour", False)]
)
async def test_idle_is_where_every_endpoint_has_its_turn_in_time(
    worker: Worker, next_due: str, *, is_idle: bool
) -> None:
    await endpoints.sync(worker.db, [Endpoint(name="orders", url="https://orders.example/mcp", interval_s=60.0)])
    async with worker.db.begin() as connection:
        await connection.execute(text(f"update endpoint set next_due = now() + interval '{next_due}'"))
    await worker.reporting.look()
    assert (worker.vitals.last("idle") is not None) is is_idle


async def test_a_trouble_is_told_after_a_minute_and_its_end_once(worker: Worker) -> None:
    worker.vitals.trouble("trust", "Endpoints cannot be observed (trust): orders")
    await worker.reporting.look()
    assert await rows(worker.db, NOTICES) == []
    for _ in range(3):
        await worker.later(61)
    assert await rows(worker.db, NOTICES) == [{"channel": "ops", "kind": "impaired", "sent": False}]
    async with worker.db.connect() as connection:
        assert [each.reason for each in (await workers.how_they_do(connection)).troubles] == ["trust"]

    worker.vitals.trouble("trust", None)
    for _ in range(3):
        await worker.later(10)
    assert [each["kind"] for each in await rows(worker.db, NOTICES)] == ["impaired", "restored"]
    assert await rows(worker.db, "select 1 from impairment where ended_at is null") == []


async def test_a_trouble_of_seconds_is_told_to_nobody(worker: Worker) -> None:
    worker.vitals.trouble("observer-lag", "late")
    await worker.reporting.look()
    worker.vitals.trouble("observer-lag", None)
    await worker.later(20)
    await worker.later(61)
    assert await rows(worker.db, NOTICES) == []


async def test_without_a_database_channels_are_told_directly_and_only_once(
    worker: Worker, postgres_url: str, database_url: str
) -> None:
    await worker.reporting.look()
    with away(postgres_url, database_url):
        await worker.later(1)
        assert worker.channel.notices == []
        worker.channel.is_broken = True
        await worker.later(61)
        worker.channel.is_broken = False
        await worker.later(10)
        await worker.later(10)
    assert [(each.kind, each.diagnosis) for each in worker.channel.notices] == [("impaired", "database-away")]
    assert worker.other.notices == []

    await worker.later(10)
    assert await rows(worker.db, NOTICES) == [
        {"channel": "ops", "kind": "impaired", "sent": True},
        {"channel": "ops", "kind": "restored", "sent": False},
    ]
    sent = await rows(worker.db, "select payload ->> 'id' as id from notice where sent_at is not null")
    assert sent == [{"id": str(worker.channel.notices[0].id)}]
    await worker.later(10)
    assert len(await rows(worker.db, NOTICES)) == 2


async def test_a_channel_that_does_not_answer_without_a_database_is_named_with_its_reason(
    worker: Worker, postgres_url: str, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await worker.reporting.look()
    worker.channel.is_silent = True
    with away(postgres_url, database_url):
        await worker.later(1)
        await worker.later(61)
    assert "channel ops could not be told that the prober is impaired: no answer within 12 s" in caplog.messages


async def test_a_trouble_whose_worker_is_gone_is_ended_by_another(worker: Worker) -> None:
    worker.vitals.trouble("secret", "Endpoints cannot be observed (secret): orders")
    await worker.reporting.look()
    await worker.later(61)
    async with worker.db.begin() as connection:
        await connection.execute(text("update worker set seen_at = now() - interval '11 minutes'"))
    await asyncio.gather(Worker(worker.db, "w2").reporting.look(), Worker(worker.db, "w3").reporting.look())
    assert [each["kind"] for each in await rows(worker.db, NOTICES)] == ["impaired", "restored"]
    assert (
        "is gone"
        in (await rows(worker.db, "select payload ->> 'title' as title from notice order by number"))[1]["title"]
    )
    assert await rows(worker.db, "select 1 from impairment where ended_at is null") == []


async def test_tables_of_another_release_are_a_trouble(worker: Worker) -> None:
    async with worker.db.begin() as connection:
        await connection.execute(text("update alembic_version set version_num = '9999'"))
    await worker.reporting.look()
    assert worker.vitals.troubles["migrations"].startswith("The database has the tables of another release: 9999")


async def test_a_clock_far_from_that_of_the_database_is_a_trouble(worker: Worker) -> None:
    await worker.later(3600)
    assert worker.vitals.troubles["clock"].startswith("The clocks of this machine and of the database are 36")
    worker.clock.ahead = timedelta()
    await worker.reporting.look()
    assert worker.vitals.troubles == {}
