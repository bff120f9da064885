"""Tokens of programs. A token is shown once, when it is made; stored is its SHA-256.

A token that a person made can do no more than that person now may: it is clipped to the role, rests while the person is
disabled or in no group that may come in, and is revoked when the person is removed. One that was made at the prompt is
nobody's: whoever runs commands there can make another at any time.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, and_, case, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.text import clean, storable
from prober.storage import audit, people, tables
from prober.storage.audit import Author
from prober.storage.logins import digest_of
from prober.storage.people import SCOPES, NoSuchPerson, Role

PREFIX: Final = "mcpp_"
"""By which scanners of repositories and logs know that something is a token of ours."""
NAME_KEPT: Final = 100
LONGEST: Final = timedelta(days=366)
"""For so long a token counts at most, unless it does for ever."""
_USED_EVERY: Final = timedelta(minutes=1)


class NoSuchToken(Exception):
    """There is no such token, or somebody has revoked it already."""

    def __init__(self) -> None:
        super().__init__("There is no such token, or it is revoked already.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token without what is secret about it. `used_at` is true to the minute."""

    id: UUID
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    maker: Role | None
    """What the person may do now who made it; None for one who may not come in, and where no person did."""

    @property
    def is_of_person(self) -> bool:
        """Whether a person made it, and it goes with them."""
        return people.is_name(self.created_by)

    @property
    def opens(self) -> tuple[str, ...]:
        """Its scopes, as far as its maker may still do what they say."""
        if not self.is_of_person:
            return self.scopes
        return () if self.maker is None else tuple(scope for scope in self.scopes if scope in SCOPES[self.maker])

    def is_over(self, now: datetime) -> bool:
        """Whether it will never open anything again."""
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)

    def counts(self, now: datetime) -> bool:
        """Whether it opens anything now."""
        return not self.is_over(now) and bool(self.opens)


async def add(
    connection: AsyncConnection,
    name: str,
    scopes: Iterable[str],
    *,
    now: datetime,
    expires_at: datetime | None,
    by: str,
) -> tuple[Token, str]:
    """A new token, and the secret that nobody can read again. `by` is a person's name, or what no person is called.

    Raises NoSuchPerson for a person who has been removed meanwhile.
    """
    secret, token = PREFIX + secrets.token_urlsafe(32), uuid4()
    if people.is_name(by):
        await _hold(connection, by)
    await connection.execute(
        insert(tables.api_token).values(
            id=token,
            name=storable(clean(name, NAME_KEPT)),
            digest=digest_of(secret),
            scopes=sorted(set(scopes)),
            created_at=now,
            created_by=by,
            expires_at=expires_at,
        )
    )
    row = (await connection.execute(_WANTED.where(tables.api_token.c.id == token))).mappings().one()
    return _token(row), secret


async def known(db: AsyncEngine, secret: str, *, now: datetime) -> Token | None:
    """The token with that secret, if it still counts."""
    if not secret.startswith(PREFIX):
        return None
    table = tables.api_token
    wanted = _WANTED.where(table.c.digest == digest_of(secret))
    async with db.connect() as connection:
        row = (await connection.execute(wanted)).mappings().one_or_none()
        if row is None or not (token := _token(row)).counts(now):
            return None
        if token.used_at is None or token.used_at < now - _USED_EVERY:
            await connection.execute(
                update(table)
                .where(table.c.id == token.id, or_(table.c.used_at.is_(None), table.c.used_at < now))
                .values(used_at=now)
            )
            await connection.commit()
    return token


async def everyone(db: AsyncEngine) -> Sequence[Token]:
    """All tokens, the newest first, with those that are revoked or have expired."""
    async with db.connect() as connection:
        rows = await connection.execute(_WANTED.order_by(tables.api_token.c.created_at.desc()))
        return [_token(row) for row in rows.mappings()]


async def revoke(connection: AsyncConnection, token: UUID, *, now: datetime, by: str) -> Token:
    """Let a token open nothing any more. Raises NoSuchToken."""
    table = tables.api_token
    revoked = await connection.execute(
        update(table).where(table.c.id == token, table.c.revoked_at.is_(None)).values(revoked_at=now, revoked_by=by)
    )
    if not revoked.rowcount:
        raise NoSuchToken
    return _token((await connection.execute(_WANTED.where(table.c.id == token))).mappings().one())


async def revoke_all_of(connection: AsyncConnection, maker: str, *, author: Author) -> Sequence[str]:
    """Revoke what a person made who is forgotten in the same transaction, and write each into the audit log; gives
    their names. Nobody who gets the name later has a part in them."""
    table = tables.api_token
    revoked = await connection.execute(
        update(table)
        .where(table.c.created_by == maker, table.c.revoked_at.is_(None))
        .values(revoked_at=func.now(), revoked_by=author.name)
        .returning(table.c.id, table.c.name)
    )
    found = revoked.all()
    for row in found:
        await audit.note(connection, author, "token.revoke", row.name, {"token": str(row.id), "maker": maker})
    return [row.name for row in found]


async def _hold(connection: AsyncConnection, maker: str) -> None:
    """Let nobody forget the maker until this transaction ends: whose tokens there are is looked for after that. A token
    without its maker would be that of whoever gets the name next. Raises NoSuchPerson."""
    table = tables.person
    held = select(table.c.id).where(table.c.name == maker).with_for_update(read=True, key_share=True)
    if (await connection.execute(held)).first() is None:
        raise NoSuchPerson("Nobody has that name.")


_COLUMNS: Final = tuple(column for column in tables.api_token.c if column.name != "digest")
_MAY_COME_IN: Final = and_(tables.person.c.disabled_at.is_(None), tables.person.c.refused_at.is_(None))
_WANTED: Final = select(*_COLUMNS, case((_MAY_COME_IN, tables.person.c.role)).label("maker")).outerjoin(
    tables.person, tables.person.c.name == tables.api_token.c.created_by
)


def _token(row: RowMapping) -> Token:
    values = {column.name: row[column.name] for column in _COLUMNS}
    maker = None if row["maker"] is None else Role(row["maker"])
    return Token(**{**values, "scopes": tuple(values["scopes"]), "maker": maker})
