"""Times in which nobody is told, as JSON: maintenance and deploys."""

from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.operations import deploys
from dashboard.operations import maintenance as operations
from dashboard.services import WithServices
from prober import values
from prober.incidents.windows import MaintenanceWindow, active_until, next_start
from prober.storage import mutes
from prober.storage.mutes import LONGEST, SHORTEST, MuteRow

router = APIRouter(prefix="/api")

_MOST: int = 200
_LASTS = "For how many seconds nobody is told"
_Seconds = Annotated[float, Field(ge=SHORTEST.total_seconds(), le=LONGEST.total_seconds())]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Single(BaseModel):
    """A time that comes once: maintenance, or what follows a deploy. Without endpoints and labels it is for all."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: str
    endpoints: list[str]
    labels: dict[str, str]
    starts_at: datetime
    ends_at: datetime
    reason: str
    created_by: str

    @classmethod
    def of(cls, row: MuteRow) -> Self:
        return cls.model_validate(row)


class Recurring(BaseModel):
    """A time of the configuration file that comes again."""

    name: str
    endpoints: list[str]
    labels: dict[str, str]
    active_until: datetime | None
    """Null outside of it."""
    next_start: datetime | None
    """Null where it never comes."""

    @classmethod
    def at(cls, window: MaintenanceWindow, now: datetime) -> Self:
        return cls(
            name=window.name,
            endpoints=list(window.endpoints),
            labels=dict(window.labels),
            active_until=active_until(window, now),
            next_start=next_start(window, now),
        )


class Silence(BaseModel):
    single: list[Single]
    """Those that last or are still to come, the next to end first."""
    recurring: list[Recurring]


class Whom(BaseModel):
    """For whom: these endpoints, or whoever bears all of the labels."""

    model_config = ConfigDict(extra="forbid")

    endpoints: Annotated[list[_Name], Field(max_length=1000, description="By name.")] = []
    labels: Annotated[dict[_Label, _Label], Field(max_length=20)] = {}
    reason: Annotated[str, Field(max_length=300, description="Shown to whoever looks.")] = ""


class Planned(Whom):
    all: Annotated[bool, Field(description="For all endpoints, where neither names nor labels are given.")] = False
    starts_at: Annotated[AwareDatetime | None, Field(description="Now by default.")] = None
    ends_at: Annotated[AwareDatetime | None, Field(description="Until when nobody is told, or else lasts_s.")] = None
    lasts_s: Annotated[_Seconds | None, Field(description=f"{_LASTS} from starts_at on, or else ends_at.")] = None

    @model_validator(mode="after")
    def _is_for_somebody(self) -> Self:
        if self.all == bool(self.endpoints or self.labels):
            raise values.Refused("is for nobody, or for some and for all", "give endpoints, or labels, or all: true")
        return self

    @model_validator(mode="after")
    def _ends_once(self) -> Self:
        if (self.ends_at is None) == (self.lasts_s is None):
            wrong = "has no end" if self.ends_at is None else "has two ends"
            raise values.Refused(wrong, "give one of ends_at and lasts_s")
        return self

    @property
    def ends(self) -> datetime | timedelta:
        """When it ends, or after how long."""
        if self.lasts_s is not None:
            return timedelta(seconds=self.lasts_s)
        assert self.ends_at is not None
        return self.ends_at


class Deployed(Whom):
    lasts_s: Annotated[_Seconds | None, Field(description=f"{_LASTS}; incidents.deploy_mute by default.")] = None


class Muted(BaseModel):
    id: UUID
    """To end it before its time."""


@router.get("/maintenance", tags=["read"], dependencies=[may(Permission.READ)])
async def listed(services: WithServices) -> Silence:
    """The times in which nobody is told, now and later."""
    now = services.clock.now()
    return Silence(
        single=[Single.of(each) for each in await mutes.coming(services.db, limit=_MOST)],
        recurring=[Recurring.at(each, now) for each in await mutes.stored_windows(services.db)],
    )


@router.post("/maintenance", tags=["change"], status_code=201, dependencies=[may(Permission.OPERATE)])
async def add(services: WithServices, actor: WithActor, planned: Planned) -> Muted:
    """Tell nobody until `ends_at` or for `lasts_s`; probing goes on, and what is still broken then is told."""
    made = await operations.add(
        services,
        actor.author,
        endpoints=planned.endpoints,
        labels=planned.labels,
        starts_at=planned.starts_at,
        ends=planned.ends,
        reason=planned.reason,
    )
    return Muted(id=made)


@router.delete("/maintenance/{mute_id}", tags=["change"], status_code=204, dependencies=[may(Permission.OPERATE)])
async def end(services: WithServices, actor: WithActor, response: Response, mute_id: UUID) -> None:
    """End maintenance, or what follows a deploy, before its time."""
    await operations.end(services, actor.author, mute_id)


@router.post("/deploys", tags=["change"], status_code=201, dependencies=[may(Permission.OPERATE)])
async def mark(services: WithServices, actor: WithActor, deployed: Deployed) -> Muted:
    """Mark a deploy: what it breaks for a short while wakes nobody. A later mark for the same takes its place."""
    lasts = None if deployed.lasts_s is None else timedelta(seconds=deployed.lasts_s)
    made = await deploys.mark(
        services, actor.author, deployed.endpoints, deployed.labels, lasts, reason=deployed.reason
    )
    return Muted(id=made)
