"""What nobody needs any more of logins, of links to set up, and of failed tries."""

from datetime import datetime

from sqlalchemy import delete, or_
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.storage import tables
from prober.storage.failed_logins import FORGOTTEN_AFTER


async def forget(db: AsyncEngine, *, now: datetime) -> int:
    """Delete logins and set-up links that have expired, and failed tries that count no more; how many there were.

    Tokens stay, expired and revoked ones too: their page says what became of them.
    """
    login, offered, failed = tables.login, tables.setup_token, tables.failed_login
    held = or_(failed.c.locked_until.is_(None), failed.c.locked_until < now)
    async with db.begin() as connection:
        ended = await connection.execute(delete(login).where(login.c.expires_at < now))
        unused = await connection.execute(delete(offered).where(offered.c.expires_at < now))
        forgotten = await connection.execute(delete(failed).where(failed.c.last_at < now - FORGOTTEN_AFTER, held))
    return ended.rowcount + unused.rowcount + forgotten.rowcount
