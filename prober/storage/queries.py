"""What the dashboard and the commands read: frozen values, each from a few queries; none reads all reports of a day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, ScalarSelect, Select, Table, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.model import Endpoint, Verdict
from checks.sentinel_states import SentinelState
from prober.incidents.rules import Severity
from prober.incidents.windows import concerns
from prober.storage import accepted_tools, probe_requests, tables
from prober.storage.accepted_tools import ToolLists
from prober.storage.cold_starts import FirstAnswers, first_answers
from prober.storage.marks import verdicts_of
from prober.storage.mutes import DEPLOY
from prober.storage.probe_requests import ProbeRequest
from prober.storage.series import Day, Hour, Stats, bars, hours, stats_of
from prober.storage.specs import endpoint_of, sentinels_of

ANSWERS_DAYS: Final = 7.0
"""Cold starts are rare: of fewer days there is little to say."""

MOST_ROWS: Final = 1000
"""No list is longer than this, whatever a caller asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRow:
    """One endpoint as it is now. `verdict` is unknown, and `slot` None, until its first report."""

    id: UUID
    name: str
    url: str
    labels: Mapping[str, str]
    source: str
    """Who named it: `file` or `api`."""
    enabled: bool
    interval_s: float
    pause_s: float
    """For how long it is left alone now and then, to cool down; 0 where it never is."""
    next_due: datetime
    verdict: Verdict
    since: datetime | None
    """From when on the verdict has been the same."""
    cause: str | None
    cause_summary: str
    report_id: UUID | None
    slot: datetime | None
    """Of the latest report."""
    era: str | None
    protocol_version: str | None
    transport: str | None
    server_name: str | None
    server_version: str | None
    tool_count: int | None
    latency_ms: float | None
    """Of the latest probe as a whole; None when it was down."""
    spark: tuple[float | None, ...]
    """The latest waits for a first answer, from connecting to its first byte, oldest first; None without one."""
    marks: tuple[Verdict, ...]
    """The latest verdicts, oldest first."""
    incident: "IncidentRow | None"
    """The one that is open."""
    full_at: datetime | None
    """When the last full probe was done."""
    full_report_id: UUID | None
    stats: Stats | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One probe in a list. With `missed` above zero it stands for that many slots, from `slot` on, without a probe."""

    id: UUID
    slot: datetime
    location: str
    profile: str
    verdict: Verdict
    cause: str | None
    cause_summary: str
    cold: bool
    cold_confirmed: bool | None
    """What the function's log says about it; None where nobody asked."""
    init_ms: float | None
    restore_ms: float | None
    missed: int
    unknown_reason: str | None
    tool_count: int | None
    duration_ms: float | None
    dns_ms: float | None
    connect_ms: float | None
    tls_ms: float | None
    wait_ms: float | None
    """From the first request's last byte to its answer's first."""
    handshake_ms: float | None
    tools_list_ms: float | None
    sentinel_ms: float | None
    first_event_ms: float | None
    last_event_ms: float | None

    @property
    def was_cold(self) -> bool:
        """Whether it met a cold start, as far as is known: the function's log knows better than the probe."""
        return self.cold if self.cold_confirmed is None else self.cold_confirmed


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePage:
    """One report with all that was seen. `detail` is the report as `checks.encode.as_json` writes it."""

    endpoint_id: UUID
    endpoint_name: str
    report: ReportRow
    started_at: datetime | None
    era: str | None
    protocol_version: str | None
    transport: str | None
    detail: Mapping[str, Any] | None
    """None for slots without a probe."""
    earlier: UUID | None
    """The endpoint's report before this one."""
    later: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """The time in which an endpoint was not well; `ended_at` is None while it lasts."""

    id: UUID
    endpoint_id: UUID
    endpoint_name: str
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
    """Until when, where that is known."""
    outage_id: UUID | None
    """The outage that it is part of, or was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    """One notice on one channel: waiting, sent (`sent_at`) or ended without it (`failed_at`)."""

    id: UUID
    thread: UUID
    """The incident, outage or impairment that it belongs to."""
    endpoint_name: str
    """Of what it is about, which need not be an endpoint."""
    channel: str
    title: str
    kind: str
    verdict: Verdict | None
    severity: Severity
    created_at: datetime
    next_attempt_at: datetime
    attempts: int
    sent_at: datetime | None
    failed_at: datetime | None
    last_error: str | None
    superseded_by: UUID | None
    """A newer notice of its thread, which was told in its place."""
    handed_to: str | None
    """Another channel, which tells it in place of this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedDeploy:
    """A deploy that somebody told us of."""

    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPage:
    """A day of one endpoint, in UTC, and maybe one of its hours."""

    day: date
    hours: tuple[Hour, ...]
    hour: datetime | None
    reports: tuple[ReportRow, ...]
    """Of the hour, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPage:
    """Everything about one endpoint."""

    fleet: FleetRow
    endpoint: Endpoint
    reports: tuple[ReportRow, ...]
    """Newest first."""
    latest: ProbePage | None
    """The newest report that a probe made."""
    full: ProbePage | None
    """The report of the last full probe, which may be the newest one; None once it is no longer kept."""
    incidents: tuple[IncidentRow, ...]
    """Newest first."""
    answers: FirstAnswers
    """Cold and warm, of the last `ANSWERS_DAYS` days."""
    tools: ToolLists
    sentinels: tuple[SentinelState, ...]
    """Those that probes came to."""
    days: tuple[Day, ...]
    """The last ninety, oldest first."""
    marked: tuple[MarkedDeploy, ...]
    """Deploys of the last ninety days that somebody marked, oldest first."""
    request: ProbeRequest | None
    """The latest probe that somebody asked for."""
    opened: DayPage | None = None
    """The day that was asked for."""


async def fleet(db: AsyncEngine) -> tuple[FleetRow, ...]:
    """Every endpoint that is watched, by name."""
    async with db.connect() as connection:
        rows = await connection.execute(_fleet().order_by(tables.endpoint.c.name))
        return tuple(_fleet_row(row._asdict()) for row in rows)


async def endpoint_page(
    db: AsyncEngine, name: str, *, reports: int = 100, day: date | None = None, hour: int | None = None
) -> EndpointPage | None:
    """The endpoint with its newest `reports` reports, or None when no endpoint of that name is watched.

    With `day`, in UTC, the hours of that day as well, and with `hour` the reports of that one.
    """
    async with db.connect() as connection:
        wanted = _fleet(tables.endpoint.c.spec).where(tables.endpoint.c.name == name)
        row = (await connection.execute(wanted)).mappings().first()
        if row is None:
            return None
        made = await _newest_reports(connection, row["id"], limit=min(reports, MOST_ROWS))
        past = await connection.execute(
            _incidents().where(tables.incident.c.endpoint_id == row["id"]).limit(_ENDPOINT_INCIDENTS)
        )
        incidents_seen = tuple(incident_row(each) for each in past.mappings())
        answers = await first_answers(connection, row["id"], ANSWERS_DAYS)
        lists = await accepted_tools.of_endpoint(connection, row["id"])
        state = tables.endpoint_state
        days = (await bars(connection, [row["id"]])).get(row["id"], ())
        states = await connection.scalar(select(state.c.sentinels).where(state.c.endpoint_id == row["id"]))
        marked = await _deploys_marked(connection, name, row["labels"])
        opened = None if day is None else await _day_page(connection, row["id"], day, hour)
    newest, full = next((report.id for report in made if not report.missed), None), row["full_report_id"]
    latest = None if newest is None else await probe_page(db, newest)
    return EndpointPage(
        fleet=_fleet_row(row),
        endpoint=endpoint_of(row["spec"]),
        reports=made,
        latest=latest,
        full=latest if full == newest else await probe_page(db, full) if full is not None else None,
        incidents=incidents_seen,
        answers=answers,
        tools=lists,
        sentinels=sentinels_of(states),
        days=days,
        marked=marked,
        request=await probe_requests.newest(db, name),
        opened=opened,
    )


async def _newest_reports(connection: AsyncConnection, endpoint: UUID, *, limit: int) -> tuple[ReportRow, ...]:
    table = tables.report
    found = await connection.execute(
        select(*_REPORT_COLUMNS)
        .where(table.c.endpoint_id == endpoint)
        .order_by(table.c.slot.desc(), table.c.location)
        .limit(limit)
    )
    return tuple(_report_row(each) for each in found.mappings())


async def _day_page(connection: AsyncConnection, endpoint: UUID, day: date, hour: int | None) -> DayPage:
    table = tables.report
    first = None if hour is None else datetime.combine(day, time(hour), UTC)
    found: Sequence[RowMapping] = ()
    if first is not None:
        wanted = select(*_REPORT_COLUMNS).where(
            table.c.endpoint_id == endpoint, table.c.slot >= first, table.c.slot < first + timedelta(hours=1)
        )
        ordered = wanted.order_by(table.c.slot, table.c.location).limit(MOST_ROWS)
        found = (await connection.execute(ordered)).mappings().all()
    return DayPage(
        day=day,
        hours=await hours(connection, endpoint, day),
        hour=first,
        reports=tuple(_report_row(each) for each in found),
    )


async def _deploys_marked(
    connection: AsyncConnection, name: str, labels: Mapping[str, str]
) -> tuple[MarkedDeploy, ...]:
    table = tables.mute
    wanted = (
        select(table.c.starts_at, table.c.created_by, table.c.reason, table.c.endpoints, table.c.labels)
        .where(table.c.kind == DEPLOY, table.c.starts_at > func.now() - timedelta(days=90))
        .order_by(table.c.starts_at.desc())
        .limit(MOST_ROWS)
    )
    rows = await connection.execute(wanted)
    meant = [row for row in rows if concerns(tuple(row.endpoints), row.labels, name, labels)]
    return tuple(MarkedDeploy(at=row.starts_at, by=row.created_by, reason=row.reason) for row in reversed(meant))


async def probe_page(db: AsyncEngine, report_id: UUID) -> ProbePage | None:
    """One report, also of an endpoint that is no longer watched; None when there is none with this id."""
    table, endpoint = tables.report, tables.endpoint
    wanted = (
        select(
            *_REPORT_COLUMNS,
            table.c.endpoint_id,
            table.c.started_at,
            table.c.era,
            table.c.protocol_version,
            table.c.transport,
            func.coalesce(_detail_in(tables.evidence), _detail_in(tables.routine_evidence)).label("detail"),
            endpoint.c.name.label("endpoint_name"),
        )
        .join(endpoint, endpoint.c.id == table.c.endpoint_id)
        .where(table.c.id == report_id)
    )
    async with db.connect() as connection:
        row = (await connection.execute(wanted)).mappings().first()
        if row is None:
            return None
        same = table.c.endpoint_id == row["endpoint_id"]
        earlier = select(table.c.id).where(same, table.c.slot < row["slot"]).order_by(table.c.slot.desc()).limit(1)
        later = select(table.c.id).where(same, table.c.slot > row["slot"]).order_by(table.c.slot).limit(1)
        return ProbePage(
            endpoint_id=row["endpoint_id"],
            endpoint_name=row["endpoint_name"],
            report=_report_row(row),
            started_at=row["started_at"],
            era=row["era"],
            protocol_version=row["protocol_version"],
            transport=row["transport"],
            detail=row["detail"],
            earlier=await connection.scalar(earlier),
            later=await connection.scalar(later),
        )


async def incidents(db: AsyncEngine, *, limit: int = 100) -> tuple[IncidentRow, ...]:
    """Open incidents first, then those that ended, each newest first."""
    wanted = _incidents(tables.incident.c.ended_at.is_not(None)).limit(min(limit, MOST_ROWS))
    async with db.connect() as connection:
        rows = await connection.execute(wanted)
        return tuple(incident_row(row) for row in rows.mappings())


async def notices(db: AsyncEngine, *, limit: int = 100) -> tuple[NoticeRow, ...]:
    """The log of notices, newest first."""
    wanted = select(*NOTICE_COLUMNS).order_by(tables.notice.c.number.desc()).limit(min(limit, MOST_ROWS))
    async with db.connect() as connection:
        rows = await connection.execute(wanted)
        return tuple(notice_row(row) for row in rows.mappings())


_ENDPOINT_INCIDENTS: Final = 20
_REPORT_COLUMNS: Final = tuple(tables.report.c[name] for name in ReportRow.__dataclass_fields__)
_INCIDENT_COLUMNS: Final = tuple(
    tables.incident.c[name] for name in IncidentRow.__dataclass_fields__ if name != "endpoint_name"
)
INCIDENT_COLUMNS: Final = (*_INCIDENT_COLUMNS, tables.endpoint.c.name.label("endpoint_name"))
"""What makes an `incident_row`, of an incident and its endpoint."""
_NOTICE_FIELDS: Final = tuple(name for name in NoticeRow.__dataclass_fields__ if name in tables.notice.c)
NOTICE_COLUMNS: Final = (*(tables.notice.c[name] for name in _NOTICE_FIELDS), tables.notice.c.payload)
"""What makes a `notice_row`."""
_STATE_COLUMNS: Final = tuple(
    tables.endpoint_state.c[name]
    for name in FleetRow.__dataclass_fields__
    if name in tables.endpoint_state.c and name != "incident"
)
_STATE_FIELDS: Final = tuple(column.name for column in _STATE_COLUMNS)
_ENDPOINT_FIELDS: Final = ("id", "name", "url", "labels", "source", "enabled", "interval_s", "next_due")
_OPEN: Final = "open_"
"""Prefix of the columns of the open incident in a row of the fleet."""


def _detail_in(evidence: Table) -> ScalarSelect[Any]:
    report = tables.report.c
    return (
        select(evidence.c.detail)
        .where(evidence.c.report_id == report.id, evidence.c.slot == report.slot)
        .correlate(tables.report)
        .scalar_subquery()
    )


def _fleet(*more: ColumnElement[Any]) -> Select[Any]:
    """Of the whole specification only what a row shows: reading a thousand of them takes longer than all else."""
    endpoint, state, incident = tables.endpoint, tables.endpoint_state, tables.incident
    return (
        select(
            endpoint.c.id,
            endpoint.c.name,
            endpoint.c.spec["url"].astext.label("url"),
            endpoint.c.spec["cold_every_s"].astext.label("cold_every_s"),
            endpoint.c.spec["cool_down_s"].astext.label("cool_down_s"),
            endpoint.c.labels,
            endpoint.c.source,
            endpoint.c.enabled,
            endpoint.c.interval_s,
            endpoint.c.next_due,
            *_STATE_COLUMNS,
            *(column.label(_OPEN + column.name) for column in _INCIDENT_COLUMNS),
            *more,
        )
        .outerjoin(state, state.c.endpoint_id == endpoint.c.id)
        .outerjoin(incident, and_(incident.c.endpoint_id == endpoint.c.id, incident.c.ended_at.is_(None)))
        .where(endpoint.c.removed_at.is_(None))
    )


def _incidents(*first: ColumnElement[Any]) -> Select[Any]:
    incident, endpoint = tables.incident, tables.endpoint
    return (
        select(*INCIDENT_COLUMNS)
        .join(endpoint, endpoint.c.id == incident.c.endpoint_id)
        .order_by(*first, incident.c.opened_at.desc())
    )


def _fleet_row(row: Mapping[Any, Any]) -> FleetRow:
    state = {name: row[name] for name in _STATE_FIELDS}
    state |= {
        "verdict": Verdict(state["verdict"] or Verdict.UNKNOWN),
        "cause_summary": state["cause_summary"] or "",
        "spark": tuple(state["spark"] or ()),
        "marks": verdicts_of(state["marks"] or ""),
        "stats": stats_of(state["stats"]),
    }
    return FleetRow(
        **{name: row[name] for name in _ENDPOINT_FIELDS},
        pause_s=float(row["cool_down_s"] or 0.0) if float(row["cold_every_s"] or 0.0) else 0.0,
        **state,
        incident=None if row[_OPEN + "id"] is None else _open_incident(row),
    )


def _open_incident(row: Mapping[Any, Any]) -> IncidentRow:
    found = {column.name: row[_OPEN + column.name] for column in _INCIDENT_COLUMNS}
    return incident_row({**found, "endpoint_name": row["name"]})


def _report_row(row: Mapping[Any, Any]) -> ReportRow:
    values = {column.name: row[column.name] for column in _REPORT_COLUMNS}
    return ReportRow(**{**values, "verdict": Verdict(values["verdict"])})


def incident_row(row: Mapping[Any, Any]) -> IncidentRow:
    """The incident in a row that has `INCIDENT_COLUMNS`."""
    values = {name: row[name] for name in IncidentRow.__dataclass_fields__}
    return IncidentRow(**{**values, "verdict": Verdict(values["verdict"]), "severity": Severity(values["severity"])})


def notice_row(row: Mapping[Any, Any]) -> NoticeRow:
    """The notice in a row that has `NOTICE_COLUMNS`."""
    told = row["payload"]
    return NoticeRow(
        **{name: row[name] for name in _NOTICE_FIELDS},
        endpoint_name=told["endpoint"],
        title=told["title"],
        kind=told["kind"],
        verdict=told["verdict"] and Verdict(told["verdict"]),
        severity=Severity(told["severity"]),
    )
