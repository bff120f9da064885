"""The public status page, its feed and its badges: for everybody, about the endpoints that are chosen with `public`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import cached_property
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from dashboard.access.entering import access_of
from dashboard.access.gate import anybody
from dashboard.rendering import READ, rendered
from dashboard.services import Services
from dashboard.shared import Shared
from dashboard.views.public import BadgeView, Quiet, StatusPageView, badge_view, feed, status_page_view
from prober.storage import mutes, public
from prober.storage.public import PublicState

router = APIRouter(include_in_schema=False)

_HREF: Final = "/status"

KEPT_S: Final = 5.0
"""A crowd that looks at the page because something is down must not ask the database for each of its members."""
_KEPT: Final = {"Cache-Control": "public, max-age=25", "Cross-Origin-Resource-Policy": "cross-origin"}
"""Caches may hold it, and other sites may show it: badges stand in their pages. With `KEPT_S`, nothing is older than
half a minute."""


@dataclass(frozen=True)
class Shown:
    """What stands on the public page as of one moment; each form of it is made once, for the first who wants it."""

    view: StatusPageView
    state: PublicState

    @cached_property
    def page(self) -> str:
        return rendered("status.html", status_page=self.view)

    @cached_property
    def facts(self) -> bytes:
        return bytes(JSONResponse(_facts(self)).body)


class Public:
    """The public page: one look at the database for all who ask within `KEPT_S`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._shared = Shared(self._look, services.clock.monotonic, KEPT_S)

    async def shown(self) -> Shown:
        """Raises HTTPException 404 where no endpoint is chosen."""
        shown = await self._shared.value()
        if not shown.state.endpoints:
            raise HTTPException(404, "There is no public status page: no endpoint is chosen for it.")
        return shown

    async def _look(self) -> Shown:
        db, now = self._services.db, self._services.clock.now()
        state = await public.state(db)
        quiet = Quiet(single=await mutes.coming(db), windows=await mutes.stored_windows(db))
        return Shown(status_page_view(state, quiet, now, now.astimezone(UTC).date()), state)


async def _now_shown(request: Request) -> Shown:
    return await cast(Public, request.app.state.public).shown()


WithShown = Annotated[Shown, Depends(_now_shown)]


@router.api_route(_HREF, methods=READ, dependencies=[anybody()])
async def status(shown: WithShown) -> Response:
    return HTMLResponse(shown.page, headers=_KEPT)


@router.api_route(f"{_HREF}.json", methods=READ, dependencies=[anybody()])
async def as_json(shown: WithShown) -> Response:
    """The same for programs."""
    return Response(shown.facts, media_type=JSONResponse.media_type, headers=_KEPT)


@router.api_route(f"{_HREF}.rss", methods=READ, dependencies=[anybody()])
async def as_feed(request: Request, shown: WithShown) -> Response:
    """Beginnings and ends of incidents."""
    body = feed(shown.view, shown.state.incidents, _home(request))
    return Response(body, media_type="application/rss+xml", headers=_KEPT)


@router.api_route("/badges/{slug}.svg", methods=READ, dependencies=[anybody()])
async def badge(shown: WithShown, slug: str) -> Response:
    """A small picture of how one endpoint is, for other pages."""
    found = _badge(shown, slug)
    return Response(rendered("badge.svg", badge=found), media_type="image/svg+xml", headers=_KEPT)


@router.api_route("/badges/{slug}.json", methods=READ, dependencies=[anybody()])
async def badge_as_json(shown: WithShown, slug: str) -> Response:
    """The same for those who draw it themselves, as shields.io reads it from an endpoint."""
    found = _badge(shown, slug)
    body = {"schemaVersion": 1, "label": found.label, "message": found.message, "color": found.colour}
    return JSONResponse(body, headers=_KEPT)


def _facts(shown: Shown) -> Mapping[str, object]:
    services = [
        {
            "name": row.title,
            "state": row.word,
            "since": row.since.iso if row.since else None,
            "badge": row.slug,
        }
        for row in shown.view.rows
    ]
    incidents = [
        {
            "name": view.title,
            "state": view.words,
            "since": each.since.isoformat(),
            "ended_at": each.ended_at.isoformat() if each.ended_at else None,
        }
        for view, each in zip(shown.view.incidents, shown.state.incidents, strict=True)
    ]
    return {"status": shown.view.headline, "services": services, "incidents": incidents}


def _home(request: Request) -> str:
    """The address of the page. What a request calls us may be a name that only the asker knows, and caches hand the
    answer on to others, so that it counts only where nobody has named our address."""
    public = access_of(request).public_url
    return f"{public.rstrip('/')}{_HREF}" if public else str(request.url.replace(path=_HREF, query=""))


def _badge(shown: Shown, slug: str) -> BadgeView:
    row = next((row for row in shown.view.rows if row.slug == slug), None)
    if row is None:
        raise HTTPException(404, "No endpoint of that name is on the public status page.")
    return badge_view(row)
