"""Keeps the times in which a prober could not observe, and tells of them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid5

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.text import storable
from prober.incidents import impairment
from prober.incidents.impairment import Impairments
from prober.incidents.notice import Route
from prober.incidents.wording import impairment_notice
from prober.storage import tables
from prober.storage.outbox import put


async def save(db: AsyncEngine, state: Impairments, routes: Sequence[Route], now: datetime) -> Impairments:
    """Write what is due of a worker's troubles, with a notice for every channel that hears of them.

    The state is returned as it is once that is written. Whatever the database raises leaves the state that was given:
    it is due again.
    """
    due = impairment.to_save(state, now)
    if not due:
        return state
    table = tables.impairment
    async with db.begin() as connection:
        for trouble, kind in due:
            left = (table.c.worker == trouble.worker) & (table.c.reason == trouble.reason) & table.c.ended_at.is_(None)
            await connection.execute(update(table).where(left, table.c.id != trouble.id).values(ended_at=trouble.since))
            values = {"detail": storable(trouble.detail), "ended_at": trouble.ended_at}
            await connection.execute(
                insert(table)
                .values(id=trouble.id, worker=trouble.worker, reason=trouble.reason, since=trouble.since, **values)
                .on_conflict_do_update(index_elements=["id"], set_=values)
            )
            notice = impairment_notice(uuid5(trouble.id, kind.value), trouble, kind, now)
            for route in routes:
                if route.impairments:
                    await put(connection, notice, channel=route.channel)
    return impairment.settled(state, due)


async def end_forgotten(db: AsyncEngine, worker: str) -> None:
    """End what an earlier process of this worker left open: it ended before its trouble did, and cannot say when."""
    table = tables.impairment
    async with db.begin() as connection:
        lasting = (table.c.worker == worker) & table.c.ended_at.is_(None)
        await connection.execute(update(table).where(lasting).values(ended_at=func.now()))
