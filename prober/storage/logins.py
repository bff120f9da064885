"""Browsers that are logged in. What the cookie holds is never stored: only its SHA-256."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.text import clean, storable
from prober.storage import tables
from prober.storage.people import COLUMNS, Person, person_of

_SEEN_EVERY: Final = timedelta(minutes=1)
"""`seen_at` is true to the minute: a page that is looked at must not write a row each time."""
_ADDRESS_KEPT: Final = 100
_AGENT_KEPT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasts:
    """For how long a login counts: after the last request, and in all."""

    idle: timedelta = timedelta(hours=12)
    whole: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A browser of a person, until `expires_at` at the latest."""

    digest: bytes
    person: Person
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    agent: str


def new_secret() -> str:
    """What a cookie holds: 256 bits that nobody guesses."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> bytes:
    """What is stored of it. A fast hash will do: nobody tries 256 bits."""
    return hashlib.sha256(secret.encode()).digest()


async def begin(
    connection: AsyncConnection, person: UUID, *, now: datetime, lasts: Lasts, address: str, agent: str
) -> str:
    """Log a browser in; gives the secret for its cookie."""
    secret = new_secret()
    await connection.execute(
        insert(tables.login).values(
            digest=digest_of(secret),
            person_id=person,
            created_at=now,
            seen_at=now,
            expires_at=now + lasts.whole,
            address=storable(clean(address, _ADDRESS_KEPT)),
            agent=storable(clean(agent, _AGENT_KEPT)),
        )
    )
    await connection.execute(update(tables.person).where(tables.person.c.id == person).values(seen_at=now))
    return secret


async def known(db: AsyncEngine, secret: str, *, now: datetime, lasts: Lasts) -> Login | None:
    """The login that a cookie stands for, if it still counts and the person may still come in."""
    table, digest = tables.login, digest_of(secret)
    wanted = (
        select(table, *COLUMNS)
        .join(tables.person, table.c.person_id == tables.person.c.id)
        .where(
            table.c.digest == digest,
            table.c.expires_at > now,
            table.c.seen_at > now - lasts.idle,
            tables.person.c.disabled_at.is_(None),
        )
    )
    async with db.connect() as connection:
        row = (await connection.execute(wanted)).mappings().one_or_none()
        if row is None:
            return None
        if row[table.c.seen_at] < now - _SEEN_EVERY:
            await connection.execute(update(table).where(table.c.digest == digest).values(seen_at=now))
            await connection.commit()
    return Login(person=person_of(row), **{name: row[table.c[name]] for name in _OF_LOGIN})


_OF_LOGIN: Final = ("digest", "created_at", "seen_at", "expires_at", "address", "agent")


async def of_person(db: AsyncEngine, person: Person, *, now: datetime, lasts: Lasts) -> Sequence[Login]:
    """Where a person is logged in, the last used one first."""
    table = tables.login
    wanted = (
        select(table)
        .where(table.c.person_id == person.id, table.c.expires_at > now, table.c.seen_at > now - lasts.idle)
        .order_by(table.c.seen_at.desc(), table.c.created_at.desc())
    )
    async with db.connect() as connection:
        rows = (await connection.execute(wanted)).mappings()
        return [Login(person=person, **{name: row[name] for name in _OF_LOGIN}) for row in rows]


async def end(connection: AsyncConnection, person: UUID, digest: bytes) -> bool:
    """End one login of a person; False where there was none."""
    table = tables.login
    ended = await connection.execute(delete(table).where(table.c.digest == digest, table.c.person_id == person))
    return bool(ended.rowcount)


async def end_all(connection: AsyncConnection, person: UUID, *, but: bytes | None = None) -> int:
    """End all logins of a person, or all others than one; how many there were."""
    table = tables.login
    meant = delete(table).where(table.c.person_id == person)
    if but is not None:
        meant = meant.where(table.c.digest != but)
    return (await connection.execute(meant)).rowcount


async def addresses_of(connection: AsyncConnection, name: str) -> frozenset[str]:
    """From where the person of that name is or lately was logged in."""
    table = tables.login
    wanted = (
        select(table.c.address)
        .distinct()
        .join(tables.person, table.c.person_id == tables.person.c.id)
        .where(tables.person.c.name == name)
    )
    return frozenset(await connection.scalars(wanted))
