"""The past of an endpoint as JSON, and probes that are asked for."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from checks.model import Profile, Verdict
from checks.text import clean
from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.api.endpoints import Percentiles, ProbeSummary
from dashboard.api.paging import Cursor, Limit, after_of, cursor_of
from dashboard.operations import probes as operations
from dashboard.operations.refusals import missing, unusable
from dashboard.services import Services, WithServices
from prober.storage import listings, probe_requests, series
from prober.storage.probe_requests import Stage
from prober.storage.sketches import Sketch

router = APIRouter(prefix="/api")


class ProbeList(BaseModel):
    probes: list[ProbeSummary]
    next: str | None = None
    """The cursor of what follows; null at the end."""


class Point(BaseModel):
    """One probe of a series, or with another `last_slot` a run of slots of which only the verdict is known."""

    model_config = ConfigDict(from_attributes=True)

    report_id: UUID
    slot: datetime
    last_slot: datetime
    verdict: Verdict
    cause: str | None
    cold: bool
    first_answer_ms: float | None
    """From connecting to the first byte of the first answer."""
    duration_ms: float | None


class Day(BaseModel):
    """How many slots of a day, in UTC, had which verdict."""

    day: date
    up: int
    degraded: int
    down: int
    unknown: int


class Series(BaseModel):
    points: list[Point]
    """Oldest first."""
    days: list[Day]
    """The last 90 that have any slot, oldest first."""


class Figures(BaseModel):
    """What the slots of a span of whole hours came to. `unknown` ones, in which the prober could not observe, count for
    nothing in `uptime`, a share that is null where nothing was observed."""

    first: datetime
    last: datetime
    up: int
    degraded: int
    down: int
    unknown: int
    uptime: float | None
    warm: Percentiles
    """First answers, within 2.5 %."""
    cold: Percentiles

    @classmethod
    def of(cls, found: series.Figures, first: datetime, last: datetime) -> Self:
        return cls(
            first=first,
            last=last,
            **{name: getattr(found.slots, name) for name in ("up", "degraded", "down", "unknown", "uptime")},
            warm=_percentiles(found.warm),
            cold=_percentiles(found.cold),
        )


class AskedProbe(BaseModel):
    model_config = ConfigDict(extra="forbid")

    profile: Literal["standard", "full"] = "standard"


STANDARD: Final = AskedProbe()
"""What is asked for by a request without a body."""


class ProbeRequest(BaseModel):
    """A probe that somebody asked for. `report_id` is there when it is `done`."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    endpoint: str
    profile: Profile
    stage: Stage
    asked_at: datetime
    asked_by: str
    taken_at: datetime | None
    report_id: UUID | None


@router.get("/endpoints/{name:path}/probes", tags=["read"], dependencies=[may(Permission.READ)])
async def probes(
    services: WithServices,
    name: str,
    verdict: Annotated[Verdict | None, Query(description="Those with that verdict.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> ProbeList:
    """The probes of an endpoint, the newest first."""
    endpoint = await _endpoint(services, name)
    after = after_of(cursor)
    rows = await listings.reports(services.db, endpoint, limit=limit + 1, after=after, verdict=verdict)
    shown = rows[:limit]
    following = cursor_of(shown[-1].slot, shown[-1].id) if len(rows) > limit else None
    return ProbeList(probes=[ProbeSummary.model_validate(each) for each in shown], next=following)


@router.get("/endpoints/{name:path}/series", tags=["read"], dependencies=[may(Permission.READ)])
async def past(
    services: WithServices,
    name: str,
    hours: Annotated[int, Query(ge=1, le=168, description="Of how many hours the points are.")] = 24,
) -> Series:
    """The past of an endpoint for charts: each probe of the last hours, and the days before."""
    endpoint = await _endpoint(services, name)
    async with services.db.connect() as connection:
        points = await series.points(connection, endpoint, hours=hours)
        days = (await series.bars(connection, [endpoint])).get(endpoint, ())
    return Series(
        points=[Point.model_validate(each) for each in points],
        days=[
            Day(
                day=each.day,
                up=each.slots.up,
                degraded=each.slots.degraded,
                down=each.slots.down,
                unknown=each.slots.unknown,
            )
            for each in days
        ],
    )


@router.get("/figures", tags=["read"], dependencies=[may(Permission.READ)])
async def figures(
    services: WithServices,
    first: Annotated[
        AwareDatetime | None, Query(description="Where it begins: 30 days before its end by default.")
    ] = None,
    last: Annotated[AwareDatetime | None, Query(description="Where it ends: now by default.")] = None,
    endpoint: Annotated[
        list[str], Query(max_length=200, description="Of the endpoints of these names together; of all by default.")
    ] = [],  # noqa: B006 - FastAPI makes another one for each request
) -> Figures:
    """Uptime and percentiles of any span of whole hours, or, where these are no longer kept, of whole days."""
    ends = _hour(last or services.clock.now())
    begins = _hour(first) if first else ends - timedelta(days=30)
    if begins >= ends:
        raise unusable("that span has no whole hour: give a later `last`, or an earlier `first`")
    known = await listings.endpoints_named(services.db, endpoint)
    if unknown := [name for name in endpoint if name not in known]:
        raise unusable(f"no endpoint named {clean(unknown[0], 60)} is watched")
    async with services.db.connect() as connection:
        found = await series.figures(connection, begins, ends, list(known.values()))
    return Figures.of(found, begins, ends)


def _hour(moment: datetime) -> datetime:
    """The hour of it, in UTC. Raises HTTPException for years near the ends of the calendar."""
    if not 2000 <= moment.year < 3000:
        raise unusable("nothing is known of that year: give one from 2000 on")
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _percentiles(found: Sketch) -> Percentiles:
    p50, p95, p99 = (found.percentile(share) for share in (0.5, 0.95, 0.99))
    return Percentiles(count=found.count, p50=p50, p95=p95, p99=p99)


@router.post("/endpoints/{name:path}/probe", tags=["change"], status_code=202, dependencies=[may(Permission.OPERATE)])
async def ask(
    services: WithServices, actor: WithActor, response: Response, name: str, asked: AskedProbe = STANDARD
) -> ProbeRequest:
    """Ask for a probe out of turn. A prober takes it within seconds; `Location` says what came of it."""
    request = await operations.ask(services, actor.author, name, Profile(asked.profile))
    response.headers["Location"] = f"/api/probe-requests/{request}"
    return await _request(services, request)


@router.get("/probe-requests/{request_id}", tags=["read"], dependencies=[may(Permission.READ)])
async def asked_for(services: WithServices, request_id: UUID) -> ProbeRequest:
    """What became of a probe that somebody asked for."""
    return await _request(services, request_id)


async def _request(services: Services, request_id: UUID) -> ProbeRequest:
    found = await probe_requests.known(services.db, request_id)
    if found is None:
        raise missing("nobody asked for such a probe, or it is too long ago")
    return ProbeRequest.model_validate(found)


async def _endpoint(services: Services, name: str) -> UUID:
    found = await listings.endpoint_named(services.db, name)
    if found is None:
        raise missing("no endpoint of that name is watched")
    return found
