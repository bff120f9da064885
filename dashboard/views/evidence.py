"""What one stored report says, as frozen values that templates show: checks, diagnoses, exchanges on a time axis.

A stored report is JSON (`checks.encode.as_json`) in the shape of `checks.model.ProbeReport`, maybe of an older
release, with text in it that the watched server wrote. So everything is read leniently, and cleaned and bounded again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from itertools import groupby
from textwrap import dedent
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from checks.axes import replies_in_words
from checks.matrix import Matrix, matrix_of
from checks.model import Effect, Outcome, Profile, Verdict
from checks.text import clean
from dashboard.charts import Block, Segment, Tick, durations, lane, segments, time_axis
from dashboard.wording import milliseconds, short

LANE_HEIGHT: Final = 14.0

Member = TypeVar("Member", Verdict, Outcome, Effect, Profile)

_SHORT: Final = 160
_LONG: Final = 2000
_BODY: Final = 8192
_SHOWN_APART: Final = ("tools", "clients", "revisions")
"""Facts that have a place of their own on the pages."""
_RULE_HOSTS: Final = ("modelcontextprotocol.io", "amazon.com", "rfc-editor.org", "ietf.org", "w3.org", "whatwg.org")


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A paragraph or a piece of code."""

    spans: tuple[tuple[str, bool], ...]
    """Pieces of text, each with whether it is code within the paragraph."""
    is_code: bool


@dataclass(frozen=True, slots=True)
class FindingView:
    text: str
    rule: str
    """What the rule is called: the address of its page without the scheme."""
    link: str | None
    """Only pages of the specification and of standards bodies; any other address is shown as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    id: str
    title: str
    question: str
    outcome: Outcome
    summary: str
    took: str
    findings: tuple[FindingView, ...]
    facts: tuple[tuple[str, str], ...]
    exchanges: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisView:
    id: str
    effect: Effect
    confidence: str
    summary: str
    evidence: tuple[tuple[str, str | None], ...]
    """Text, and the id of the exchange in which it can be seen."""
    fix: tuple[TextBlock, ...]
    reproduce: str
    alternatives: tuple[tuple[tuple[str, bool], ...], ...]
    """Each in pieces, as in `TextBlock`."""
    seen: str
    """When a full probe saw it last, where this report only carries it on; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeView:
    id: str
    method: str
    url: str
    rpc_method: str
    status: str
    """`200 OK`, or why there is none."""
    failed: bool
    error: str
    took: str
    starts: str
    phases: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    arrivals: tuple[tuple[float, str], ...]
    """Per cent on the time axis of the probe, and what arrived there."""
    messages: tuple[tuple[str, str], ...]
    """When each message arrived, and what it is."""
    request_headers: tuple[tuple[str, str], ...]
    request_body: str
    headers: tuple[tuple[str, str], ...]
    body: str
    body_note: str
    peer: str
    irregularities: tuple[str, ...]
    """What is odd about the answer's bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """One report, whole."""

    verdict: Verdict
    profile: Profile
    took: str
    location: str
    era: str
    version: str
    transport: str
    has_session: bool
    session: str
    replies: str
    """In what answers came, and to which requests."""
    opened_by: str
    server: str
    instructions: str
    tools: tuple[str, ...]
    checks: tuple[CheckView, ...]
    diagnoses: tuple[DiagnosisView, ...]
    exchanges: tuple[ExchangeView, ...]
    axis: tuple[Tick, ...]
    matrix: Matrix | None
    """Which clients can connect; only full probes ask."""


def report_view(report: Mapping[str, Any], questions: Mapping[str, str]) -> ReportView:
    """A stored report for the pages. `questions` gives the question of each check by its id."""
    results = [_mapping(each) for each in _items(report.get("results"))]
    exchanges = [_mapping(each) for result in results for each in _items(result.get("exchanges"))]
    whole_ms = max([_figure(report.get("duration_ms")) or 0.0, *(_end_of(each) for each in exchanges)])
    opening = _mapping(report.get("opening"))
    opener = _mapping(opening.get("opener"))
    server = f"{_text(opening.get('server_name'))} {_text(opening.get('server_version'))}".strip()
    return ReportView(
        verdict=_one_of(Verdict, report.get("verdict"), Verdict.UNKNOWN),
        profile=_one_of(Profile, report.get("profile"), Profile.STANDARD),
        took=milliseconds(_figure(report.get("duration_ms"))),
        location=_text(report.get("location")),
        era=_text(opener.get("era")),
        version=_text(opener.get("protocol_version")),
        transport=transport_name(_text(opener.get("transport"))),
        has_session=opening.get("has_session") is True,
        session=_session(_mapping(report.get("axes"))),
        replies=_replies(_mapping(report.get("axes"))),
        opened_by=_text(opener.get("reason"), _LONG),
        server=server,
        instructions=_text(opening.get("instructions"), _LONG, keep_lines=True),
        tools=_tools(results),
        checks=tuple(_check(each, questions) for each in results),
        diagnoses=tuple(_diagnosis(_mapping(each)) for each in _items(report.get("diagnoses"))),
        exchanges=tuple(_exchange(each, whole_ms) for each in exchanges),
        axis=time_axis(whole_ms),
        matrix=next((matrix_of(each.get("facts")) for each in results if each.get("check") == "eras"), None),
    )


def text_blocks(text: str) -> tuple[TextBlock, ...]:
    """Advice as paragraphs and code: a line that begins with two spaces is code, as everywhere in the detectors."""
    blocks = []
    for is_code, lines in groupby(text.splitlines(), key=lambda line: line.startswith("  ")):
        joined = "\n".join(lines)
        if joined.strip():
            shown = dedent(joined) if is_code else joined.strip()
            blocks.append(TextBlock(((shown, True),) if is_code else spans(shown), is_code))
    return tuple(blocks)


def spans(text: str) -> tuple[tuple[str, bool], ...]:
    """Text in pieces, each with whether it stood between backticks. A lone backtick is a character like others."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        pieces[-2:] = ["`".join(pieces[-2:])]
    return tuple((piece, index % 2 == 1) for index, piece in enumerate(pieces) if piece)


def safe_link(address: str) -> str | None:
    """The address if it leads to a page that we would cite ourselves, else None: a stored report may hold any text."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    host = parts.hostname or ""
    known = any(host == each or host.endswith(f".{each}") for each in _RULE_HOSTS)
    return address if parts.scheme == "https" and known and parts.netloc == host else None


def transport_name(transport: str) -> str:
    return {"streamable-http": "Streamable HTTP", "sse": "HTTP+SSE"}.get(transport, transport)


def _session(axes: Mapping[str, Any]) -> str:
    return {"session": "yes, by an id", "none": "none"}.get(_text(axes.get("session")), "")


def _replies(axes: Mapping[str, Any]) -> str:
    modes = _mapping(axes.get("replies")).items()
    return replies_in_words({_text(method): [_text(mode) for mode in _items(found)] for method, found in modes})


def _check(result: Mapping[str, Any], questions: Mapping[str, str]) -> CheckView:
    check_id = _text(result.get("check"))
    facts = _mapping(result.get("facts"))
    return CheckView(
        id=check_id,
        title=check_id.replace("_", " "),
        question=questions.get(check_id, ""),
        outcome=_one_of(Outcome, result.get("outcome"), Outcome.ERROR),
        summary=_text(result.get("summary"), _LONG),
        took=milliseconds(_figure(result.get("ms"))) if _items(result.get("exchanges")) else "",
        findings=tuple(_finding(_mapping(each)) for each in _items(result.get("findings"))),
        facts=tuple(
            (_text(key).replace("_", " "), _fact(value)) for key, value in facts.items() if key not in _SHOWN_APART
        ),
        exchanges=tuple(_text(_mapping(each).get("id")) for each in _items(result.get("exchanges"))),
    )


def _finding(finding: Mapping[str, Any]) -> FindingView:
    rule = _text(finding.get("rule"), 500)
    return FindingView(_text(finding.get("text"), _LONG), rule.removeprefix("https://"), safe_link(rule))


def _diagnosis(diagnosis: Mapping[str, Any]) -> DiagnosisView:
    proofs = [_mapping(each) for each in _items(diagnosis.get("evidence"))]
    return DiagnosisView(
        id=_text(diagnosis.get("id")),
        effect=_one_of(Effect, diagnosis.get("effect"), Effect.INFORMATION),
        confidence=f"{(_figure(diagnosis.get('confidence')) or 0.0) * 100:.0f} %",
        summary=_text(diagnosis.get("summary"), _LONG),
        evidence=tuple((_text(each.get("text"), _LONG), _text(each.get("exchange")) or None) for each in proofs),
        fix=text_blocks(_text(diagnosis.get("fix"), _BODY, keep_lines=True)),
        reproduce=_text(diagnosis.get("reproduce"), _BODY, keep_lines=True),
        alternatives=tuple(spans(_text(each, _LONG)) for each in _items(diagnosis.get("alternatives"))),
        seen=_seen(diagnosis.get("seen_at")),
    )


def _exchange(exchange: Mapping[str, Any], whole_ms: float) -> ExchangeView:
    timings = _mapping(exchange.get("timings"))
    error = _mapping(exchange.get("transport_error"))
    offset = _figure(exchange.get("offset_ms")) or 0.0
    parts = _segments(exchange)
    messages = [_mapping(each) for each in _items(exchange.get("messages"))]
    status = exchange.get("status")
    return ExchangeView(
        id=_text(exchange.get("id")),
        method=_text(exchange.get("method")),
        url=_text(exchange.get("url"), _LONG),
        rpc_method=_text(exchange.get("rpc_method")),
        status=_status(status) if isinstance(status, int) else _text(error.get("failure")) or "no answer",
        failed=bool(error) or not isinstance(status, int) or status >= 400,
        error=": ".join(filter(None, [_text(error.get("reason")), _text(error.get("detail"), _LONG)])),
        took=milliseconds(_figure(timings.get("total_ms"))),
        starts=milliseconds(offset),
        phases=tuple((phase, milliseconds(ms)) for phase, ms in durations(parts).items()),
        blocks=lane(parts, offset, whole_ms, LANE_HEIGHT),
        arrivals=_arrivals(messages, offset, whole_ms),
        messages=tuple((milliseconds(_figure(each.get("at_ms"))), _kind(each)) for each in messages),
        request_headers=_pairs(exchange.get("request_headers")),
        request_body=_text(exchange.get("request_body"), _BODY, keep_lines=True),
        headers=_pairs(exchange.get("headers")),
        body=_text(exchange.get("body"), _BODY, keep_lines=True),
        body_note=_body_note(exchange),
        peer=_peer(exchange),
        irregularities=tuple(_irregularity(_mapping(each)) for each in _items(exchange.get("irregularities"))),
    )


def _seen(seen_at: Any) -> str:
    """The moment in words; text that is no moment stays as it is."""
    try:
        return short(datetime.fromisoformat(_text(seen_at))) if seen_at else ""
    except ValueError:
        return _text(seen_at)


def _irregularity(irregularity: Mapping[str, Any]) -> str:
    return f"{_text(irregularity.get('detail'), _LONG)} ({_text(irregularity.get('code'))})"


def _segments(exchange: Mapping[str, Any]) -> tuple[Segment, ...]:
    timings = {str(key): _figure(value) for key, value in _mapping(exchange.get("timings")).items()}
    return segments(timings, _text(_mapping(exchange.get("transport_error")).get("failure")))


def _end_of(exchange: Mapping[str, Any]) -> float:
    total = _figure(_mapping(exchange.get("timings")).get("total_ms")) or 0.0
    return (_figure(exchange.get("offset_ms")) or 0.0) + total


def _arrivals(
    messages: Sequence[Mapping[str, Any]], offset_ms: float, whole_ms: float
) -> tuple[tuple[float, str], ...]:
    if whole_ms <= 0:
        return ()
    return tuple(
        (round(min((offset_ms + at) / whole_ms * 100, 100.0), 3), f"{_kind(each)} at {milliseconds(at)}")
        for each in messages
        if (at := _figure(each.get("at_ms"))) is not None
    )


def _kind(message: Mapping[str, Any]) -> str:
    kind, event = _text(message.get("kind")), _text(message.get("event"))
    return kind if event in ("", "message") else f"{kind} ({event})"


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _body_note(exchange: Mapping[str, Any]) -> str:
    size = int(_figure(exchange.get("body_size")) or 0)
    notes = [f"{size:,} bytes came"] if size else ["no body"]
    kept = exchange.get("body")
    if isinstance(kept, str) and size > len(kept.encode()):
        notes.append("only the beginning is kept")
    comments = int(_figure(exchange.get("comments")) or 0)
    if comments:
        notes.append(f"{comments} SSE keep-alive comments")
    if exchange.get("unterminated") is True:
        notes.append("the stream ended in the middle of an event")
    return ", ".join(notes)


def _peer(exchange: Mapping[str, Any]) -> str:
    address = _text(exchange.get("remote_address"))
    return f"{address} (connection used before)" if address and exchange.get("reused_connection") is True else address


def _tools(results: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    for result in results:
        if result.get("check") == "tools_list":
            return tuple(_text(name) for name in _items(_mapping(result.get("facts")).get("tools")))
    return ()


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, list):
        return clean("; ".join(_fact(each) for each in value), _LONG) or "none"
    if isinstance(value, Mapping):
        return clean(", ".join(f"{key} {_fact(each)}" for key, each in value.items()), _LONG) or "none"
    return "-" if value is None else clean(str(value), _LONG)


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    pairs = [_items(each) for each in _items(value)]
    return tuple((_text(pair[0]), _text(pair[1], _LONG)) for pair in pairs if len(pair) == 2)


def _text(value: Any, limit: int = _SHORT, *, keep_lines: bool = False) -> str:
    return "" if value is None else clean(str(value), limit, keep_lines=keep_lines)


def _figure(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _one_of(kind: type[Member], value: Any, otherwise: Member) -> Member:
    try:
        return kind(value)
    except ValueError:
        return otherwise
