"""What each page shows, as frozen values made from what storage read: all words and numbers are chosen here.

Names, URLs, labels and summaries may come from a hostile server or a careless file, so all of them are cleaned.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from checks.axes import LIKE_CLIENTS
from checks.costs import kind_of, requests_of
from checks.model import Endpoint, Profile, Verdict
from checks.proofs import listed
from checks.spec import Era, Transport, era_of
from checks.text import clean, shown_url
from checks.tool_memory import Deploy
from dashboard.channel_views import ChannelsView, channel_views
from dashboard.charts import PHASES, Bar, Column, LatencyChart, Sparkline, bars, latency_chart, sparkline
from dashboard.cold_starts import ColdView, cold_view
from dashboard.evidence import ReportView, report_view, transport_name
from dashboard.long_run import LongRunView, fleet_percentile, fleet_uptime, long_run_view
from dashboard.prober_state import UNTOLD, ProberView
from dashboard.sentinels import SentinelView, sentinel_views
from dashboard.silence import UNMUTED, OutageView, SilenceView, hands_of, outage_view
from dashboard.tool_lists import ToolListsView, tool_lists_view
from dashboard.wording import absolute, ago, counted, milliseconds, short, span
from prober.incidents.outages import Outage
from prober.incidents.rules import Severity
from prober.storage.channels import AttemptRow, ChannelRow
from prober.storage.queries import EndpointPage, FleetRow, IncidentRow, NoticeRow, ProbePage, ReportRow

FLEET_BARS: Final = 30
FLEET_BAR_HEIGHT: Final = 26.0
FLEET_INCIDENTS: Final = 3
ENDPOINT_BARS: Final = 60
ENDPOINT_BARS_AT_FIRST: Final = 30
"""Fewer and wider ones while there are no more."""
ENDPOINT_BAR_HEIGHT: Final = 34.0
LISTED_PROBES: Final = 30

_ORDER: Final = (Verdict.DOWN, Verdict.DEGRADED, Verdict.UNKNOWN, Verdict.UP)
"""Worst first: what nobody could observe may be worse than what is up."""
_OVERDUE_AFTER: Final = 2
"""Intervals after which a probe that should have come is called overdue."""
_LABELS_APART: Final = 60
"""Per cent of the width that two labels below a chart need on a phone."""
_WORTH_SAYING: Final = timedelta(seconds=5)
_OVERDUE_GRACE: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time for a `<time>` element."""

    iso: str
    absolute: str
    short: str
    relative: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    endpoint: str
    href: str
    verdict: Verdict
    severity: Severity
    cause: str
    summary: str
    since: Moment
    ended: Moment | None
    lasted: str
    hands: tuple[str, ...]
    """Who has it in hand, and why nobody is told of it."""
    acknowledge: str
    """Where it can be acknowledged; empty where it is over, or somebody has done so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    endpoint: str
    href: str
    title: str
    channel: str
    verdict: Verdict | None
    severity: Severity
    kind: str
    state: str
    """`sent`, `waiting`, `told by a newer one`, `handed over` or `given up`."""
    at: Moment
    attempts: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRowView:
    name: str
    href: str
    verdict: Verdict
    icon: str
    word: str
    summary: str
    cause: str
    since: Moment | None
    overdue: str
    paused: bool
    era: str
    version: str
    transport: str
    tools: str
    latency: str
    spark: Sparkline | None
    spark_label: str
    bars: tuple[Bar, ...]
    bars_label: str
    uptime: str
    percentile: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the proportion bar, in per cent."""

    verdict: Verdict
    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    title: str
    headline: str
    counts: tuple[tuple[Verdict, int], ...]
    proportions: tuple[Share, ...]
    rows: tuple[FleetRowView, ...]
    incidents: tuple[IncidentView, ...]
    """The newest of those that are open, the worst first."""
    more_incidents: str
    """How many more are open; empty when all are listed."""
    newest: Moment | None
    stale: str
    """Why what is shown may no longer be true; empty when it is current."""
    prober: ProberView
    silence: SilenceView


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRowView:
    href: str | None
    """None for slots without a probe."""
    at: Moment
    verdict: Verdict
    cause: str
    """Id of the diagnosis that weighs most."""
    summary: str
    cold: bool
    full: bool
    """Whether it was a probe of the full profile."""
    took: str
    wait: str
    tools: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryView:
    """The newest probes, oldest first, as bars and as columns of milliseconds below them."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    id: UUID
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
    labels: tuple[tuple[str, str], ...]
    history: HistoryView
    long_run: LongRunView | None
    """None while no hour has been rolled up."""
    report: ReportView | None
    report_href: str
    full: ReportView | None
    """What the last full probe found: all that it asked beyond the last probe."""
    full_href: str
    full_at: Moment | None
    no_report: str
    facts: tuple[tuple[str, str], ...]
    incidents: tuple[IncidentView, ...]
    cold: ColdView
    probes: tuple[ProbeRowView, ...]
    sentinels: tuple[SentinelView, ...]
    tools: ToolListsView | None
    """None while no probe has read any."""
    silence: SilenceView
    """What mutes this endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeView:
    endpoint: str
    endpoint_href: str
    headline: str
    verdict: Verdict
    summary: str
    at: Moment
    report: ReportView | None
    no_report: str
    facts: tuple[tuple[str, str], ...]
    earlier: str | None
    later: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsView:
    title: str
    headline: str
    items: tuple[IncidentView, ...]
    notices: tuple[NoticeView, ...]
    outages: tuple[OutageView, ...] = ()
    silence: SilenceView = UNMUTED


def endpoint_href(name: str) -> str:
    """The page of an endpoint; whatever is in the name stays inside the path."""
    return f"/endpoints/{quote(name, safe='')}"


def probe_href(report: UUID) -> str:
    return f"/probes/{report}"


def fleet_view(
    fleet: Sequence[FleetRow], now: datetime, prober: ProberView = UNTOLD, silence: SilenceView = UNMUTED
) -> FleetView:
    """The whole fleet, worst first, and how the prober does that looked."""
    counts = {verdict: sum(row.verdict is verdict for row in fleet if row.enabled) for verdict in Verdict}
    bad = counts[Verdict.DOWN] + counts[Verdict.DEGRADED]
    slots = [row.slot for row in fleet if row.slot is not None]
    still_open = sorted(
        (row.incident for row in fleet if row.incident),
        key=lambda each: (_ORDER.index(each.verdict), -each.opened_at.timestamp()),
    )
    more = len(still_open) - FLEET_INCIDENTS
    ordered = sorted(fleet, key=lambda row: (not row.enabled, _ORDER.index(row.verdict), row.name))
    return FleetView(
        title=f"{counted(bad, 'endpoint')} in trouble · mcp-prober" if bad else "Fleet · mcp-prober",
        headline=_headline(counts),
        counts=tuple(counts.items()),
        proportions=_proportions(counts),
        rows=tuple(_fleet_row(row, now) for row in ordered),
        incidents=tuple(_incident(each, now) for each in still_open[:FLEET_INCIDENTS]),
        more_incidents=f"and {counted(more, 'more open incident')}" if more > 0 else "",
        newest=_moment(max(slots), now) if slots else None,
        stale=prober.silent or _staleness(fleet, now),
        prober=prober,
        silence=silence,
    )


def endpoint_view(
    page: EndpointPage, questions: Mapping[str, str], now: datetime, silence: SilenceView = UNMUTED
) -> EndpointView:
    """One endpoint with its history and everything that the newest probe found."""
    row, latest, full = page.fleet, page.latest, page.full
    probes = tuple(_probe_row(each, now) for each in page.reports)
    report = report_view(latest.detail, questions) if latest and latest.detail else None
    return EndpointView(
        id=row.id,
        name=clean(row.name),
        url=shown_url(row.url, 500),
        verdict=row.verdict,
        icon=_icon(row),
        word=_word(row),
        summary=_summary(row),
        since=_moment(row.since, now) if row.since else None,
        last=_moment(row.slot, now) if row.slot else None,
        next_due=_moment(row.next_due, now) if row.enabled and row.next_due - now > _WORTH_SAYING else None,
        stale=_endpoint_staleness(row, now),
        labels=_labels(row.labels),
        history=_history(
            list(zip(page.reports, probes, strict=True))[:ENDPOINT_BARS],
            endpoint_href(row.name),
            page.tools.memory.deploys,
        ),
        long_run=long_run_view(row.stats, page.days, now.astimezone(UTC).date()),
        report=report,
        report_href=probe_href(latest.report.id) if latest else "",
        full=_full(full.detail, questions) if full and full.detail else None,
        full_href=probe_href(full.report.id) if full else "",
        full_at=_moment(full.report.slot, now) if full else None,
        no_report=_no_report(row),
        facts=_endpoint_facts(page, report),
        incidents=tuple(_incident(each, now) for each in page.incidents),
        cold=cold_view(page.answers, page.endpoint),
        probes=probes[:LISTED_PROBES],
        sentinels=sentinel_views(page.sentinels, lambda moment: _moment(moment, now)),
        tools=tool_lists_view(row.name, page.tools),
        silence=silence,
    )


def probe_view(page: ProbePage, questions: Mapping[str, str], now: datetime) -> ProbeView:
    """One probe, whole."""
    report = report_view(page.detail, questions) if page.detail else None
    missed = page.report.missed
    name = clean(page.endpoint_name)
    return ProbeView(
        endpoint=name,
        endpoint_href=endpoint_href(page.endpoint_name),
        headline=f"{counted(missed, 'probe')} did not happen" if missed else f"{name} was {page.report.verdict}",
        verdict=page.report.verdict,
        summary=clean(page.report.cause_summary, 500) or _WITHOUT_CAUSE.get(page.report.verdict, _UNEXPLAINED),
        at=_moment(page.report.slot, now),
        report=report,
        no_report=_WITHOUT_PROBE if missed else "What this probe saw is no longer kept.",
        facts=(
            *((*_conversation(report), _trace(page.report.id)) if report else ()),
            *_log_facts(page.report),
            *_observer_facts(page),
        ),
        earlier=probe_href(page.earlier) if page.earlier else None,
        later=probe_href(page.later) if page.later else None,
    )


def incidents_view(
    incidents: Sequence[IncidentRow],
    notices: Sequence[NoticeRow],
    now: datetime,
    outages: Sequence[Outage] = (),
    silence: SilenceView = UNMUTED,
) -> IncidentsView:
    """Incidents of all endpoints, and what people were told about them."""
    still_open = sum(each.ended_at is None for each in incidents)
    headline = f"{counted(still_open, 'open incident')}" if still_open else "No open incidents"
    return IncidentsView(
        title=f"{headline} · mcp-prober",
        headline=headline,
        items=tuple(_incident(each, now) for each in incidents),
        notices=tuple(_notice(each, now) for each in notices),
        outages=tuple(outage_view(each) for each in outages),
        silence=silence,
    )


def channels_view(channels: Sequence[ChannelRow], attempts: Sequence[AttemptRow], now: datetime) -> ChannelsView:
    """How every channel does, and the newest tries."""
    return channel_views(channels, attempts, now, lambda moment: _moment(moment, now))


_WITHOUT_CAUSE: Final = {Verdict.UP: "Works as a client expects.", Verdict.UNKNOWN: "We could not observe it."}
_UNEXPLAINED: Final = "No known cause explains it; the exchanges show what came back."
_WITHOUT_PROBE: Final = "There is nothing to see: nothing was sent. The verdict is unknown, and counts for nobody."


def _headline(counts: Mapping[Verdict, int]) -> str:
    whole = sum(counts.values())
    if not whole:
        return "Every endpoint is paused"
    if counts[Verdict.UP] == whole:
        return "The one endpoint is up" if whole == 1 else f"All {whole} endpoints are up"
    parts = [f"{counts[each]} {each}" for each in (Verdict.DOWN, Verdict.DEGRADED) if counts[each]]
    if parts:
        return f"{listed(parts)} of {counted(whole, 'endpoint')}"
    return f"{counts[Verdict.UNKNOWN]} of {counted(whole, 'endpoint')} not observed yet"


def _proportions(counts: Mapping[Verdict, int]) -> tuple[Share, ...]:
    whole = sum(counts.values())
    shares: list[Share] = []
    x = 0.0
    for verdict in reversed(_ORDER):
        if counts[verdict]:
            width = counts[verdict] / whole * 100
            shares.append(Share(verdict, round(x, 3), round(width, 3)))
            x += width
    return tuple(shares)


def _fleet_row(row: FleetRow, now: datetime) -> FleetRowView:
    return FleetRowView(
        name=clean(row.name),
        href=endpoint_href(row.name),
        verdict=row.verdict,
        icon=_icon(row),
        word=_word(row),
        summary=_summary(row),
        cause=clean(row.cause or ""),
        since=_moment(row.since, now) if row.since else None,
        overdue=f"no probe for {span((now - row.slot).total_seconds())}" if row.slot and _is_overdue(row, now) else "",
        paused=not row.enabled,
        era=clean(row.era or ""),
        version=clean(row.protocol_version or ""),
        transport=transport_name(row.transport or ""),
        tools="-" if row.tool_count is None else str(row.tool_count),
        latency=milliseconds(row.latency_ms),
        spark=sparkline(row.spark),
        spark_label=_spark_label(row.spark),
        bars=bars(row.marks, FLEET_BARS, FLEET_BAR_HEIGHT),
        bars_label=_bars_label(row.marks[-FLEET_BARS:]),
        uptime=fleet_uptime(row.stats),
        percentile=fleet_percentile(row.stats),
        labels=_labels(row.labels),
    )


def _spark_label(spark: Sequence[float | None]) -> str:
    known = [value for value in spark if value is not None]
    if not known:
        return "no latencies yet"
    return f"last {counted(len(known), 'probe')} took {milliseconds(min(known))} to {milliseconds(max(known))}"


def _word(row: FleetRow) -> str:
    if not row.enabled:
        return "paused"
    return "waiting" if row.slot is None else row.verdict.value


def _icon(row: FleetRow) -> str:
    return row.verdict.value if row.enabled else "skip"


def _summary(row: FleetRow) -> str:
    """Why the endpoint has its verdict, in words, also where no diagnosis stands behind it."""
    if not row.enabled:
        return "Not probed: its configuration says enabled: false."
    if row.slot is None:
        return "Waiting for its first probe."
    if row.cause_summary:
        return clean(row.cause_summary, 500)
    return _WITHOUT_CAUSE.get(row.verdict, _UNEXPLAINED)


def _is_overdue(row: FleetRow, now: datetime) -> bool:
    if not row.enabled or row.slot is None:
        return False
    longest = timedelta(seconds=row.interval_s * _OVERDUE_AFTER + row.pause_s)
    return now - row.slot > longest + _OVERDUE_GRACE


def _staleness(fleet: Iterable[FleetRow], now: datetime) -> str:
    """Set when every endpoint that was probed is overdue: then it is the prober that is not well."""
    probed = [row for row in fleet if row.enabled and row.slot is not None]
    if not probed or not all(_is_overdue(row, now) for row in probed):
        return ""
    newest = max(row.slot for row in probed if row.slot is not None)
    return (
        f"No probe since {absolute(newest)}: the prober does not run, or cannot reach its database. "
        "What you see is from then."
    )


def _endpoint_staleness(row: FleetRow, now: datetime) -> str:
    if row.slot is None or not _is_overdue(row, now):
        return ""
    return f"No probe of this endpoint since {absolute(row.slot)}. What you see is from then."


def _no_report(row: FleetRow) -> str:
    if not row.enabled:
        return "This endpoint is paused and nothing that was seen of it is kept."
    return "The first probe has not ended yet." if row.slot is None else "What the last probe saw is no longer kept."


def _moment(moment: datetime, now: datetime) -> Moment:
    return Moment(iso=moment.isoformat(), absolute=absolute(moment), short=short(moment), relative=ago(moment, now))


def _labels(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((clean(str(key), 60), clean(str(value), 60)) for key, value in sorted(labels.items()))


def _bars_label(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "no probes yet"
    found = [f"{verdicts.count(each)} {each}" for each in reversed(_ORDER) if each in verdicts]
    return f"last {counted(len(verdicts), 'probe')}: {listed(found)}"


def _cold_word(report: ReportRow) -> str:
    if not report.was_cold:
        return ""
    start = _start_ms(report)
    return "cold start" if start is None else f"cold start, by the log: {milliseconds(start)} to start the instance"


def _observer_facts(page: ProbePage) -> Iterator[tuple[str, str]]:
    """What kept the prober from seeing the endpoint, or from timing it."""
    if page.report.unknown_reason and not page.report.missed:
        yield "Not observed", clean(page.report.unknown_reason, 60)
    observer = page.detail.get("observer") if page.detail else None
    if isinstance(observer, dict) and observer.get("is_late") and isinstance(observer.get("lag_ms"), int | float):
        yield "Own delay", f"the prober was held up for {milliseconds(observer['lag_ms'])}: its times count for nothing"


def _trace(report: UUID) -> tuple[str, str]:
    """Where the probe shows in the server's own records: every request carried the report's id (W3C Trace Context)."""
    return ("Trace id", f"{report.hex}: look for it where the server's traces go, such as X-Ray or OpenTelemetry")


def _log_facts(report: ReportRow) -> tuple[tuple[str, str], ...]:
    """What the function's log says of the probe's first request, where it was asked."""
    if report.cold_confirmed is None:
        return ()
    start = _start_ms(report)
    if report.cold_confirmed:
        return (("Cold start", f"confirmed by the function's log: {milliseconds(start)} to start the instance"),)
    ahead = "" if start is None else f"; the instance was started ahead of time, in {milliseconds(start)}"
    return (("Cold start", f"none, by the function's log{ahead}"),)


def _start_ms(report: ReportRow) -> float | None:
    return report.init_ms if report.restore_ms is None else report.restore_ms


def _probe_row(report: ReportRow, now: datetime) -> ProbeRowView:
    summary = clean(report.cause_summary, 300)
    if report.missed:
        summary = f"{counted(report.missed, 'slot')} without a probe: {summary}"
    took = milliseconds(report.duration_ms)
    is_full = report.profile == Profile.FULL
    marks = ["full profile" if is_full else "", _cold_word(report)]
    words = [absolute(report.slot), report.verdict.value, took, *marks, summary]
    return ProbeRowView(
        href=None if report.missed else probe_href(report.id),
        at=_moment(report.slot, now),
        verdict=report.verdict,
        cause=clean(report.cause or ""),
        summary=summary,
        cold=report.was_cold,
        full=is_full,
        took=took,
        wait=milliseconds(report.wait_ms),
        tools="-" if report.tool_count is None else str(report.tool_count),
        title=" · ".join(word for word in words if word and word != "-"),
    )


def _history(
    newest_first: Sequence[tuple[ReportRow, ProbeRowView]], without_probe: str, deploys: Sequence[Deploy]
) -> HistoryView:
    """`without_probe` is where the bar of slots without a probe leads."""
    drawn = newest_first[::-1]
    reports, rows = [report for report, _ in drawn], [row for _, row in drawn]
    slots = ENDPOINT_BARS if len(drawn) > ENDPOINT_BARS_AT_FIRST else ENDPOINT_BARS_AT_FIRST
    standing = bars([report.verdict for report in reports], slots, ENDPOINT_BAR_HEIGHT)
    chart = latency_chart([_phases(report) for report in reports], slots)
    return HistoryView(
        bars=tuple((bar, row.href or without_probe, row.title) for bar, row in zip(standing, rows, strict=True)),
        bars_label=_bars_label([report.verdict for report in reports]),
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
    slots: Sequence[datetime], standing: Sequence[Bar], deploys: Sequence[Deploy]
) -> Iterator[tuple[float, str]]:
    """A mark at the bar of the probe that saw each deploy first, where that one is still drawn."""
    for deploy in deploys:
        bar = next((bar for slot, bar in zip(slots, standing, strict=True) if slot >= deploy.at), None)
        if bar is not None and deploy.at >= slots[0]:
            yield bar.x, f"deploy: {clean(deploy.what, 300)}, first seen {absolute(deploy.at)}"


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


def _conversation(report: ReportView) -> tuple[tuple[str, str], ...]:
    facts = {
        "Server": report.server,
        "Protocol version": report.version,
        "Era": report.era,
        "Transport": report.transport,
        "Session": report.session,
        "Answers": report.replies,
        "Opened because": report.opened_by,
        "Tools": str(len(report.tools)) if report.tools else "",
    }
    return tuple((term, text) for term, text in facts.items() if text) or (("Conversation", "never opened"),)


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
        "Streaming": {True: "expected", False: "not expected", None: "not said"}[endpoint.streaming],
        "Probed every": span(endpoint.interval_s),
        "A probe may take": _limit(endpoint, Profile.STANDARD),
        "Probed in full every": _full_every(page),
        "A full probe may take": "" if endpoint.full_every_s is None else _limit(endpoint, Profile.FULL),
        "Requests": _requests(page, report),
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


def _requests(page: EndpointPage, report: ReportView | None) -> str:
    """About how many one probe makes; empty while nobody knows how the server is spoken to."""
    row, endpoint = page.fleet, page.endpoint
    try:
        era, transport = Era(row.era or ""), Transport(row.transport or "")
    except ValueError:
        return ""
    kind = kind_of(
        era, transport, has_session=report is not None and report.has_session, serves_both=_serves_both(page)
    )
    standard, full = (requests_of(profile, kind, endpoint) for profile in (Profile.STANDARD, Profile.FULL))
    return f"about {standard} a probe" + ("" if endpoint.full_every_s is None else f", about {full} in full")


def _serves_both(page: EndpointPage) -> bool:
    matrix = report_view(page.full.detail, {}).matrix if page.full and page.full.detail else None
    served = [each.revision for each in matrix.revisions if each.answer == "served"] if matrix else []
    return {era_of(each) for each in served} >= set(Era)


def _full(detail: Mapping[str, Any], questions: Mapping[str, str]) -> ReportView:
    """The report of a full probe, with the checks that no other probe makes."""
    report = report_view(detail, questions)
    return replace(report, checks=tuple(each for each in report.checks if each.id not in LIKE_CLIENTS))


def _incident(row: IncidentRow, now: datetime) -> IncidentView:
    return IncidentView(
        endpoint=clean(row.endpoint_name),
        href=endpoint_href(row.endpoint_name),
        verdict=row.verdict,
        severity=row.severity,
        cause=clean(row.cause or ""),
        summary=clean(row.cause_summary, 500),
        since=_moment(row.since, now),
        ended=_moment(row.ended_at, now) if row.ended_at else None,
        lasted=span(((row.ended_at or now) - row.since).total_seconds()),
        hands=hands_of(row, now),
        acknowledge=f"/acknowledgements/{quote(row.endpoint_name, safe='')}"
        if row.ended_at is None and row.acknowledged_at is None
        else "",
    )


def _notice(row: NoticeRow, now: datetime) -> NoticeView:
    return NoticeView(
        endpoint=clean(row.endpoint_name),
        href=endpoint_href(row.endpoint_name),
        title=clean(row.title),
        channel=clean(row.channel),
        verdict=row.verdict,
        severity=row.severity,
        kind=clean(row.kind),
        state=_state_of(row),
        at=_moment(row.sent_at or row.failed_at or row.created_at, now),
        attempts=counted(row.attempts, "attempt") if row.attempts > 1 else "",
        error=""
        if row.sent_at
        else " · ".join(word for word in (_taker(row), clean(row.last_error or "", 300)) if word),
    )


def _state_of(row: NoticeRow) -> str:
    if row.sent_at:
        return "sent"
    if row.superseded_by:
        return "told by a newer one"
    if row.handed_to:
        return "handed over"
    return "given up" if row.failed_at else "waiting"


def _taker(row: NoticeRow) -> str:
    return f"to {clean(row.handed_to)}" if row.handed_to else ""
