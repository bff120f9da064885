"""Finds out who asks, before any route."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.access.gate import Actor
from dashboard.access.permissions import Permission
from prober.storage.audit import Author, Via

SOMEBODY: Final = "somebody at the dashboard"


class WhoAsks:
    """Puts an `Actor` into the state of every request. Without a login, everybody may do everything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            via = Via.API if scope["path"].startswith("/api/") else Via.PAGE
            name = "somebody at the API" if via is Via.API else SOMEBODY
            actor = Actor(author=Author(name=name, via=via), permissions=frozenset(Permission))
            scope.setdefault("state", {})["actor"] = actor
        await self._app(scope, receive, send)
