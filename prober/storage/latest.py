"""The newest verdict of every endpoint and nothing more, cheap enough to be asked for again and again."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.storage import tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """An endpoint that is probed. `verdict` is unknown, and `slot` None, until its first report."""

    name: str
    interval_s: float
    verdict: Verdict
    cause: str | None
    cause_summary: str
    slot: datetime | None


async def latest(db: AsyncEngine) -> tuple[Latest, ...]:
    """All that are enabled, by name."""
    endpoint, state = tables.endpoint.c, tables.endpoint_state.c
    wanted = (
        select(endpoint.name, endpoint.interval_s, state.verdict, state.cause, state.cause_summary, state.slot)
        .outerjoin(tables.endpoint_state, state.endpoint_id == endpoint.id)
        .where(endpoint.removed_at.is_(None), endpoint.enabled)
        .order_by(endpoint.name)
    )
    async with db.connect() as connection:
        return tuple(
            Latest(
                name=row.name,
                interval_s=row.interval_s,
                verdict=Verdict(row.verdict or Verdict.UNKNOWN),
                cause=row.cause,
                cause_summary=row.cause_summary or "",
                slot=row.slot,
            )
            for row in await connection.execute(wanted)
        )
