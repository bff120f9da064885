"""Finds out who asks: a program by its token, a browser by its cookie or by what a trusted proxy says."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException
from starlette.requests import Request

from dashboard.access import cookies
from dashboard.access.gate import CHALLENGE, Actor, via_of
from dashboard.access.mode import AccessConfig, Mode
from dashboard.access.permissions import GRANTS, Permission
from prober.clock import Clock
from prober.storage import logins, tokens
from prober.storage.audit import Author, Via
from prober.storage.people import Person

SOMEBODY: Final = "somebody at the dashboard"
_LONGEST: Final = 200

Vouching = Callable[[Request], Awaitable[Person | None]]
"""Who else may say who asks: the person, or None where it says nothing. It raises HTTPException for a forgery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoAsks:
    """Puts a name and permissions on a request. Where the dashboard is open, everybody may do everything."""

    db: AsyncEngine
    clock: Clock
    config: AccessConfig
    vouching: Sequence[Vouching] = ()

    async def __call__(self, request: Request) -> Actor:
        """Raises HTTPException for a token that does not count."""
        if self.config.mode is Mode.OPEN:
            return _somebody(request)
        if (secret := _bearer(request)) is not None:
            return await self._program(secret)
        visit = cookies.read(request, self.config, cookies.VISIT)
        for vouches in self.vouching:
            if (person := await vouches(request)) is not None:
                return _person(request, person, secret=visit)
        if (held := cookies.read(request, self.config, cookies.LOGIN)) is not None:
            login = await logins.known(self.db, held, now=self.clock.now(), lasts=self.config.lasts)
            if login is not None:
                return _person(request, login.person, login=login, secret=held)
        stranger = Author(name="somebody unknown", via=via_of(request))
        return Actor(author=stranger, permissions=frozenset(), is_known=False, secret=visit)

    async def _program(self, secret: str) -> Actor:
        token = await tokens.known(self.db, secret, now=self.clock.now())
        if token is None:
            challenge = {name: f'{value}, error="invalid_token"' for name, value in CHALLENGE.items()}  # RFC 6750
            raise HTTPException(HTTPStatus.UNAUTHORIZED, "That token does not count, or no longer.", challenge)
        return Actor(
            author=Author(name=f"token {token.name}", via=Via.API),
            permissions=frozenset(Permission(scope) for scope in token.opens if scope in set(Permission)),
            is_program=True,
            needs_field=False,
        )


def _somebody(request: Request) -> Actor:
    via = via_of(request)
    name = "somebody at the API" if via is Via.API else SOMEBODY
    return Actor(author=Author(name=name, via=via), permissions=frozenset(Permission), needs_field=False)


def _person(request: Request, person: Person, *, login: logins.Login | None = None, secret: str | None) -> Actor:
    return Actor(
        author=Author(name=person.name, via=via_of(request)),
        permissions=GRANTS[person.role],
        login=login,
        secret=secret,
    )


def _bearer(request: Request) -> str | None:
    """The token of a request; never out of its address, which ends in logs."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    return secret.strip()[:_LONGEST]
