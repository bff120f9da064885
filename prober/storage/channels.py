"""The channels of the configuration, and how each of them does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.text import clean
from prober.incidents.notice import About
from prober.storage import tables

TAKEN_OUT: Final = "the channel was taken out of the configuration"

_MOST_ROWS: Final = 500


class NoSuchChannel(Exception):
    """No channel of that name is configured. The text says so."""


class ChannelState(StrEnum):
    """How a channel does."""

    UNUSED = "unused"
    """Nothing was ever sent."""
    WORKS = "works"
    FAILING = "failing"
    """Its last try failed; it is tried again by itself."""
    BROKEN = "broken"
    """Somebody has to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSpec:
    """A channel as it is configured."""

    name: str
    kind: str
    fallback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """One channel as it is now."""

    name: str
    kind: str
    fallback: str | None
    sent_at: datetime | None
    """Of the last notice that it took."""
    failing_since: datetime | None
    broken_since: datetime | None
    resting_until: datetime | None
    """When it is tried again."""
    last_error: str | None
    waiting: int
    oldest: datetime | None
    """Since when the oldest of them waits."""
    refused: int
    """Notices of the last day that it will never take, and no other channel has taken over."""

    @property
    def state(self) -> ChannelState:
        if self.broken_since is not None:
            return ChannelState.BROKEN
        if self.failing_since is not None:
            return ChannelState.FAILING
        return ChannelState.UNUSED if self.sent_at is None else ChannelState.WORKS


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One line of the delivery log."""

    at: datetime
    channel: str
    notice_id: UUID
    incident_id: UUID | None
    """The incident that it tells of; None where it is about something else."""
    title: str
    outcome: str
    reason: str
    took_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one notice so far."""

    attempts: int
    sent_at: datetime | None
    failed_at: datetime | None
    last_error: str | None
    resting_until: datetime | None
    """Of its channel."""


async def register(db: AsyncEngine, specs: Sequence[ChannelSpec], *, owns: bool) -> None:
    """Write what is configured. Whoever `owns` the configuration takes out what is not in it any more.

    A channel that failed is tried soon: it may be what was edited. One that asked for patience still has it.
    """
    channel = tables.channel
    async with db.begin() as connection:
        for spec in sorted(specs, key=lambda each: each.name):
            values = {"kind": spec.kind, "fallback": spec.fallback, "removed_at": None}
            await connection.execute(
                insert(channel)
                .values(name=spec.name, **values)
                .on_conflict_do_update(index_elements=["name"], set_=values)
            )
        if owns:
            names = [spec.name for spec in specs]
            await connection.execute(
                update(channel)
                .where(channel.c.name.not_in(names), channel.c.removed_at.is_(None))
                .values(removed_at=func.now())
            )
            await connection.execute(_END_UNKNOWN, {"why": TAKEN_OUT})
            await connection.execute(
                update(channel).where(channel.c.rests_on_request.is_(False)).values(resting_until=None)
            )


async def lock(connection: AsyncConnection, name: str) -> None:
    """Whoever changes a channel and its notices takes the channel first, so that two of them do not wait in a ring."""
    channel = tables.channel
    await connection.execute(select(channel.c.name).where(channel.c.name == name).with_for_update())


async def took_one(connection: AsyncConnection, name: str) -> None:
    """It has taken a notice: it works."""
    await _note(
        connection,
        name,
        sent_at=func.now(),
        failing_since=None,
        broken_since=None,
        failures=0,
        resting_until=None,
        rests_on_request=False,
        last_error=None,
    )


async def rests(
    connection: AsyncConnection, name: str, reason: str, *, rest_s: float, on_request: bool, needs_mending: bool
) -> None:
    """It has failed, and nothing is tried for `rest_s` seconds. What needs mending does so until it takes a notice."""
    channel = tables.channel
    broken = {"broken_since": func.coalesce(channel.c.broken_since, func.now())} if needs_mending else {}
    await _note(
        connection,
        name,
        failing_since=func.coalesce(channel.c.failing_since, func.now()),
        failures=channel.c.failures + 1,
        resting_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, rest_s),
        rests_on_request=on_request,
        last_error=clean(reason, 500),
        **broken,
    )


async def answered(connection: AsyncConnection, name: str, reason: str) -> None:
    """It has refused a notice for what is in it, and so can be reached."""
    await _note(connection, name, failures=0, resting_until=None, rests_on_request=False, last_error=clean(reason, 500))


async def wake(connection: AsyncConnection, name: str) -> None:
    """Try it now, unless it has asked for patience. Raises NoSuchChannel."""
    channel = tables.channel
    found = await connection.execute(
        update(channel)
        .where(channel.c.name == name, channel.c.removed_at.is_(None))
        .values(resting_until=text("case when rests_on_request and resting_until > now() then resting_until end"))
    )
    if not found.rowcount:
        raise NoSuchChannel(f"no channel of the name {clean(name, 60)} is configured")


def taken_out() -> Select[Any]:
    """The names of the channels that are configured no more."""
    return select(tables.channel.c.name).where(tables.channel.c.removed_at.is_not(None))


async def overview(db: AsyncEngine) -> tuple[ChannelRow, ...]:
    """Every configured channel, by name."""
    channel, notice = tables.channel, tables.notice
    own = [channel.c[name] for name in ChannelRow.__dataclass_fields__ if name in channel.c]
    waits = (notice.c.sent_at.is_(None)) & (notice.c.failed_at.is_(None))
    refused = (
        notice.c.sent_at.is_(None)
        & notice.c.failed_at.is_not(None)
        & notice.c.superseded_by.is_(None)
        & notice.c.handed_to.is_(None)
        & (notice.c.payload["kind"].astext != "test")
        & (notice.c.created_at > func.now() - text("interval '1 day'"))
    )
    counts = (
        select(
            notice.c.channel,
            func.count().filter(waits).label("waiting"),
            func.min(notice.c.created_at).filter(waits).label("oldest"),
            func.count().filter(refused).label("refused"),
        )
        .where(or_(waits, refused))
        .group_by(notice.c.channel)
        .subquery()
    )
    wanted = (
        select(
            *own,
            func.coalesce(counts.c.waiting, literal(0)).label("waiting"),
            counts.c.oldest,
            func.coalesce(counts.c.refused, literal(0)).label("refused"),
        )
        .outerjoin(counts, counts.c.channel == channel.c.name)
        .where(channel.c.removed_at.is_(None))
        .order_by(channel.c.name)
    )
    async with db.connect() as connection:
        return tuple(ChannelRow(**row) for row in (await connection.execute(wanted)).mappings())


async def attempts(db: AsyncEngine, *, limit: int = 50) -> tuple[AttemptRow, ...]:
    """The delivery log, newest first."""
    attempt, notice = tables.attempt, tables.notice
    wanted = (
        select(
            attempt.c.at,
            attempt.c.channel,
            attempt.c.notice_id,
            told_incident(),
            notice.c.payload["title"].astext.label("title"),
            attempt.c.outcome,
            attempt.c.reason,
            attempt.c.took_ms,
        )
        .join(notice, notice.c.id == attempt.c.notice_id)
        .order_by(attempt.c.number.desc())
        .limit(min(limit, _MOST_ROWS))
    )
    async with db.connect() as connection:
        return tuple(AttemptRow(**row) for row in (await connection.execute(wanted)).mappings())


def told_incident() -> ColumnElement[UUID | None]:
    """The incident that a row of `notice` is about, as `incident_id`."""
    notice = tables.notice
    about = notice.c.payload["about"].astext
    return case((about == About.ENDPOINT.value, notice.c.thread)).label("incident_id")


async def fate(db: AsyncEngine, row: UUID) -> Fate | None:
    """What became of the notice in that row of the outbox."""
    channel, notice = tables.channel, tables.notice
    wanted = (
        select(notice.c.attempts, notice.c.sent_at, notice.c.failed_at, notice.c.last_error, channel.c.resting_until)
        .outerjoin(channel, channel.c.name == notice.c.channel)
        .where(notice.c.id == row)
    )
    async with db.connect() as connection:
        found = (await connection.execute(wanted)).mappings().first()
        return None if found is None else Fate(**found)


async def _note(connection: AsyncConnection, name: str, **values: Any) -> None:
    await connection.execute(update(tables.channel).where(tables.channel.c.name == name).values(**values))


_END_UNKNOWN: Final = text(
    """
    update notice
    set failed_at = now(), last_error = :why, lease_owner = null, lease_until = null
    where sent_at is null and failed_at is null
      and channel not in (select name from channel where removed_at is null)
    """
)
