"""The page of incidents, and what a person decides about one there."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.gate import may
from dashboard.access.permissions import Permission
from dashboard.pages.silence import silence_of
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.incidents import incidents_view
from prober.storage import incidents, outages, queries

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
async def acknowledge(services: WithServices, name: str) -> Response:
    """Note that somebody has the endpoint's open incident in hand."""
    if not await incidents.acknowledge(services.db, [name], by="somebody at the dashboard"):
        raise HTTPException(409, "The incident is over: there is nothing to acknowledge any more.")
    return RedirectResponse("/incidents", 303)
