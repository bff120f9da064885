"""The outbox: notices are written in the transaction of what they tell, claimed under a lease, and marked once sent.

Each channel is sent to by one worker at a time, whose lease ends with it or shortly after it; a worker that comes back
too late finds its attempt taken over, and decides nothing any more. All times are the database's own.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, RowMapping, and_, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.text import clean
from prober.incidents.notice import Notice, NoticeKind
from prober.storage import channels, fallbacks, tables

NEWS: Final = "prober_outbox"
"""NOTIFY channel on which a new notice is announced; the payload is the name of the channel that it is for."""

TEST_LIVES_S: Final = 600.0
"""A test that nobody has sent by then tells nothing any more."""

_UNREADABLE: Final = "another release wrote this notice, and this one cannot read it"
_LOST: Final = "whoever tried it ended without saying what came of it"
_TOO_LATE: Final = "no prober has sent this test in time"


class Outcome(StrEnum):
    """What came of one try."""

    SENT = "sent"
    FAILED = "failed"
    """It is tried again."""
    BROKEN = "broken"
    """Somebody has to mend the channel first."""
    REFUSED = "refused"
    """The channel takes other notices, and this one never."""
    LOST = "lost"
    """Nobody knows: the sender ended meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One notice that this worker alone may send, until its lease ends."""

    id: UUID
    channel: str
    notice: Notice
    attempt: int
    """1 for the first."""
    failures: int
    """How often in a row the channel has failed, whatever it was given."""
    created_at: datetime
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits to be sent."""

    waiting: int
    oldest_s: float
    """Age of the oldest, in seconds; 0 where nothing waits."""
    broken: int
    """Channels that somebody has to mend."""


async def put(
    connection: AsyncConnection,
    notice: Notice,
    *,
    channel: str,
    endpoint: UUID | None = None,
    transition: UUID | None = None,
    held_s: float = 0.0,
) -> UUID:
    """Write one notice for one channel, in the caller's transaction. Writing it again changes nothing.

    Unless it is an end, it is not sent for `held_s` seconds from now on, and not from when the transaction began, which
    a slow database makes long: whatever follows in its thread meanwhile takes its place.
    The id of its row is returned; it follows from the notice and the channel.
    """
    row = uuid5(notice.id, channel)
    await connection.execute(
        insert(tables.notice)
        .values(
            id=row,
            transition_id=transition,
            endpoint_id=endpoint,
            thread=notice.thread,
            channel=channel,
            payload=notice.to_json(),
            next_attempt_at=func.clock_timestamp() + _seconds(held_s) if held_s and not notice.is_end else func.now(),
        )
        .on_conflict_do_nothing()
    )
    await announce(connection, channel)
    return row


async def announce(connection: AsyncConnection, channel: str) -> None:
    """Wake whoever delivers to the channel, once the caller's transaction is committed."""
    await connection.execute(text("select pg_notify(:news, :channel)"), {"news": NEWS, "channel": channel})


async def claim(db: AsyncEngine, *, channel: str, worker: str, lease_s: float) -> OutboxRow | None:
    """The next notice of the channel, or None while there is none, the channel rests, or another worker sends to it.

    Of one thread the newest goes out and stands for all that still wait; their rows name it in `superseded_by`. An
    endpoint's notices go out in the order in which they were written: one that failed holds up those of later threads,
    and lets those of other endpoints go first.
    """
    async with db.begin() as connection:
        failures = await connection.scalar(_OPEN_CHANNEL, {"channel": channel})
        if failures is None:
            return None
        given = {"channel": channel, "worker": worker, "lease": lease_s}
        while (taken := (await connection.execute(_TAKE, given)).mappings().first()) is not None:
            if taken["is_lost"]:
                await _log(connection, taken["id"], channel, Outcome.LOST, _LOST, 0.0)
            try:
                notice = Notice.from_json(taken["payload"])
            except ValueError:
                await _end(connection, tables.notice.c.id == taken["id"], _UNREADABLE)
                continue
            for other in await fallbacks.follow(connection, taken["id"]):
                await announce(connection, other)
            return _row(taken, notice, channel, worker, failures)
    return None


async def renew(db: AsyncEngine, row: OutboxRow, *, lease_s: float) -> bool:
    """Keep it for longer; False when another worker has taken it over."""
    async with db.begin() as connection:
        found = await connection.execute(
            update(tables.notice).where(_is_ours(row)).values(lease_until=func.now() + _seconds(lease_s))
        )
        return found.rowcount == 1


async def sent(db: AsyncEngine, row: OutboxRow, *, took_ms: float) -> None:
    """Mark it as delivered. This holds even where the lease has ended meanwhile: it did go out."""
    values = {"sent_at": func.now(), "failed_at": None, "last_error": None, "lease_owner": None, "lease_until": None}
    notice = tables.notice
    async with db.begin() as connection:
        await channels.lock(connection, row.channel)
        marked = await connection.execute(
            update(notice).where(notice.c.id == row.id, notice.c.sent_at.is_(None)).values(**values)
        )
        if marked.rowcount:
            await _log(connection, row.id, row.channel, Outcome.SENT, "", took_ms)
            await channels.took_one(connection, row.channel)


async def put_off(
    db: AsyncEngine,
    row: OutboxRow,
    reason: str,
    *,
    took_ms: float,
    retry_in_s: float,
    rest_s: float,
    on_request: bool = False,
    needs_mending: bool = False,
) -> None:
    """Give it back for another try in `retry_in_s` seconds, and let its channel rest for `rest_s`.

    A test has no other try. Does nothing when another worker has taken it over.
    """
    is_test = row.notice.kind is NoticeKind.TEST
    fate = {"failed_at": func.now()} if is_test else {"next_attempt_at": func.now() + _seconds(retry_in_s)}
    async with db.begin() as connection:
        if await _given_back(connection, row, reason, fate):
            outcome = Outcome.BROKEN if needs_mending else Outcome.FAILED
            await _log(connection, row.id, row.channel, outcome, reason, took_ms)
            await channels.rests(
                connection, row.channel, reason, rest_s=rest_s, on_request=on_request, needs_mending=needs_mending
            )


async def refused(db: AsyncEngine, row: OutboxRow, reason: str, *, took_ms: float) -> str | None:
    """End it on this channel, which will never take it, and hand it to the next that may: its name, or None.

    Does nothing when another worker has taken it over.
    """
    async with db.begin() as connection:
        if not await _given_back(connection, row, reason, {"failed_at": func.now()}):
            return None
        await _log(connection, row.id, row.channel, Outcome.REFUSED, reason, took_ms)
        await channels.answered(connection, row.channel, reason)
        if row.notice.kind is NoticeKind.TEST:
            return None
        other = await fallbacks.take_over(connection, row.id, row.channel)
        if other is not None:
            await announce(connection, other)
        return other


async def put_test(connection: AsyncConnection, notice: Notice, *, channel: str) -> UUID:
    """Write a test for a channel, which is tried at once unless it has asked for patience. Raises NoSuchChannel."""
    await channels.wake(connection, channel)
    row = await put(connection, notice, channel=channel)
    before_all_others = func.to_timestamp(0)
    table = tables.notice
    await connection.execute(update(table).where(table.c.id == row).values(next_attempt_at=before_all_others))
    return row


async def withdraw(db: AsyncEngine, row: UUID) -> bool:
    """End a notice that nobody has tried yet. False when somebody has, or does just now."""
    notice = tables.notice
    async with db.begin() as connection:
        return await _end(connection, and_(notice.c.id == row, notice.c.attempts == 0), _TOO_LATE) == 1


async def tidy(db: AsyncEngine) -> Backlog:
    """End what will never be sent: for channels that were taken out, and tests that nobody sent. Say what waits."""
    notice = tables.notice
    async with db.begin() as connection:
        if await connection.scalar(_ANY_WAITING):
            await _end(connection, notice.c.channel.in_(channels.taken_out()), channels.TAKEN_OUT)
            old_test = and_(
                notice.c.payload["kind"].astext == NoticeKind.TEST.value,
                notice.c.created_at < func.now() - _seconds(TEST_LIVES_S),
            )
            await _end(connection, old_test, _TOO_LATE)
        waiting, oldest, broken = (await connection.execute(_BACKLOG)).one()
        return Backlog(waiting=int(waiting), oldest_s=max(float(oldest), 0.0), broken=int(broken))


def _row(taken: RowMapping, notice: Notice, channel: str, worker: str, failures: int) -> OutboxRow:
    return OutboxRow(
        id=taken["id"],
        channel=channel,
        notice=notice,
        attempt=taken["attempts"],
        failures=failures,
        created_at=taken["created_at"],
        worker=worker,
    )


def _is_ours(row: OutboxRow) -> ColumnElement[bool]:
    """`attempts` rises with every claim: it tells our lease from a later one of a worker of the same name."""
    notice = tables.notice
    return and_(
        notice.c.id == row.id,
        notice.c.lease_owner == row.worker,
        notice.c.attempts == row.attempt,
        notice.c.sent_at.is_(None),
    )


async def _given_back(connection: AsyncConnection, row: OutboxRow, reason: str, fate: dict[str, Any]) -> bool:
    await channels.lock(connection, row.channel)
    found = await connection.execute(
        update(tables.notice)
        .where(_is_ours(row))
        .values(last_error=clean(reason, 500), lease_owner=None, lease_until=None, **fate)
    )
    return found.rowcount == 1


async def _end(connection: AsyncConnection, which: ColumnElement[bool], why: str) -> int:
    notice = tables.notice
    ended = await connection.execute(
        update(notice)
        .where(which, notice.c.sent_at.is_(None), notice.c.failed_at.is_(None))
        .values(failed_at=func.now(), last_error=why, lease_owner=None, lease_until=None)
    )
    return ended.rowcount


async def _log(
    connection: AsyncConnection, row: UUID, channel: str, outcome: Outcome, reason: str, took_ms: float
) -> None:
    await connection.execute(
        insert(tables.attempt).values(
            notice_id=row, channel=channel, outcome=outcome.value, reason=clean(reason, 500), took_ms=took_ms
        )
    )


def _seconds(seconds: float) -> ColumnElement[Any]:
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds)


# The lock on the channel lets one worker at a time look for a lease of another. An idle poll takes none.
_OPEN_CHANNEL: Final = text(
    """
    select channel.failures
    from channel
    where channel.name = :channel and channel.removed_at is null
      and (channel.resting_until is null or channel.resting_until <= now())
      and exists (
          select from notice
          where notice.channel = :channel and notice.sent_at is null and notice.failed_at is null
            and notice.next_attempt_at <= now())
    for update of channel skip locked
    """
)
# Subqueries, where joins would say the same: the outbox is mostly empty, and by the statistics of an empty table the
# planner would join a sudden backlog row by row. For the same reason the needless are found by their ids: otherwise it
# would look for them among all that waits on the channel.
_TAKE: Final = text(
    """
    with head as materialized (
        select waiting.thread
        from notice waiting
        where waiting.channel = :channel and waiting.sent_at is null and waiting.failed_at is null
          and waiting.next_attempt_at <= now()
          and not exists (
              select from notice held
              where held.channel = :channel and held.sent_at is null and held.failed_at is null
                and held.lease_until > now() and held.lease_owner <> :worker)
          and (
              select earlier.number
              from notice earlier
              where earlier.channel = :channel and earlier.sent_at is null and earlier.failed_at is null
                and earlier.endpoint_id = waiting.endpoint_id and earlier.number < waiting.number
                and earlier.thread <> waiting.thread
              limit 1) is null
        order by waiting.next_attempt_at, waiting.number
        limit 1
    ),
    thread as materialized (
        select notice.id, notice.number, notice.lease_until is not null as is_lost
        from notice
        where notice.channel = :channel and notice.sent_at is null and notice.failed_at is null
          and notice.thread = (select thread from head)
        order by notice.number desc
    ),
    newest as materialized (select id, is_lost from thread order by number desc limit 1),
    needless as (
        update notice
        set failed_at = now(), superseded_by = (select id from newest), lease_owner = null, lease_until = null
        where notice.id = any (array(select id from thread where id <> (select id from newest)))
          and coalesce(notice.sent_at, notice.failed_at) is null
    )
    update notice
    set lease_owner = :worker, lease_until = now() + make_interval(secs => :lease), attempts = attempts + 1
    where notice.id = (select id from newest)
    returning notice.id, notice.payload, notice.attempts, notice.created_at, (select is_lost from newest) as is_lost
    """
)
_ANY_WAITING: Final = text("select exists (select from notice where sent_at is null and failed_at is null)")
_BACKLOG: Final = text(
    """
    select count(*), coalesce(extract(epoch from now() - min(created_at)), 0),
           (select count(*) from channel where broken_since is not null and removed_at is null)
    from notice where sent_at is null and failed_at is null
    """
)
