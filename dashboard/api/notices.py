"""Who was told of what, as JSON: notices and outages."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from checks.model import Verdict
from dashboard.access.gate import may
from dashboard.access.permissions import Permission
from dashboard.api.paging import Cursor, Limit, after_of, cursor_of
from dashboard.services import WithServices
from prober.incidents.rules import Severity
from prober.storage import listings, outages
from prober.storage.queries import NoticeRow

router = APIRouter(prefix="/api", tags=["read"])


class Notice(BaseModel):
    """One message on one channel: waiting, sent, or ended without it (`failed_at`)."""

    id: UUID
    about: str
    """What it is about: mostly an endpoint, by its name."""
    channel: str
    kind: str
    title: str
    verdict: Verdict | None
    severity: Severity
    created_at: datetime
    next_attempt_at: datetime | None
    """When it is tried next; null where it is not."""
    attempts: int
    sent_at: datetime | None
    failed_at: datetime | None
    last_error: str | None
    superseded_by: UUID | None
    """A newer notice, which was told in its place."""
    handed_to: str | None
    """Another channel, which tells it in place of this one."""

    @classmethod
    def of(cls, row: NoticeRow) -> Self:
        is_done = row.sent_at is not None or row.failed_at is not None
        same = cls.model_fields.keys() - {"about", "next_attempt_at"}
        return cls(
            about=row.endpoint_name,
            next_attempt_at=None if is_done else row.next_attempt_at,
            **{name: getattr(row, name) for name in same},
        )


class NoticeList(BaseModel):
    notices: list[Notice]
    next: str | None = None
    """The cursor of what follows; null at the end."""


class Cause(BaseModel):
    cause: str
    endpoints: int


class Outage(BaseModel):
    """Many endpoints of a group that began to fail together, and are told of in one notice."""

    id: UUID
    group: str
    labels: dict[str, str]
    severity: Severity
    since: datetime
    opened_at: datetime
    ended_at: datetime | None
    affected: int
    """How many endpoints are now, or were last."""
    names: list[str]
    """Some of them."""
    causes: list[Cause]
    """The most common ones."""


class OutageList(BaseModel):
    outages: list[Outage]


@router.get("/notices", dependencies=[may(Permission.READ)])
async def notices(
    services: WithServices,
    channel: Annotated[str | None, Query(max_length=200, description="Those for the channel of that name.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> NoticeList:
    """What was told, is to be told, or could not be, the newest first."""
    rows = await listings.notices(services.db, limit=limit + 1, after=after_of(cursor), channel=channel)
    shown = rows[:limit]
    following = cursor_of(shown[-1].created_at, shown[-1].id) if len(rows) > limit else None
    return NoticeList(notices=[Notice.of(each) for each in shown], next=following)


@router.get("/outages", dependencies=[may(Permission.READ)])
async def recent(services: WithServices, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> OutageList:
    """The newest outages of many, those that last first."""
    found = [
        Outage(
            **{name: getattr(each, name) for name in _SAME},
            labels=dict(each.labels),
            names=list(each.names),
            causes=[Cause(cause=cause, endpoints=count) for cause, count in each.causes],
        )
        for each in await outages.recent(services.db, limit=limit)
    ]
    return OutageList(outages=found)


_SAME = Outage.model_fields.keys() - {"labels", "names", "causes"}
