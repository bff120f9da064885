"""The outbox: notices are written in the transaction of what they tell, claimed under a lease, and marked once sent.

At least once: whoever dies between sending and marking leaves a notice that is sent again, under the same id.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy import RowMapping, and_, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.text import clean
from prober.incidents.notice import Notice
from prober.storage.tables import notice as table

_UNREADABLE: Final = "another release wrote this notice, and this one cannot read it"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One notice for one channel that this worker alone may send, until its lease ends."""

    id: UUID
    channel: str
    notice: Notice
    attempt: int
    """1 for the first."""
    created_at: datetime
    worker: str


async def put(connection: AsyncConnection, notice: Notice, *, endpoint: UUID, transition: UUID, channel: str) -> None:
    """Write one notice for one channel, in the caller's transaction. Writing it again changes nothing."""
    await connection.execute(
        insert(table)
        .values(
            id=uuid5(notice.id, channel),
            transition_id=transition,
            endpoint_id=endpoint,
            thread=notice.thread,
            channel=channel,
            payload=notice.to_json(),
        )
        .on_conflict_do_nothing()
    )


async def claim(
    db: AsyncEngine, *, worker: str, limit: int, lease_s: float, channels: tuple[str, ...] | None = None
) -> list[OutboxRow]:
    """Up to `limit` notices whose time has come, oldest first, for `channels` or for all.

    On one channel an endpoint's notices go out in the order in which they were written: while one waits for another
    attempt, later ones wait behind it, so that nobody hears "down" after "up".
    """
    async with db.begin() as connection:
        rows = await connection.execute(
            _CLAIM,
            {"worker": worker, "limit": limit, "lease": lease_s, "channels": None if channels is None else [*channels]},
        )
        claimed = sorted(rows.mappings(), key=lambda row: int(row["number"]))
        readable = [row for row in (_row(each, worker) for each in claimed) if row is not None]
        await _give_up(connection, {each["id"] for each in claimed} - {row.id for row in readable})
    return readable


def _row(claimed: RowMapping, worker: str) -> OutboxRow | None:
    """None for a notice that another release has written in a way that this one cannot read."""
    try:
        notice = Notice.from_json(claimed["payload"])
    except ValueError:
        return None
    return OutboxRow(
        id=claimed["id"],
        channel=claimed["channel"],
        notice=notice,
        attempt=claimed["attempts"],
        created_at=claimed["created_at"],
        worker=worker,
    )


async def _give_up(connection: AsyncConnection, unreadable: Collection[UUID]) -> None:
    """End what would otherwise be claimed for ever, and hold up what was written after it."""
    if unreadable:
        await connection.execute(
            update(table)
            .where(table.c.id.in_(unreadable))
            .values(failed_at=func.now(), last_error=_UNREADABLE, lease_owner=None, lease_until=None)
        )


async def sent(db: AsyncEngine, row: OutboxRow) -> None:
    """Mark it as delivered. This holds even where the lease has ended meanwhile: it did go out."""
    async with db.begin() as connection:
        await connection.execute(
            update(table)
            .where(table.c.id == row.id)
            .values(sent_at=func.now(), failed_at=None, last_error=None, lease_owner=None, lease_until=None)
        )


async def failed(db: AsyncEngine, row: OutboxRow, reason: str, *, retry_in_s: float | None) -> None:
    """Give it back for another attempt in `retry_in_s` seconds, or for good where that is None.

    Does nothing when another worker has taken it over.
    """
    fate = (
        {"failed_at": func.now()}
        if retry_in_s is None
        else {"next_attempt_at": func.now() + func.make_interval(0, 0, 0, 0, 0, 0, retry_in_s)}
    )
    async with db.begin() as connection:
        await connection.execute(
            update(table)
            .where(
                and_(
                    table.c.id == row.id,
                    table.c.lease_owner == row.worker,
                    table.c.attempts == row.attempt,
                    table.c.sent_at.is_(None),
                )
            )
            .values(last_error=clean(reason, 500), lease_owner=None, lease_until=None, **fate)
        )


_CLAIM: Final = text(
    """
    with ready as (
        select notice.id
        from notice
        where notice.sent_at is null and notice.failed_at is null
          and notice.next_attempt_at <= now()
          and (notice.lease_until is null or notice.lease_until <= now())
          and (cast(:channels as text[]) is null or notice.channel = any(cast(:channels as text[])))
          and not exists (
              select from notice earlier
              where earlier.sent_at is null and earlier.failed_at is null
                and earlier.channel = notice.channel and earlier.endpoint_id = notice.endpoint_id
                and earlier.number < notice.number)
        order by notice.number
        limit :limit
        for update of notice skip locked
    )
    update notice
    set lease_owner = :worker, lease_until = now() + make_interval(secs => :lease), attempts = attempts + 1
    from ready
    where notice.id = ready.id
    returning notice.id, notice.number, notice.channel, notice.payload, notice.attempts, notice.created_at
    """
)
