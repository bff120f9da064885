"""The page of baselines: the accepted list of tools of every endpoint, and what a person accepts there."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.operations import baselines as operations
from dashboard.operations.refusals import missing, unusable
from dashboard.rendering import READ, page
from dashboard.services import Services, WithServices
from dashboard.views.baselines import (
    ACCEPT_HREF,
    BASELINES_HREF,
    accept_view,
    baselines_view,
    chosen_of,
    ordered,
)
from prober.storage import accepted_tools
from prober.storage.accepted_tools import BaselineRow, ToolLists

router = APIRouter(include_in_schema=False)

_Page = Annotated[int, Query(alias="page", ge=1, le=1000)]


@router.api_route(BASELINES_HREF, methods=READ, dependencies=[may(Permission.READ)])
async def shown(request: Request, services: WithServices, number: _Page = 1) -> Response:
    return await _shown(request, services, number)


@router.api_route(ACCEPT_HREF, methods=READ, dependencies=[may(Permission.OPERATE)])
async def ask(
    request: Request, services: WithServices, name: Annotated[str, Query(max_length=300)] = "", number: _Page = 1
) -> Response:
    """Ask before the newest list of one endpoint is accepted, or those of all that a page shows."""
    rows = await accepted_tools.overview(services.db)
    wanted = [row for row in rows if row.name == name] if name else ordered(rows, number)[0]
    if name and not wanted:
        raise missing("no endpoint of that name is watched")
    view = accept_view(wanted, await _lists(services, wanted), services.clock.now())
    return page(request, "baselines_accept.html", section="settings", asked=view)


@router.post(ACCEPT_HREF, dependencies=[may(Permission.OPERATE)])
async def accept(
    request: Request,
    services: WithServices,
    actor: WithActor,
    chosen: Annotated[list[Annotated[str, Form(max_length=500)]], Form(max_length=200)],
) -> Response:
    """Accept the lists that the page showed, and no newer ones."""
    try:
        pairs = chosen_of(chosen)
    except ValueError as problem:
        raise unusable(problem) from None
    refused = []
    for name, fingerprint in pairs:
        try:
            await operations.accept(services, actor.author, name, fingerprint)
        except HTTPException as refusal:
            refused.append(f"{name}: {refusal.detail}")
    if refused:
        return await _shown(request, services, 1, refused)
    return RedirectResponse(BASELINES_HREF, HTTPStatus.SEE_OTHER)


async def _shown(request: Request, services: Services, number: int, refused: Sequence[str] = ()) -> Response:
    rows = await accepted_tools.overview(services.db)
    lists = await _lists(services, ordered(rows, number)[0])
    view = baselines_view(rows, lists, services.clock.now(), page=number, refused=refused)
    status = HTTPStatus.CONFLICT if refused else HTTPStatus.OK
    return page(request, "baselines.html", status=status, section="settings", baselines=view)


async def _lists(services: Services, rows: Sequence[BaselineRow]) -> Mapping[str, ToolLists]:
    """The whole lists of those that have another one than the accepted one."""
    return await accepted_tools.of_names(services.db, [row.name for row in rows if row.other is not None])
