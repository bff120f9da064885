"""Lists that are read piece by piece, newest first: each piece begins after the last row of the one before it.

By the moment and the id of that row, and not by a number of rows to skip: what is written meanwhile repeats nothing and
leaves nothing out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.incidents.rules import Severity
from prober.storage import tables
from prober.storage.membership import among
from prober.storage.queries import (
    INCIDENT_COLUMNS,
    MOST_ROWS,
    NOTICE_COLUMNS,
    IncidentRow,
    NoticeRow,
    ReportRow,
    incident_row,
    notice_row,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """The last row that whoever asks has seen."""

    at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionRow:
    """One change of an incident, in the words of the moment."""

    id: UUID
    kind: str
    at: datetime
    report_id: UUID
    verdict: Verdict
    severity: Severity
    cause: str | None
    cause_summary: str


async def endpoint_named(db: AsyncEngine, name: str) -> UUID | None:
    """The id of the endpoint of that name, if it is watched."""
    table = tables.endpoint
    async with db.connect() as connection:
        found: UUID | None = await connection.scalar(
            select(table.c.id).where(table.c.name == name, table.c.removed_at.is_(None))
        )
        return found


async def endpoints_named(db: AsyncEngine, names: Sequence[str]) -> Mapping[str, UUID]:
    """The ids of the endpoints of these names that are watched, or without names of all."""
    table = tables.endpoint
    wanted = select(table.c.name, table.c.id).where(table.c.removed_at.is_(None))
    if names:
        wanted = wanted.where(among(table.c.name, names))
    async with db.connect() as connection:
        return {row.name: row.id for row in await connection.execute(wanted)}


async def reports(
    db: AsyncEngine, endpoint: UUID, *, limit: int, after: After | None = None, verdict: Verdict | None = None
) -> tuple[ReportRow, ...]:
    """Probes of an endpoint, by slot."""
    table = tables.report
    which = [table.c.endpoint_id == endpoint]
    if verdict is not None:
        which.append(table.c.verdict == verdict.value)
    columns = [table.c[name] for name in ReportRow.__dataclass_fields__]
    rows = await _rows(db, columns, which, (table.c.slot, table.c.id), limit, after)
    return tuple(ReportRow(**{**row, "verdict": Verdict(row["verdict"])}) for row in rows)


async def incidents(
    db: AsyncEngine,
    *,
    limit: int,
    after: After | None = None,
    is_open: bool | None = None,
    endpoint: str | None = None,
    severity: Severity | None = None,
    id: UUID | None = None,  # noqa: A002 - as the column is called
) -> tuple[IncidentRow, ...]:
    """Incidents, by when they were opened."""
    table, watched = tables.incident, tables.endpoint
    which = [table.c.endpoint_id == watched.c.id]
    if is_open is not None:
        which.append(table.c.ended_at.is_(None) if is_open else table.c.ended_at.is_not(None))
    if endpoint is not None:
        which.append(watched.c.name == endpoint)
    if severity is not None:
        which.append(table.c.severity == severity.value)
    if id is not None:
        which.append(table.c.id == id)
    rows = await _rows(db, INCIDENT_COLUMNS, which, (table.c.opened_at, table.c.id), limit, after)
    return tuple(incident_row(row) for row in rows)


async def transitions(db: AsyncEngine, incident: UUID) -> tuple[TransitionRow, ...]:
    """What became of an incident, oldest first."""
    table = tables.transition
    columns = [table.c[name] for name in TransitionRow.__dataclass_fields__]
    wanted = select(*columns).where(table.c.incident_id == incident).order_by(table.c.at, table.c.id).limit(MOST_ROWS)
    async with db.connect() as connection:
        rows = (await connection.execute(wanted)).mappings()
        return tuple(
            TransitionRow(**{**row, "verdict": Verdict(row["verdict"]), "severity": Severity(row["severity"])})
            for row in rows
        )


async def notices(
    db: AsyncEngine,
    *,
    limit: int,
    after: After | None = None,
    channel: str | None = None,
    threads: Sequence[UUID] | None = None,
) -> tuple[NoticeRow, ...]:
    """Notices, by when they were written; those of some incidents or outages alone with `threads`, their ids."""
    table = tables.notice
    which: list[ColumnElement[bool]] = []
    if channel is not None:
        which.append(table.c.channel == channel)
    if threads is not None:
        which.append(among(table.c.thread, threads))
    rows = await _rows(db, NOTICE_COLUMNS, which, (table.c.created_at, table.c.id), limit, after)
    return tuple(notice_row(row) for row in rows)


async def _rows(
    db: AsyncEngine,
    columns: Sequence[ColumnElement[Any]],
    which: Sequence[ColumnElement[bool]],
    order: tuple[ColumnElement[Any], ColumnElement[Any]],
    limit: int,
    after: After | None,
) -> Sequence[Any]:
    wanted = select(*columns).where(and_(True, *which)).order_by(order[0].desc(), order[1].desc())
    if after is not None:
        # The first half alone lets PostgreSQL leave out whole partitions.
        wanted = wanted.where(order[0] <= after.at, tuple_(*order) < tuple_(after.at, after.id))
    async with db.connect() as connection:
        found = await connection.execute(wanted.limit(min(limit, MOST_ROWS)))
        return found.mappings().all()
