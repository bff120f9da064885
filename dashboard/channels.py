"""The channels, and what a person asks of one: a test notice, from the page and as JSON."""

from datetime import datetime
from uuid import UUID, uuid4

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard import views
from dashboard.channel_views import CHANNELS_HREF
from dashboard.rendering import page
from dashboard.services import Services, WithServices
from prober.incidents.rehearsal import rehearsal_notice
from prober.storage import channels, outbox
from prober.storage.channels import ChannelState, NoSuchChannel

router = APIRouter()


class Channel(BaseModel):
    """One channel as it is now. `oldest` is since when the oldest of the `waiting` notices waits.

    `refused` are notices of the last day that it never took and no other channel has taken over.
    """

    model_config = ConfigDict(from_attributes=True)

    name: str
    kind: str
    state: ChannelState
    fallback: str | None
    sent_at: datetime | None
    failing_since: datetime | None
    broken_since: datetime | None
    resting_until: datetime | None
    last_error: str | None
    waiting: int
    oldest: datetime | None
    refused: int


class ChannelList(BaseModel):
    channels: list[Channel]


class Asked(BaseModel):
    """The notice that was written. What became of it stands in the delivery log."""

    notice: UUID


@router.get("/api/channels", tags=["read"])
async def listed(services: WithServices) -> ChannelList:
    """Every configured channel, and how it does."""
    return ChannelList(channels=[Channel.model_validate(each) for each in await channels.overview(services.db)])


@router.post("/api/channels/{name}/test", tags=["change"])
async def ask(services: WithServices, name: str) -> Asked:
    """Let a prober send a test notice to the channel."""
    return Asked(notice=await _ask(services, name, "somebody at the API"))


@router.api_route(CHANNELS_HREF, methods=["GET", "HEAD"], include_in_schema=False)
async def shown(request: Request, services: WithServices) -> Response:
    rows, tried = await channels.overview(services.db), await channels.attempts(services.db)
    view = views.channels_view(rows, tried, services.clock.now())
    return page(request, "channels.html", section="channels", live="", channels=view)


@router.post(f"{CHANNELS_HREF}/{{name}}/test", include_in_schema=False)
async def ask_on_page(services: WithServices, name: str) -> Response:
    """Let a prober send a test notice, and show the log in which it will stand."""
    await _ask(services, name, "somebody at the dashboard")
    return RedirectResponse(CHANNELS_HREF, 303)


async def _ask(services: Services, name: str, by: str) -> UUID:
    notice = rehearsal_notice(name, id=uuid4(), at=services.clock.now(), by=by)
    try:
        await outbox.put_test(services.db, notice, channel=name)
    except NoSuchChannel as missing:
        said = str(missing)
        raise HTTPException(404, f"{said[0].upper()}{said[1:]}.") from None
    return notice.id
