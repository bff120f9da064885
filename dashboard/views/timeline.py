"""Incidents on a time axis: a row for each endpoint, a bar for each of its incidents."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from checks.model import Verdict
from checks.proofs import counted
from checks.text import clean
from dashboard.views.common import endpoint_href, incident_href
from dashboard.wording import absolute, span
from prober.storage.incident_log import MOST_LANES, SpellRow, Stretch
from prober.storage.queries import IncidentRow

Lasting = IncidentRow | SpellRow

MOST_ROWS: Final = MOST_LANES
ROW_HEIGHT: Final = 18
_LEAST_WIDTH: Final = 0.4
"""Per cent: an incident of a minute within a month is still seen."""
_SHARE: Final = {Verdict.DOWN: 1.0, Verdict.DEGRADED: 0.6}
"""Of the height of the row, so that a verdict shows without its colour."""
_STEPS: Final = (
    timedelta(hours=4), timedelta(days=1), timedelta(days=5), timedelta(days=15),
)  # fmt: skip
"""Between two lines of the grid: of a day, a week, a month, a quarter."""


@dataclass(frozen=True, slots=True)
class Spell:
    """One incident. `x` and `width` are per cent."""

    href: str
    title: str
    verdict: Verdict
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Row:
    endpoint: str
    href: str
    label: str
    spells: tuple[Spell, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of the grid with its words; `x` is per cent."""

    x: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    marks: tuple[Mark, ...]
    rows: tuple[Row, ...]
    left_out: str
    """How many endpoints have no row, because there are too many."""


def timeline(
    incidents: Sequence[Lasting], stretch: Stretch, now: datetime, *, endpoints: int | None = None
) -> Timeline:
    """The incidents of a stretch of time; endpoints with an open one first, then those whose last one is newest.

    `endpoints` is how many had one, where `incidents` are not those of all.
    """
    by_name: dict[str, list[Lasting]] = {}
    for each in incidents:
        by_name.setdefault(each.endpoint_name, []).append(each)
    named = sorted(by_name.items(), key=lambda item: _newest(item[1]), reverse=True)
    rows = tuple(_row(name, found, stretch, now) for name, found in named[:MOST_ROWS])
    more = max(endpoints or 0, len(named)) - len(rows)
    return Timeline(
        marks=tuple(_marks(stretch)),
        rows=rows,
        left_out=f"{counted(more, 'more endpoint')} had incidents: narrow the filter to see them here." if more else "",
    )


def _newest(incidents: Sequence[Lasting]) -> tuple[bool, datetime]:
    return any(each.ended_at is None for each in incidents), max(each.since for each in incidents)


def _row(name: str, incidents: Sequence[Lasting], stretch: Stretch, now: datetime) -> Row:
    spells = tuple(_spell(each, stretch, now) for each in sorted(incidents, key=lambda each: each.since))
    number = max(len(spells), *(each.of for each in incidents if isinstance(each, SpellRow)), 0)
    still = sum(each.ended_at is None for each in incidents)
    return Row(
        endpoint=clean(name, 100),
        href=endpoint_href(name),
        label=f"{counted(number, 'incident')}{', 1 open' if still else ''}: "
        + "; ".join(each.title for each in spells[:5]),
        spells=spells,
    )


def _spell(row: Lasting, stretch: Stretch, now: datetime) -> Spell:
    begin, end = _place(row.since, stretch), _place(row.ended_at or now, stretch)
    width = max(end - begin, _LEAST_WIDTH)
    share = _SHARE.get(row.verdict, 0.6)
    lasted = span(((row.ended_at or now) - row.since).total_seconds())
    said = clean(row.cause or "no known cause", 60)
    return Spell(
        href=incident_href(row.id),
        title=f"{row.verdict} since {absolute(row.since)}, {'lasted' if row.ended_at else 'open for'} {lasted}: {said}",
        verdict=row.verdict,
        x=round(min(begin, 100 - width), 3),
        width=round(width, 3),
        y=round(ROW_HEIGHT * (1 - share), 2),
        height=round(ROW_HEIGHT * share, 2),
    )


def _place(moment: datetime, stretch: Stretch) -> float:
    return min(max((moment - stretch.since) / (stretch.until - stretch.since), 0.0), 1.0) * 100


def _marks(stretch: Stretch) -> Iterator[Mark]:
    """Round moments in UTC within the stretch."""
    step = next((each for each in _STEPS if (stretch.until - stretch.since) / each <= 8), _STEPS[-1])
    midnight = stretch.since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    moment = midnight
    while moment <= stretch.until:
        if moment >= stretch.since:
            words = f"{moment:%H:%M}" if step < timedelta(days=1) and moment.hour else f"{moment:%b} {moment.day}"
            yield Mark(round(_place(moment, stretch), 3), words)
        moment += step
