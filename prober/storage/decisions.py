"""What people decided while an incident lasted: about itself, and that nobody is told of its endpoint."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from prober.incidents.windows import whom_in_words
from prober.storage import mutes, tables
from prober.storage.audit import subject_kept
from prober.storage.membership import among
from prober.storage.mutes import MuteRow

MOST: Final = 100
"""Of one kind, the newest."""


class What(StrEnum):
    """What was decided."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    WAKE = "wake"
    MAINTENANCE = "maintenance"
    DEPLOY = "deploy"
    END = "end"
    """Of maintenance or of what follows a deploy, before its time."""


_LOGGED: Final = {"incident.snooze": What.SNOOZE, "incident.wake": What.WAKE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision. `at` is when it took effect: maintenance may have been planned long before."""

    at: datetime
    author: str
    what: What
    until: datetime | None = None
    """Until when nobody is told; None where that is not known, or where somebody is told again."""
    reason: str = ""


async def about(db: AsyncEngine, incident: UUID) -> tuple[Decision, ...]:
    """What was decided about an incident, oldest first. Times that come again stand in the configuration: nobody
    decides about them."""
    table, endpoint = tables.incident, tables.endpoint
    wanted = (
        select(
            *(table.c[name] for name in ("since", "acknowledged_at", "acknowledged_by")),
            *(endpoint.c.name, endpoint.c.labels),
            func.coalesce(table.c.ended_at, func.now()).label("until"),
        )
        .join(endpoint, endpoint.c.id == table.c.endpoint_id)
        .where(table.c.id == incident)
    )
    async with db.connect() as connection:
        row = (await connection.execute(wanted)).mappings().first()
        if row is None:
            return ()
        found = [*await _logged(connection, row["name"], incident), *await _muted(connection, row)]
    if row["acknowledged_at"] is not None:
        by = row["acknowledged_by"] or ""
        found.append(Decision(at=row["acknowledged_at"], author=by, what=What.ACKNOWLEDGE))
    return tuple(sorted(found, key=lambda each: each.at))


async def _logged(connection: AsyncConnection, name: str, incident: UUID) -> list[Decision]:
    """Snoozes and their ends, of which the audit log alone knows by whom and when."""
    table = tables.audit
    wanted = (
        select(table.c.at, table.c.author, table.c.action, table.c.detail["until"].astext.label("until"))
        .where(
            table.c.subject == subject_kept(name),
            table.c.action.in_(_LOGGED),
            table.c.detail["incident"].astext == str(incident),
        )
        .order_by(table.c.number.desc())
        .limit(MOST)
    )
    return [
        Decision(at=row.at, author=row.author, what=_LOGGED[row.action], until=_moment(row.until))
        for row in await connection.execute(wanted)
    ]


async def _muted(connection: AsyncConnection, row: RowMapping) -> list[Decision]:
    """The times in which nobody was told of the endpoint, and who ended one of them."""
    span = {"since": row["since"], "until": row["until"]}
    found = await mutes.during(connection, row["name"], row["labels"], **span, limit=MOST)
    begun = [
        Decision(
            at=each.starts_at, author=each.created_by, what=What(each.kind), until=each.ends_at, reason=each.reason
        )
        for each in found
    ]
    return [*begun, *await _ended(connection, found)] if found else []


async def _ended(connection: AsyncConnection, found: Sequence[MuteRow]) -> list[Decision]:
    table = tables.audit
    wanted: Any = select(table.c.at, table.c.author).where(
        among(table.c.subject, {subject_kept(whom_in_words(each.endpoints, each.labels)) for each in found}),
        table.c.action == "maintenance.end",
        among(table.c.detail["mute"].astext, [str(each.id) for each in found]),
    )
    return [Decision(at=row.at, author=row.author, what=What.END) for row in await connection.execute(wanted)]


def _moment(written: str | None) -> datetime | None:
    with suppress(ValueError, TypeError):
        return datetime.fromisoformat(written or "")
    return None
