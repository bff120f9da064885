"""The page of the tokens of programs."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.entering import with_logins
from dashboard.access.gate import WithActor, people_may
from dashboard.access.permissions import Permission
from dashboard.operations import tokens as operations
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.tokens import TOKENS_HREF, tokens_view
from prober.storage import tokens

router = APIRouter(prefix=TOKENS_HREF, include_in_schema=False, dependencies=[Depends(with_logins)])

_MANAGE: Final = [people_may(Permission.MANAGE)]


@router.api_route("", methods=READ, dependencies=_MANAGE)
async def shown(request: Request, services: WithServices) -> Response:
    view = tokens_view(await tokens.everyone(services.db), services.clock.now())
    return page(request, "tokens.html", section="settings", tokens=view)


@router.post("", dependencies=_MANAGE)
async def add(
    request: Request,
    services: WithServices,
    actor: WithActor,
    name: Annotated[str, Form()],
    days: Annotated[int, Form(ge=0, le=tokens.LONGEST.days)],
    scopes: Annotated[tuple[Permission, ...], Form()] = (),
) -> Response:
    """Make a token, and show its secret this once; 0 days is one that does not expire."""
    lasts = timedelta(days=days) if days else None
    token, secret = await operations.add(services, actor.author, name, scopes, lasts)
    view = tokens_view(await tokens.everyone(services.db), services.clock.now(), made=(token, secret))
    return page(
        request,
        "tokens.html",
        status=HTTPStatus.CREATED,
        section="settings",
        headers={"Cache-Control": "no-store"},
        tokens=view,
    )


@router.post("/{token}/revoke", dependencies=_MANAGE)
async def revoke(services: WithServices, actor: WithActor, token: UUID) -> Response:
    """Let a token open nothing any more."""
    await operations.revoke(services, actor.author, token)
    return RedirectResponse(TOKENS_HREF, HTTPStatus.SEE_OTHER)
