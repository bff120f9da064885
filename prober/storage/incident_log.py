"""Incidents as people look back at them: those of a stretch of time, and what the notices of one came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.incidents.rules import Severity
from prober.storage import tables
from prober.storage.channels import AttemptRow, told_incident
from prober.storage.queries import INCIDENT_COLUMNS, IncidentRow, incident_row

MOST_INCIDENTS: Final = 500
MOST_TRIES: Final = 500
"""Tries of the notices of one incident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Which incidents are looked at: those that lasted at any time between `since` and `until`."""

    since: datetime
    until: datetime
    is_open: bool | None = None
    """None: open or over."""
    named: str = ""
    """A part of the endpoint's name, in any case."""
    severity: Severity | None = None


async def between(db: AsyncEngine, stretch: Stretch) -> tuple[tuple[IncidentRow, ...], int]:
    """The newest `MOST_INCIDENTS` of them, open ones first; and how many there are in all."""
    incident, endpoint = tables.incident, tables.endpoint
    which = and_(*_conditions(stretch), incident.c.endpoint_id == endpoint.c.id)
    wanted = (
        select(*INCIDENT_COLUMNS)
        .where(which)
        .order_by(incident.c.ended_at.is_not(None), incident.c.opened_at.desc(), incident.c.id)
        .limit(MOST_INCIDENTS)
    )
    async with db.connect() as connection:
        rows = tuple(incident_row(each) for each in (await connection.execute(wanted)).mappings())
        if len(rows) < MOST_INCIDENTS:
            return rows, len(rows)
        number = await connection.scalar(select(func.count()).select_from(incident).join(endpoint).where(which))
    return rows, number or len(rows)


async def during(db: AsyncEngine, endpoint: UUID, moment: datetime) -> IncidentRow | None:
    """The incident in which the endpoint was at that moment."""
    incident, watched = tables.incident, tables.endpoint
    wanted = (
        select(*INCIDENT_COLUMNS)
        .join(watched, watched.c.id == incident.c.endpoint_id)
        .where(incident.c.endpoint_id == endpoint, incident.c.since <= moment)
        .where(or_(incident.c.ended_at.is_(None), incident.c.ended_at > moment))
        .order_by(incident.c.opened_at.desc())
        .limit(1)
    )
    async with db.connect() as connection:
        row = (await connection.execute(wanted)).mappings().first()
        return None if row is None else incident_row(row)


async def still_open(db: AsyncEngine) -> int:
    """How many incidents are open, whenever they began."""
    wanted = select(func.count()).select_from(tables.incident).where(tables.incident.c.ended_at.is_(None))
    async with db.connect() as connection:
        return await connection.scalar(wanted) or 0


async def tries(db: AsyncEngine, threads: Sequence[UUID]) -> Mapping[UUID, tuple[AttemptRow, ...]]:
    """Every try to send the notices of these incidents and outages, by notice, oldest first."""
    attempt, notice = tables.attempt, tables.notice
    wanted = (
        select(
            *(attempt.c[name] for name in AttemptRow.__dataclass_fields__ if name in attempt.c),
            told_incident(),
            notice.c.payload["title"].astext.label("title"),
        )
        .join(notice, notice.c.id == attempt.c.notice_id)
        .where(notice.c.thread.in_(threads))
        .order_by(attempt.c.number.desc())
        .limit(MOST_TRIES)
    )
    found: dict[UUID, tuple[AttemptRow, ...]] = {}
    async with db.connect() as connection:
        for row in (await connection.execute(wanted)).mappings():
            tried = AttemptRow(**row)
            found[tried.notice_id] = (tried, *found.get(tried.notice_id, ()))
    return found


def _conditions(stretch: Stretch) -> list[ColumnElement[bool]]:
    incident = tables.incident.c
    found: list[ColumnElement[bool]] = [
        incident.since <= stretch.until,
        or_(incident.ended_at.is_(None), incident.ended_at >= stretch.since),
    ]
    if stretch.is_open is not None:
        found.append(incident.ended_at.is_(None) if stretch.is_open else incident.ended_at.is_not(None))
    if stretch.named:
        found.append(tables.endpoint.c.name.icontains(stretch.named, autoescape=True))
    if stretch.severity is not None:
        found.append(incident.severity == stretch.severity.value)
    return found
