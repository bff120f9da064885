"""The public status page, its feed and its badges: for everybody, about the endpoints that are chosen with `public`."""

from datetime import UTC
from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashboard.access.entering import access_of
from dashboard.access.gate import anybody
from dashboard.rendering import READ, page, rendered
from dashboard.services import Services, WithServices
from dashboard.views.public import BadgeView, Quiet, StatusPageView, badge_view, feed, status_page_view
from prober.storage import mutes, public
from prober.storage.public import PublicState

router = APIRouter(include_in_schema=False)

_HREF: Final = "/status"
_KEPT: Final = {"Cache-Control": "public, max-age=30", "Cross-Origin-Resource-Policy": "cross-origin"}
"""Caches may hold it, and other sites may show it: badges stand in their pages."""


@router.api_route(_HREF, methods=READ, dependencies=[anybody()])
async def status(request: Request, services: WithServices) -> Response:
    shown, _ = await _shown(services)
    return page(request, "status.html", headers=_KEPT, status_page=shown)


@router.api_route(f"{_HREF}.json", methods=READ, dependencies=[anybody()])
async def as_json(services: WithServices) -> Response:
    """The same for programs."""
    shown, state = await _shown(services)
    services_ = [
        {
            "name": row.title,
            "state": "maintenance" if row.maintenance else row.word,
            "since": row.since.iso if row.since else None,
            "badge": row.slug,
        }
        for row in shown.rows
    ]
    incidents = [
        {
            "name": view.title,
            "state": view.words,
            "since": each.since.isoformat(),
            "ended_at": each.ended_at.isoformat() if each.ended_at else None,
        }
        for view, each in zip(shown.incidents, state.incidents, strict=True)
    ]
    return JSONResponse({"status": shown.headline, "services": services_, "incidents": incidents}, headers=_KEPT)


@router.api_route(f"{_HREF}.rss", methods=READ, dependencies=[anybody()])
async def as_feed(request: Request, services: WithServices) -> Response:
    """Beginnings and ends of incidents."""
    shown, state = await _shown(services)
    return Response(feed(shown, state.incidents, _home(request)), media_type="application/rss+xml", headers=_KEPT)


@router.api_route("/badges/{slug}.svg", methods=READ, dependencies=[anybody()])
async def badge(services: WithServices, slug: str) -> Response:
    """A small picture of how one endpoint is, for other pages."""
    found = await _badge(services, slug)
    return Response(rendered("badge.svg", badge=found), media_type="image/svg+xml", headers=_KEPT)


@router.api_route("/badges/{slug}.json", methods=READ, dependencies=[anybody()])
async def badge_as_json(services: WithServices, slug: str) -> Response:
    """The same for those who draw it themselves, as shields.io reads it from an endpoint."""
    found = await _badge(services, slug)
    body = {"schemaVersion": 1, "label": found.label, "message": found.message, "color": found.colour}
    return JSONResponse(body, headers=_KEPT)


def _home(request: Request) -> str:
    """The address of the page. What a request calls us may be a name that only the asker knows, and caches hand the
    answer on to others, so that it counts only where nobody has named our address."""
    public = access_of(request).public_url
    return f"{public.rstrip('/')}{_HREF}" if public else str(request.url.replace(path=_HREF, query=""))


async def _shown(services: Services) -> tuple[StatusPageView, PublicState]:
    """Raises HTTPException 404 where no endpoint is chosen."""
    state = await public.state(services.db)
    if not state.endpoints:
        raise HTTPException(404, "There is no public status page: no endpoint is chosen for it.")
    quiet = Quiet(single=await mutes.coming(services.db), windows=await mutes.stored_windows(services.db))
    now = services.clock.now()
    return status_page_view(state, quiet, now, now.astimezone(UTC).date()), state


async def _badge(services: Services, slug: str) -> BadgeView:
    shown, _ = await _shown(services)
    row = next((row for row in shown.rows if row.slug == slug), None)
    if row is None:
        raise HTTPException(404, "No endpoint of that name is on the public status page.")
    return badge_view(row)
