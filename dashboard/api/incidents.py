"""Incidents as JSON: the list, one of them, and what people decide about it."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from checks.model import Verdict
from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.api.notices import Notice
from dashboard.api.paging import Cursor, Limit, after_of, cursor_of
from dashboard.operations import incidents as operations
from dashboard.operations.refusals import missing
from dashboard.services import Services, WithServices
from prober.incidents.rules import Severity
from prober.storage import comments, decisions, listings
from prober.storage.comments import WORDS_KEPT
from prober.storage.decisions import What
from prober.storage.queries import IncidentRow

router = APIRouter(prefix="/api")

_NOTICES: int = 200


class Incident(BaseModel):
    """The time in which an endpoint was not well; `ended_at` is null while it lasts."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    endpoint: str
    """By its name."""
    verdict: Verdict
    severity: Severity
    since: datetime
    opened_at: datetime
    ended_at: datetime | None
    cause: str | None
    cause_summary: str
    fix: str
    report_id: UUID
    """The probe that shows it."""
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    snoozed_until: datetime | None
    muted: str | None
    """Why nobody is told of it just now."""
    muted_until: datetime | None
    """Null where nobody knows until when."""
    outage_id: UUID | None
    """The outage that it is part of, or was."""

    @classmethod
    def of(cls, row: IncidentRow) -> Self:
        same = cls.model_fields.keys() - {"endpoint"}
        return cls(endpoint=row.endpoint_name, **{name: getattr(row, name) for name in same})


class Transition(BaseModel):
    """One change of an incident, in the words of the moment."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: str
    at: datetime
    report_id: UUID
    verdict: Verdict
    severity: Severity
    cause: str | None
    cause_summary: str


class Comment(BaseModel):
    """What somebody wrote. The words are that person's own: escape them."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: datetime
    author: str
    words: str


class Decision(BaseModel):
    """What somebody decided about it, or about its endpoint while it lasted."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    """When it took effect."""
    author: str
    what: What
    """`end` is that of maintenance, or of what follows a deploy, before its time."""
    until: datetime | None
    """Until when nobody is told."""
    reason: str


class IncidentList(BaseModel):
    incidents: list[Incident]
    next: str | None = None
    """The cursor of what follows; null at the end."""


class IncidentDetail(BaseModel):
    incident: Incident
    transitions: list[Transition]
    """Oldest first."""
    comments: list[Comment]
    """Oldest first."""
    decisions: list[Decision]
    """Oldest first."""
    notices: list[Notice]
    """Newest first."""


class Snooze(BaseModel):
    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime | None = Field(description="Until then nobody is told of it; null ends that.")


class Words(BaseModel):
    model_config = ConfigDict(extra="forbid")

    words: str = Field(min_length=1, max_length=WORDS_KEPT)


@router.get("/incidents", tags=["read"], dependencies=[may(Permission.READ)])
async def listed(
    services: WithServices,
    *,
    open: Annotated[bool | None, Query(description="Those that last, or those that are over.")] = None,  # noqa: A002 - the name in the address
    endpoint: Annotated[str | None, Query(max_length=200, description="Of the endpoint of that name.")] = None,
    severity: Annotated[Severity | None, Query(description="Of that weight.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> IncidentList:
    """Incidents, the newest first."""
    rows = await listings.incidents(
        services.db,
        limit=limit + 1,
        after=after_of(cursor),
        is_open=open,
        endpoint=endpoint,
        severity=severity,
    )
    shown = rows[:limit]
    following = cursor_of(shown[-1].opened_at, shown[-1].id) if len(rows) > limit else None
    return IncidentList(incidents=[Incident.of(each) for each in shown], next=following)


@router.get("/incidents/{incident_id}", tags=["read"], dependencies=[may(Permission.READ)])
async def one(services: WithServices, incident_id: UUID) -> IncidentDetail:
    """One incident with what became of it, what people decided and wrote, and who was told."""
    return await _detail(services, incident_id)


@router.post("/incidents/{incident_id}/acknowledge", tags=["change"], dependencies=[may(Permission.OPERATE)])
async def acknowledge(services: WithServices, actor: WithActor, incident_id: UUID) -> IncidentDetail:
    """Note that somebody has it in hand: no more reminders, no escalation."""
    await operations.acknowledge(services, actor.author, incident_id)
    return await _detail(services, incident_id)


@router.post("/incidents/{incident_id}/snooze", tags=["change"], dependencies=[may(Permission.OPERATE)])
async def snooze(services: WithServices, actor: WithActor, incident_id: UUID, asked: Snooze) -> IncidentDetail:
    """Tell nobody of it for a while; what still lasts then is told."""
    await operations.snooze(services, actor.author, incident_id, asked.until)
    return await _detail(services, incident_id)


@router.post(
    "/incidents/{incident_id}/comments", tags=["change"], status_code=201, dependencies=[may(Permission.OPERATE)]
)
async def comment(
    services: WithServices, actor: WithActor, response: Response, incident_id: UUID, written: Words
) -> Comment:
    """Write a comment, whether it lasts or not."""
    made = await operations.comment(services, actor.author, incident_id, written.words)
    response.headers["Location"] = f"/api/incidents/{incident_id}"
    return Comment.model_validate(made)


async def _detail(services: Services, incident_id: UUID) -> IncidentDetail:
    found = await listings.incidents(services.db, limit=1, id=incident_id)
    if not found:
        raise missing("there is no such incident, or it is too old and no longer kept")
    incident = found[0]
    threads = [each for each in (incident.id, incident.outage_id) if each is not None]
    told = await listings.notices(services.db, limit=_NOTICES, threads=threads)
    return IncidentDetail(
        incident=Incident.of(incident),
        transitions=[Transition.model_validate(each) for each in await listings.transitions(services.db, incident.id)],
        comments=[Comment.model_validate(each) for each in await comments.of_incident(services.db, incident.id)],
        decisions=[Decision.model_validate(each) for each in await decisions.about(services.db, incident.id)],
        notices=[Notice.of(each) for each in told],
    )
