"""Times in which nobody is told: single ones that a person makes, and recurring ones of the configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from pydantic import TypeAdapter
from sqlalchemy import RowMapping, and_, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.text import clean, storable
from prober.incidents.telling import Mute
from prober.incidents.windows import MaintenanceWindow, active_until, concerns
from prober.storage import tables
from prober.storage.membership import among

MAINTENANCE: Final = "maintenance"
DEPLOY: Final = "deploy"
SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=30)
"""Of a single time in which nobody is told."""
_WINDOW: Final = TypeAdapter(MaintenanceWindow)


class NobodyMeant(Exception):
    """A mute would be for nobody. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteRow:
    """A single time in which nobody is told of these endpoints, or of whoever bears these labels, or of any."""

    id: UUID
    kind: str
    endpoints: tuple[str, ...]
    labels: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    reason: str
    created_by: str

    def concerns(self, name: str, labels: Mapping[str, str]) -> bool:
        return concerns(self.endpoints, self.labels, name, labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """All times in which nobody is told, as they are at one moment."""

    single: tuple[MuteRow, ...]
    recurring: tuple[tuple[MaintenanceWindow, datetime], ...]
    """The windows that are open, each with its end."""
    now: datetime

    def of(self, name: str, labels: Mapping[str, str]) -> tuple[Mute, ...]:
        """What mutes this endpoint now."""
        mutes = [
            Mute(f"{each.kind}{f': {each.reason}' if each.reason else ''}", each.ends_at)
            for each in self.single
            if each.starts_at <= self.now < each.ends_at and each.concerns(name, labels)
        ]
        mutes += [
            Mute(f"{MAINTENANCE} {window.name}", until)
            for window, until in self.recurring
            if concerns(window.endpoints, window.labels, name, labels)
        ]
        return tuple(mutes)


async def quiet(connection: AsyncConnection, windows: Sequence[MaintenanceWindow], now: datetime) -> Quiet:
    """What mutes anybody now."""
    table = tables.mute
    rows = await connection.execute(select(table).where(table.c.starts_at <= now, table.c.ends_at > now))
    recurring = tuple((each, until) for each in windows if (until := active_until(each, now)) is not None)
    return Quiet(single=tuple(_row(each) for each in rows.mappings()), recurring=recurring, now=now)


async def coming(db: AsyncEngine, *, limit: int = 100) -> tuple[MuteRow, ...]:
    """The mutes that last or are still to come, the next to end first."""
    table = tables.mute
    wanted = select(table).where(table.c.ends_at > func.now()).order_by(table.c.ends_at).limit(limit)
    async with db.connect() as connection:
        return tuple(_row(each) for each in (await connection.execute(wanted)).mappings())


async def during(
    connection: AsyncConnection,
    name: str,
    labels: Mapping[str, str],
    *,
    since: datetime,
    until: datetime,
    limit: int,
) -> tuple[MuteRow, ...]:
    """The single times of which any part lay between these moments and muted this endpoint, the newest first."""
    table = tables.mute
    is_for_all = and_(func.cardinality(table.c.endpoints) == 0, table.c.labels == {})
    is_by_label = and_(table.c.labels != {}, table.c.labels.contained_by(dict(labels)))
    wanted = (
        select(table)
        .where(
            table.c.starts_at < until,
            table.c.ends_at > since,
            table.c.starts_at < table.c.ends_at,
            or_(is_for_all, table.c.endpoints.contains([name]), is_by_label),
        )
        .order_by(table.c.starts_at.desc())
        .limit(limit)
    )
    return tuple(_row(each) for each in (await connection.execute(wanted)).mappings())


async def add(
    connection: AsyncConnection,
    *,
    kind: str,
    endpoints: Sequence[str],
    labels: Mapping[str, str],
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    by: str,
) -> UUID:
    """Mute these endpoints, or whoever bears all of the labels, or everybody where neither is given.

    Raises NobodyMeant for a name that no endpoint bears.
    """
    watched = tables.endpoint
    known = await connection.scalars(
        select(watched.c.name).where(among(watched.c.name, endpoints), watched.c.removed_at.is_(None))
    )
    missing = sorted(set(endpoints) - set(known))
    if missing:
        raise NobodyMeant(f"no endpoint named {clean(missing[0], 100)} is watched")
    identity = uuid4()
    await connection.execute(
        insert(tables.mute).values(
            id=identity,
            kind=kind,
            endpoints=list(dict.fromkeys(endpoints)),
            labels=dict(labels),
            starts_at=starts_at,
            ends_at=ends_at,
            reason=storable(clean(reason, 300)),
            created_by=storable(clean(by, 100)),
        )
    )
    await _look_again(connection)
    return identity


async def mark_deploy(
    connection: AsyncConnection,
    *,
    endpoints: Sequence[str],
    labels: Mapping[str, str],
    lasts: timedelta,
    by: str,
    reason: str = "",
) -> UUID:
    """Mute whom a deploy is for, from now on. One that was marked for the very same before ends with it: the later word
    counts, also where it is the shorter one. Raises NobodyMeant."""
    table = tables.mute
    now = (await connection.execute(select(func.now()))).scalar_one()
    await connection.execute(
        update(table)
        .where(
            table.c.kind == DEPLOY,
            table.c.ends_at > now,
            table.c.endpoints.contains(list(endpoints)),
            table.c.endpoints.contained_by(list(endpoints)),
            table.c.labels == dict(labels),
        )
        .values(ends_at=now, starts_at=func.least(table.c.starts_at, now))
    )
    return await add(
        connection,
        kind=DEPLOY,
        endpoints=endpoints,
        labels=labels,
        starts_at=now,
        ends_at=now + lasts,
        reason=reason,
        by=by,
    )


async def end(connection: AsyncConnection, identity: str) -> MuteRow | None:
    """End the mute whose id begins with this text, now. None where none or more than one does that lasts."""
    table = tables.mute
    wanted = select(table).where(table.c.ends_at > func.now()).with_for_update()
    rows = [row for row in (await connection.execute(wanted)).mappings() if str(row["id"]).startswith(identity)]
    if len(rows) != 1:
        return None
    await connection.execute(
        update(table)
        .where(table.c.id == rows[0]["id"])
        .values(ends_at=func.now(), starts_at=func.least(table.c.starts_at, func.now()))
    )
    await _look_again(connection)
    return _row(rows[0])


async def sync_windows(db: AsyncEngine, windows: Sequence[MaintenanceWindow]) -> None:
    """Keep the recurring windows of the configuration for whoever only reads the database."""
    table = tables.maintenance_window
    async with db.begin() as connection:
        await connection.execute(delete(table).where(table.c.name.not_in([each.name for each in windows])))
        for each in windows:
            rule = _WINDOW.dump_python(each, mode="json")
            await connection.execute(
                upsert(table)
                .values(name=each.name, rule=rule)
                .on_conflict_do_update(index_elements=["name"], set_={"rule": rule}, where=table.c.rule != rule)
            )
        await _look_again(connection)


async def stored_windows(db: AsyncEngine) -> tuple[MaintenanceWindow, ...]:
    """The recurring windows that a prober has stored, by name. One that this release cannot read is left out."""
    table = tables.maintenance_window
    async with db.connect() as connection:
        rules = await connection.scalars(select(table.c.rule).order_by(table.c.name))
        found = []
        for rule in rules:
            try:
                found.append(_WINDOW.validate_python(rule))
            except ValueError:
                continue
        return tuple(found)


async def look_again(db: AsyncEngine) -> None:
    """Have every open incident considered anew, by whoever attends to them."""
    async with db.begin() as connection:
        await _look_again(connection)


async def _look_again(connection: AsyncConnection) -> None:
    await connection.execute(
        text(
            "update incident set reconsider_at = now() where id in"
            " (select id from incident where ended_at is null for update skip locked)"
        )
    )


def _row(row: RowMapping) -> MuteRow:
    return MuteRow(
        **{name: row[name] for name in MuteRow.__dataclass_fields__ if name != "endpoints"},
        endpoints=tuple(row["endpoints"]),
    )
