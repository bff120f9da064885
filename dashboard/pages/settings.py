"""The page of settings: what there is to set, and the times in which nobody is told."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.entering import access_of
from dashboard.access.gate import WithActor, may
from dashboard.access.mode import Mode
from dashboard.access.permissions import Permission
from dashboard.operations import maintenance
from dashboard.operations.refusals import unusable
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.settings import SETTINGS_HREF, settings_view, whom_of
from prober.storage import mutes

router = APIRouter(prefix=SETTINGS_HREF, include_in_schema=False)


@router.api_route("", methods=READ, dependencies=[may(Permission.READ)])
async def shown(request: Request, services: WithServices) -> Response:
    view = settings_view(
        await mutes.coming(services.db),
        await mutes.stored_windows(services.db),
        services.clock.now(),
        has_logins=access_of(request).mode is Mode.LOGIN,
    )
    return page(request, "settings.html", section="settings", settings=view)


@router.post("/maintenance", dependencies=[may(Permission.OPERATE)])
async def add_maintenance(
    services: WithServices,
    actor: WithActor,
    minutes: Annotated[int, Form(ge=1, le=30 * 24 * 60)],
    whom: Annotated[str, Form(max_length=10_000)] = "",
    reason: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Mute some endpoints, or all, from now on."""
    try:
        names, labels = whom_of(whom)
    except ValueError as problem:
        raise unusable(problem) from None
    ends = timedelta(minutes=minutes)
    await maintenance.add(services, actor.author, endpoints=names, labels=labels, ends=ends, reason=reason)
    return RedirectResponse(SETTINGS_HREF, HTTPStatus.SEE_OTHER)


@router.post("/maintenance/{mute}/end", dependencies=[may(Permission.OPERATE)])
async def end_maintenance(services: WithServices, actor: WithActor, mute: UUID) -> Response:
    """End it now, or before it begins."""
    await maintenance.end(services, actor.author, mute)
    return RedirectResponse(SETTINGS_HREF, HTTPStatus.SEE_OTHER)
