"""What people wrote about an incident."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.text import clean, storable
from prober.storage import tables

WORDS_KEPT: Final = 4000
"""Characters of one comment."""
MOST: Final = 500
"""Comments of one incident; a discussion that is longer belongs elsewhere."""

_NAME_KEPT: Final = 100


class NoSuchIncident(Exception):
    """There is no incident with this id, or it is no longer kept. The text says so."""


class TooMany(Exception):
    """The incident has as many comments as one can have. The text says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One remark. Its words are a person's own: escape them."""

    id: UUID
    at: datetime
    author: str
    words: str


async def add(connection: AsyncConnection, incident: UUID, words: str, *, by: str) -> tuple[Comment, str]:
    """Write a comment: it, and the name of the incident's endpoint. Raises NoSuchIncident or TooMany."""
    table, endpoint = tables.comment, tables.endpoint
    # The lock makes the count true for whoever writes at the same time.
    about = await connection.scalar(
        select(endpoint.c.name)
        .join(tables.incident, tables.incident.c.endpoint_id == endpoint.c.id)
        .where(tables.incident.c.id == incident)
        .with_for_update(of=tables.incident)
    )
    if about is None:
        raise NoSuchIncident("there is no such incident, or it is too old and no longer kept")
    written = await connection.scalar(select(func.count()).where(table.c.incident_id == incident))
    if (written or 0) >= MOST:
        raise TooMany(f"the incident has {MOST} comments already, and takes no more")
    made = Comment(
        id=uuid4(),
        at=(await connection.execute(select(func.now()))).scalar_one(),
        author=storable(clean(by, _NAME_KEPT)),
        words=storable(words),
    )
    await connection.execute(
        insert(table).values(id=made.id, incident_id=incident, at=made.at, author=made.author, words=made.words)
    )
    return made, about


async def of_incident(db: AsyncEngine, incident: UUID) -> tuple[Comment, ...]:
    """The comments of an incident, oldest first."""
    table = tables.comment
    wanted = select(table).where(table.c.incident_id == incident).order_by(table.c.at, table.c.id)
    async with db.connect() as connection:
        rows = (await connection.execute(wanted)).mappings()
        return tuple(Comment(**{name: row[name] for name in Comment.__dataclass_fields__}) for row in rows)
