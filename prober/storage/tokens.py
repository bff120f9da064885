"""Tokens of programs. A token is shown once, when it is made; stored is its SHA-256."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.text import clean, storable
from prober.storage import tables

PREFIX: Final = "mcpp_"
"""By which scanners of repositories and logs know that something is a token of ours."""
NAME_KEPT: Final = 100
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

    def counts(self, now: datetime) -> bool:
        """Whether it still opens anything."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


async def add(
    connection: AsyncConnection,
    name: str,
    scopes: Iterable[str],
    *,
    now: datetime,
    expires_at: datetime | None,
    by: str,
) -> tuple[Token, str]:
    """A new token, and the secret that nobody can read again."""
    secret = PREFIX + secrets.token_urlsafe(32)
    added = await connection.execute(
        insert(tables.api_token)
        .values(
            id=uuid4(),
            name=storable(clean(name, NAME_KEPT)),
            digest=_digest(secret),
            scopes=sorted(set(scopes)),
            created_at=now,
            created_by=by,
            expires_at=expires_at,
        )
        .returning(*_COLUMNS)
    )
    return _token(added.mappings().one()), secret


async def known(db: AsyncEngine, secret: str, *, now: datetime) -> Token | None:
    """The token with that secret, if it still counts."""
    if not secret.startswith(PREFIX):
        return None
    table = tables.api_token
    wanted = select(*_COLUMNS).where(table.c.digest == _digest(secret))
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
        rows = await connection.execute(select(*_COLUMNS).order_by(tables.api_token.c.created_at.desc()))
        return [_token(row) for row in rows.mappings()]


async def revoke(connection: AsyncConnection, token: UUID, *, now: datetime, by: str) -> Token:
    """Let a token open nothing any more. Raises NoSuchToken."""
    table = tables.api_token
    revoked = await connection.execute(
        update(table)
        .where(table.c.id == token, table.c.revoked_at.is_(None))
        .values(revoked_at=now, revoked_by=by)
        .returning(*_COLUMNS)
    )
    row = revoked.mappings().one_or_none()
    if row is None:
        raise NoSuchToken
    return _token(row)


_COLUMNS: Final = tuple(column for column in tables.api_token.c if column.name != "digest")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _token(row: RowMapping) -> Token:
    values = {column.name: row[column] for column in _COLUMNS}
    return Token(**{**values, "scopes": tuple(values["scopes"])})
