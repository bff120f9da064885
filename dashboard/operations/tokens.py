"""Tokens of programs: made and revoked."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from dashboard.access.permissions import Permission
from dashboard.operations.refusals import conflict, missing, unusable
from dashboard.services import Services
from prober.storage import audit, tokens
from prober.storage.audit import Author
from prober.storage.people import NoSuchPerson
from prober.storage.tokens import LONGEST, NAME_KEPT, NoSuchToken, Token


async def add(
    services: Services, author: Author, name: str, scopes: Sequence[Permission], lasts: timedelta | None
) -> tuple[Token, str]:
    """A new token and its secret, which is shown once; without `lasts` it does not expire.

    A scope allows what it says and nothing beside it: what may `operate` in a pipeline need not `read`. Raises
    HTTPException: 409 or 422.
    """
    kept = name.strip()
    if not 1 <= len(kept) <= NAME_KEPT:
        raise unusable(f"a token has a name of up to {NAME_KEPT} characters, by which people know what uses it")
    if not scopes:
        raise unusable("a token without a scope opens nothing: choose one")
    if lasts is not None and not timedelta(0) < lasts <= LONGEST:
        raise unusable(f"a token lasts for up to {LONGEST.days} days")
    now = services.clock.now()
    expires_at = None if lasts is None else now + lasts
    detail = {"scopes": sorted(scopes), "until": None if expires_at is None else expires_at.isoformat()}
    try:
        async with audit.change(services.db, author, "token.add", kept, detail) as change:
            return await tokens.add(change, kept, scopes, now=now, expires_at=expires_at, by=author.name)
    except NoSuchPerson:
        raise conflict("somebody has removed you meanwhile") from None


async def revoke(services: Services, author: Author, token: UUID) -> Token:
    """Let a token open nothing any more. Raises HTTPException: 404."""
    try:
        async with services.db.begin() as connection:
            revoked = await tokens.revoke(connection, token, now=services.clock.now(), by=author.name)
            await audit.note(connection, author, "token.revoke", revoked.name, {"token": str(token)})
            return revoked
    except NoSuchToken as absent:
        raise missing(absent) from None
