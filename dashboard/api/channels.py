"""The channels as JSON."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.operations.channels import rehearse
from dashboard.services import WithServices
from prober.storage import channels
from prober.storage.channels import ChannelState

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


@router.get("/api/channels", tags=["read"], dependencies=[may(Permission.READ)])
async def listed(services: WithServices) -> ChannelList:
    """Every configured channel, and how it does."""
    return ChannelList(channels=[Channel.model_validate(each) for each in await channels.overview(services.db)])


@router.post("/api/channels/{name}/test", tags=["change"], dependencies=[may(Permission.OPERATE)])
async def ask(services: WithServices, actor: WithActor, name: str) -> Asked:
    """Let a prober send a test notice to the channel."""
    return Asked(notice=await rehearse(services, actor.author, name))
