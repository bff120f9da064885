"""The fleet page: every endpoint that is asked for in a row, worst first unless asked otherwise."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from checks.model import Verdict
from checks.proofs import counted, listed, milliseconds
from checks.text import clean
from dashboard.charts import BarPath, Sparkline, bar_paths, sparkline
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
from dashboard.views.fleet_query import ROWS_ON_A_PAGE, FleetQuery, Shown, Sort, chosen, group_of, keys_of
from dashboard.views.long_run import fleet_cold, fleet_uptime, fleet_warm
from dashboard.views.prober_state import UNTOLD, ProberView
from dashboard.views.silence import UNMUTED, SilenceView
from dashboard.wording import absolute, span
from prober.storage.queries import FleetRow

FLEET_BARS: Final = 30
FLEET_BAR_HEIGHT: Final = 26
FLEET_INCIDENTS: Final = 3
EVERYTHING: Final = FleetQuery()

_SHOWN: Final = {
    Shown.ALL: "all",
    Shown.TROUBLE: "in trouble",
    Shown.DOWN: "down",
    Shown.DEGRADED: "degraded",
    Shown.UNKNOWN: "unknown",
    Shown.UP: "up",
    Shown.PAUSED: "paused",
    Shown.PEOPLE: "kept by people",
}
_SORTED: Final = {
    Sort.VERDICT: "worst verdict",
    Sort.NAME: "name",
    Sort.SINCE: "newest change",
    Sort.UPTIME: "lowest uptime",
    Sort.WARM: "slowest warm",
    Sort.COLD: "slowest cold",
    Sort.TOOLS: "most tools",
}


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
    """The latest wait for a first answer."""
    spark: Sparkline | None
    spark_label: str
    bars: tuple[BarPath, ...]
    bars_label: str
    uptime: str
    warm: str
    cold: str
    labels: tuple[tuple[str, str, str], ...]
    """Key, value, and where all that bear it are shown."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the proportion bar, in per cent."""

    verdict: Verdict
    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """Endpoints that bear the same value of the label that is grouped by; without a name where nothing is grouped."""

    name: str
    counts: str
    """How its endpoints are, on all pages together."""
    rows: tuple[FleetRowView, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """One entry of a field to choose from."""

    value: str
    word: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choosing:
    """The form above the table, and what it says of itself."""

    search: str
    shown: tuple[Option, ...]
    sorts: tuple[Option, ...]
    groups: tuple[Option, ...]
    """Empty where no endpoint bears a label."""
    labels: tuple[tuple[str, str], ...]
    """Those that are filtered by as the address has them, each with the address without it."""
    clear: str
    """Where nothing is left out; empty where nothing is."""
    told: str
    """How many are shown of how many."""
    before: str
    """The page before this one; empty where there is none."""
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    title: str
    headline: str
    counts: tuple[tuple[Verdict, int, str], ...]
    """Verdict, number, and where only those are shown."""
    proportions: tuple[Share, ...]
    is_empty: bool
    """Whether nothing is watched at all."""
    choosing: Choosing
    groups: tuple[GroupView, ...]
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
    fleet: Sequence[FleetRow],
    now: datetime,
    prober: ProberView = UNTOLD,
    silence: SilenceView = UNMUTED,
    query: FleetQuery = EVERYTHING,
) -> FleetView:
    """The fleet as it is, those of its endpoints that are asked for, and how the prober does that looked."""
    counts = {verdict: sum(row.verdict is verdict for row in fleet if row.enabled) for verdict in Verdict}
    bad = counts[Verdict.DOWN] + counts[Verdict.DEGRADED]
    slots = [row.slot for row in fleet if row.slot is not None]
    still_open = sorted(
        (row.incident for row in fleet if row.incident),
        key=lambda each: (WORST_FIRST.index(each.verdict), -each.opened_at.timestamp()),
    )
    more = len(still_open) - FLEET_INCIDENTS
    found = chosen(fleet, query)
    return FleetView(
        title=f"{counted(bad, 'endpoint')} in trouble · mcp-prober" if bad else "Fleet · mcp-prober",
        headline=_headline(counts),
        counts=tuple((each, count, query.href(shown=Shown(each.value))) for each, count in counts.items()),
        proportions=_proportions(counts),
        is_empty=not fleet,
        choosing=_choosing(fleet, found, query),
        groups=tuple(_groups(found, query, now)),
        incidents=tuple(incident_view(each, now) for each in still_open[:FLEET_INCIDENTS]),
        more_incidents=f"and {counted(more, 'more open incident')}" if more > 0 else "",
        newest=moment_of(max(slots), now) if slots else None,
        stale=prober.silent or _staleness(fleet, now, is_there=bool(prober.workers)),
        prober=prober,
        silence=silence,
    )


def _groups(found: Sequence[FleetRow], query: FleetQuery, now: datetime) -> Iterator[GroupView]:
    """The groups of this page of `found`, which is sorted by them."""
    page = _page(found, query)
    members: dict[tuple[bool, str], list[FleetRow]] = {}
    for row in found:
        members.setdefault(group_of(row, query.group), []).append(row)
    for (has_none, value), rows in groupby(page, key=lambda row: group_of(row, query.group)):
        key = clean(query.group, 60)
        yield GroupView(
            name="" if not key else f"without {key}" if has_none else f"{key} {clean(value, 60)}",
            counts=_told(members[has_none, value]),
            rows=tuple(_fleet_row(row, query, now) for row in rows),
        )


def _page(found: Sequence[FleetRow], query: FleetQuery) -> Sequence[FleetRow]:
    first = (_page_number(found, query) - 1) * ROWS_ON_A_PAGE
    return found[first : first + ROWS_ON_A_PAGE]


def _page_number(found: Sequence[FleetRow], query: FleetQuery) -> int:
    """The page that is asked for, or the last one where there are fewer."""
    return min(query.page, _pages(found))


def _pages(found: Sequence[FleetRow]) -> int:
    return max(-(-len(found) // ROWS_ON_A_PAGE), 1)


def _told(rows: Sequence[FleetRow]) -> str:
    """`12 endpoints: 1 down and 11 up`."""
    words = [each.verdict.value for each in rows if each.enabled]
    found = [f"{words.count(each.value)} {each.value}" for each in WORST_FIRST if each.value in words]
    if paused := len(rows) - len(words):
        found.append(f"{paused} paused")
    return f"{counted(len(rows), 'endpoint')}: {listed(found)}"


def _choosing(fleet: Sequence[FleetRow], found: Sequence[FleetRow], query: FleetQuery) -> Choosing:
    number, pages = _page_number(found, query), _pages(found)
    return Choosing(
        search=query.search,
        shown=tuple(Option(each.value, word, each is query.shown) for each, word in _SHOWN.items()),
        sorts=tuple(Option(each.value, word, each is query.sort) for each, word in _SORTED.items()),
        groups=tuple(_group_options(fleet, query)),
        labels=tuple((f"{key}={value}", query.href(labels=_without(query, key))) for key, value in query.labels),
        clear=FleetQuery(group=query.group, sort=query.sort).href() if query.is_filter else "",
        told=_how_many(fleet, found, number),
        before=query.href(page=number - 1) if number > 1 else "",
        after=query.href(page=number + 1) if number < pages else "",
    )


def _without(query: FleetQuery, key: str) -> tuple[tuple[str, str], ...]:
    return tuple(each for each in query.labels if each[0] != key)


def _group_options(fleet: Sequence[FleetRow], query: FleetQuery) -> Iterator[Option]:
    keys = [clean(each, 60) for each in keys_of(row.labels for row in fleet)]
    if keys:
        yield Option("", "nothing", not query.group)
        yield from (Option(each, each, each == query.group) for each in keys)


def _how_many(fleet: Sequence[FleetRow], found: Sequence[FleetRow], number: int) -> str:
    whole = counted(len(fleet), "endpoint")
    part = whole if len(found) == len(fleet) else f"{len(found)} of {whole}"
    if len(found) <= ROWS_ON_A_PAGE:
        return part
    first = (number - 1) * ROWS_ON_A_PAGE
    return f"{first + 1} to {min(first + ROWS_ON_A_PAGE, len(found))} of {part}"


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


def _fleet_row(row: FleetRow, query: FleetQuery, now: datetime) -> FleetRowView:
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
        latency=milliseconds(row.spark[-1] if row.spark else None),
        spark=sparkline(row.spark),
        spark_label=_spark_label(row.spark),
        bars=bar_paths(row.marks, FLEET_BARS, FLEET_BAR_HEIGHT),
        bars_label=bars_label(row.marks[-FLEET_BARS:]),
        uptime=fleet_uptime(row.stats),
        warm=fleet_warm(row.stats),
        cold=fleet_cold(row.stats),
        labels=tuple(_labels(row, query)),
    )


def _labels(row: FleetRow, query: FleetQuery) -> Iterator[tuple[str, str, str]]:
    for (shown_key, shown_value), (key, value) in zip(labels_of(row.labels), sorted(row.labels.items()), strict=True):
        others = _without(query, key)
        yield shown_key, shown_value, query.href(labels=(*others, (str(key), str(value))))


def _spark_label(spark: Sequence[float | None]) -> str:
    known = [value for value in spark if value is not None]
    if not known:
        return "no first answers yet"
    times = f"{milliseconds(min(known))} to {milliseconds(max(known))}"
    return f"last {counted(len(known), 'first answer')} after {times}"


def _staleness(fleet: Iterable[FleetRow], now: datetime, *, is_there: bool) -> str:
    """Set when every endpoint that was probed is overdue: then it is the prober that is not well.

    `is_there`: a worker was seen of late. A machine that is too small for its fleet is no prober that ended."""
    probed = [row for row in fleet if row.enabled and row.slot is not None]
    if not probed or not all(is_overdue(row, now) for row in probed):
        return ""
    newest = max(row.slot for row in probed if row.slot is not None)
    begins = f"No probe saved since {absolute(newest)}: the prober"
    why = (
        "is there, and late with probes or with saving them"
        if is_there
        else "does not run, or cannot reach its database"
    )
    return f"{begins} {why}. What you see is from then."
