"""The page of incidents, and what a person decides about one there."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.operations import incidents as operations
from dashboard.pages.silence import silence_of
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.incidents import incidents_view
from prober.storage import outages, queries

router = APIRouter(include_in_schema=False)


@router.api_route("/incidents", methods=READ, dependencies=[may(Permission.READ)])
async def shown(request: Request, services: WithServices) -> Response:
    seen, told = await queries.incidents(services.db), await queries.notices(services.db)
    view = incidents_view(
        seen,
        told,
        services.clock.now(),
        outages=await outages.recent(services.db),
        silence=await silence_of(services),
    )
    return page(request, "incidents.html", section="incidents", live="", incidents=view)


@router.post("/acknowledgements/{name:path}", dependencies=[may(Permission.OPERATE)])
async def acknowledge(services: WithServices, actor: WithActor, name: str) -> Response:
    """Note that somebody has the endpoint's open incident in hand."""
    await operations.acknowledge_of(services, actor.author, name)
    return RedirectResponse("/incidents", 303)
