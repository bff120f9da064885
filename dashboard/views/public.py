"""The public status page, its feed and its badges: chosen endpoints in words for those who use them."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final
from xml.etree import ElementTree

from checks.model import Verdict
from checks.proofs import counted
from checks.text import clean
from dashboard.views.common import Moment, moment_of
from dashboard.views.long_run import DayBar, day_bars, month_marks, per_cent, together
from dashboard.wording import span
from prober.incidents.windows import MaintenanceWindow, active_until, concerns
from prober.storage.mutes import MAINTENANCE, MuteRow
from prober.storage.public import PublicEndpoint, PublicIncident, PublicState

WORDS: Final = {
    Verdict.UP: "operational",
    Verdict.DEGRADED: "degraded",
    Verdict.DOWN: "down",
    Verdict.UNKNOWN: "not known",
}
_BADGE_COLOURS: Final = {
    Verdict.UP: ("brightgreen", "#17784a"),
    Verdict.DEGRADED: ("orange", "#8f5a00"),
    Verdict.DOWN: ("red", "#bd2531"),
    Verdict.UNKNOWN: ("lightgrey", "#5a6373"),
}
_OTHERS: Final = re.compile(r"[^a-z0-9]+")
_DIGIT_WIDTH: Final = 6.6
"""Pixels of a middling letter at 11 pixels; the SVG stretches its text to what was reserved."""
_BADGE_PADDING: Final = 12
_FEED_ENTRIES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicRow:
    title: str
    slug: str
    """Its name in the address of a badge."""
    verdict: Verdict
    word: str
    since: Moment | None
    maintenance: str
    uptime: str
    bars: tuple[DayBar, ...]
    bars_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicIncidentView:
    title: str
    verdict: Verdict
    words: str
    since: Moment
    ended: Moment | None
    lasted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPageView:
    title: str
    headline: str
    verdict: Verdict
    rows: tuple[PublicRow, ...]
    months: tuple[tuple[float, str, str], ...]
    """Marks below the bars of each row, as on an endpoint's page."""
    incidents: tuple[PublicIncidentView, ...]
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeView:
    """A badge of two fields. Widths are pixels."""

    label: str
    message: str
    colour: str
    """By name, as other makers of badges take it."""
    fill: str
    label_width: float
    message_width: float


@dataclass(frozen=True, slots=True)
class Quiet:
    """The maintenance that is known: single times, and windows that recur."""

    single: Sequence[MuteRow] = ()
    windows: Sequence[MaintenanceWindow] = ()


def slug_of(title: str) -> str:
    """A public name as it stands in addresses: small letters and digits, all else a hyphen."""
    return _OTHERS.sub("-", clean(title).lower()).strip("-") or "endpoint"


def status_page_view(state: PublicState, quiet: Quiet, now: datetime, today: date) -> StatusPageView:
    """The page. `today` is a day of UTC."""
    rows = tuple(_told_apart([_row(each, quiet, now, today) for each in state.endpoints]))
    headline = _headline(rows)
    answering = {row.title for row in rows if row.verdict is Verdict.UP}
    return StatusPageView(
        title=f"{headline} · status",
        headline=headline,
        verdict=_worst(rows),
        rows=rows,
        months=tuple(month_marks(today)),
        incidents=tuple(_incident(each, answering, now) for each in state.incidents),
        at=moment_of(now, now),
    )


def badge_view(row: PublicRow) -> BadgeView:
    """The badge of one endpoint."""
    colour, fill = _BADGE_COLOURS[row.verdict]
    return BadgeView(
        label=row.title,
        message=row.word,
        colour=colour,
        fill=fill,
        label_width=_width(row.title),
        message_width=_width(row.word),
    )


def feed(page: StatusPageView, incidents: Sequence[PublicIncident], home: str) -> bytes:
    """Beginnings and ends of incidents as RSS 2.0, the newest first. `home` is the address of the status page."""
    root = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(root, "channel")
    _text(channel, title="Status", link=home, description=page.headline)
    entries = [entry for each in incidents for entry in _entries(each)]
    for at, key, words in sorted(entries, reverse=True)[:_FEED_ENTRIES]:
        item = ElementTree.SubElement(channel, "item")
        _text(item, title=words, link=home, pubDate=f"{at:%a, %d %b %Y %H:%M:%S} +0000")
        ElementTree.SubElement(item, "guid", isPermaLink="false").text = key
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _entries(incident: PublicIncident) -> Sequence[tuple[datetime, str, str]]:
    title = clean(incident.title)
    begun = (incident.since, f"{incident.id}-begun", f"{title} is {WORDS[incident.verdict]}")
    if incident.ended_at is None:
        return (begun,)
    return (begun, (incident.ended_at, f"{incident.id}-ended", f"{title} is operational again"))


def _text(parent: ElementTree.Element, **children: str) -> None:
    for name, words in children.items():
        ElementTree.SubElement(parent, name).text = words


def _row(endpoint: PublicEndpoint, quiet: Quiet, now: datetime, today: date) -> PublicRow:
    slots = together(day.slots for day in endpoint.days)
    maintenance = _maintenance(endpoint, quiet, now)
    verdict = Verdict.UNKNOWN if maintenance else endpoint.verdict
    return PublicRow(
        title=clean(endpoint.title, 60),
        slug=slug_of(endpoint.title),
        verdict=verdict,
        word="maintenance" if maintenance else WORDS[verdict],
        since=moment_of(endpoint.since, now) if endpoint.since and verdict is not Verdict.UNKNOWN else None,
        maintenance=maintenance,
        uptime=f"{per_cent(slots.uptime)} up in 90 days" if slots.observed else "no data yet",
        bars=tuple(day_bars(endpoint.days, today)),
        bars_label=f"last 90 days: {per_cent(slots.uptime)} up, {counted(len(endpoint.days), 'day')} watched"
        if slots.observed
        else "last 90 days: no data yet",
    )


def _told_apart(rows: Sequence[PublicRow]) -> Iterator[PublicRow]:
    """Names that look alike in an address get a number, in the order of the page."""
    seen: Counter[str] = Counter()
    for row in rows:
        seen[row.slug] += 1
        yield row if seen[row.slug] == 1 else replace(row, slug=f"{row.slug}-{seen[row.slug]}")


def _maintenance(endpoint: PublicEndpoint, quiet: Quiet, now: datetime) -> str:
    """Until when it is in maintenance, empty where it is not."""
    ends = [
        each.ends_at
        for each in quiet.single
        if each.kind == MAINTENANCE
        and each.starts_at <= now < each.ends_at
        and each.concerns(endpoint.name, endpoint.labels)
    ]
    for window in quiet.windows:
        until = active_until(window, now)
        if until is not None and concerns(window.endpoints, window.labels, endpoint.name, endpoint.labels):
            ends.append(until)
    return f"in maintenance until {max(ends):%d %b %H:%M} UTC" if ends else ""


def _worst(rows: Sequence[PublicRow]) -> Verdict:
    """How the page as a whole is. Services in maintenance count where there are no others."""
    found = {row.verdict for row in rows if not row.maintenance} or {row.verdict for row in rows}
    order = (Verdict.DOWN, Verdict.DEGRADED, Verdict.UNKNOWN)
    return next((verdict for verdict in order if verdict in found), Verdict.UP)


def _headline(rows: Sequence[PublicRow]) -> str:
    bad = [row for row in rows if row.verdict in (Verdict.DOWN, Verdict.DEGRADED)]
    if bad:
        words = " and ".join(dict.fromkeys(row.word for row in sorted(bad, key=lambda row: row.word, reverse=True)))
        return f"{_services(bad)} {words}"
    unknown = sum(row.verdict is Verdict.UNKNOWN and not row.maintenance for row in rows)
    if unknown:
        return f"The state of {counted(unknown, 'service')} is not known"
    resting = [row for row in rows if row.maintenance]
    if resting:
        others = "" if len(resting) == len(rows) else "; everything else is operational"
        return f"{_services(resting)} in maintenance{others}"
    return "Everything is operational"


def _services(rows: Sequence[PublicRow]) -> str:
    return f"{rows[0].title} is" if len(rows) == 1 else f"{len(rows)} services are"


def _incident(incident: PublicIncident, answering: Collection[str], now: datetime) -> PublicIncidentView:
    """An incident stays open until its endpoint has answered well for long enough: its row says so before."""
    title = clean(incident.title, 60)
    word = WORDS[incident.verdict]
    if incident.ended_at:
        words = f"was {word}"
    else:
        words = f"was {word} and is recovering" if title in answering else f"is {word}"
    return PublicIncidentView(
        title=title,
        verdict=incident.verdict,
        words=words,
        since=moment_of(incident.since, now),
        ended=moment_of(incident.ended_at, now) if incident.ended_at else None,
        lasted=span(((incident.ended_at or now) - incident.since).total_seconds()),
    )


def _width(words: str) -> float:
    return round(len(words) * _DIGIT_WIDTH + _BADGE_PADDING, 1)
