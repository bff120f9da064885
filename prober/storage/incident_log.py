"""Incidents as people look back at them: those of a stretch of time, and what the notices of one came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.incidents.rules import Severity
from prober.storage import tables
from prober.storage.channels import AttemptRow, told_incident
from prober.storage.membership import among
from prober.storage.queries import INCIDENT_COLUMNS, IncidentRow, incident_row

ON_A_PAGE: Final = 50
MOST_LANES: Final = 20
"""Endpoints of the time axis."""
MOST_SPELLS: Final = 100
"""Incidents of one of them there, the newest."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an incident stands in the list."""

    is_over: bool
    opened_at: datetime
    id: UUID

    @classmethod
    def of(cls, row: IncidentRow) -> Self:
        return cls(is_over=row.ended_at is not None, opened_at=row.opened_at, id=row.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpellRow:
    """What the time axis shows of an incident."""

    id: UUID
    endpoint_name: str
    since: datetime
    ended_at: datetime | None
    verdict: Verdict
    cause: str | None
    of: int
    """How many incidents its endpoint had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The incidents of a stretch of time."""

    number: int
    endpoints: int
    """How many had one."""
    spells: tuple[SpellRow, ...]
    """Of the endpoints whose incidents are open, or newest."""


async def between(
    db: AsyncEngine, stretch: Stretch, *, after: Place | None = None, limit: int = ON_A_PAGE
) -> tuple[tuple[IncidentRow, ...], int]:
    """`limit` of them after that place, open ones first and then the newest; and how many there are beyond these.

    By the place of a row and not by a number of rows to skip: one that closes meanwhile may come again, and none is
    left out.
    """
    incident, endpoint = tables.incident, tables.endpoint
    which = [*_conditions(stretch), incident.c.endpoint_id == endpoint.c.id]
    if after is not None:
        which.append(_follows(after))
    wanted = (
        select(*INCIDENT_COLUMNS)
        .where(*which)
        .order_by(incident.c.ended_at.is_not(None), incident.c.opened_at.desc(), incident.c.id.desc())
        .limit(limit)
    )
    async with db.connect() as connection:
        rows = tuple(incident_row(row) for row in (await connection.execute(wanted)).mappings())
        if len(rows) < limit:
            return rows, 0
        # Beside the rows, as a window over all, it takes many times as long.
        number = await connection.scalar(select(func.count()).select_from(incident).join(endpoint).where(*which))
    return rows, max((number or 0) - len(rows), 0)


async def overview(db: AsyncEngine, stretch: Stretch) -> Overview:
    """All of them on a time axis, however many the list shows at once."""
    incident, endpoint = tables.incident, tables.endpoint
    which = and_(*_conditions(stretch), incident.c.endpoint_id == endpoint.c.id)
    lane = (
        select(
            incident.c.endpoint_id,
            func.count().label("of"),
            func.sum(func.count()).over().label("number"),
            func.count().over().label("endpoints"),
        )
        .where(which)
        .group_by(incident.c.endpoint_id)
        .order_by(func.bool_or(incident.c.ended_at.is_(None)).desc(), func.max(incident.c.since).desc())
        .limit(MOST_LANES)
        .cte("lane")
    )
    newest = func.row_number().over(partition_by=incident.c.endpoint_id, order_by=incident.c.opened_at.desc())
    columns = (incident.c[name] for name in ("id", "since", "ended_at", "verdict", "cause"))
    numbered = (
        select(*columns, endpoint.c.name.label("endpoint_name"), newest.label("place"), *lane.c)
        .join(lane, lane.c.endpoint_id == incident.c.endpoint_id)
        .where(which)
        .subquery()
    )
    async with db.connect() as connection:
        found = await connection.execute(select(numbered).where(numbered.c.place <= MOST_SPELLS))
        rows = found.mappings().all()
    if not rows:
        return Overview(number=0, endpoints=0, spells=())
    names = SpellRow.__dataclass_fields__
    spells = (SpellRow(**{**{name: row[name] for name in names}, "verdict": Verdict(row["verdict"])}) for row in rows)
    return Overview(number=int(rows[0]["number"]), endpoints=rows[0]["endpoints"], spells=tuple(spells))


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
        .where(among(notice.c.thread, threads))
        .order_by(attempt.c.number.desc())
        .limit(MOST_TRIES)
    )
    found: dict[UUID, tuple[AttemptRow, ...]] = {}
    async with db.connect() as connection:
        for row in (await connection.execute(wanted)).mappings():
            tried = AttemptRow(**row)
            found[tried.notice_id] = (tried, *found.get(tried.notice_id, ()))
    return found


def _follows(after: Place) -> ColumnElement[bool]:
    """Whether an incident stands behind that place."""
    incident = tables.incident.c
    behind = tuple_(incident.opened_at, incident.id) < tuple_(after.opened_at, after.id)
    if after.is_over:
        return and_(incident.ended_at.is_not(None), behind)
    return or_(incident.ended_at.is_not(None), behind)


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
