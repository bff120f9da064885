"""The exchanges of a stored report: each on the time axis of its probe, with what went out and what came back.

Whatever a diagnosis rests on is marked where it is seen, and what lets its bearer in is taken out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from checks.credentials import names_credential
from checks.front_door import FrontDoor, front_door_of
from checks.model import Exchange
from checks.proofs import milliseconds
from checks.reproduce import SESSION_HEADER, curl, curl_in_new_session
from checks.text import REDACTED
from dashboard.charts import Block, Segment, durations, lane, segments
from dashboard.views.console import logs_insights
from dashboard.views.places import Marks, Piece, Seen, places
from dashboard.views.stored import BODY, LONG, read_figure, read_items, read_mapping, read_moment, read_pairs, read_text

LANE_HEIGHT: Final = 14.0
_OPENERS: Final = ("initialize", "notifications/initialized")
_OVERLAP_MS: Final = 0.5
"""Exchanges that follow one another may seem to touch."""
_ID_SHOWN: Final = 8
"""Characters of a session's id: enough to tell two apart, and too few to join one."""
_ID_HEADERS: Final = {
    FrontDoor.FUNCTION_URL: "x-amzn-requestid",
    FrontDoor.WEB_FUNCTION: "lambda-web-request-id",
}
_INVOCATION: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What the configuration says of the endpoint, as far as links and commands need it."""

    log_group: str | None = None
    region: str | None = None
    insecure: bool = False
    """Its certificate is not checked, by its owner's choice."""


NOBODY: Final = Behind()
"""Where nothing is known of it."""


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
    beside: tuple[str, ...]
    """Exchanges that were under way at the same time."""
    marks: Marks
    pieces: tuple[Piece, ...]
    """The body, with what is evidence in it marked."""
    curl: str
    """The same request as a shell line."""
    request_id: str
    """The id of the invocation; empty where the front door gives out none, or one of its own."""
    log: str | None
    """The query that finds it in the function's log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the exchanges of a probe have in common."""

    whole_ms: float
    spans: Mapping[str, tuple[float, float]]
    """When each exchange began and ended."""
    marks: Mapping[str, Marks]
    numbers: Mapping[tuple[str, str | None], int]
    """Of each proof that an exchange shows; two diagnoses may rest on the same one."""
    openers: Sequence[Exchange]
    """The requests that open a session."""
    behind: Behind

    @staticmethod
    def of(
        report: Mapping[str, Any],
        exchanges: Sequence[Mapping[str, Any]],
        proofs: Sequence[tuple[str, str | None]],
        behind: Behind,
    ) -> "Stage":
        by_id = {read_text(each.get("id")): each for each in exchanges}
        shown = (each for each in dict.fromkeys(proofs) if each[1] in by_id)
        numbers = {each: number for number, each in enumerate(shown, start=1)}
        marks = {identity: Marks() for identity in by_id}
        for (text, identity), number in numbers.items():
            assert identity is not None
            marks[identity].places[number] = places(text, _shown(by_id[identity]))
        opening = [read_mapping(each) for each in read_items(read_mapping(report.get("opening")).get("exchanges"))]
        return Stage(
            whole_ms=max([read_figure(report.get("duration_ms")) or 0.0, *(_span(each)[1] for each in exchanges)]),
            spans={identity: _span(each) for identity, each in by_id.items()},
            marks=marks,
            numbers=numbers,
            openers=[_request(each) for each in opening if each.get("rpc_method") in _OPENERS],
            behind=behind,
        )

    def beside(self, identity: str) -> tuple[str, ...]:
        """Which other exchanges were under way at the same time."""
        begin, end = self.spans[identity]
        return tuple(
            other
            for other, (since, until) in self.spans.items()
            if other != identity and min(end, until) - max(begin, since) > _OVERLAP_MS
        )


def exchange_view(exchange: Mapping[str, Any], stage: Stage) -> ExchangeView:
    timings = read_mapping(exchange.get("timings"))
    error = read_mapping(exchange.get("transport_error"))
    offset = read_figure(exchange.get("offset_ms")) or 0.0
    parts = _segments(exchange)
    messages = [read_mapping(each) for each in read_items(exchange.get("messages"))]
    status = exchange.get("status")
    identity = read_text(exchange.get("id"))
    marks = stage.marks[identity]
    body = read_text(exchange.get("body"), BODY, keep_lines=True)
    request_id = _request_id(exchange)
    return ExchangeView(
        id=identity,
        method=read_text(exchange.get("method")),
        url=read_text(exchange.get("url"), LONG),
        rpc_method=read_text(exchange.get("rpc_method")),
        status=_status(status) if isinstance(status, int) else read_text(error.get("failure")) or "no answer",
        failed=bool(error) or not isinstance(status, int) or status >= 400,
        error=": ".join(filter(None, [read_text(error.get("reason")), read_text(error.get("detail"), LONG)])),
        took=milliseconds(read_figure(timings.get("total_ms"))),
        starts=milliseconds(offset),
        phases=tuple((phase, milliseconds(ms)) for phase, ms in durations(parts).items()),
        blocks=lane(parts, offset, stage.whole_ms, LANE_HEIGHT),
        arrivals=_arrivals(messages, offset, stage.whole_ms),
        messages=tuple((milliseconds(read_figure(each.get("at_ms"))), _kind(each)) for each in messages),
        request_headers=tuple(_redacted(*pair) for pair in read_pairs(exchange.get("request_headers"))),
        request_body=read_text(exchange.get("request_body"), BODY, keep_lines=True),
        headers=tuple(_redacted(*pair) for pair in read_pairs(exchange.get("headers"))),
        body=body,
        body_note=_body_note(exchange),
        peer=_peer(exchange),
        irregularities=tuple(_irregularity(read_mapping(each)) for each in read_items(exchange.get("irregularities"))),
        beside=stage.beside(identity),
        marks=marks,
        pieces=marks.pieces(body),
        curl=_curl(exchange, stage),
        request_id=request_id,
        log=_log_link(exchange, request_id, stage.behind),
    )


def _shown(exchange: Mapping[str, Any]) -> Seen:
    error = read_mapping(exchange.get("transport_error"))
    status = exchange.get("status")
    failure = (read_text(error.get("failure")), read_text(error.get("reason"), 60), read_text(error.get("detail")))
    return Seen(
        status=status if isinstance(status, int) else None,
        failed_how=tuple(filter(None, failure)),
        headers=read_pairs(exchange.get("headers")),
        body=read_text(exchange.get("body"), BODY, keep_lines=True),
        arrivals=len(read_items(exchange.get("messages"))),
        has_wait=any(part.phase == "wait" for part in _segments(exchange)),
        peer=read_text(exchange.get("remote_address")),
    )


def _request(exchange: Mapping[str, Any]) -> Exchange:
    """The request alone, for what is computed of one."""
    return Exchange(
        id=read_text(exchange.get("id")),
        method=read_text(exchange.get("method")) or "POST",
        url=read_text(exchange.get("url"), LONG),
        request_headers=read_pairs(exchange.get("request_headers")),
        request_body=read_text(exchange.get("request_body"), BODY, keep_lines=True),
        started_at=read_moment(exchange.get("started_at")) or datetime.fromtimestamp(0, UTC),
        headers=read_pairs(exchange.get("headers")),
    )


def _curl(exchange: Mapping[str, Any], stage: Stage) -> str:
    """The request as a shell line; one within a session in a new session, because that of the probe is over."""
    asked = _request(exchange)
    if not any(name.lower() == SESSION_HEADER for name, _ in asked.request_headers):
        return curl(asked, stage.behind.insecure)
    return curl_in_new_session(stage.openers, asked, 1, stage.behind.insecure) if stage.openers else ""


def _request_id(exchange: Mapping[str, Any]) -> str:
    """The id of the invocation that answered. API Gateways give out ids of their own, by which no log is searched."""
    answered = _request(exchange)
    name = _ID_HEADERS.get(front_door_of(answered))
    said = answered.header(name) if name else None
    return said if said is not None and _INVOCATION.fullmatch(said) else ""


def _log_link(exchange: Mapping[str, Any], request_id: str, behind: Behind) -> str | None:
    asked_at = read_moment(exchange.get("started_at"))
    if not request_id or asked_at is None or behind.log_group is None or behind.region is None:
        return None
    return logs_insights(behind.log_group, behind.region, request_id, asked_at)


def _redacted(name: str, value: str) -> tuple[str, str]:
    """A header without what lets its bearer in. What the prober sends from a reference it shows as that anyway."""
    if "${" in value or REDACTED in value:
        return name, value
    known_as = name.lower()
    if known_as == SESSION_HEADER:
        return name, value if len(value) <= _ID_SHOWN * 2 else f"{value[:_ID_SHOWN]}… {REDACTED}"
    if known_as == "set-cookie":
        cookie, _, attributes = value.partition(";")
        named = f"{cookie.partition('=')[0]}=" if "=" in cookie else ""
        return name, f"{named}{REDACTED}{f';{attributes}' if attributes else ''}"
    return name, REDACTED if names_credential(name) else value


def _irregularity(irregularity: Mapping[str, Any]) -> str:
    return f"{read_text(irregularity.get('detail'), LONG)} ({read_text(irregularity.get('code'))})"


def _segments(exchange: Mapping[str, Any]) -> tuple[Segment, ...]:
    timings = {str(key): read_figure(value) for key, value in read_mapping(exchange.get("timings")).items()}
    return segments(timings, read_text(read_mapping(exchange.get("transport_error")).get("failure")))


def _span(exchange: Mapping[str, Any]) -> tuple[float, float]:
    """When it began and when it ended, from the start of the probe."""
    begin = read_figure(exchange.get("offset_ms")) or 0.0
    return begin, begin + (read_figure(read_mapping(exchange.get("timings")).get("total_ms")) or 0.0)


def _arrivals(
    messages: Sequence[Mapping[str, Any]], offset_ms: float, whole_ms: float
) -> tuple[tuple[float, str], ...]:
    if whole_ms <= 0:
        return ()
    return tuple(
        (round(min((offset_ms + at) / whole_ms * 100, 100.0), 3), f"{_kind(each)} at {milliseconds(at)}")
        for each in messages
        if (at := read_figure(each.get("at_ms"))) is not None
    )


def _kind(message: Mapping[str, Any]) -> str:
    kind, event = read_text(message.get("kind")), read_text(message.get("event"))
    return kind if event in ("", "message") else f"{kind} ({event})"


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _body_note(exchange: Mapping[str, Any]) -> str:
    size = int(read_figure(exchange.get("body_size")) or 0)
    notes = [f"{size:,} bytes came"] if size else ["no body"]
    kept = exchange.get("body")
    if isinstance(kept, str) and size > len(kept.encode()):
        notes.append("only the beginning is kept")
    comments = int(read_figure(exchange.get("comments")) or 0)
    if comments:
        notes.append(f"{comments} SSE keep-alive comments")
    if exchange.get("unterminated") is True:
        notes.append("the stream ended in the middle of an event")
    return ", ".join(notes)


def _peer(exchange: Mapping[str, Any]) -> str:
    address = read_text(exchange.get("remote_address"))
    return f"{address} (connection used before)" if address and exchange.get("reused_connection") is True else address
