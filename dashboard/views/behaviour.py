"""What an endpoint's page shows of how its server streams and keeps sessions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from checks.proofs import counted, milliseconds
from checks.protocol.session import Ended
from dashboard.charts import Tick, round_steps
from dashboard.views.common import probe_href
from dashboard.views.evidence import ReportView
from dashboard.views.stored import read_figure, read_items, read_mapping, read_text
from dashboard.wording import short
from prober.storage.queries import ProbePage, ReportRow

STREAM_HEIGHT: Final = 96.0
_LEAST_HEIGHT: Final = 2.0

_AFTER_END: Final = {
    Ended.REFUSED: "refused with 404, as specified",
    Ended.REFUSED_OTHERWISE: "refused, but not with 404",
    Ended.SERVED: "still served",
    Ended.NOT_ALLOWED: "cannot be ended (405), which the specification allows",
    Ended.NOT_ENDED: "could not be ended",
    Ended.NOT_OBSERVED: "not observed",
    Ended.NOT_ASKED: "not asked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The events of one probe, from the first to the last. `x` and `width` are per cent, `y` and `height` pixels."""

    href: str
    x: float
    width: float
    y: float
    height: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingView:
    """How the events of a streamed answer arrived."""

    icon: str
    summary: str
    """What the last probe said of it."""
    facts: tuple[tuple[str, str], ...]
    """Of the answer that the last probe judged by."""
    stretches: tuple[Stretch, ...]
    """Of the newest probes that saw events, oldest first."""
    ticks: tuple[Tick, ...]
    height: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """What the last full probe found out about sessions."""

    icon: str
    summary: str
    facts: tuple[tuple[str, str], ...]
    refusals: tuple[tuple[str, str], ...]
    """Address of the exchange, and what was said on that connection."""


def streaming_view(latest: ProbePage | None, reports: Sequence[ReportRow], slots: int) -> StreamingView | None:
    """The section of the page; None where nothing was measured, neither now nor in the newest `slots` probes."""
    result = _result_of(latest, "streaming")
    drawn = tuple(_stretches(reports[:slots][::-1], slots))
    if not result and not drawn:
        return None
    facts = read_mapping(result.get("facts"))
    return StreamingView(
        icon=read_text(result.get("outcome")) or "skip",
        summary=read_text(result.get("summary"), 500),
        facts=tuple(_streaming_facts(facts)),
        stretches=drawn,
        ticks=_ticks(reports[:slots]),
        height=STREAM_HEIGHT,
        label=f"first to last event of {counted(len(drawn), 'probe')}",
    )


def session_view(full: ProbePage | None, last: ReportView | None) -> SessionView | None:
    """The section of the page; None while no full probe has asked."""
    result = _result_of(full, "session")
    if full is None or not result:
        return None
    facts = read_mapping(result.get("facts"))
    refusals = [read_mapping(each) for each in read_items(facts.get("refusals"))]
    href = probe_href(full.report.id)
    return SessionView(
        icon=read_text(result.get("outcome")),
        summary=read_text(result.get("summary"), 500),
        facts=tuple(_session_facts(facts, last)),
        refusals=tuple(
            (f"{href}#in-{read_text(each.get('exchange'))}", read_text(each.get("said"))) for each in refusals
        ),
    )


def _result_of(page: ProbePage | None, check: str) -> Mapping[str, Any]:
    detail = page.detail if page is not None and page.detail else {}
    results = [read_mapping(each) for each in read_items(detail.get("results"))]
    return next((each for each in results if each.get("check") == check), {})


def _streaming_facts(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    names = {"headers_ms": "Headers after", "first_event_ms": "First event after", "last_event_ms": "Last event after"}
    for key, name in names.items():
        if (ms := read_figure(facts.get(key))) is not None:
            yield name, milliseconds(ms)
    if (events := read_figure(facts.get("events"))) is not None:
        yield "Events", f"{events:.0f}"
    if (spread := read_figure(facts.get("spread_ms"))) is not None:
        share = read_figure(facts.get("share"))
        yield "Spread", milliseconds(spread) + ("" if share is None else f", {share * 100:.0f} % of the answer's time")


def _stretches(oldest_first: Sequence[ReportRow], slots: int) -> Iterator[Stretch]:
    scale = STREAM_HEIGHT / _highest(oldest_first)
    pitch = 100 / slots
    empty = slots - len(oldest_first)
    for index, report in enumerate(oldest_first):
        first, last = report.first_event_ms, report.last_event_ms
        if first is None or last is None or report.missed:
            continue
        height = max((last - first) * scale, _LEAST_HEIGHT)
        yield Stretch(
            href=probe_href(report.id),
            x=round((empty + index) * pitch + pitch * 0.2, 3),
            width=round(pitch * 0.6, 3),
            y=round(max(STREAM_HEIGHT - last * scale, 0.0), 2),
            height=round(min(height, STREAM_HEIGHT), 2),
            title=f"{short(report.slot)}: events from {milliseconds(first)} to {milliseconds(last)}",
        )


def _ticks(reports: Sequence[ReportRow]) -> tuple[Tick, ...]:
    highest = _highest(reports)
    return tuple(
        Tick(round(STREAM_HEIGHT - each / highest * STREAM_HEIGHT, 2), each) for each in round_steps(highest, 3)
    )


def _highest(reports: Sequence[ReportRow]) -> float:
    return max([each.last_event_ms or 0.0 for each in reports] + [1.0]) * 1.06


def _session_facts(facts: Mapping[str, Any], last: ReportView | None) -> Iterator[tuple[str, str]]:
    if last is not None and last.session:
        yield "Session", last.session
    asked = read_figure(facts.get("asked"))
    if asked:
        yield "Connections at once", f"{asked:.0f}"
        names = {
            "honoured": "honour it",
            "refused": "refuse it",
            "throttled": "throttled",
            "failed": "failed otherwise",
        }
        counts = [(word, int(read_figure(facts.get(key)) or 0)) for key, word in names.items()]
        yield "Of these", ", ".join(f"{count} {word}" for word, count in counts if count)
    ended = read_text(facts.get("after_end"))
    if ended in list(Ended):
        yield "After its end", _AFTER_END[Ended(ended)]
