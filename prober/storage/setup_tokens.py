"""What lets the first admin in: a secret that counts once, for an hour, and only while there is no admin."""

import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from prober.storage import tables
from prober.storage.logins import digest_of

LASTS: Final = timedelta(hours=1)


async def offer(connection: AsyncConnection) -> str:
    """A new secret. Those from before count no more."""
    await connection.execute(delete(tables.setup_token))
    secret = secrets.token_urlsafe(32)
    await connection.execute(insert(tables.setup_token).values(digest=digest_of(secret), expires_at=func.now() + LASTS))
    return secret


async def counts(connection: AsyncConnection, secret: str, *, now: datetime) -> bool:
    """Whether the secret lets somebody in, without using it up."""
    table = tables.setup_token
    wanted = select(table.c.digest).where(table.c.digest == digest_of(secret), table.c.expires_at > now)
    return bool(await connection.scalar(select(wanted.exists())))


async def withdraw(connection: AsyncConnection) -> None:
    """Let no secret count any more: there is an admin."""
    await connection.execute(delete(tables.setup_token))


async def take(connection: AsyncConnection, secret: str, *, now: datetime) -> bool:
    """Use the secret up; False for one that does not count."""
    table = tables.setup_token
    taken = await connection.execute(delete(table).where(table.c.digest == digest_of(secret), table.c.expires_at > now))
    return bool(taken.rowcount)
