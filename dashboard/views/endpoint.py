"""The page of one endpoint: its history and everything that the newest probe found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import quote
from uuid import UUID

from checks.axes import LIKE_CLIENTS
from checks.costs import Kind, kind_of, requests_of
from checks.model import Endpoint, Profile, Verdict
from checks.proofs import counted, milliseconds
from checks.spec import Chapter, Era, Transport, era_of
from checks.text import clean, shown_url
from dashboard.charts import PHASES, Bar, Column, LatencyChart, bars, latency_chart
from dashboard.views.behaviour import SessionView, StreamingView, session_view, streaming_view
from dashboard.views.care import AskedView, KeptView, asked_view, kept_view
from dashboard.views.cold_starts import ColdView, cold_view
from dashboard.views.common import (
    IncidentView,
    Moment,
    bars_label,
    endpoint_href,
    icon_of,
    incident_view,
    is_overdue,
    labels_of,
    moment_of,
    probe_href,
    summary_of,
    word_of,
)
from dashboard.views.costs import CostView, cost_view
from dashboard.views.day import DayView, day_href, day_view
from dashboard.views.evidence import NO_CHAPTERS, ReportView, report_view, transport_name
from dashboard.views.long_run import DAYS, LongRunView, long_run_view
from dashboard.views.probe_rows import ListedProbe, OlderView, ProbeRowView, listed_probes, older_view, probe_row
from dashboard.views.sentinels import SentinelView, sentinel_views
from dashboard.views.silence import UNMUTED, SilenceView
from dashboard.views.tool_lists import ToolListsView, tool_lists_view
from dashboard.wording import absolute, short, span
from prober.storage.queries import EndpointPage, FleetRow, ProbePage, ReportRow

ENDPOINT_BARS: Final = 60
ENDPOINT_BARS_AT_FIRST: Final = 30
"""Fewer and wider ones while there are no more."""
ENDPOINT_BAR_HEIGHT: Final = 34.0
LISTED_DEPLOYS: Final = 10
_LABELS_APART: Final = 60
"""Per cent of the width that two labels below a chart need on a phone."""
_WORTH_SAYING: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryView:
    """The newest probes, oldest first, as bars and as columns of milliseconds below them."""

    title: str
    bars: tuple[tuple[Bar, str, str], ...]
    """Each with the address of its probe and a title."""
    bars_label: str
    chart: LatencyChart | None
    chart_label: str
    columns: tuple[tuple[Column | None, ProbeRowView], ...]
    phases: tuple[str, ...]
    any_cold: bool
    any_cut: bool
    time_marks: tuple[tuple[float, str, str], ...]
    """Place in per cent, text anchor and text, below the chart."""
    deploys: tuple[tuple[float, str], ...]
    """Place of each deploy in per cent, before the probe that saw it first, and a title."""


@dataclass(frozen=True, slots=True)
class DeployView:
    """One deploy, seen from outside or marked by somebody."""

    at: Moment
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What stands at the top of the page: which endpoint it is, how it is, and since when."""

    name: str
    url: str
    verdict: Verdict
    icon: str
    word: str
    summary: str
    since: Moment | None
    last: Moment | None
    next_due: Moment | None
    stale: str
    """Says that what follows is old; empty where it is not."""
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FullProbe:
    """What the last full probe found, of all that it asked beyond the last probe."""

    report: ReportView
    href: str
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    id: UUID
    subject: Subject
    history: HistoryView
    long_run: LongRunView | None
    """None while no hour has been rolled up."""
    report: ReportView | None
    report_href: str
    full: FullProbe | None
    no_report: str
    facts: tuple[tuple[str, str], ...]
    incidents: tuple[IncidentView, ...]
    cold: ColdView
    probes: tuple[ListedProbe, ...]
    older: OlderView | None
    sentinels: tuple[SentinelView, ...]
    tools: ToolListsView | None
    """None while no probe has read any."""
    silence: SilenceView
    """What mutes this endpoint."""
    kept: KeptView
    asked: AskedView | None
    day: DayView | None
    """The day that was asked for."""
    day_probes: tuple[ListedProbe, ...]
    """Of the hour of it that was asked for."""
    streaming: StreamingView | None
    session: SessionView | None
    cost: CostView | None
    """None while nobody knows how the server is spoken to."""
    deploys: tuple[DeployView, ...]
    """Newest first."""
    probe_now: str
    """Where a probe out of turn is asked for; empty while it is paused."""
    mark_deploy: str

    @property
    def contents(self) -> tuple[tuple[str, str], ...]:
        """Anchor and words of each section that is there, in the order of the page."""
        return tuple((anchor, words) for anchor, words, is_there in _sections(self) if is_there)


def endpoint_view(
    page: EndpointPage,
    questions: Mapping[str, str],
    now: datetime,
    silence: SilenceView = UNMUTED,
    chapters: Mapping[str, Sequence[Chapter]] = NO_CHAPTERS,
    *,
    accepted_before: bool = False,
) -> EndpointView:
    """One endpoint with its history and everything that the newest probe found.

    `accepted_before`: somebody has just accepted the list of tools that is accepted already.
    """
    row, latest = page.fleet, page.latest
    probes = tuple(probe_row(each, now) for each in page.reports)
    listed, oldest = listed_probes(page.reports, probes)
    report = report_view(latest.detail, questions, chapters) if latest and latest.detail else None
    today, deploys = now.astimezone(UTC).date(), _deploys(page)
    kind, key = _kind(page, report), quote(row.name, safe="")
    newest = list(zip(page.reports, probes, strict=True))[:ENDPOINT_BARS]
    return EndpointView(
        id=row.id,
        subject=_subject(row, now),
        history=_history(newest, endpoint_href(row.name), deploys),
        long_run=long_run_view(row.stats, page.days, today, partial(day_href, row.name), deploys),
        report=report,
        report_href=probe_href(latest.report.id) if latest else "",
        full=_full(page.full, questions, chapters, now),
        no_report=_no_report(row),
        facts=_endpoint_facts(page, report),
        incidents=tuple(incident_view(each, now) for each in page.incidents),
        cold=cold_view(page.answers, page.endpoint),
        probes=listed,
        older=older_view(row.name, oldest, len(probes)),
        sentinels=sentinel_views(page.sentinels, now),
        tools=tool_lists_view(row.name, page.tools, accepted_before=accepted_before),
        silence=silence,
        kept=kept_view(row),
        asked=asked_view(page.request, now),
        day=day_view(row.name, page.opened, today, DAYS) if page.opened else None,
        day_probes=tuple(ListedProbe(probe_row(each, now)) for each in page.opened.reports) if page.opened else (),
        streaming=streaming_view(latest, page.reports, ENDPOINT_BARS),
        session=session_view(page.full, report),
        cost=cost_view(page.endpoint, kind, page.answers, latest.detail if latest else None) if kind else None,
        deploys=tuple(DeployView(moment_of(at, now), words) for at, words in deploys[: -LISTED_DEPLOYS - 1 : -1]),
        probe_now=f"/probe-requests/{key}" if row.enabled else "",
        mark_deploy=f"/deploys/{key}",
    )


def _subject(row: FleetRow, now: datetime) -> Subject:
    return Subject(
        name=clean(row.name),
        url=shown_url(row.url, 500),
        verdict=row.verdict,
        icon=icon_of(row),
        word=word_of(row),
        summary=summary_of(row),
        since=moment_of(row.since, now) if row.since else None,
        last=moment_of(row.slot, now) if row.slot else None,
        next_due=moment_of(row.next_due, now) if row.enabled and row.next_due - now > _WORTH_SAYING else None,
        stale=_endpoint_staleness(row, now),
        labels=labels_of(row.labels),
    )


def _sections(view: EndpointView) -> Iterator[tuple[str, str, bool]]:
    has_report = view.report is not None
    yield "diagnoses", "Diagnosis", view.report is not None and bool(view.report.diagnoses)
    yield "checks", "Checks", has_report
    yield "facts", "Facts", has_report
    yield "history", "Last probes", bool(view.history.bars)
    yield "long-run", f"Last {DAYS} days", view.long_run is not None
    yield "day", view.day.iso if view.day else "", view.day is not None
    yield "hour", view.day.hour if view.day else "", view.day is not None and bool(view.day.hour)
    yield "sentinels", "Sentinels", bool(view.sentinels)
    yield "tool-lists", "Tools", view.tools is not None
    yield "streaming", "Streaming", view.streaming is not None
    yield "sessions", "Sessions", view.session is not None
    yield "full", "Full probe", view.full is not None
    yield "cold", "Cold starts", has_report
    yield "incidents", "Incidents", bool(view.incidents)
    yield "maintenance", "Planned maintenance", bool(view.silence.next)
    yield "deploys", "Deploys", bool(view.deploys)
    yield "cost", "Cost", view.cost is not None
    yield "kept", "Who keeps it", True
    yield "probes", "Table of probes", bool(view.probes)


def _deploys(page: EndpointPage) -> list[tuple[datetime, str]]:
    """When each was, and in words; oldest first."""
    seen = [(each.at, f"{clean(each.what, 300)}, first seen {absolute(each.at)}") for each in page.tools.memory.deploys]
    for each in page.marked:
        reason = f" ({clean(each.reason, 100)})" if each.reason else ""
        seen.append((each.at, f"marked by {clean(each.by, 60)}{reason} {absolute(each.at)}"))
    return sorted(seen)


def _endpoint_staleness(row: FleetRow, now: datetime) -> str:
    if row.slot is None or not is_overdue(row, now):
        return ""
    return f"No probe of this endpoint since {absolute(row.slot)}. What you see is from then."


def _no_report(row: FleetRow) -> str:
    if not row.enabled:
        return "This endpoint is paused and nothing that was seen of it is kept."
    return "The first probe has not ended yet." if row.slot is None else "What the last probe saw is no longer kept."


def _history(
    newest_first: Sequence[tuple[ReportRow, ProbeRowView]], without_probe: str, deploys: Sequence[tuple[datetime, str]]
) -> HistoryView:
    """`without_probe` is where the bar of slots without a probe leads."""
    drawn = newest_first[::-1]
    reports, rows = [report for report, _ in drawn], [row for _, row in drawn]
    slots = ENDPOINT_BARS if len(drawn) > ENDPOINT_BARS_AT_FIRST else ENDPOINT_BARS_AT_FIRST
    standing = bars([report.verdict for report in reports], slots, ENDPOINT_BAR_HEIGHT)
    chart = latency_chart([_phases(report) for report in reports], slots)
    return HistoryView(
        title="The last probe" if len(rows) == 1 else f"The last {len(rows)} probes",
        bars=tuple((bar, row.href or without_probe, row.title) for bar, row in zip(standing, rows, strict=True)),
        bars_label=bars_label([report.verdict for report in reports]),
        chart=chart,
        chart_label=_chart_label(reports),
        columns=tuple(zip(chart.columns, rows, strict=True)) if chart else (),
        phases=_phases_present(chart),
        any_cold=any(report.was_cold for report in reports),
        any_cut=any(column.cut for column in chart.columns if column) if chart else False,
        time_marks=_time_marks([report.slot for report in reports], chart),
        deploys=tuple(_deploy_marks([report.slot for report in reports], standing, deploys)),
    )


def _deploy_marks(
    slots: Sequence[datetime], standing: Sequence[Bar], deploys: Sequence[tuple[datetime, str]]
) -> Iterator[tuple[float, str]]:
    """A mark at the bar of the first probe from each deploy on, where the one before it is drawn, too."""
    for at, words in deploys:
        bar = next((bar for slot, bar in zip(slots, standing, strict=True) if slot >= at), None)
        if bar is not None and at >= slots[0]:
            yield bar.x, f"deploy: {words}"


def _phases(report: ReportRow) -> dict[str, float] | None:
    """Milliseconds per phase of the first request, which is the one that meets a cold instance."""
    if report.wait_ms is None:
        return None
    phases = {"dns": report.dns_ms, "connect": report.connect_ms, "tls": report.tls_ms, "wait": report.wait_ms}
    return {phase: ms for phase, ms in phases.items() if ms}


def _phases_present(chart: LatencyChart | None) -> tuple[str, ...]:
    present = {block.phase for column in chart.columns if column for block in column.blocks} if chart else set()
    return tuple(phase for phase in PHASES if phase in present)


def _chart_label(reports: Sequence[ReportRow]) -> str:
    waits = sorted(report.wait_ms for report in reports if report.wait_ms is not None)
    if not waits:
        return ""
    middle = milliseconds(waits[len(waits) // 2])
    cold = counted(sum(report.was_cold for report in reports), "cold start")
    return f"wait for the first answer: middle value {middle}, longest {milliseconds(waits[-1])}, {cold}"


def _time_marks(slots: Sequence[datetime], chart: LatencyChart | None) -> tuple[tuple[float, str, str], ...]:
    """When the first and the last column of the chart were, below them."""
    if chart is None:
        return ()
    drawn = [(column, slot) for column, slot in zip(chart.columns, slots, strict=True) if column]
    first, last = drawn[0], drawn[-1]
    marks = [(first[0].x, "start", short(first[1]))]
    end = last[0].x + last[0].width
    if end - first[0].x > _LABELS_APART:
        marks.append((end, "end", short(last[1])))
    return tuple(marks)


def _endpoint_facts(page: EndpointPage, report: ReportView | None) -> tuple[tuple[str, str], ...]:
    row, endpoint = page.fleet, page.endpoint
    facts = {
        "Server": clean(f"{row.server_name or ''} {row.server_version or ''}".strip()),
        "Protocol version": clean(row.protocol_version or ""),
        "Era": clean(row.era or ""),
        "Transport": transport_name(row.transport or ""),
        "Session": report.session if report else "",
        "Answers": report.replies if report else "",
        "Tools": "" if row.tool_count is None else str(row.tool_count),
        "Expected tools": clean(", ".join(endpoint.expected_tools), 500),
        "Sentinels": clean(", ".join(each.tool for each in endpoint.sentinels), 500),
        "Streaming": {True: "expected", False: "not expected", None: "not configured"}[endpoint.streaming],
        "Probed every": span(endpoint.interval_s),
        "A probe may take": _limit(endpoint, Profile.STANDARD),
        "Probed in full every": _full_every(page),
        "A full probe may take": "" if endpoint.full_every_s is None else _limit(endpoint, Profile.FULL),
        "Requests": _requests(page, _kind(page, report)),
        "TLS certificate": "" if endpoint.verify_tls else "not checked, by configuration",
        "Probed from": report.location if report else "",
        "Last deploy": _last_deploy(page),
    }
    return tuple((term, text) for term, text in facts.items() if text)


def _last_deploy(page: EndpointPage) -> str:
    deploys = page.tools.memory.deploys
    return f"{clean(deploys[-1].what, 300)}, first seen {absolute(deploys[-1].at)}" if deploys else ""


def _full_every(page: EndpointPage) -> str:
    """How often, and when the first one comes: at the endpoint's turn, of which it has one an hour."""
    if page.endpoint.full_every_s is None:
        return "never"
    every = span(page.endpoint.full_every_s)
    return every if page.full is not None else f"{every}, the first within an hour of the first probe"


def _limit(endpoint: Endpoint, profile: Profile) -> str:
    return milliseconds(endpoint.deadline_s(profile) * 1000)


def _kind(page: EndpointPage, report: ReportView | None) -> Kind | None:
    """What decides how many requests a probe makes; None while nobody knows how the server is spoken to."""
    try:
        era, transport = Era(page.fleet.era or ""), Transport(page.fleet.transport or "")
    except ValueError:
        return None
    has_session = report is not None and report.has_session
    return kind_of(era, transport, has_session=has_session, serves_both=_serves_both(page))


def _requests(page: EndpointPage, kind: Kind | None) -> str:
    """About how many one probe makes."""
    if kind is None:
        return ""
    standard, full = (requests_of(profile, kind, page.endpoint) for profile in (Profile.STANDARD, Profile.FULL))
    return f"about {standard} a probe" + ("" if page.endpoint.full_every_s is None else f", about {full} in full")


def _serves_both(page: EndpointPage) -> bool:
    matrix = report_view(page.full.detail, {}).matrix if page.full and page.full.detail else None
    served = [each.revision for each in matrix.revisions if each.answer == "served"] if matrix else []
    return {era_of(each) for each in served} >= set(Era)


def _full(
    full: ProbePage | None, questions: Mapping[str, str], chapters: Mapping[str, Sequence[Chapter]], now: datetime
) -> FullProbe | None:
    """The last full probe, with the checks that no other probe makes."""
    if full is None or not full.detail:
        return None
    report = report_view(full.detail, questions, chapters)
    beyond = tuple(each for each in report.checks if each.id not in LIKE_CLIENTS)
    return FullProbe(
        report=replace(report, checks=beyond), href=probe_href(full.report.id), at=moment_of(full.report.slot, now)
    )
