"""The geometry of the charts: figures in, rectangles, paths and labels out. Drawing is left to the templates.

Horizontal places that are to fit any screen are per cent of the width, everything else is pixels.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Final

from checks.model import Failure, Verdict

PHASES: Final = ("dns", "connect", "tls", "send", "wait", "stream")
"""The parts of an exchange in the order in which they happen; `stream` is from the first byte to the last."""

BAR_HEIGHT: Final = {Verdict.UP: 0.45, Verdict.DEGRADED: 0.72, Verdict.DOWN: 1.0, Verdict.UNKNOWN: 0.3}
"""Height of a probe's bar as a share of the row, so that a verdict shows without its colour."""

_FAILED_IN: Final = {Failure.DNS.value: "dns", Failure.CONNECT.value: "connect", Failure.TLS.value: "tls"}
_CUT_ABOVE: Final = 3.0
"""A chart whose highest column is this many times its 90th percentile cuts the outliers to keep the rest readable."""


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A line over its values, broken where one is missing; `x`, `y` is the newest point."""

    line: str
    area: str
    x: float
    y: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One probe in a row of bars. `x` and `width` are per cent."""

    x: float
    width: float
    y: float
    height: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class BarPath:
    """All bars of one verdict in a row as one path, in units of its own: a tenth of such a row's bytes and elements."""

    verdict: Verdict
    path: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One phase of one exchange, in milliseconds from the start of that exchange."""

    phase: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class Block:
    """A segment with its place in a drawing."""

    phase: str
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A grid line with its value; `place` is per cent on a horizontal axis and pixels on a vertical one."""

    place: float
    value: float


@dataclass(frozen=True, slots=True)
class Column:
    """One probe in the latency chart."""

    x: float
    width: float
    blocks: tuple[Block, ...]
    total_ms: float
    cut: bool
    """The column is higher than the chart."""


@dataclass(frozen=True, slots=True)
class LatencyChart:
    """Stacked columns, oldest first, with the grid lines of the vertical axis."""

    columns: tuple[Column | None, ...]
    """None where a probe has no timing."""
    ticks: tuple[Tick, ...]
    height: float


def sparkline(values: Sequence[float | None], width: int = 112, height: int = 28) -> Sparkline | None:
    """The latest values as a line, with zero at the bottom. None when there is nothing to draw."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    top = max(known) * 1.1 or 1.0
    step = (width - 4) / max(len(values) - 1, 1)
    left = 2.0 if len(values) > 1 else width / 2

    def place(index: int, value: float) -> tuple[float, float]:
        return left + index * step, height - 2 - value / top * (height - 4)

    runs = [[place(index, value) for index, value in run] for run in _runs(values)]
    line = " ".join(_polyline(run) for run in runs)
    area = " ".join(f"{_polyline(run)} V{height} H{_number(run[0][0])} Z" for run in runs if len(run) > 1)
    x, y = runs[-1][-1]
    return Sparkline(line=line, area=area, x=round(x, 1), y=round(y, 1), width=width, height=height)


def bars(verdicts: Sequence[Verdict], slots: int, height: float) -> tuple[Bar, ...]:
    """The newest `slots` verdicts, oldest first, each a bar that stands on the baseline, newest at the right edge."""
    shown = verdicts[-slots:]
    pitch = 100 / slots
    empty = slots - len(shown)
    return tuple(
        Bar(
            x=round((empty + index) * pitch + pitch * 0.1, 3),
            width=round(pitch * 0.8, 3),
            y=round(height * (1 - BAR_HEIGHT[verdict]), 2),
            height=round(height * BAR_HEIGHT[verdict], 2),
            verdict=verdict,
        )
        for index, verdict in enumerate(shown)
    )


def bar_paths(verdicts: Sequence[Verdict], slots: int, height: int) -> tuple[BarPath, ...]:
    """The bars of `bars` for a drawing that is `slots` times 10 units wide, and stretched to whatever room there is."""
    shown = verdicts[-slots:]
    empty = slots - len(shown)
    steps: dict[Verdict, list[str]] = {}
    for index, verdict in enumerate(shown):
        tall = round(height * BAR_HEIGHT[verdict])
        step = f"M{(empty + index) * 10 + 1} {height}v-{tall}h8v{tall}z"
        steps.setdefault(verdict, []).append(step)
    return tuple(BarPath(verdict, "".join(parts)) for verdict, parts in steps.items())


def segments(timings: Mapping[str, float | None], failure: str | None = None) -> tuple[Segment, ...]:
    """The phases of an exchange from its stored timings.

    What is left over after the last known phase belongs to the one that failed: `failure` names it, else it is the
    wait for an answer.
    """
    found: list[Segment] = []
    at = 0.0
    for phase in ("dns", "connect", "tls"):
        took = timings.get(f"{phase}_ms")
        if took is not None:
            found.append(Segment(phase, at, at + took))
            at += took
    total = max(timings.get("total_ms") or 0.0, at)
    sent, first_byte = timings.get("sent_ms"), timings.get("first_byte_ms")
    if sent is None:
        found.append(Segment(_FAILED_IN.get(failure or "", "wait"), at, total))
    else:
        answered = total if first_byte is None else first_byte
        found.append(Segment("send", at, sent))
        found.append(Segment("wait", sent, answered))
        found.append(Segment("stream", answered, total))
    return tuple(segment for segment in found if segment.end_ms > segment.start_ms)


def durations(parts: Sequence[Segment]) -> dict[str, float]:
    """Milliseconds per phase."""
    found: dict[str, float] = {}
    for part in parts:
        found[part.phase] = found.get(part.phase, 0.0) + part.end_ms - part.start_ms
    return found


def lane(parts: Sequence[Segment], offset_ms: float, whole_ms: float, height: float) -> tuple[Block, ...]:
    """One row of a waterfall: an exchange's phases on the time axis of the whole probe."""
    scale = 100 / whole_ms if whole_ms > 0 else 0.0
    return tuple(
        Block(
            phase=part.phase,
            x=round(min((offset_ms + part.start_ms) * scale, 100.0), 3),
            width=round(max((part.end_ms - part.start_ms) * scale, 0.15), 3),
            y=0.0,
            height=height,
        )
        for part in parts
    )


def time_axis(whole_ms: float) -> tuple[Tick, ...]:
    """Round places on a horizontal axis from 0 to `whole_ms`, in per cent."""
    if whole_ms <= 0:
        return ()
    return tuple(Tick(round(value / whole_ms * 100, 3), value) for value in round_steps(whole_ms, 4))


def latency_chart(
    probes: Sequence[Mapping[str, float] | None], slots: int, height: float = 180.0
) -> LatencyChart | None:
    """Milliseconds per phase of each probe as stacked columns, oldest first, each below its bar of `bars`.

    None when no probe has a timing.
    Where a few columns would press all others flat, the scale follows the others and those few are cut.
    """
    totals = [sum(phases.values()) for phases in probes if phases]
    if not totals:
        return None
    ceiling = _ceiling(totals)
    pitch = 100 / slots
    empty = slots - len(probes)
    columns = tuple(
        _column(phases, (empty + index) * pitch + pitch * 0.1, pitch * 0.8, ceiling, height) if phases else None
        for index, phases in enumerate(probes)
    )
    ticks = tuple(Tick(round(height - value / ceiling * height, 2), value) for value in round_steps(ceiling, 4))
    return LatencyChart(columns=columns, ticks=ticks, height=height)


def round_steps(maximum: float, count: int) -> tuple[float, ...]:
    """About `count` values from 0 to at most `maximum`, at multiples of 1, 2 or 5."""
    if maximum <= 0:
        return (0.0,)
    rough = maximum / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough * 0.999)
    return tuple(round(index * step, 6) for index in range(int(maximum / step + 1e-9) + 1))


def _ceiling(totals: Sequence[float]) -> float:
    highest = max(totals)
    if len(totals) >= 5:
        usual = quantiles(totals, n=10, method="inclusive")[8]
        if highest > usual * _CUT_ABOVE:
            highest = max(usual * 1.5, 1.0)
    return max(highest, 1.0) * 1.06


def _column(phases: Mapping[str, float], x: float, width: float, ceiling: float, height: float) -> Column:
    blocks: list[Block] = []
    base = 0.0
    for phase in PHASES:
        top = min(base + phases.get(phase, 0.0), ceiling)
        if top > base:
            y, block_height = height - top / ceiling * height, (top - base) / ceiling * height
            blocks.append(Block(phase, round(x, 3), round(width, 3), round(y, 2), round(block_height, 2)))
            base = top
    total = sum(phases.values())
    return Column(round(x, 3), round(width, 3), tuple(blocks), total, cut=total > ceiling)


def _runs(values: Sequence[float | None]) -> Iterator[list[tuple[int, float]]]:
    run: list[tuple[int, float]] = []
    for index, value in enumerate(values):
        if value is not None:
            run.append((index, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _polyline(points: Sequence[tuple[float, float]]) -> str:
    places = " L".join(f"{_number(x)} {_number(y)}" for x, y in points)
    return f"M{places}" if len(points) > 1 else f"M{places} h0.01"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
