"""The page of an endpoint, and what a person changes there."""

from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checks.catalog import CHECKS
from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.operations.baselines import accept
from dashboard.pages.silence import silence_of
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.common import endpoint_href
from dashboard.views.endpoint import endpoint_view
from prober.storage import queries

router = APIRouter(include_in_schema=False)

QUESTIONS: Final = {check.id: check.question for check in CHECKS}


@router.api_route("/endpoints/{name:path}", methods=READ, dependencies=[may(Permission.READ)])
async def endpoint(request: Request, services: WithServices, name: str) -> Response:
    found = await queries.endpoint_page(services.db, name)
    if found is None:
        raise HTTPException(404, "No endpoint of that name is watched.")
    silence = await silence_of(services, of=(found.fleet.name, found.fleet.labels))
    view = endpoint_view(found, QUESTIONS, services.clock.now(), silence)
    return page(request, "endpoint.html", live=str(view.id), endpoint=view)


@router.post("/baselines/{name:path}", dependencies=[may(Permission.OPERATE)])
async def accept_baseline(services: WithServices, actor: WithActor, name: str, fingerprint: str) -> Response:
    """Accept the list that the page showed, and no newer one."""
    await accept(services, actor.author, name, fingerprint)
    return RedirectResponse(endpoint_href(name), 303)
