"""The gate of a route: every route has exactly one, and a test walks them all.

@router.post("/api/…", dependencies=[may(Permission.OPERATE)])
async def ask(services: WithServices, actor: WithActor) -> Asked: ...
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, cast

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request

from dashboard.access.permissions import Permission
from prober.storage.audit import Author


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Whoever asks, as the middleware found out, and what he may do."""

    author: Author
    permissions: frozenset[Permission]
    is_known: bool = True
    """False for somebody who has not said who he is."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets those pass who have the permission; None is for everybody."""

    permission: Permission | None

    def __call__(self, request: Request) -> None:
        """Raises HTTPException: 401 for somebody unknown, 403 for somebody who may not."""
        if self.permission is None:
            return
        actor = actor_of(request)
        if self.permission in actor.permissions:
            return
        if not actor.is_known:
            raise HTTPException(HTTPStatus.UNAUTHORIZED, "Log in first.")
        raise HTTPException(HTTPStatus.FORBIDDEN, f"This asks for the permission to {self.permission}.")


def may(permission: Permission) -> Any:
    """A dependency: whoever calls the route must have the permission."""
    return Depends(Gate(permission))


def anybody() -> Any:
    """A dependency: the route is for everybody, also for those who are not logged in."""
    return Depends(Gate(None))


def actor_of(request: Request) -> Actor:
    """Who asks."""
    return cast(Actor, request.state.actor)


WithActor = Annotated[Actor, Depends(actor_of)]
