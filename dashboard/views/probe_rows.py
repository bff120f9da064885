"""Probes as rows of a table, in which those that are alike are told as one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from checks.model import Profile, Verdict
from checks.proofs import counted, milliseconds
from checks.text import clean
from dashboard.views.common import Moment, moment_of, probe_href, start_ms
from dashboard.views.day import day_href
from dashboard.wording import absolute
from prober.storage.queries import ReportRow

LISTED: Final = 20
_ALIKE: Final = 4
"""So many alike in a row and more are told as the newest of them and a line about the others."""


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


@dataclass(frozen=True, slots=True)
class AlikeView:
    """Probes that found what the one above them found."""

    words: str
    oldest: ProbeRowView


@dataclass(frozen=True, slots=True)
class ListedProbe:
    row: ProbeRowView
    alike: AlikeView | None = None


@dataclass(frozen=True, slots=True)
class OlderView:
    """Where probes before those of the table stand."""

    words: str
    href: str


def probe_row(report: ReportRow, now: datetime) -> ProbeRowView:
    """One probe, or the slots that went without one."""
    summary = clean(report.cause_summary, 300)
    if report.missed:
        summary = f"{counted(report.missed, 'slot')} without a probe: {summary}"
    took = milliseconds(report.duration_ms)
    is_full = report.profile == Profile.FULL
    marks = ["full profile" if is_full else "", _cold_word(report)]
    words = [absolute(report.slot), report.verdict.value, took, *marks, summary]
    return ProbeRowView(
        href=None if report.missed else probe_href(report.id),
        at=moment_of(report.slot, now),
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


def listed_probes(
    reports: Sequence[ReportRow], rows: Sequence[ProbeRowView]
) -> tuple[tuple[ListedProbe, ...], ReportRow | None]:
    """At most `LISTED` rows of the newest probes, newest first, and the oldest probe that they tell of."""
    found: list[ListedProbe] = []
    oldest = None
    for run in _runs(list(zip(reports, rows, strict=True))):
        folded = run[:1] if len(run) >= _ALIKE else run[: LISTED - len(found)]
        alike = _alike(run[1:]) if len(run) >= _ALIKE else None
        found += [ListedProbe(row, alike) for _, row in folded]
        oldest = (run if alike else folded)[-1][0]
        if len(found) >= LISTED:
            break
    return tuple(found), oldest


def older_view(name: str, oldest: ReportRow | None, count: int) -> OlderView | None:
    """The way to the hour of the oldest probe that is listed; None where the list of `count` probes is the whole."""
    if oldest is None or count < LISTED:
        return None
    slot = oldest.slot.astimezone(UTC)
    words = f"Older ones hour by hour, from {slot.date().isoformat()} {slot.hour:02}:00 back"
    return OlderView(words, day_href(name, slot.date(), slot.hour))


def _runs(pairs: Sequence[tuple[ReportRow, ProbeRowView]]) -> Iterator[list[tuple[ReportRow, ProbeRowView]]]:
    for is_usual, run in groupby(pairs, key=lambda pair: _usual(pair[1])):
        members = list(run)
        yield from ([members] if is_usual else ([each] for each in members))


def _usual(row: ProbeRowView) -> tuple[str, ...]:
    """What two probes have in common that are told as one; nothing where a probe is worth its own row."""
    if row.href is None or row.cold or row.full:
        return ()
    return row.verdict, row.cause, row.tools


def _alike(run: Sequence[tuple[ReportRow, ProbeRowView]]) -> AlikeView:
    reports, oldest = [report for report, _ in run], run[-1][1]
    words = [f"{len(run)} more like it"]
    for title, value in (("whole", _duration), ("wait", _wait)):
        words += _range(title, reports, value)
    return AlikeView(", ".join(words), oldest)


def _duration(report: ReportRow) -> float | None:
    return report.duration_ms


def _wait(report: ReportRow) -> float | None:
    return report.wait_ms


def _range(title: str, reports: Sequence[ReportRow], value: Callable[[ReportRow], float | None]) -> Iterator[str]:
    """`wait 9.0 ms to 12 ms`; nothing where it is not known of any."""
    known = [each for each in map(value, reports) if each is not None]
    if known:
        least, most = milliseconds(min(known)), milliseconds(max(known))
        yield f"{title} {least}" if least == most else f"{title} {least} to {most}"


def _cold_word(report: ReportRow) -> str:
    if not report.was_cold:
        return ""
    start = start_ms(report)
    return "cold start" if start is None else f"cold start, by the log: {milliseconds(start)} to start the instance"
