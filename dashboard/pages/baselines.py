"""The page of baselines: the accepted list of tools of every endpoint, and what a person accepts there."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checks.proofs import counted
from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.operations import baselines as operations
from dashboard.operations.refusals import missing, unusable
from dashboard.rendering import READ, page
from dashboard.services import Services, WithServices
from dashboard.views.baselines import (
    ACCEPT_HREF,
    BASELINES_HREF,
    MOST_AT_ONCE,
    ON_A_PAGE,
    BaselineView,
    Outcome,
    accept_view,
    baseline_views,
    baselines_view,
    chosen_of,
    ordered,
)
from prober.storage import accepted_tools
from prober.storage.accepted_tools import BaselineRow, ToolLists

router = APIRouter(include_in_schema=False)

_Page = Annotated[int, Query(alias="page", ge=1, le=1000)]
_Count = Annotated[int, Query(ge=0, le=MOST_AT_ONCE)]


@router.api_route(BASELINES_HREF, methods=READ, dependencies=[may(Permission.READ)])
async def shown(
    request: Request, services: WithServices, number: _Page = 1, accepted: _Count = 0, before: _Count = 0
) -> Response:
    return await _shown(request, services, number, Outcome(accepted=accepted, before=before))


@router.api_route(ACCEPT_HREF, methods=READ, dependencies=[may(Permission.OPERATE)])
async def ask(request: Request, services: WithServices, name: Annotated[str, Query(max_length=300)] = "") -> Response:
    """Ask before the newest list of one endpoint is accepted, or those of all that show another one."""
    rows = await accepted_tools.overview(services.db)
    found = [row for row in rows if (row.name == name if name else row.other is not None)]
    if name and not found:
        raise missing("no endpoint of that name is watched")
    views: list[BaselineView] = []
    # A whole list may have a hundred kilobytes: only so many are held at a time.
    for first in range(0, min(len(found), MOST_AT_ONCE), ON_A_PAGE):
        some = found[first : first + ON_A_PAGE]
        views += baseline_views(some, await _lists(services, some), services.clock.now())
    asked = accept_view(views, max(len(found) - MOST_AT_ONCE, 0))
    return page(request, "baselines_accept.html", section="settings", asked=asked)


@router.post(ACCEPT_HREF, dependencies=[may(Permission.OPERATE)])
async def accept(
    request: Request,
    services: WithServices,
    actor: WithActor,
    chosen: Annotated[list[Annotated[str, Form(max_length=100)]], Form(max_length=MOST_AT_ONCE)],
) -> Response:
    """Accept the lists that the page showed, and no newer ones."""
    try:
        pairs = chosen_of(chosen)
    except ValueError as problem:
        raise unusable(problem) from None
    names = {row.id: row.name for row in await accepted_tools.overview(services.db)}
    gone = sum(identity not in names for identity, _ in pairs)
    kept = [(names[identity], fingerprint) for identity, fingerprint in pairs if identity in names]
    done = await operations.accept_several(services, actor.author, kept)
    refused = (*done.refused, *([f"{counted(gone, 'endpoint')} of the form: watched no more."] if gone else []))
    if refused:
        return await _shown(request, services, 1, Outcome(accepted=done.accepted, before=done.before, refused=refused))
    said = urlencode({"accepted": done.accepted, "before": done.before})
    return RedirectResponse(f"{BASELINES_HREF}?{said}", HTTPStatus.SEE_OTHER)


async def _shown(request: Request, services: Services, number: int, outcome: Outcome) -> Response:
    rows = await accepted_tools.overview(services.db)
    lists = await _lists(services, ordered(rows, number)[0])
    view = baselines_view(rows, lists, services.clock.now(), page=number, outcome=outcome)
    status = HTTPStatus.CONFLICT if outcome.refused else HTTPStatus.OK
    return page(request, "baselines.html", status=status, section="settings", baselines=view)


async def _lists(services: Services, rows: Sequence[BaselineRow]) -> Mapping[str, ToolLists]:
    """The whole lists of those that have another one than the accepted one."""
    return await accepted_tools.of_names(services.db, [row.name for row in rows if row.other is not None])
