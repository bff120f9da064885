"""Notices that one channel cannot tell and another tells instead: along the chain of fallbacks, never in a circle."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from prober.storage import tables
from prober.storage.membership import among

_AT_ONCE: Final = 200
_COPIED: Final = ("transition_id", "endpoint_id", "thread", "payload")


async def hand_over(db: AsyncEngine, channel: str) -> tuple[str, ...]:
    """Let others tell what waits for a channel that somebody has to mend; they are named.

    Nothing moves when its own next try is due: a notice that waits is how it is tried. Tests stay where they are.
    """
    async with db.begin() as connection:
        if await connection.scalar(_BROKEN_CHANNEL, {"channel": channel}) is None:
            return ()
        waiting = (await connection.scalars(_MOVABLE, {"channel": channel, "limit": _AT_ONCE})).all()
        takers = []
        for other in await _chain(connection, channel, broken_too=False):
            taken = await _give(connection, waiting, channel, other) if waiting else ()
            waiting = [each for each in waiting if each not in taken]
            takers += [other] if taken else []
        return tuple(takers)


async def take_over(connection: AsyncConnection, row: UUID, channel: str) -> str | None:
    """Let another channel tell what this one has refused; None where there is no other."""
    ready = await _chain(connection, channel, broken_too=False)
    for other in (*ready, *(await _chain(connection, channel, broken_too=True))):
        if await _give(connection, [row], channel, other):
            return other
    return None


async def follow(connection: AsyncConnection, row: UUID) -> tuple[str, ...]:
    """Tell a notice also wherever earlier ones of its thread were handed to, so that who heard a beginning hears its
    end. The channels are named."""
    others = tuple((await connection.scalars(_HEARD_BEFORE, {"row": row})).all())
    for other in others:
        await _copy(connection, [row], other)
    return others


async def _chain(connection: AsyncConnection, channel: str, *, broken_too: bool) -> Sequence[str]:
    """The fallback of a channel, that one's own, and so on, as far as they are there and work."""
    known = {row.name: row for row in await connection.execute(_CHANNELS)}
    chain: list[str] = []
    here = known.get(channel)
    while here is not None and here.fallback is not None and here.fallback not in (channel, *chain):
        here = known.get(here.fallback)
        if here is not None:
            chain.append(here.name)
    return [name for name in chain if broken_too or not known[name].is_broken]


async def _give(connection: AsyncConnection, rows: Sequence[UUID], channel: str, other: str) -> Collection[UUID]:
    """Which of these rows the other channel tells from now on, or has told already. They are ended here."""
    await _copy(connection, rows, other)
    taken = (await connection.scalars(_TAKEN, {"rows": [*rows], "other": other, "here": channel})).all()
    if taken:
        notice = tables.notice
        await connection.execute(
            update(notice)
            .where(among(notice.c.id, taken))
            .values(
                failed_at=func.coalesce(notice.c.failed_at, func.now()),
                handed_to=other,
                lease_owner=None,
                lease_until=None,
            )
        )
    return taken


async def _copy(connection: AsyncConnection, rows: Sequence[UUID], other: str) -> None:
    """Write the same notices for another channel, under the ids that they would have had there from the first."""
    notice = tables.notice
    wanted = select(*(notice.c[name] for name in _COPIED)).where(among(notice.c.id, rows)).order_by(notice.c.number)
    values = [
        {**row, "id": uuid5(UUID(row["payload"]["id"]), other), "channel": other}
        for row in (await connection.execute(wanted)).mappings()
    ]
    await connection.execute(insert(notice).values(values).on_conflict_do_nothing())


_BROKEN_CHANNEL: Final = text(
    """
    select channel.name
    from channel
    where channel.name = :channel and channel.removed_at is null and channel.fallback is not null
      and channel.broken_since is not null and channel.resting_until > now()
      and exists (
          select from notice
          where notice.channel = :channel and notice.sent_at is null and notice.failed_at is null
            and notice.payload ->> 'kind' <> 'test')
    for update of channel skip locked
    """
)
_MOVABLE: Final = text(
    """
    select id
    from notice
    where channel = :channel and sent_at is null and failed_at is null
      and payload ->> 'kind' <> 'test' and payload ->> 'id' is not null
      and (lease_until is null or lease_until <= now())
    order by number
    limit :limit
    """
)
_CHANNELS: Final = text(
    """
    select name, fallback, broken_since is not null and resting_until > now() as is_broken
    from channel
    where removed_at is null
    """
)
_TAKEN: Final = text(
    """
    select here.id
    from notice here join notice there on there.payload ->> 'id' = here.payload ->> 'id'
    where here.id = any(:rows) and here.channel = :here and there.thread = here.thread and there.channel = :other
      and (there.sent_at is not null or there.superseded_by is not null or there.failed_at is null)
    """
)
_HEARD_BEFORE: Final = text(
    """
    select distinct before.handed_to
    from notice now_told
    join notice before on before.thread = now_told.thread and before.channel = now_told.channel
    join channel on channel.name = before.handed_to and channel.removed_at is null
    where now_told.id = :row and before.number < now_told.number
    """
)
