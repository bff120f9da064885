"""Days of reports: made ahead, and a net below for what they do not hold."""

import asyncio
from datetime import date, timedelta

from prober.storage.partitions import drop_expired, ensure_partitions, partition_of
from tests.integration.storage.builders import Store


async def today(store: Store) -> date:
    ((day,),) = await store.sql("select (now() at time zone 'utc')::date")
    assert isinstance(day, date)
    return day


async def homes(store: Store) -> set[str]:
    return {name for (name,) in await store.sql("select distinct tableoid::regclass::text from report")}


async def test_today_and_the_days_ahead_are_made_once(store: Store) -> None:
    day = await today(store)
    assert await ensure_partitions(store.db, days_ahead=2) == tuple(
        partition_of(day + timedelta(days=offset)) for offset in range(3)
    )
    assert await ensure_partitions(store.db, days_ahead=2) == ()
    assert await ensure_partitions(store.db, days_ahead=3) == (partition_of(day + timedelta(days=3)),)


async def test_workers_that_make_days_at_once_do_not_collide(store: Store) -> None:
    made = await asyncio.gather(*(ensure_partitions(store.db) for _ in range(4)))
    assert len([name for names in made for name in names]) == 4


async def test_a_report_of_a_day_that_nobody_made_is_kept_and_moves_when_it_is(watched: Store) -> None:
    _, first = await watched.probe()
    await watched.sql(
        "insert into report (id, endpoint_id, slot, location, verdict)"
        " select gen_random_uuid(), id, now() - interval '400 days', 'local', 'up' from endpoint"
    )
    assert await homes(watched) == {"report_default"}
    await ensure_partitions(watched.db, days_ahead=0)
    today_home = partition_of(await today(watched))
    assert await homes(watched) == {"report_default", today_home}
    ((home,),) = await watched.sql("select tableoid::regclass::text from report where id = :id", id=first.report_id)
    assert home == today_home


async def test_reports_go_to_their_day_and_are_unique_there(watched: Store) -> None:
    await ensure_partitions(watched.db)
    claim, saved = await watched.probe()
    assert await homes(watched) == {partition_of(claim.slot.date())}
    assert saved.is_new


async def test_days_that_are_too_old_go_with_their_reports_and_the_others_stay(watched: Store) -> None:
    await ensure_partitions(watched.db, days_ahead=0)
    day = await today(watched)
    for age in (14, 15):
        old = day - timedelta(days=age)
        await watched.sql(
            f"create table {partition_of(old)} partition of report"
            f" for values from ('{old} 00:00+00') to ('{old + timedelta(days=1)} 00:00+00')"
        )
    await watched.sql(
        "insert into report (id, endpoint_id, slot, location, verdict)"
        " select gen_random_uuid(), id, date_trunc('day', now(), 'UTC') - make_interval(days => age), 'local', 'up'"
        " from endpoint, unnest(array[0, 14, 15, 400]) as age"
    )

    assert await drop_expired(watched.db, days_kept=14) == (partition_of(day - timedelta(days=15)),)
    assert await drop_expired(watched.db, days_kept=14) == ()
    assert await homes(watched) == {"report_default", partition_of(day), partition_of(day - timedelta(days=14))}
