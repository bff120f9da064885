"""What a person decides about an incident from its page."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from dashboard.services import WithServices
from prober.storage import incidents

router = APIRouter(include_in_schema=False)


@router.post("/acknowledgements/{name:path}")
async def acknowledge(services: WithServices, name: str) -> Response:
    """Note that somebody has the endpoint's open incident in hand."""
    if not await incidents.acknowledge(services.db, [name], by="somebody at the dashboard"):
        raise HTTPException(409, "The incident is over: there is nothing to acknowledge any more.")
    return RedirectResponse("/incidents", 303)
