"""Endpoints and probes as JSON.

Field names follow the report's vocabulary.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from checks.likelihood import likelihoods, percentile
from checks.model import Verdict
from checks.text import shown_url
from dashboard.access.gate import may
from dashboard.access.permissions import Permission
from dashboard.api.incidents import Incident
from dashboard.api.paging import CURSOR, LIMIT, LONGEST_CURSOR, cursor_of_text, text_of
from dashboard.operations.refusals import missing
from dashboard.services import WithServices
from dashboard.views.common import endpoint_href, probe_href
from prober.storage import cold_starts as storage
from prober.storage import queries
from prober.storage.endpoints import FILE

router = APIRouter(prefix="/api", tags=["read"])


class Stats(BaseModel):
    """Figures of the last day (`cold_p95_ms`: of seven); null where there was nothing to make one of."""

    model_config = ConfigDict(from_attributes=True)

    uptime_24h: float | None
    uptime_30d: float | None
    warm_p50_ms: float | None
    warm_p95_ms: float | None
    cold_p95_ms: float | None


class Owner(StrEnum):
    """Who keeps an endpoint: whoever writes the configuration file, or people by API and page."""

    FILE = "file"
    API = "api"


class EndpointSummary(BaseModel):
    """One endpoint as it is now. `last_probe_at` is null until its first probe."""

    name: str
    url: str
    """Without user, password and query, which may be secret."""
    labels: dict[str, str]
    owner: Owner
    enabled: bool
    interval_s: float
    verdict: Verdict
    since: datetime | None
    cause: str | None
    cause_summary: str
    last_probe_at: datetime | None
    last_probe_id: UUID | None
    era: str | None
    protocol_version: str | None
    transport: str | None
    server_name: str | None
    server_version: str | None
    tool_count: int | None
    latency_ms: float | None
    full_at: datetime | None
    """When the last probe of the full profile was done."""
    full_report_id: UUID | None
    last_verdicts: list[Verdict]
    stats: Stats | None
    """Null until its first hour is rolled up."""
    incident: Incident | None
    page: str

    @classmethod
    def of(cls, row: queries.FleetRow) -> Self:
        return cls(
            **{name: getattr(row, name) for name in cls.model_fields if name in _SAME_IN_ROW},
            url=shown_url(row.url),
            labels=dict(row.labels),
            owner=_owner_of(row),
            last_probe_at=row.slot,
            last_probe_id=row.report_id,
            last_verdicts=list(row.marks),
            stats=Stats.model_validate(row.stats) if row.stats else None,
            incident=Incident.of(row.incident) if row.incident else None,
            page=endpoint_href(row.name),
        )


def _owner_of(row: queries.FleetRow) -> Owner:
    return Owner.FILE if row.source == FILE else Owner.API


_SAME_IN_ROW = frozenset(queries.FleetRow.__dataclass_fields__) - {"url", "labels", "stats", "incident"}


class ProbeSummary(BaseModel):
    """One probe in a list. With `missed` above zero it stands for that many slots without a probe."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    slot: datetime
    location: str
    profile: str
    verdict: Verdict
    cause: str | None
    cause_summary: str
    cold: bool
    cold_confirmed: bool | None
    init_ms: float | None
    restore_ms: float | None
    missed: int
    tool_count: int | None
    duration_ms: float | None
    dns_ms: float | None
    connect_ms: float | None
    tls_ms: float | None
    wait_ms: float | None
    handshake_ms: float | None
    tools_list_ms: float | None
    sentinel_ms: float | None
    first_event_ms: float | None
    last_event_ms: float | None


class EndpointList(BaseModel):
    counts: dict[Verdict, int]
    """Of all that are asked for and not paused, in this piece or not."""
    endpoints: list[EndpointSummary]
    next: str | None = None
    """The cursor of what follows; null at the end."""


class Wanted(BaseModel):
    """Which endpoints are asked for: those that meet all of these, piece by piece."""

    verdict: Annotated[list[Verdict], Field(max_length=10, description="With one of these verdicts.")] = []
    label: Annotated[
        list[Annotated[str, Field(max_length=500, pattern="^[^=]+=")]],
        Field(max_length=20, description="That bear this label, as `key=value`; all of them."),
    ] = []
    owner: Annotated[Owner | None, Field(description="That the file keeps, or people.")] = None
    search: Annotated[str, Field(max_length=200, description="With this in the name, the address or a label.")] = ""
    limit: Annotated[int, Field(ge=1, le=1000, description=LIMIT)] = 500
    cursor: Annotated[str | None, Field(max_length=LONGEST_CURSOR, description=CURSOR)] = None

    def means(self, row: queries.FleetRow) -> bool:
        """Whether this endpoint is asked for."""
        if self.verdict and row.verdict not in self.verdict:
            return False
        if self.owner and self.owner is not _owner_of(row):
            return False
        labels = {f"{key}={value}" for key, value in row.labels.items()}
        said = "\n".join((row.name, shown_url(row.url), *labels)).casefold()
        return labels.issuperset(self.label) and self.search.casefold() in said


class Exceeded(BaseModel):
    """How likely a cold start is to take longer than `limit_s`: the share of those seen, and its 95 % interval."""

    model_config = ConfigDict(from_attributes=True)

    limit_s: float
    exceeded: int
    of: int
    share: float
    low: float
    high: float


class Percentiles(BaseModel):
    """Milliseconds; null where there is nothing to rank."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        p50, p95, p99 = (percentile(values, share) for share in (0.5, 0.95, 0.99))
        return cls(count=len(values), p50=p50, p95=p95, p99=p99)


class FirstAnswers(BaseModel):
    """First answers since `since`, from connecting to the first byte, cold and warm apart.

    `cold` has those that bursts forced, beside the `probes_cold` that probes met; `confirmed` of these the function's
    log confirmed. `start` is how long instances took to start, by the log. `exceeds` says nothing of limits that lie
    beyond the endpoint's `timeout`.
    """

    since: datetime
    cold: Percentiles
    warm: Percentiles
    start: Percentiles
    probes_cold: int
    confirmed: int
    exceeds: list[Exceeded]

    @classmethod
    def seen(cls, answers: storage.FirstAnswers, timeout_s: float) -> Self:
        p50, p95, p99 = answers.warm_ms or (None, None, None)
        return cls(
            since=answers.since,
            cold=Percentiles.of(answers.cold_ms),
            warm=Percentiles(count=answers.warm, p50=p50, p95=p95, p99=p99),
            start=Percentiles.of(answers.start_ms),
            probes_cold=answers.probes_cold,
            confirmed=answers.confirmed,
            exceeds=[Exceeded.model_validate(each) for each in likelihoods(answers.cold_ms, seen_up_to_s=timeout_s)],
        )


class Deploy(BaseModel):
    """A sign from outside that another version answers. `at` is the slot of the probe that saw it first."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    what: str


class Sentinel(BaseModel):
    """How one sentinel stands.

    Its outcome is `ok`, `failed`, `access-denied`, `error`, `mismatch`, `invalid`, `changed`, `not-listed` or
    `skipped`, the same since the slot `since`; `at` is the slot in which a probe last came to it.
    """

    model_config = ConfigDict(from_attributes=True)

    tool: str
    outcome: str
    since: datetime
    at: datetime
    ms: float | None
    """Of the last call; null where nothing was called."""
    summary: str


class EndpointDetail(BaseModel):
    endpoint: EndpointSummary
    sentinels: list[Sentinel]
    """In the order of the configuration."""
    first_answers: FirstAnswers
    probes: list[ProbeSummary]
    """Newest first."""
    incidents: list[Incident]
    """Newest first."""
    deploys: list[Deploy]
    """The latest, newest last. What changed in the tools stands in `/api/baselines/{name}`."""


class ProbeDetail(BaseModel):
    endpoint: str
    probe: ProbeSummary
    page: str
    earlier: UUID | None
    later: UUID | None
    report: dict[str, Any] | None
    """Everything that was seen. Null for slots without a probe. Its texts are the watched server's own: escape them."""


@router.get("/endpoints", dependencies=[may(Permission.READ)])
async def endpoints(services: WithServices, wanted: Annotated[Wanted, Query()]) -> EndpointList:
    """The endpoints that are watched, by name, and how many of them have each verdict."""
    after = text_of(wanted.cursor)
    rows = sorted((row for row in await queries.fleet(services.db) if wanted.means(row)), key=lambda row: row.name)
    following = [row for row in rows if after is None or row.name > after]
    shown = following[: wanted.limit]
    counts = {verdict: sum(row.verdict is verdict for row in rows if row.enabled) for verdict in Verdict}
    return EndpointList(
        counts=counts,
        endpoints=[EndpointSummary.of(row) for row in shown],
        next=cursor_of_text(shown[-1].name) if len(following) > len(shown) else None,
    )


@router.get("/endpoints/{name:path}", dependencies=[may(Permission.READ)])
async def endpoint(services: WithServices, name: str) -> EndpointDetail:
    """One endpoint with its newest probes and incidents."""
    found = await queries.endpoint_page(services.db, name)
    if found is None:
        raise missing("no endpoint of that name is watched")
    return EndpointDetail(
        endpoint=EndpointSummary.of(found.fleet),
        sentinels=[Sentinel.model_validate(each) for each in found.sentinels],
        first_answers=FirstAnswers.seen(found.answers, found.endpoint.timeout_s),
        probes=[ProbeSummary.model_validate(each) for each in found.reports],
        incidents=[Incident.of(each) for each in found.incidents],
        deploys=[Deploy.model_validate(each) for each in found.tools.memory.deploys],
    )


@router.get("/probes/{report_id}", dependencies=[may(Permission.READ)])
async def probe(services: WithServices, report_id: UUID) -> ProbeDetail:
    """One probe with all that was sent and came back."""
    found = await queries.probe_page(services.db, report_id)
    if found is None:
        raise missing("there is no such probe, or it is too old and no longer kept")
    return ProbeDetail(
        endpoint=found.endpoint_name,
        probe=ProbeSummary.model_validate(found.report),
        page=probe_href(found.report.id),
        earlier=found.earlier,
        later=found.later,
        report=dict(found.detail) if found.detail else None,
    )
