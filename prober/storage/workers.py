"""The workers on a database, how each does, and the times in which one could not observe."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.text import clean, storable
from prober.incidents.impairment import Trouble
from prober.incidents.notice import Notice
from prober.storage import outbox
from prober.storage.in_force import InForce
from prober.storage.membership import among
from prober.storage.tables import endpoint, impairment, notice, worker

GONE_AFTER_S: Final = 60.0
"""A worker that has not been seen for so long is gone, or cannot reach the database."""

_ORPHANED_AFTER_S: Final = 600.0
"""A worker that was cut off for less ends its own troubles."""

_OVERDUE_S: Final = 30.0
"""Slots that nobody has claimed for so long are overdue. One that begins so much later than the next of its endpoint
can was claimed before the database's clock was set back: until then nobody probes it."""

_LISTED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a worker says of itself."""

    name: str
    location: str
    version: str
    started_at: datetime
    vitals: dict[str, Any]
    in_force: InForce = InForce()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeted:
    """What the database says to it."""

    now: datetime
    """By its own clock."""
    revision: str | None
    """Of its tables."""
    is_idle: bool
    """Whether nothing is due that nobody probes, nothing was put off beyond its turn, and this worker holds nothing
    that should have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker as it was seen last."""

    name: str
    location: str
    version: str
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """How the workers together do, for whoever only reads."""

    workers: tuple[WorkerRow, ...]
    """Those that are there, the longest first."""
    seen_at: datetime | None
    """When any of them was seen last; None where there never was one."""
    troubles: tuple[Trouble, ...]
    """What keeps one of them from observing now."""
    unsent_since: datetime | None
    """Since when the oldest notice waits; None where none does."""


async def greet(connection: AsyncConnection, said: Greeting) -> Greeted:
    """Write down that this worker is there, and how it does."""
    values = {
        "location": said.location,
        "version": said.version,
        "started_at": said.started_at,
        "seen_at": func.now(),
        "vitals": storable(said.vitals) | said.in_force.written(),
    }
    row = insert(worker).values(name=said.name, **values)
    await connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))
    late = func.now() - _seconds(_OVERDUE_S)
    held_too_long = and_(endpoint.c.lease_owner == said.name, endpoint.c.lease_until < late)
    cool_down_s = func.coalesce(endpoint.c.spec["cool_down_s"].as_float(), 0.0)
    latest = func.now() + (2 * endpoint.c.interval_s + cool_down_s + _OVERDUE_S) * _seconds(1.0)
    overdue = select(endpoint.c.id).where(
        endpoint.c.enabled,
        endpoint.c.removed_at.is_(None),
        or_(endpoint.c.next_due < late, endpoint.c.next_due > latest, held_too_long),
    )
    revision = text("(select max(version_num) from alembic_version)")
    found = (await connection.execute(select(func.now(), ~overdue.exists(), revision))).one()
    return Greeted(now=found[0], is_idle=found[1], revision=found[2])


async def impaired(
    connection: AsyncConnection, trouble: Trouble, notices: Sequence[tuple[str, Notice]], *, told: Sequence[UUID] = ()
) -> None:
    """Write down a trouble and what is to be told of it, by channel; doing it again changes nothing.

    `told` are ids of rows of the outbox that went out already, while there was no database to write them to.
    """
    row = insert(impairment).values(
        id=trouble.id,
        worker=trouble.worker,
        reason=trouble.reason,
        detail=clean(trouble.detail, 300),
        since=trouble.since,
        ended_at=trouble.ended_at,
    )
    changes = {"detail": row.excluded.detail, "ended_at": row.excluded.ended_at}
    await connection.execute(row.on_conflict_do_update(index_elements=["id"], set_=changes))
    for channel, worded in notices:
        await outbox.put(connection, worded, channel=channel)
    if told:
        await connection.execute(
            update(notice).where(among(notice.c.id, told), notice.c.sent_at.is_(None)).values(sent_at=func.now())
        )


async def orphaned(connection: AsyncConnection) -> tuple[Trouble, ...]:
    """Troubles of workers that are gone, which nobody else would end. They are ended with this transaction."""
    alive = select(worker.c.name).where(worker.c.seen_at > func.now() - _seconds(_ORPHANED_AFTER_S))
    ended = await connection.execute(
        update(impairment)
        .where(impairment.c.ended_at.is_(None), impairment.c.worker.not_in(alive))
        .values(ended_at=func.now())
        .returning(impairment)
    )
    return tuple(_trouble(row) for row in ended.mappings())


async def told_of(connection: AsyncConnection, trouble: UUID) -> frozenset[str]:
    """The channels that have something to hear, or have heard, of a trouble."""
    found = await connection.execute(select(notice.c.channel).where(notice.c.thread == trouble))
    return frozenset(found.scalars())


async def how_they_do(connection: AsyncConnection) -> Prober:
    """The workers that are there now, and what keeps them from their work."""
    seen_at = await connection.scalar(select(func.max(worker.c.seen_at)))
    recently = worker.c.seen_at > func.now() - _seconds(GONE_AFTER_S)
    there = await connection.execute(select(worker).where(recently).order_by(worker.c.started_at).limit(_LISTED))
    open_now = (
        select(impairment)
        .join(worker, and_(worker.c.name == impairment.c.worker, recently))
        .where(impairment.c.ended_at.is_(None))
        .order_by(impairment.c.since)
        .limit(_LISTED)
    )
    troubles = await connection.execute(open_now)
    waiting = select(func.min(notice.c.created_at)).where(notice.c.sent_at.is_(None), notice.c.failed_at.is_(None))
    return Prober(
        workers=tuple(
            WorkerRow(**{name: row[name] for name in ("name", "location", "version", "started_at", "seen_at")})
            for row in there.mappings()
        ),
        seen_at=seen_at,
        troubles=tuple(_trouble(row) for row in troubles.mappings()),
        unsent_since=await connection.scalar(waiting),
    )


def _trouble(row: Any) -> Trouble:
    return Trouble(**{name: row[name] for name in ("id", "worker", "reason", "detail", "since", "ended_at")})


def _seconds(seconds: float) -> Any:
    return text(f"make_interval(secs => {seconds:g})")
