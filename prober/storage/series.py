"""The past as charts and figures show it: single probes of a day, bars by the day, percentiles and uptime of any span.

Only the series of single probes reads reports; all else comes from what `prober.storage.rollups` made of them.
"""

# ruff: noqa: S608 - statements are put together of constants of this package alone

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.model import Verdict
from prober.incidents.availability import Slots
from prober.storage.sketches import Sketch

MOST_POINTS: Final = 20_000
"""Probes of one series: a day of one every five seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One probe of a series, or a run of slots of which only the verdict is known."""

    report_id: UUID
    slot: datetime
    last_slot: datetime
    """Of the run; `slot` where it is none."""
    verdict: Verdict
    cause: str | None
    cold: bool
    first_answer_ms: float | None
    """From connecting to the first byte of the first answer; None without one."""
    duration_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One bar: what the slots of a day, in UTC, came to."""

    day: date
    slots: Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """What the slots of an hour came to, with the first answers of those that could be used."""

    hour: datetime
    slots: Slots
    warm: Sketch
    cold: Sketch


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the slots of a span came to, with the first answers of those that could be used."""

    slots: Slots
    warm: Sketch
    cold: Sketch


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Figures of one endpoint as `prober.storage.rollups` last wrote them. None: there was nothing to make it of."""

    uptime_24h: float | None
    uptime_30d: float | None
    warm_p50_ms: float | None
    """Of the last 24 hours."""
    warm_p95_ms: float | None
    cold_p95_ms: float | None
    """Of the last seven days."""


def stats_of(stored: Mapping[str, Any] | None) -> Stats | None:
    """The figures in the state of an endpoint, or None while there are none."""
    return None if stored is None else Stats(**{name: stored.get(name) for name in Stats.__dataclass_fields__})


async def points(connection: AsyncConnection, endpoint: UUID, *, hours: float = 24.0) -> tuple[Point, ...]:
    """The probes of the last hours, oldest first."""
    found = await connection.execute(
        _POINTS, {"endpoint": endpoint, "span": timedelta(hours=hours), "most": MOST_POINTS}
    )
    return tuple(Point(**{**row, "verdict": Verdict(row["verdict"])}) for row in reversed(found.mappings().all()))


async def bars(
    connection: AsyncConnection, endpoints: Sequence[UUID], *, days: int = 90
) -> Mapping[UUID, tuple[Day, ...]]:
    """The last days of these endpoints, oldest first. Days without a slot and endpoints without a day are left out."""
    rows = await connection.execute(_BARS, {"endpoints": list(endpoints), "days": days})
    return {endpoint: tuple(map(_day, *columns)) for endpoint, *columns in rows}


async def hours(connection: AsyncConnection, endpoint: UUID, day: date) -> tuple[Hour, ...]:
    """The hours of a day in UTC, oldest first; those without a slot, or no longer kept, are left out."""
    rows = (await connection.execute(_HOURS, {"endpoint": endpoint, "day": day})).mappings()
    return tuple(
        Hour(
            hour=row["hour"],
            slots=Slots(**{name: row[name] for name in ("up", "degraded", "down", "unknown")}),
            warm=Sketch(tuple(row["warm_buckets"]), tuple(row["warm_counts"])),
            cold=Sketch(tuple(row["cold_buckets"]), tuple(row["cold_counts"])),
        )
        for row in rows
    )


async def figures(
    connection: AsyncConnection, first: datetime, last: datetime, endpoints: Sequence[UUID] | None = None
) -> Figures:
    """What the time from `first` up to `last` came to, of these endpoints together or of all.

    Both are rounded down to whole hours. Whole days come from the figures by the day, the rest from those by the hour;
    where these are no longer kept, a day of which only a part is asked for counts for nothing.
    """
    chosen = "" if endpoints is None else _CHOSEN
    values = {"first": first, "last": last} | _choice(endpoints)
    row = (await connection.execute(text(_SUMS.format(chosen=chosen)), values)).mappings().one()
    sketched = (await connection.execute(text(_SKETCHES.format(chosen=chosen)), values)).all()
    return Figures(
        slots=Slots(**{name: int(row[name] or 0) for name in ("up", "degraded", "down", "unknown")}),
        warm=_sketch([each for each in sketched if not each.is_cold]),
        cold=_sketch([each for each in sketched if each.is_cold]),
    )


def _day(day: date, up: int, degraded: int, down: int, unknown: int) -> Day:
    return Day(day=day, slots=Slots(up=up, degraded=degraded, down=down, unknown=unknown))


def _choice(endpoints: Sequence[UUID] | None) -> dict[str, Any]:
    return {} if endpoints is None else {"endpoints": list(endpoints)}


def _sketch(rows: Sequence[Any]) -> Sketch:
    return Sketch(tuple(row.bucket for row in rows), tuple(int(row.count) for row in rows))


_CHOSEN: Final = "and endpoint_id = any(cast(:endpoints as uuid[]))"
_POINTS: Final = text(
    """
    select id as report_id, slot, coalesce(last_slot, slot) as last_slot, verdict, cause,
           coalesce(cold_confirmed, cold) as cold, duration_ms,
           coalesce(dns_ms, 0) + coalesce(connect_ms, 0) + coalesce(tls_ms, 0) + wait_ms as first_answer_ms
    from report where endpoint_id = :endpoint and slot > now() - :span
    order by slot desc limit :most
    """
)
# As arrays: a row of each endpoint takes half the time of one of each day.
_BARS: Final = text(
    """
    select endpoint_id, array_agg(day order by day), array_agg(up order by day), array_agg(degraded order by day),
           array_agg(down order by day), array_agg(unknown order by day)
    from figures_day
    where endpoint_id = any(cast(:endpoints as uuid[]))
      and day > (now() at time zone 'utc')::date - cast(:days as integer)
    group by endpoint_id
    """
)
_HOURS: Final = text(
    """
    select hour, up, degraded, down, unknown, warm_buckets, warm_counts, cold_buckets, cold_counts from figures_hour
    where endpoint_id = :endpoint and hour >= cast(:day as timestamp) at time zone 'UTC'
      and hour < cast(:day as timestamp) at time zone 'UTC' + interval '1 day'
    order by hour
    """
)

# `whole` days begin at midnight, so an hour is of one of them when its day is.
_PARTS: Final = """
    with span as (
        select date_trunc('hour', cast(:first as timestamptz), 'UTC') as first,
               date_trunc('hour', cast(:last as timestamptz), 'UTC') as last
    ), whole as (
        select (date_trunc('day', first + interval '1 day' - interval '1 microsecond', 'UTC') at time zone 'utc')::date
                   as first,
               (last at time zone 'utc')::date as following
        from span
    ), part as (
        select up, degraded, down, unknown, warm_buckets, warm_counts, cold_buckets, cold_counts
        from figures_day
        where day >= (select first from whole) and day < (select following from whole) {chosen}
        union all
        select up, degraded, down, unknown, warm_buckets, warm_counts, cold_buckets, cold_counts
        from figures_hour
        where hour >= (select first from span) and hour < (select last from span) {chosen}
          and not ((hour at time zone 'utc')::date >= (select first from whole)
                   and (hour at time zone 'utc')::date < (select following from whole))
    )
"""
_SUMS: Final = (
    _PARTS + "select sum(up) as up, sum(degraded) as degraded, sum(down) as down, sum(unknown) as unknown from part"
)
_SKETCHES: Final = (
    _PARTS
    + """
    select is_cold, bucket, sum(count) as count from (
        select false as is_cold, bucket, count from part, unnest(warm_buckets, warm_counts) as warm (bucket, count)
        union all
        select true, bucket, count from part, unnest(cold_buckets, cold_counts) as cold (bucket, count)
    ) as each group by is_cold, bucket order by is_cold, bucket
    """
)
