"""The prober itself as JSON: its workers, and who changed what."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from dashboard.access.gate import may
from dashboard.access.permissions import Permission
from dashboard.api.paging import Cursor, Limit, cursor_of_number, number_of
from dashboard.services import WithServices
from prober.storage import audit, workers
from prober.storage.audit import Via

router = APIRouter(prefix="/api", tags=["read"])


class Worker(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str
    location: str
    version: str
    started_at: datetime
    seen_at: datetime


class Trouble(BaseModel):
    """Why a worker cannot observe, or not well."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    worker: str
    reason: str
    detail: str
    since: datetime


class ProberState(BaseModel):
    """How the prober does. Where no worker is there, what the rest of the API says is from `seen_at`."""

    workers: list[Worker]
    seen_at: datetime | None
    troubles: list[Trouble]
    unsent_since: datetime | None
    """Since when the oldest notice waits; null where none does."""


class Change(BaseModel):
    """One change by a person or a program. What is in `detail` depends on the action."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    at: datetime
    author: str
    via: Via
    action: str
    subject: str
    detail: dict[str, Any]


class ChangeList(BaseModel):
    changes: list[Change]
    next: str | None = None
    """The cursor of what follows; null at the end."""


@router.get("/prober", dependencies=[may(Permission.READ)])
async def prober(services: WithServices) -> ProberState:
    """The workers that are there, and what keeps them from their work."""
    async with services.db.connect() as connection:
        found = await workers.how_they_do(connection)
    return ProberState(
        workers=[Worker.model_validate(each) for each in found.workers],
        seen_at=found.seen_at,
        troubles=[Trouble.model_validate(each) for each in found.troubles],
        unsent_since=found.unsent_since,
    )


@router.get("/audit", dependencies=[may(Permission.MANAGE)])
async def changes(
    services: WithServices,
    subject: Annotated[str | None, Query(max_length=300, description="Of this thing alone.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ChangeList:
    """Who changed what, the newest first."""
    rows = await audit.newest(services.db, limit=limit + 1, before=number_of(cursor), subject=subject)
    shown = rows[:limit]
    following = cursor_of_number(shown[-1].number) if len(rows) > limit else None
    return ChangeList(changes=[Change.model_validate(each) for each in shown], next=following)
