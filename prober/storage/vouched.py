"""People for whom an OpenID Connect provider or a proxy vouches: they are met, and turned away."""

import hashlib
import re
import unicodedata
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from prober.storage import audit, logins, people, tables
from prober.storage.audit import Author, Via
from prober.storage.people import COLUMNS, NameTaken, Person, Role, Source, person_of

_UNFIT: Final = re.compile(r"[^a-z0-9._@+-]+")
_NAME_KEPT: Final = 80
_SEEN_EVERY: Final = timedelta(minutes=1)


class TurnedAway(Exception):
    """The person may not come in. The message is a sentence for them."""


async def known(db: AsyncEngine, source: Source, subject: str) -> Person | None:
    """Whom we have met as this subject."""
    async with db.connect() as connection:
        return await _known(connection, source, subject)


async def welcome(connection: AsyncConnection, source: Source, subject: str, *, name: str, role: Role) -> Person:
    """The person, with the role that is theirs now; a new one and another role stand in the audit log.

    A new person gets a name that nobody has: what a provider calls them says nothing about somebody who is called the
    same here. Raises TurnedAway for somebody whom an admin has disabled.
    """
    before = await _known(connection, source, subject)
    if before is not None and before.disabled_at is not None:
        raise TurnedAway("Your account here is disabled: ask an admin of this dashboard.")
    if before is not None and before.role is role and before.refused_at is None:
        return before
    person, is_new = await _met(connection, source, subject, name, role)
    author = Author(name=person.name, via=Via.PAGE)
    if is_new:
        await audit.note(connection, author, "person.add", person.name, {"role": role.value, "source": source.value})
    elif before is not None and before.role is not role:
        detail = {"role": role.value, "was": before.role.value, "source": source.value}
        await audit.note(connection, author, "person.role", person.name, detail)
    return person


async def turn_away(connection: AsyncConnection, source: Source, subject: str) -> None:
    """End the logins of somebody who is in none of the groups any more, and write it into the audit log.

    Their tokens rest until they come back with a group.
    """
    person = await _known(connection, source, subject)
    if person is None:
        return
    ended, table = await logins.end_all(connection, person.id), tables.person
    refused = update(table).where(table.c.id == person.id, table.c.refused_at.is_(None)).values(refused_at=func.now())
    if (await connection.execute(refused)).rowcount or ended:
        author = Author(name=person.name, via=Via.PAGE)
        detail = {"logins": ended, "role": person.role.value, "source": source.value}
        await audit.note(connection, author, "person.refuse", person.name, detail)


async def seen(db: AsyncEngine, person: Person, now: datetime) -> None:
    """The person was here; true to the minute, so that a page that is looked at does not write a row each time."""
    if person.seen_at is None or person.seen_at < now - _SEEN_EVERY:
        async with db.begin() as connection:
            await connection.execute(update(tables.person).where(tables.person.c.id == person.id).values(seen_at=now))


def fit(name: str) -> str:
    """A name from elsewhere, spelled as names are here; empty where nothing of it can be."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().strip().lower()
    return _UNFIT.sub("-", plain)[:_NAME_KEPT].strip("._@+-")


async def _known(connection: AsyncConnection, source: Source, subject: str) -> Person | None:
    table = tables.person
    wanted = select(*COLUMNS).where(table.c.subject == subject, table.c.source == source.value)
    row = (await connection.execute(wanted)).mappings().one_or_none()
    return None if row is None else person_of(row)


async def _met(connection: AsyncConnection, source: Source, subject: str, name: str, role: Role) -> tuple[Person, bool]:
    mark = hashlib.sha256(subject.encode()).hexdigest()[:8]
    fitting = fit(name) or source.value
    try:
        return await people.met(connection, source, subject, name=fitting, role=role)
    except NameTaken:
        return await people.met(connection, source, subject, name=f"{fitting}+{mark}", role=role)
