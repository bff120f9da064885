"""The pages for people. Each reads, makes a view and renders it."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from checks.catalog import CHECKS
from dashboard import views
from dashboard.prober_state import prober_view
from dashboard.rendering import page
from dashboard.services import Services, WithServices
from dashboard.silence import SilenceView, silence_view
from prober.storage import mutes, outages, queries, workers

router = APIRouter(include_in_schema=False)

QUESTIONS: Final = {check.id: check.question for check in CHECKS}

_READ: Final = ["GET", "HEAD"]


@router.api_route("/", methods=_READ)
async def fleet(request: Request, services: WithServices) -> Response:
    rows = await queries.fleet(services.db)
    async with services.db.connect() as connection:
        prober = await workers.how_they_do(connection)
    now = services.clock.now()
    view = views.fleet_view(rows, now, prober_view(prober, now), await _silence(services))
    return page(request, "fleet.html", section="fleet", live="", fleet=view)


@router.api_route("/endpoints/{name:path}", methods=_READ)
async def endpoint(request: Request, services: WithServices, name: str) -> Response:
    found = await queries.endpoint_page(services.db, name)
    if found is None:
        raise HTTPException(404, "No endpoint of that name is watched.")
    silence = await _silence(services, of=(found.fleet.name, found.fleet.labels))
    view = views.endpoint_view(found, QUESTIONS, services.clock.now(), silence)
    return page(request, "endpoint.html", live=str(view.id), endpoint=view)


@router.api_route("/probes/{report_id}", methods=_READ)
async def probe(request: Request, services: WithServices, report_id: UUID) -> Response:
    found = await queries.probe_page(services.db, report_id)
    if found is None:
        raise HTTPException(404, "There is no such probe, or it is too old and no longer kept.")
    return page(request, "probe.html", probe=views.probe_view(found, QUESTIONS, services.clock.now()))


@router.api_route("/incidents", methods=_READ)
async def incidents(request: Request, services: WithServices) -> Response:
    seen, told = await queries.incidents(services.db), await queries.notices(services.db)
    view = views.incidents_view(
        seen,
        told,
        services.clock.now(),
        outages=await outages.recent(services.db),
        silence=await _silence(services),
    )
    return page(request, "incidents.html", section="incidents", live="", incidents=view)


async def _silence(services: Services, of: tuple[str, Mapping[str, str]] | None = None) -> SilenceView:
    single, windows = await mutes.coming(services.db), await mutes.stored_windows(services.db)
    return silence_view(single, windows, services.clock.now(), of=of)
