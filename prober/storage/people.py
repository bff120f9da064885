"""Who may log in, and as what."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, func, insert, select, text, update
from sqlalchemy import delete as delete_from
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.text import storable
from prober.storage import tables

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
_ADMINS_ONE_BY_ONE: Final = 0x6D63_7070_6164
"""Key of the lock under which the number of admins changes."""


class Role(StrEnum):
    """What a person may do; each may do all that the one before may."""

    VIEWER = "viewer"
    """Look at everything but the audit log and the settings of access."""
    OPERATOR = "operator"
    """Acknowledge, snooze, comment, ask for a probe, accept tools, mute, test a channel."""
    ADMIN = "admin"
    """Endpoints, people, tokens, and the audit log."""


SCOPES: Final[Mapping[Role, frozenset[str]]] = {
    Role.VIEWER: frozenset({"read"}),
    Role.OPERATOR: frozenset({"read", "operate"}),
    Role.ADMIN: frozenset({"read", "operate", "manage"}),
}
"""What each may do, in the words of permissions and of the scopes of tokens."""


class Source(StrEnum):
    """Who vouches for a person."""

    PASSWORD = "password"  # noqa: S105 - a word, not a secret
    OIDC = "oidc"
    PROXY = "proxy"


class PersonRefused(Exception):
    """A change of a person that is not made. The message is a sentence that says why."""


class NoSuchPerson(PersonRefused):
    """Nobody has that name."""


class NameTaken(PersonRefused):
    """Somebody else has that name."""


class LastAdmin(PersonRefused):
    """After the change, nobody could manage access any more."""

    def __init__(self) -> None:
        super().__init__("Nobody else is an admin: make somebody one first.")


class BadName(PersonRefused):
    """A name that nobody can have."""

    def __init__(self) -> None:
        super().__init__("A name begins with a letter or a digit and has up to 100 of a-z, 0-9 and . _ - + @.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may log in, unless `disabled_at` says since when not."""

    id: UUID
    name: str
    role: Role
    source: Source
    subject: str | None
    """Who it is at the provider or the proxy that vouches."""
    password_at: datetime | None
    created_at: datetime
    created_by: str
    seen_at: datetime | None
    """When the last login was."""
    disabled_at: datetime | None
    refused_at: datetime | None
    """Since when the provider or the proxy names no group of the person's that may come in."""


COLUMNS: Final = tuple(column for column in tables.person.c if column.name != "password")
"""What makes a person. The hash of the password is read by `credentials` alone."""


def person_of(row: RowMapping) -> Person:
    """The person in a row that has `COLUMNS`."""
    values: dict[str, Any] = {column.name: row[column] for column in COLUMNS}
    return Person(**{**values, "role": Role(values["role"]), "source": Source(values["source"])})


def tidy_name(name: str) -> str:
    """The name as it is kept: lower case, without space around it. Raises BadName."""
    tidy = name.strip().lower()
    if not _NAME.fullmatch(tidy):
        raise BadName
    return tidy


def is_name(name: str) -> bool:
    """Whether a person can have that name. Whoever changes something at the prompt is written down under one that
    nobody can have."""
    return _NAME.fullmatch(name) is not None


async def everybody(db: AsyncEngine) -> Sequence[Person]:
    """All people, by name."""
    async with db.connect() as connection:
        rows = (await connection.execute(select(*COLUMNS).order_by(tables.person.c.name))).mappings()
        return [person_of(row) for row in rows]


async def named(connection: AsyncConnection, name: str) -> Person:
    """The person of that name. Raises NoSuchPerson."""
    wanted = select(*COLUMNS).where(tables.person.c.name == storable(name.strip().lower()))
    row = (await connection.execute(wanted)).mappings().one_or_none()
    if row is None:
        raise NoSuchPerson("Nobody has that name.")
    return person_of(row)


async def credentials(db: AsyncEngine, name: str) -> tuple[Person, str] | None:
    """The person of that name with the hash of the password. None for a name that cannot log in with one."""
    table = tables.person
    wanted = select(*COLUMNS, table.c.password).where(
        table.c.name == name, table.c.password.is_not(None), table.c.disabled_at.is_(None)
    )
    async with db.connect() as connection:
        row = (await connection.execute(wanted)).mappings().one_or_none()
    return None if row is None else (person_of(row), row[table.c.password])


async def is_unchanged(connection: AsyncConnection, person: Person) -> bool:
    """Whether the person may still come in, with the same password. It stays so until the transaction ends.

    Looking at a password takes a while, and what somebody changes meanwhile must hold for that login too.
    """
    table = tables.person
    wanted = select(table.c.password_at).where(table.c.id == person.id, table.c.disabled_at.is_(None))
    row = (await connection.execute(wanted.with_for_update())).one_or_none()
    return row is not None and row.password_at == person.password_at


async def has_admin(connection: AsyncConnection) -> bool:
    """Whether there is an admin who may log in."""
    return bool(await connection.scalar(select(_admins().exists())))


async def add(connection: AsyncConnection, name: str, role: Role, *, password: str, by: str) -> Person:
    """A new person who logs in with a password, of which this is the hash. Raises NameTaken and BadName."""
    return await _inserted(
        connection,
        name=tidy_name(name),
        role=role.value,
        source=Source.PASSWORD.value,
        password=password,
        password_at=func.now(),
        created_by=by,
    )


async def met(
    connection: AsyncConnection, source: Source, subject: str, *, name: str, role: Role
) -> tuple[Person, bool]:
    """The person for whom a provider or a proxy vouches, with the role that it gives now; True for a new one.

    Raises NameTaken where somebody else has the name: then whoever vouches says nothing about that person. Raises
    BadName.
    """
    table = tables.person
    known = (
        (
            await connection.execute(
                update(table)
                .where(table.c.subject == subject, table.c.source == source.value)
                .values(role=role.value, refused_at=None)
                .returning(*COLUMNS)
            )
        )
        .mappings()
        .one_or_none()
    )
    if known is not None:
        return person_of(known), False
    made = await _inserted(
        connection,
        name=tidy_name(name),
        role=role.value,
        source=source.value,
        subject=subject,
        created_by=source.value,
    )
    return made, True


async def _inserted(connection: AsyncConnection, **values: Any) -> Person:
    try:
        async with connection.begin_nested():
            added = await connection.execute(insert(tables.person).values(id=uuid4(), **values).returning(*COLUMNS))
    except IntegrityError:
        raise NameTaken("Somebody has that name already.") from None
    return person_of(added.mappings().one())


async def set_password(connection: AsyncConnection, person: UUID, password: str) -> None:
    """Keep another hash. Whoever has no password keeps none. What the person is logged in with stays: see `logins`."""
    table = tables.person
    await connection.execute(
        update(table)
        .where(table.c.id == person, table.c.password.is_not(None))
        .values(password=password, password_at=func.now())
    )


async def rehash(db: AsyncEngine, person: UUID, *, old: str, new: str) -> None:
    """The same password with today's parameters, unless it is another one by now."""
    table = tables.person
    async with db.begin() as connection:
        await connection.execute(
            update(table).where(table.c.id == person, table.c.password == old).values(password=new)
        )


async def set_role(connection: AsyncConnection, name: str, role: Role) -> Person:
    """Let the person do more or less, from the next request on. Raises NoSuchPerson and LastAdmin."""
    return await _changed(connection, name, role=role.value)


async def disable(connection: AsyncConnection, name: str) -> Person:
    """Let the person in no more. Raises NoSuchPerson and LastAdmin."""
    return await _changed(connection, name, disabled_at=func.coalesce(tables.person.c.disabled_at, func.now()))


async def enable(connection: AsyncConnection, name: str) -> Person:
    """Let the person in again. Raises NoSuchPerson."""
    return await _changed(connection, name, disabled_at=None)


async def remove(connection: AsyncConnection, name: str) -> Person:
    """Forget the person; what they did stays in the audit log. Raises NoSuchPerson and LastAdmin."""
    await _alone(connection)
    person = await named(connection, name)
    had = await has_admin(connection)
    await connection.execute(delete_from(tables.person).where(tables.person.c.id == person.id))
    if had and not await has_admin(connection):
        raise LastAdmin
    return person


async def _changed(connection: AsyncConnection, name: str, **values: Any) -> Person:
    await _alone(connection)
    had = await has_admin(connection)
    wanted = update(tables.person).where(tables.person.c.name == storable(name.strip().lower())).values(**values)
    row = (await connection.execute(wanted.returning(*COLUMNS))).mappings().one_or_none()
    if row is None:
        raise NoSuchPerson("Nobody has that name.")
    if had and not await has_admin(connection):
        raise LastAdmin
    return person_of(row)


async def _alone(connection: AsyncConnection) -> None:
    """Let nobody else change who is an admin until this transaction ends: two admins must not remove each other."""
    await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _ADMINS_ONE_BY_ONE})


def _admins() -> Any:
    table = tables.person
    return select(table.c.id).where(
        table.c.role == Role.ADMIN.value, table.c.disabled_at.is_(None), table.c.refused_at.is_(None)
    )
