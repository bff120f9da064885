"""The page of a probe."""

from uuid import UUID

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dashboard.access.gate import may
from dashboard.access.permissions import Permission
from dashboard.pages.endpoint import CHAPTERS, QUESTIONS
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.probe import behind_of, probe_view
from prober.storage import incident_log, queries, specs

router = APIRouter(include_in_schema=False)


@router.api_route("/probes/{report_id}", methods=READ, dependencies=[may(Permission.READ)])
async def probe(request: Request, services: WithServices, report_id: UUID) -> Response:
    found = await queries.probe_page(services.db, report_id)
    if found is None:
        raise HTTPException(404, "There is no such probe, or it is too old and no longer kept.")
    behind = behind_of(await specs.watched(services.db, found.endpoint_id))
    incident = await incident_log.during(services.db, found.endpoint_id, found.report.slot)
    view = probe_view(found, QUESTIONS, services.clock.now(), CHAPTERS, behind, incident)
    return page(request, "probe.html", probe=view)
