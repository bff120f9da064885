"""The gate of a route: every route has exactly one, and a test walks them all.

@router.post("/api/…", dependencies=[may(Permission.OPERATE)])
async def ask(services: WithServices, actor: WithActor) -> Asked: ...
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final, cast

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request

from dashboard.access import csrf
from dashboard.access.permissions import Permission
from prober.storage.audit import Author, Via
from prober.storage.logins import Login

HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""

CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="mcp-prober"'}
"""A refusal with 401 says how to show who one is (RFC 9110 section 11.6.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Whoever asks, and what they may do."""

    author: Author
    permissions: frozenset[Permission]
    is_known: bool = True
    """False for somebody who has not said who they are."""
    is_program: bool = False
    """It shows a token."""
    needs_field: bool = True
    """A browser vouches without being asked, so that its changes need the field of a form of ours."""
    login: Login | None = None
    """The browser's login, where it is one."""
    secret: str | None = None
    """To what the field of the browser's forms is bound."""


Who = Callable[[Request], Awaitable[Actor]]
"""Finds out who asks; `app.state.who` is one."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets those pass who have the permission; None is for everybody. A change has to come from a form of ours."""

    permission: Permission | None
    people_alone: bool = False
    """Whatever a token may do: one that was stolen must not leave another way in behind when it is revoked."""

    async def __call__(self, request: Request) -> None:
        """Raises HTTPException: 401 for somebody unknown, 403 for somebody who may not, and for a strange form."""
        if self.permission is not None:
            self._admit(await actor_of(request), self.permission)
        if request.method not in HARMLESS:
            await _from_a_form_of_ours(request)

    def _admit(self, actor: Actor, permission: Permission) -> None:
        if self.people_alone and actor.is_program:
            raise HTTPException(HTTPStatus.FORBIDDEN, "This is for people who log in; a token cannot do it.")
        if permission in actor.permissions:
            return
        if not actor.is_known:
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED, "Show an API token, as Authorization: Bearer …, or log in.", CHALLENGE
            )
        raise HTTPException(HTTPStatus.FORBIDDEN, f"This asks for the permission to {permission}.")


_NOT_OURS: Final = {
    Via.API: f"A change by a login needs the field of its forms, in the header {csrf.HEADER}.",
    Via.PAGE: "The form is from before the last login or logout: load its page again.",
}


async def _from_a_form_of_ours(request: Request) -> None:
    actor = await actor_of(request)
    if not actor.needs_field:
        return
    given = await csrf.shown(request)
    if actor.secret is None or not csrf.is_right(given, actor.secret):
        raise HTTPException(HTTPStatus.FORBIDDEN, _NOT_OURS[via_of(request)])


def may(permission: Permission) -> Any:
    """A dependency: whoever calls the route must have the permission."""
    return Depends(Gate(permission))


def people_may(permission: Permission) -> Any:
    """The same, and no token will do."""
    return Depends(Gate(permission, people_alone=True))


def anybody() -> Any:
    """A dependency: the route is for everybody, also for those who are not logged in."""
    return Depends(Gate(None))


async def actor_of(request: Request) -> Actor:
    """Who asks. It is found out once for a request."""
    found: Actor | None = getattr(request.state, "actor", None)
    if found is None:
        found = await cast(Who, request.app.state.who)(request)
        request.state.actor = found
    return found


WithActor = Annotated[Actor, Depends(actor_of)]


def via_of(request: Request) -> Via:
    """By which door a request comes in."""
    return Via.API if request.scope["path"].startswith("/api/") else Via.PAGE
