"""The partitions of the tables that grow: made ahead of time, and dropped whole once they are too old.

Nothing here makes whoever inserts wait for longer than `LOCK_WAIT_MS` and the moment that a change takes: what does not
get its lock by then gives way, and is tried again.
"""

# ruff: noqa: S608 - statements are put together of constants of this package alone

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Final, TypeVar
from uuid import uuid4

from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from prober.storage.database import unhurried

DAYS_AHEAD: Final = 14
"""So long may nobody keep house before rows fall into the DEFAULT partitions, where they are safe as well."""

LOCK_WAIT_MS: Final = 100
TRIES: Final = 20
PAUSE_S: Final = 0.5
"""Between two tries, so that those who waited get their turn."""

STRAYS_AT_ONCE: Final = 60
"""Days for which DEFAULT holds rows that get their partition in one go; others wait for the next."""

ROWS_AT_ONCE: Final = 1000
_LOCK: Final = 0x6D637002
_LONGEST_S: Final = 60
"""No statement here takes long but the look into a DEFAULT partition that has filled up."""

T = TypeVar("T")


class TablesLocked(Exception):
    """Somebody else has held a lock on a table for all the time that we tried. Nothing is half done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitioned:
    """A table with a partition for each day, or for each month, in UTC."""

    table: str
    key: str = "slot"
    by_month: bool = False

    def first_of(self, day: date) -> date:
        """The first day of the partition that holds `day`."""
        return day.replace(day=1) if self.by_month else day

    def after(self, first: date) -> date:
        """The first day of the partition behind the one that begins at `first`."""
        return (first + timedelta(days=31)).replace(day=1) if self.by_month else first + timedelta(days=1)

    def partition(self, day: date) -> str:
        """The name of the partition that holds `day`, as `report_20260131` or `figures_day_202601`."""
        return f"{self.table}_{day:%Y%m}" if self.by_month else f"{self.table}_{day:%Y%m%d}"

    def begins(self, partition: str) -> date | None:
        """The first day of the partition of that name; None for DEFAULT and whatever else."""
        day_of_month = "()" if self.by_month else r"(\d\d)"
        found = re.fullmatch(rf"{self.table}_(\d{{4}})(\d\d){day_of_month}", partition)
        return date(int(found[1]), int(found[2]), int(found[3] or 1)) if found else None


REPORTS: Final = Partitioned(table="report")
EVIDENCE: Final = Partitioned(table="evidence")
ROUTINE_EVIDENCE: Final = Partitioned(table="routine_evidence")
HOURS: Final = Partitioned(table="figures_hour", key="hour", by_month=True)
DAYS: Final = Partitioned(table="figures_day", key="day", by_month=True)
PARTITIONED: Final = (REPORTS, EVIDENCE, ROUTINE_EVIDENCE, HOURS, DAYS)


async def ensure_partitions(db: AsyncEngine, days_ahead: int = DAYS_AHEAD) -> tuple[str, ...]:
    """Make the partitions of all tables from today to `days_ahead` days on, in UTC; returns the names of the new ones.

    Rows that fell into a DEFAULT partition meanwhile move out of it, in small batches. Raises TablesLocked.
    """
    made: list[str] = []
    for each in PARTITIONED:
        made += await patiently(db, partial(_make, each=each, days_ahead=days_ahead))
        for aside in await patiently(db, partial(_tables, pattern=f"^{each.table}_stray_")):
            while await patiently(db, partial(_move, each=each, aside=aside)):
                pass
            await patiently(db, partial(_drop, table=aside))
    return tuple(made)


async def drop_expired(db: AsyncEngine, each: Partitioned, *, days_kept: int) -> tuple[str, ...]:
    """Drop the partitions that ended more than `days_kept` days ago, in UTC, with all their rows; returns their names.

    A partition leaves its table first, which takes a moment, and is dropped when nobody can wait for it any more. What
    a process that was killed in between has left behind goes as well, and first, since late reports may have made
    another partition of that name. Raises TablesLocked.
    """
    for table in await patiently(db, partial(_tables, pattern=rf"^{each.table}_\d+_expired$")):
        await patiently(db, partial(_drop, table=table))
    expired = await patiently(db, partial(_expired, each=each, days_kept=days_kept))
    for name in expired:
        await patiently(db, partial(_detach, each=each, name=name, renamed=f"{name}_expired"))
    for name in expired:
        await patiently(db, partial(_drop, table=f"{name}_expired"))
    return expired


async def patiently(db: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Do `work` in one transaction that never waits long for a lock, again and again until it gets all of them.

    One such transaction runs at a time, whichever process it is of. Raises TablesLocked.
    """
    for remaining in reversed(range(TRIES)):
        try:
            async with unhurried(db, _LONGEST_S) as connection:
                await _run(connection, f"set local lock_timeout = {LOCK_WAIT_MS}")
                await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                return await work(connection)
        except DBAPIError as failure:
            if not isinstance(failure.orig, LockNotAvailable | DeadlockDetected):
                raise
            if not remaining:
                raise TablesLocked(_LOCKED) from None
        await asyncio.sleep(PAUSE_S)
    raise AssertionError("the last try returns or raises")


_LOCKED: Final = (
    f"another session holds a lock on tables of the prober, and did not let go of it in {TRIES} tries: a backup, a "
    "transaction that somebody left open, or another housekeeper. Inserts were not held up"
)


async def _run(connection: AsyncConnection, *statements: str) -> None:
    for statement in statements:
        await connection.execute(text(statement))


async def _tables(connection: AsyncConnection, *, pattern: str) -> tuple[str, ...]:
    named = "select tablename from pg_tables where schemaname = current_schema() and tablename ~ :pattern order by 1"
    return tuple(await connection.scalars(text(named), {"pattern": pattern}))


async def _today(connection: AsyncConnection) -> date:
    today: date = (await connection.execute(text("select (now() at time zone 'utc')::date"))).scalar_one()
    return today


async def _make(connection: AsyncConnection, *, each: Partitioned, days_ahead: int) -> list[str]:
    """Make tables first and attach them then, which stops neither reading nor writing of the table.

    DEFAULT must not hold a row of theirs: where it does, all of it is set aside, and an empty one takes its place.
    """
    attach = {}
    for first in await _missing(connection, each, days_ahead):
        name = each.partition(first)
        await _run(connection, f"create table {name} (like {each.table} including all)")
        attach[name] = f"alter table {each.table} attach partition {name} {_bounds(each, first)}"
    net = f"{each.table}_default"
    if attach and await connection.scalar(text(f"select exists (select from {net})")):
        aside = f"{each.table}_stray_{uuid4().hex[:12]}"
        await _detach(connection, each=each, name=net, renamed=aside)
        await _run(connection, f"create table {net} partition of {each.table} default", *attach.values())
        await _move(connection, each=each, aside=aside)
    else:
        await _run(connection, *attach.values())
    return list(attach)


async def _missing(connection: AsyncConnection, each: Partitioned, days_ahead: int) -> list[date]:
    """The first days of partitions that are not there, among them those for which DEFAULT holds rows."""
    today = await _today(connection)
    ahead = {today + timedelta(days=offset) for offset in range(days_ahead + 1)}
    day = each.key if each.key == "day" else f"({each.key} at time zone 'utc')::date"
    strays = await connection.scalars(
        text(f"select distinct {day} from {each.table}_default where {day} < :today order by 1 desc limit :most"),
        {"today": today, "most": STRAYS_AT_ONCE},
    )
    begun = {each.first_of(day) for day in ahead.union(strays)}
    tables = await _tables(connection, pattern=rf"^{each.table}_\d+$")
    return sorted(first for first in begun if each.partition(first) not in tables)


async def _detach(connection: AsyncConnection, *, each: Partitioned, name: str, renamed: str) -> None:
    await _run(
        connection, f"alter table {each.table} detach partition {name}", f"alter table {name} rename to {renamed}"
    )


async def _drop(connection: AsyncConnection, *, table: str) -> None:
    await _run(connection, f"drop table {table}")


async def _move(connection: AsyncConnection, *, each: Partitioned, aside: str) -> int:
    """Move some rows to where they belong; returns how many.

    Nobody saw them since they were set aside, so the hours of reports are rolled up anew.
    """
    batch = f"select ctid from {aside} limit {ROWS_AT_ONCE}"
    moved = f"delete from {aside} where ctid = any (array({batch})) returning *"
    kept = f"insert into {each.table} select * from moved on conflict do nothing returning {each.key}"
    due = f"insert into rollup_due (hour) select distinct date_trunc('hour', {each.key}, 'UTC') from kept"
    outdated = f", due as ({due})" if each is REPORTS else ""
    found = await connection.scalar(
        text(f"with moved as ({moved}), kept as ({kept}){outdated} select count(*) from moved")
    )
    return int(found or 0)


async def _expired(connection: AsyncConnection, *, each: Partitioned, days_kept: int) -> tuple[str, ...]:
    oldest = await _today(connection) - timedelta(days=days_kept)
    attached = text(
        "select relname from pg_inherits join pg_class on oid = inhrelid where inhparent = cast(:table as regclass)"
    )
    names = sorted(await connection.scalars(attached, {"table": each.table}))
    return tuple(name for name in names if (first := each.begins(name)) is not None and each.after(first) <= oldest)


def _bounds(each: Partitioned, first: date) -> str:
    at = "" if each.key == "day" else " 00:00+00"
    return f"for values from ('{first}{at}') to ('{each.after(first)}{at}')"
