"""The pages of incidents, and what a person decides about one there."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.operations import incidents as operations
from dashboard.operations.refusals import unusable
from dashboard.pages.silence import silence_of
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.common import incident_href
from dashboard.views.incident import incident_page, nap_ends
from dashboard.views.incident_query import INCIDENTS_HREF, query_of
from dashboard.views.incidents import incidents_view
from prober.storage import comments, decisions, incident_log, listings, outages, queries

router = APIRouter(include_in_schema=False)

_NEWEST_NOTICES: Final = 50
_NOTICES: Final = 200
"""Of one incident; reminders go on as long as it lasts."""


@router.api_route(INCIDENTS_HREF, methods=READ, dependencies=[may(Permission.READ)])
async def shown(request: Request, services: WithServices) -> Response:
    query, now = query_of(request.query_params), services.clock.now()
    stretch = query.stretch(now)
    seen, beyond = await incident_log.between(services.db, stretch, after=query.after)
    view = incidents_view(
        seen,
        await queries.notices(services.db, limit=_NEWEST_NOTICES),
        now,
        query=query,
        beyond=beyond,
        overview=await incident_log.overview(services.db, stretch),
        still_open=await incident_log.still_open(services.db),
        outages=await outages.recent(services.db),
        silence=await silence_of(services),
    )
    return page(request, "incidents.html", section="incidents", live="", incidents=view)


@router.api_route(f"{INCIDENTS_HREF}/{{incident_id}}", methods=READ, dependencies=[may(Permission.READ)])
async def one(request: Request, services: WithServices, incident_id: UUID) -> Response:
    found = await listings.incidents(services.db, limit=1, id=incident_id)
    if not found:
        raise HTTPException(404, "There is no such incident, or it is too old and no longer kept.")
    (row,) = found
    threads = [row.id] if row.outage_id is None else [row.id, row.outage_id]
    view = incident_page(
        row,
        services.clock.now(),
        transitions=await listings.transitions(services.db, row.id),
        comments=await comments.of_incident(services.db, row.id),
        decisions=await decisions.about(services.db, row.id),
        notices=await listings.notices(services.db, limit=_NOTICES, threads=threads),
        tries=await incident_log.tries(services.db, threads),
        outage=None if row.outage_id is None else await outages.known(services.db, row.outage_id),
    )
    return page(request, "incident.html", section="incidents", live=str(row.endpoint_id), incident=view)


@router.post(f"{INCIDENTS_HREF}/{{incident_id}}/acknowledge", dependencies=[may(Permission.OPERATE)])
async def acknowledge(services: WithServices, actor: WithActor, incident_id: UUID) -> Response:
    """Note that somebody has the incident in hand."""
    await operations.acknowledge(services, actor.author, incident_id)
    return RedirectResponse(incident_href(incident_id), 303)


@router.post(f"{INCIDENTS_HREF}/{{incident_id}}/snooze", dependencies=[may(Permission.OPERATE)])
async def snooze(
    services: WithServices, actor: WithActor, incident_id: UUID, until: Annotated[str, Form(max_length=20)]
) -> Response:
    """Tell nobody of it for as long as the button says; `end` tells people again."""
    ends = nap_ends(until, services.clock.now())
    if ends is None and until != "end":
        raise unusable("snooze for 1h or 4h, until tomorrow or monday, or end it")
    await operations.snooze(services, actor.author, incident_id, ends)
    return RedirectResponse(incident_href(incident_id), 303)


@router.post(f"{INCIDENTS_HREF}/{{incident_id}}/comments", dependencies=[may(Permission.OPERATE)])
async def comment(
    services: WithServices, actor: WithActor, incident_id: UUID, words: Annotated[str, Form()] = ""
) -> Response:
    """Write a comment on it."""
    await operations.comment(services, actor.author, incident_id, words)
    return RedirectResponse(f"{incident_href(incident_id)}#history", 303)
