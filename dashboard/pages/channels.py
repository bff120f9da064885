"""The page of the channels."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.operations.channels import rehearse
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.channels import CHANNELS_HREF, channels_view
from prober.storage import channels

router = APIRouter(include_in_schema=False)


@router.api_route(CHANNELS_HREF, methods=READ, dependencies=[may(Permission.READ)])
async def shown(request: Request, services: WithServices) -> Response:
    rows, tried = await channels.overview(services.db), await channels.attempts(services.db)
    view = channels_view(rows, tried, services.clock.now())
    return page(request, "channels.html", section="channels", live="", channels=view)


@router.post(f"{CHANNELS_HREF}/{{name}}/test", dependencies=[may(Permission.OPERATE)])
async def ask_on_page(services: WithServices, actor: WithActor, name: str) -> Response:
    """Let a prober send a test notice, and show the log in which it will stand."""
    await rehearse(services, actor.author, name)
    return RedirectResponse(CHANNELS_HREF, 303)
