"""A database whose network acknowledges everything and brings nothing: whoever waits for an answer gives up in time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.clock import SystemClock
from prober.incidents.rules import Rules
from prober.notifiers.delivery import Channel, Sender
from prober.probing.recorder import DATABASE
from prober.settings import Retention
from prober.storage import retention, rollups
from prober.storage.database import open_engine, unhurried
from prober.vitals import Vitals
from tests.integration.probing.line import line
from tests.integration.storage.builders import Store, endpoint
from tests.integration.toxic import Toxic, toxic, upstream_of

ANSWER_S = 0.6
GIVEN_UP_WITHIN_S = 20.0
"""The wait, a try to connect anew, and a busy machine. Without a limit, nobody would give up."""


@pytest.fixture
def proxy(database_url: str) -> Iterator[Toxic]:
    with toxic(upstream_of(database_url)) as made:
        yield made


@pytest.fixture
async def db(proxy: Toxic, database_url: str) -> AsyncIterator[AsyncEngine]:
    """As `db` of all tests, through the proxy and with little patience."""
    engine = open_engine(proxy.url_of(database_url), answer_within_s=ANSWER_S)
    yield engine
    proxy.mend()
    await engine.dispose()


@pytest.fixture
async def store(db: AsyncEngine) -> Store:
    made = Store(db)
    await made.watch(endpoint())
    await made.due_now()
    return made


async def test_a_claim_that_is_never_answered_ends_and_the_next_one_works(store: Store, proxy: Toxic) -> None:
    proxy.stall()
    async with asyncio.timeout(GIVEN_UP_WITHIN_S):
        with pytest.raises(OperationalError):
            await store.claim()
    proxy.flow()
    async with asyncio.timeout(GIVEN_UP_WITHIN_S):
        assert len(await store.claim()) == 1


async def test_an_answer_that_is_lost_in_the_middle_of_a_transaction_ends_it(db: AsyncEngine, proxy: Toxic) -> None:
    async def ask_twice() -> None:
        async with db.begin() as connection:
            await connection.execute(text("select 1"))
            proxy.stall()
            await connection.execute(text("select 1"))

    with pytest.raises(OperationalError):
        await asyncio.wait_for(ask_twice(), GIVEN_UP_WITHIN_S)
    proxy.flow()
    async with db.connect() as connection:
        assert await connection.scalar(text("select 1")) == 1


async def test_a_report_is_saved_after_a_save_that_was_never_answered(
    store: Store, proxy: Toxic, tmp_path: Path
) -> None:
    claim = await store.claim_one()
    async with line(store.db, tmp_path, Rules()) as made:
        proxy.stall()
        await made.cycle.run(claim)
        async with asyncio.timeout(GIVEN_UP_WITHIN_S):
            while DATABASE not in made.vitals.troubles:  # noqa: ASYNC110 - the recorder tells nobody else
                await asyncio.sleep(0.02)
        proxy.flow()
        await made.saved()
    assert await store.sql("select count(*) from report") == [(1,)]


async def test_delivery_and_housekeeping_give_up_an_answer_that_never_comes(db: AsyncEngine, proxy: Toxic) -> None:
    class Nobody:
        kind = "nobody"

    sender = Sender(db, worker="one", clock=SystemClock(), vitals=Vitals())
    channel = Channel(name="ops", notifier=Nobody())
    await asyncio.gather(*(_touch(db) for _ in range(4)))  # so that each finds a connection that stands
    proxy.stall()
    jobs = (
        sender.turn(channel),
        sender.tidy(),
        rollups.roll_up(db, lag_ms=250.0, reports_days=30, every_s=0.0),
        retention.expire(db, Retention()),
    )
    async with asyncio.timeout(GIVEN_UP_WITHIN_S):
        ended = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(each) for each in ended] == [OperationalError] * len(jobs)
    proxy.flow()
    async with asyncio.timeout(GIVEN_UP_WITHIN_S):
        assert await sender.turn(channel) is False


async def test_a_statement_that_may_take_long_is_waited_for(db: AsyncEngine) -> None:
    slow = text(f"select pg_sleep({2 * ANSWER_S})")
    async with unhurried(db, 5.0) as connection:
        await connection.execute(slow)
        assert await connection.scalar(text("show statement_timeout")) == "5s"
    async with db.connect() as connection:
        with pytest.raises(OperationalError):
            await connection.execute(slow)


async def _touch(db: AsyncEngine) -> None:
    async with db.connect() as connection:
        await connection.execute(text("select pg_sleep(0.1)"))
