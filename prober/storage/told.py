"""Which channels the notices of incidents have reached, are on their way to, or could not be delivered to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.storage import tables
from prober.storage.membership import among


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of the notices of one thing on one channel. Neither sent nor waiting: none could be delivered."""

    channel: str
    sent_at: datetime | None
    """Of the latest one that was delivered."""
    waiting: bool
    """Whether one is still to be sent."""


ToldOf = Mapping[UUID, tuple[Told, ...]]
"""By incident; those without any notice are left out."""


async def told_of(db: AsyncEngine, incidents: Mapping[UUID, UUID | None]) -> ToldOf:
    """Who was told of these incidents, channels by name. The value of each is the outage that it is part of, whose
    notices speak for it as well."""
    notice = tables.notice.c
    threads = {*incidents, *(each for each in incidents.values() if each is not None)}
    waits = and_(notice.sent_at.is_(None), notice.failed_at.is_(None))
    wanted = (
        select(notice.thread, notice.channel, func.max(notice.sent_at), func.bool_or(waits))
        .where(among(notice.thread, threads), notice.superseded_by.is_(None), notice.handed_to.is_(None))
        .group_by(notice.thread, notice.channel)
        .order_by(notice.channel)
    )
    async with db.connect() as connection:
        rows = (await connection.execute(wanted)).all()
    found: dict[UUID, tuple[Told, ...]] = {}
    for incident, outage in incidents.items():
        told: dict[str, Told] = {}
        for thread, channel, sent_at, waiting in rows:
            if thread in (incident, outage):
                before = told.get(channel, Told(channel=channel, sent_at=None, waiting=False))
                sent = [each for each in (sent_at, before.sent_at) if each is not None]
                told[channel] = replace(before, sent_at=max(sent, default=None), waiting=waiting or before.waiting)
        if told:
            found[incident] = tuple(told.values())
    return found
