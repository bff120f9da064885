"""The page of an endpoint, and what a person changes there."""

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checks.catalog import CHECKS
from checks.model import Profile
from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.operations import deploys, probes
from dashboard.operations.baselines import accept
from dashboard.pages.silence import silence_of
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.common import endpoint_href
from dashboard.views.endpoint import endpoint_view
from prober.storage import queries

router = APIRouter(include_in_schema=False)

QUESTIONS: Final = {check.id: check.question for check in CHECKS}
CHAPTERS: Final = {check.id: check.chapters for check in CHECKS}
_ISO_DAY: Final = len("2026-11-20")


@router.api_route("/endpoints/{name:path}", methods=READ, dependencies=[may(Permission.READ)])
async def endpoint(request: Request, services: WithServices, name: str) -> Response:
    day, hour = _day_asked(request.query_params.get("day", "")), _hour_asked(request.query_params.get("hour", ""))
    found = await queries.endpoint_page(services.db, name, day=day, hour=hour)
    if found is None:
        raise HTTPException(404, "No endpoint of that name is watched.")
    silence = await silence_of(services, of=(found.fleet.name, found.fleet.labels))
    view = endpoint_view(
        found,
        QUESTIONS,
        services.clock.now(),
        silence,
        CHAPTERS,
        accepted_before=request.query_params.get("accepted") == "before",
    )
    return page(request, "endpoint.html", live=str(view.id), endpoint=view)


def _day_asked(text: str) -> date | None:
    """The day of an address; None where there is none, or none that anybody understands."""
    try:
        day = date.fromisoformat(text) if len(text) == _ISO_DAY else None
    except ValueError:
        return None
    # Days near the ends of the calendar have none before or after them.
    return day if day is not None and 2000 <= day.year < 3000 else None


def _hour_asked(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 2 and int(text) < 24 else None


@router.post("/probe-requests/{name:path}", dependencies=[may(Permission.OPERATE)])
async def ask_for_probe(
    services: WithServices, actor: WithActor, name: str, profile: Annotated[Profile, Form()] = Profile.STANDARD
) -> Response:
    """Have the endpoint probed out of turn."""
    await probes.ask(services, actor.author, name, profile)
    return RedirectResponse(f"{endpoint_href(name)}#asked", 303)


@router.post("/deploys/{name:path}", dependencies=[may(Permission.OPERATE)])
async def mark_deploy(
    services: WithServices, actor: WithActor, name: str, reason: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    """Say that the endpoint is being deployed: nobody is told of what that breaks."""
    await deploys.mark(services, actor.author, [name], {}, None, reason)
    return RedirectResponse(endpoint_href(name), 303)


@router.post("/baselines/{name:path}", dependencies=[may(Permission.OPERATE)])
async def accept_baseline(services: WithServices, actor: WithActor, name: str, fingerprint: str) -> Response:
    """Accept the list that the page showed, and no newer one."""
    accepted = await accept(services, actor.author, name, fingerprint)
    said = "" if accepted.is_news else "?accepted=before"
    return RedirectResponse(f"{endpoint_href(name)}{said}#tool-lists", 303)
