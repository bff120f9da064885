"""Figures by the hour and by the day, made of reports again and again: doing it twice gives the same.

An hour is rolled up while it runs, once more when it is over, and whenever `outdate` says that reports have come late.
All hours and days are those of UTC.
"""

# ruff: noqa: S608 - statements are put together of constants of this package alone

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from prober.storage.database import unhurried
from prober.storage.sketches import BUCKET_SQL, RANK_SQL, VALUE_SQL

SETTLED_AFTER_S: Final = 120.0
"""Reports of an hour that has ended are saved within this time, or `outdate` is called for them."""

COLD_DAYS: Final = 7
"""Cold starts are rare: of fewer days there is little to say."""

ENDPOINTS_AT_ONCE: Final = 500
"""Whose figures of the last day are written in one transaction."""

LONGEST_GAP: Final = timedelta(days=7)
"""Of so many days hours are rolled up that were left out because nobody did."""

_SETTLED: Final = timedelta(hours=1, seconds=SETTLED_AFTER_S)
_LOCK: Final = 0x6D637003
_LONGEST_S: Final = 120
"""An hour of ten thousand endpoints takes a second or two; a machine may have other things to do."""

_MEMORY: Final = "64MB"
"""Enough for the sketches of an hour of ten thousand endpoints."""


async def outdate(connection: AsyncConnection, spans: Iterable[tuple[datetime, datetime]]) -> None:
    """Note, inside the caller's transaction, that reports from the first to the last slot of each span are written.

    Only hours that are over are noted: the one that runs is rolled up anyway. Nobody is waited for.
    """
    found = list(spans)
    if found:
        await connection.execute(
            _OUTDATE, {"first": [first for first, _ in found], "last": [last for _, last in found]}
        )


async def roll_up(db: AsyncEngine, *, lag_ms: float, reports_days: int, every_s: float) -> int | None:
    """Roll up what is due, and refresh the figures of the last day; returns the number of hours.

    Returns None without doing anything when this was begun less than `every_s` seconds ago, by whichever worker; what
    was begun in a time to come was begun before the clock of the database was set back.
    The figures of probes whose `lag_ms` was above the limit count for uptime and for no percentile. Hours of which
    reports are no longer kept for `reports_days` stay as they are.
    """
    async with db.begin() as connection:
        before = await connection.scalar(_BEFORE)
        if not (await connection.execute(_BEGIN, {"every": timedelta(seconds=every_s)})).rowcount:
            return None
        due = await _due(connection, before)
        begun, oldest = (await connection.execute(_NOW, {"age": timedelta(days=reports_days)})).one()
    hours = {hour: numbers for hour, numbers in due.items() if hour >= oldest}
    for hour in hours:
        await _alone(db, partial(_roll_hour, hour=hour, lag_ms=lag_ms))
    for day in sorted({hour.date() for hour in hours}, reverse=True):
        settled = [hour for hour in hours if hour.date() == day and hour + _SETTLED <= begun]
        done = [number for hour in settled for number in hours[hour]]
        await _alone(db, partial(_roll_day, day=day, done=done))
    await _refresh(db)
    return len(hours)


async def _due(connection: AsyncConnection, before: datetime | None) -> dict[datetime, list[int]]:
    """The hours to roll up, newest first, each with the numbers of the rows that ask for it.

    The running hour is among them, and stays due until it has been rolled up after its end: also if nobody works then.
    So are those since the roll-up of `before`, in which reports may have been saved without any.
    """
    await connection.execute(_NOW_DUE, {"before": before, "longest": LONGEST_GAP})
    rows = await connection.execute(_DUE)
    return {row.hour: list(row.numbers) for row in rows}


async def _roll_hour(connection: AsyncConnection, *, hour: datetime, lag_ms: float) -> None:
    await connection.execute(_HOUR, {"hour": hour, "following": hour + timedelta(hours=1), "lag": lag_ms})


async def _roll_day(connection: AsyncConnection, *, day: date, done: Sequence[int]) -> None:
    """`done` are the rows that asked for hours of the day, read before the reports were: newer ones stay."""
    await connection.execute(_DAY, {"day": day})
    await connection.execute(_DONE, {"done": list(done)})


async def _refresh(db: AsyncEngine) -> None:
    async with db.connect() as connection:
        identities = (await connection.scalars(text("select endpoint_id from endpoint_state order by 1"))).all()
    for start in range(0, len(identities), ENDPOINTS_AT_ONCE):
        await _alone(db, partial(_stats, endpoints=identities[start : start + ENDPOINTS_AT_ONCE]))


async def _stats(connection: AsyncConnection, *, endpoints: Sequence[UUID]) -> None:
    await connection.execute(_STATS, {"endpoints": list(endpoints)})


async def _alone(db: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    """Do `work` in a transaction of its own, after any other worker's that rolls up as well."""
    async with unhurried(db, _LONGEST_S) as connection:
        await connection.execute(text(f"set local lock_timeout = '{_LONGEST_S}s'"))
        await connection.execute(text(f"set local work_mem = '{_MEMORY}'"))
        await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await work(connection)


_OUTDATE: Final = text(
    """
    insert into rollup_due (hour)
    select distinct hour
    from unnest(cast(:first as timestamptz[]), cast(:last as timestamptz[])) as span (first, last)
    cross join lateral generate_series(date_trunc('hour', span.first, 'UTC'), span.last, interval '1 hour') as hour
    where hour < date_trunc('hour', now(), 'UTC')
    """
)
_BEGIN: Final = text(
    """
    insert into housekeeping (job, begun_at) values ('rollup', now())
    on conflict (job) do update set begun_at = now()
    where housekeeping.begun_at <= now() - cast(:every as interval)
       or housekeeping.begun_at > now() + cast(:every as interval)
    """
)
_BEFORE: Final = text("select begun_at from housekeeping where job = 'rollup'")
_NOW_DUE: Final = text(
    """
    insert into rollup_due (hour)
    select hour from generate_series(
        date_trunc(
            'hour', greatest(least(cast(:before as timestamptz), now()), now() - cast(:longest as interval)), 'UTC'),
        now(), interval '1 hour') as hour
    where (hour >= date_trunc('hour', now(), 'UTC') or hour > date_trunc('hour', cast(:before as timestamptz), 'UTC'))
      and not exists (select from rollup_due where rollup_due.hour = hour.hour)
    """
)
_DUE: Final = text("select hour, array_agg(number) as numbers from rollup_due group by hour order by hour desc")
_NOW: Final = text("select now(), date_trunc('day', now(), 'UTC') - cast(:age as interval)")
_DONE: Final = text("delete from rollup_due where number = any(cast(:done as bigint[]))")

_SKETCH: Final = """sketch as (
        select endpoint_id, array_agg(bucket order by bucket) filter (where not is_cold) as warm_buckets,
               array_agg(count order by bucket) filter (where not is_cold) as warm_counts,
               array_agg(bucket order by bucket) filter (where is_cold) as cold_buckets,
               array_agg(count order by bucket) filter (where is_cold) as cold_counts
        from counted group by endpoint_id
    )"""
_FIGURES: Final = """up, degraded, down, unknown, coalesce(warm_buckets, '{}'), coalesce(warm_counts, '{}'),
           coalesce(cold_buckets, '{}'), coalesce(cold_counts, '{}')"""
_REPLACED: Final = """
    set (up, degraded, down, unknown, warm_buckets, warm_counts, cold_buckets, cold_counts)
        = (excluded.up, excluded.degraded, excluded.down, excluded.unknown,
           excluded.warm_buckets, excluded.warm_counts, excluded.cold_buckets, excluded.cold_counts)"""

# A row with `missed` or `coalesced` stands for `total` slots, evenly spread from `slot` to `last_slot`, of which those
# count that lie in the hour: also of a row that began before.
_HOUR: Final = text(
    f"""
    with own as (
        select endpoint_id, verdict, slot, last_slot, missed, coalesced from report
        where slot >= :hour and slot < :following
        union all
        select endpoint_id, verdict, slot, last_slot, missed, coalesced from report
        where last_slot >= :hour and slot < :hour
    ), run as (
        select endpoint_id, verdict, slot, greatest(missed, 1 + coalesced) as total,
               extract(epoch from last_slot - slot)::double precision / nullif(greatest(missed, 1 + coalesced) - 1, 0)
                   as step_s
        from own
    ), slots as (
        select endpoint_id, verdict, case
            when coalesce(step_s, 0) <= 0 then case when slot >= :hour then total else 0 end
            else least(total, ceil(extract(epoch from :following - slot)::double precision / step_s - 1e-6))
                - greatest(0, ceil(extract(epoch from :hour - slot)::double precision / step_s - 1e-6)) end as count
        from run
    ), verdicts as (
        select endpoint_id, coalesce(sum(count) filter (where verdict = 'up'), 0) as up,
               coalesce(sum(count) filter (where verdict = 'degraded'), 0) as degraded,
               coalesce(sum(count) filter (where verdict = 'down'), 0) as down,
               coalesce(sum(count) filter (where verdict = 'unknown'), 0) as unknown
        from slots group by endpoint_id
    ), believed as (
        select * from report
        where slot >= :hour and slot < :following and verdict in ('up', 'degraded') and coalesce(lag_ms, 0) <= :lag
    ), answer as (
        select endpoint_id, coalesce(cold_confirmed, cold) as is_cold,
               coalesce(dns_ms, 0) + coalesce(connect_ms, 0) + coalesce(tls_ms, 0) + wait_ms as ms
        from believed where wait_ms is not null
        union all
        select endpoint_id, true, unnest(burst_ms) from believed where burst_ms is not null
    ), counted as (
        select endpoint_id, is_cold, {BUCKET_SQL.format(ms="ms")} as bucket, count(*)::integer as count
        from answer group by 1, 2, 3
    ), {_SKETCH}
    insert into figures_hour (endpoint_id, hour, up, degraded, down, unknown,
                              warm_buckets, warm_counts, cold_buckets, cold_counts)
    select endpoint_id, :hour, {_FIGURES}
    from verdicts left join sketch using (endpoint_id)
    on conflict (endpoint_id, hour) do update {_REPLACED}
    """
)

_BUCKETS: Final = """
    select endpoint_id, false as is_cold, bucket, count
    from {figures}, unnest(warm_buckets, warm_counts) as warm (bucket, count)
    union all
    select endpoint_id, true, bucket, count
    from {figures}, unnest(cold_buckets, cold_counts) as cold (bucket, count)
"""
_DAY: Final = text(
    f"""
    with own as (
        select * from figures_hour
        where hour >= cast(:day as timestamp) at time zone 'UTC'
          and hour < cast(:day as timestamp) at time zone 'UTC' + interval '1 day'
    ), verdicts as (
        select endpoint_id, sum(up) as up, sum(degraded) as degraded, sum(down) as down, sum(unknown) as unknown
        from own group by endpoint_id
    ), counted as (
        select endpoint_id, is_cold, bucket, sum(count)::integer as count
        from ({_BUCKETS.format(figures="own")}) as each group by 1, 2, 3
    ), {_SKETCH}
    insert into figures_day (endpoint_id, day, up, degraded, down, unknown,
                             warm_buckets, warm_counts, cold_buckets, cold_counts)
    select endpoint_id, :day, {_FIGURES}
    from verdicts left join sketch using (endpoint_id)
    on conflict (endpoint_id, day) do update {_REPLACED}
    """
)

# Rows that somebody else is just writing are left to the next time: nobody waits here while others wait for them.
_STATS: Final = text(
    f"""
    with own as (
        select endpoint_id from endpoint_state where endpoint_id = any(:endpoints) for no key update skip locked
    ), day as (
        select figures_hour.* from figures_hour join own using (endpoint_id)
        where hour > date_trunc('hour', now(), 'UTC') - interval '24 hours'
    ), week as (
        select figures_day.* from figures_day join own using (endpoint_id)
        where day > (now() at time zone 'utc')::date - {COLD_DAYS}
    ), uptime_24h as (
        select endpoint_id, sum(up + degraded)::double precision / nullif(sum(up + degraded + down), 0) as share
        from day group by endpoint_id
    ), uptime_30d as (
        select endpoint_id, sum(up + degraded)::double precision / nullif(sum(up + degraded + down), 0) as share
        from figures_day join own using (endpoint_id)
        where day > (now() at time zone 'utc')::date - 30 group by endpoint_id
    ), counted as (
        select endpoint_id, is_cold, bucket, sum(count) as count from ({_BUCKETS.format(figures="day")}) as each
        where not is_cold group by 1, 2, 3
        union all
        select endpoint_id, is_cold, bucket, sum(count) from ({_BUCKETS.format(figures="week")}) as each
        where is_cold group by 1, 2, 3
    ), running as (
        select endpoint_id, is_cold, {VALUE_SQL.format(bucket="bucket")} as ms,
               sum(count) over (partition by endpoint_id, is_cold order by bucket) as below,
               sum(count) over (partition by endpoint_id, is_cold) as total
        from counted
    ), percentiles as (
        select endpoint_id,
               min(ms) filter (where not is_cold and below >= p50) as warm_p50,
               min(ms) filter (where not is_cold and below >= p95) as warm_p95,
               min(ms) filter (where is_cold and below >= p95) as cold_p95
        from running cross join lateral (select {RANK_SQL.format(share="0.5", count="total")} as p50,
                                                {RANK_SQL.format(share="0.95", count="total")} as p95) as ranks
        group by endpoint_id
    ), fresh as (
        select own.endpoint_id, jsonb_build_object(
            'uptime_24h', uptime_24h.share, 'uptime_30d', uptime_30d.share,
            'warm_p50_ms', warm_p50, 'warm_p95_ms', warm_p95, 'cold_p95_ms', cold_p95) as stats
        from own left join uptime_24h using (endpoint_id) left join uptime_30d using (endpoint_id)
        left join percentiles using (endpoint_id)
    )
    update endpoint_state set stats = fresh.stats from fresh
    where endpoint_state.endpoint_id = fresh.endpoint_id and endpoint_state.stats is distinct from fresh.stats
    """
)
