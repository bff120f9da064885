"""The fleet page."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dashboard.access.gate import may
from dashboard.access.permissions import Permission
from dashboard.pages.silence import silence_of
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.fleet import fleet_view
from dashboard.views.fleet_query import query_of
from dashboard.views.prober_state import prober_view
from prober.storage import queries, workers

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=READ, dependencies=[may(Permission.READ)])
async def fleet(request: Request, services: WithServices) -> Response:
    rows = await queries.fleet(services.db)
    async with services.db.connect() as connection:
        prober = await workers.how_they_do(connection)
    now = services.clock.now()
    query = query_of(request.query_params.multi_items())
    view = fleet_view(rows, now, prober_view(prober, now), await silence_of(services), query)
    return page(request, "fleet.html", section="fleet", live="", fleet=view)
