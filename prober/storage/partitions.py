"""The days of the `report` table: made ahead of time, so that old reports can later be dropped a day at a time."""

import re
from datetime import date, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from prober.storage.tables import REPORT_PARTITION_PREFIX

_LOCK: Final = 0x6D637002
_DAY: Final = re.compile(re.escape(REPORT_PARTITION_PREFIX) + r"\d{8}")
"""A partition that holds a day; DEFAULT is none."""


async def ensure_partitions(db: AsyncEngine, days_ahead: int = 3) -> tuple[str, ...]:
    """Make the partitions from today to `days_ahead` days on, in UTC; returns the names of those that were not there.

    Reports of such a day that fell into the DEFAULT partition meanwhile move into it.
    """
    made = []
    for offset in range(days_ahead + 1):
        async with db.begin() as connection:
            await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            today: date = (await connection.execute(text("select (now() at time zone 'utc')::date"))).scalar_one()
            day = today + timedelta(days=offset)
            if await _make(connection, day):
                made.append(partition_of(day))
    return tuple(made)


async def drop_expired(db: AsyncEngine, *, days_kept: int) -> tuple[str, ...]:
    """Drop the days that ended more than `days_kept` days ago, in UTC, with all their reports; returns their names.

    Dropping a table takes a moment, where deleting its rows would take minutes and leave the space to be cleaned up.
    """
    async with db.begin() as connection:
        await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        today: date = (await connection.execute(text("select (now() at time zone 'utc')::date"))).scalar_one()
        names = await connection.scalars(
            text("select inhrelid::regclass::text from pg_inherits where inhparent = 'report'::regclass")
        )
        oldest = partition_of(today - timedelta(days=days_kept))
        expired = sorted(name for name in names if _DAY.fullmatch(name) and name < oldest)
        for name in expired:
            await connection.execute(text(f"drop table {name}"))
    return tuple(expired)


def partition_of(day: date) -> str:
    """The name of the partition that holds a day, in UTC."""
    return f"{REPORT_PARTITION_PREFIX}{day:%Y%m%d}"


async def _make(connection: AsyncConnection, day: date) -> bool:
    """Make one day as a table of its own first: attaching it does not stop the reading and writing of `report`."""
    name, first, following = partition_of(day), f"{day} 00:00+00", f"{day + timedelta(days=1)} 00:00+00"
    if await connection.scalar(text("select to_regclass(:name)"), {"name": name}) is not None:
        return False
    moved = f"delete from report_default where slot >= '{first}' and slot < '{following}' returning *"  # noqa: S608 - a date
    statements = (
        f"create table {name} (like report including defaults including constraints)",
        f"with moved as ({moved}) insert into {name} select * from moved",  # noqa: S608 - a date
        f"alter table report attach partition {name} for values from ('{first}') to ('{following}')",
    )
    for statement in statements:
        await connection.execute(text(statement))
    return True
