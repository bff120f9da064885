"""The fleet page: every endpoint in a row, worst first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from checks.model import Verdict
from checks.proofs import listed
from checks.text import clean
from dashboard.charts import Bar, Sparkline, bars, sparkline
from dashboard.views.common import (
    WORST_FIRST,
    IncidentView,
    Moment,
    bars_label,
    endpoint_href,
    icon_of,
    incident_view,
    is_overdue,
    labels_of,
    moment_of,
    summary_of,
    word_of,
)
from dashboard.views.evidence import transport_name
from dashboard.views.long_run import fleet_percentile, fleet_uptime
from dashboard.views.prober_state import UNTOLD, ProberView
from dashboard.views.silence import UNMUTED, SilenceView
from dashboard.wording import absolute, counted, milliseconds, span
from prober.storage.queries import FleetRow

FLEET_BARS: Final = 30
FLEET_BAR_HEIGHT: Final = 26.0
FLEET_INCIDENTS: Final = 3


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


def fleet_view(
    fleet: Sequence[FleetRow], now: datetime, prober: ProberView = UNTOLD, silence: SilenceView = UNMUTED
) -> FleetView:
    """The whole fleet, worst first, and how the prober does that looked."""
    counts = {verdict: sum(row.verdict is verdict for row in fleet if row.enabled) for verdict in Verdict}
    bad = counts[Verdict.DOWN] + counts[Verdict.DEGRADED]
    slots = [row.slot for row in fleet if row.slot is not None]
    still_open = sorted(
        (row.incident for row in fleet if row.incident),
        key=lambda each: (WORST_FIRST.index(each.verdict), -each.opened_at.timestamp()),
    )
    more = len(still_open) - FLEET_INCIDENTS
    ordered = sorted(fleet, key=lambda row: (not row.enabled, WORST_FIRST.index(row.verdict), row.name))
    return FleetView(
        title=f"{counted(bad, 'endpoint')} in trouble · mcp-prober" if bad else "Fleet · mcp-prober",
        headline=_headline(counts),
        counts=tuple(counts.items()),
        proportions=_proportions(counts),
        rows=tuple(_fleet_row(row, now) for row in ordered),
        incidents=tuple(incident_view(each, now) for each in still_open[:FLEET_INCIDENTS]),
        more_incidents=f"and {counted(more, 'more open incident')}" if more > 0 else "",
        newest=moment_of(max(slots), now) if slots else None,
        stale=prober.silent or _staleness(fleet, now),
        prober=prober,
        silence=silence,
    )


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
    for verdict in reversed(WORST_FIRST):
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
        icon=icon_of(row),
        word=word_of(row),
        summary=summary_of(row),
        cause=clean(row.cause or ""),
        since=moment_of(row.since, now) if row.since else None,
        overdue=f"no probe for {span((now - row.slot).total_seconds())}" if row.slot and is_overdue(row, now) else "",
        paused=not row.enabled,
        era=clean(row.era or ""),
        version=clean(row.protocol_version or ""),
        transport=transport_name(row.transport or ""),
        tools="-" if row.tool_count is None else str(row.tool_count),
        latency=milliseconds(row.latency_ms),
        spark=sparkline(row.spark),
        spark_label=_spark_label(row.spark),
        bars=bars(row.marks, FLEET_BARS, FLEET_BAR_HEIGHT),
        bars_label=bars_label(row.marks[-FLEET_BARS:]),
        uptime=fleet_uptime(row.stats),
        percentile=fleet_percentile(row.stats),
        labels=labels_of(row.labels),
    )


def _spark_label(spark: Sequence[float | None]) -> str:
    known = [value for value in spark if value is not None]
    if not known:
        return "no latencies yet"
    return f"last {counted(len(known), 'probe')} took {milliseconds(min(known))} to {milliseconds(max(known))}"


def _staleness(fleet: Iterable[FleetRow], now: datetime) -> str:
    """Set when every endpoint that was probed is overdue: then it is the prober that is not well."""
    probed = [row for row in fleet if row.enabled and row.slot is not None]
    if not probed or not all(is_overdue(row, now) for row in probed):
        return ""
    newest = max(row.slot for row in probed if row.slot is not None)
    return (
        f"No probe since {absolute(newest)}: the prober does not run, or cannot reach its database. "
        "What you see is from then."
    )
