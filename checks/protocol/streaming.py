"""Streaming, read off the clock of the exchanges that the earlier checks made."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from checks.model import CheckResult, Exchange, Outcome, Profile
from checks.proofs import counted, milliseconds, request_line
from checks.spec import NEWEST_HANDSHAKE, NEWEST_STATELESS, Chapter
from checks.symptoms import Symptom, is_tool_call, symptom_of
from checks.timing import Pace, cadence_of, came_as_events, held_back, pace_of
from checks.unit import CheckContext, check

_FACTS: Final = ("headers_ms", "first_event_ms", "last_event_ms", "events", "spread_ms", "share", "exchange")


@check(
    "streaming",
    Chapter(
        page="basic/transports", anchor="sending-messages-to-the-server", since="2025-03-26", until=NEWEST_HANDSHAKE
    ),
    Chapter(page="basic/transports/streamable-http", anchor="receiving-messages", since=NEWEST_STATELESS),
    Chapter(page="basic/transports", anchor="http-with-sse", until="2024-11-05"),
    profiles=frozenset({Profile.STANDARD, Profile.FULL}),
)
async def streaming(ctx: CheckContext) -> CheckResult:
    """Do events arrive one by one, as the server writes them, and not in one burst at the end?

    Makes no request of its own. Facts, of the answer that decides: `headers_ms`, `first_event_ms`, `last_event_ms`
    (from the start of its exchange), `events`, `spread_ms`, `share` (of the time that the server took, what lies
    between the first event and the last), `exchange`; all None where no event stream came.
    """
    asked = [exchange for result in ctx.results for exchange in result.exchanges if exchange.rpc_id is not None]
    empty = next((each for each in _that_count(ctx) if symptom_of(each) is Symptom.STREAM_EMPTY), None)
    if empty is not None:
        summary = f"{request_line(empty)} is answered with an event stream that holds no event"
        return _result(Outcome.FAIL, summary, empty)
    expected = ctx.endpoint.streaming
    if expected is False:
        return _result(Outcome.SKIP, "not measured: the owner says that events need not stream", _longest(asked))
    late = held_back(asked, expected)
    if late is not None and late[1] is not Pace.JOINED:
        return _held_back(*late, expected)
    calls = [exchange for exchange in asked if is_tool_call(exchange)] if expected else asked
    streamed = next((each for each in calls if pace_of(each, expected) is Pace.STREAMED), None)
    if streamed is not None:
        return _result(Outcome.PASS, f"{_measured(streamed)}: the events arrive one by one", streamed)
    if late is not None:
        return _joined(late[0])
    return _result(Outcome.SKIP, _inconclusive(calls, expected), _longest(asked))


def _that_count(ctx: CheckContext) -> list[Exchange]:
    """All exchanges, but without those that came before a way in worked: an attempt may end in anything."""
    opened = ctx.wire.opening.established
    return [each for result in ctx.results if result.check != "lifecycle" or not opened for each in result.exchanges]


def _held_back(exchange: Exchange, pace: Pace, expected: bool | None) -> CheckResult:
    outcome = Outcome.FAIL if expected else Outcome.WARN
    if pace is Pace.SIZED:
        return _result(outcome, "the event stream has a Content-Length: it was collected before it was sent", exchange)
    if pace is Pace.ONE_BODY:
        took = milliseconds(exchange.messages[-1].at_ms)
        return _result(outcome, f"one JSON body after {took} although events are expected to stream", exchange)
    return _result(outcome, f"{_measured(exchange)}: the events arrive in one burst", exchange)


def _joined(exchange: Exchange) -> CheckResult:
    how = "together, behind headers that came at once: the server or its runtime joined them"
    return _result(Outcome.SKIP, f"too little to judge by: {_measured(exchange)}, {how}", exchange)


def _inconclusive(calls: Sequence[Exchange], expected: bool | None) -> str:
    if expected is True and not calls:
        return "not measured: no sentinel was called, and only a tool that takes time shows streaming"
    stream = _longest(calls)
    if stream is None:
        return "not measured: no answer came as an event stream"
    return f"too little to judge by: {_measured(stream)}"


def _measured(exchange: Exchange) -> str:
    cadence = cadence_of(exchange)
    assert cadence is not None
    spread = "" if cadence.events == 1 else f" within {milliseconds(cadence.spread_ms)}"
    return f"{counted(cadence.events, 'event')}{spread}, {milliseconds(cadence.taken_ms)} after the request"


def _longest(exchanges: Sequence[Exchange]) -> Exchange | None:
    """The event stream with the most events: the one whose times are worth keeping."""
    streams = [each for each in exchanges if came_as_events(each) and each.messages]
    return max(streams, key=lambda each: len(each.messages), default=None)


def _result(outcome: Outcome, summary: str, exchange: Exchange | None) -> CheckResult:
    return CheckResult(check="streaming", outcome=outcome, summary=summary, facts=_facts(exchange))


def _facts(exchange: Exchange | None) -> Mapping[str, Any]:
    cadence = None if exchange is None else cadence_of(exchange)
    if exchange is None or cadence is None:
        return dict.fromkeys(_FACTS)
    return {
        "headers_ms": cadence.headers_ms,
        "first_event_ms": cadence.first_ms,
        "last_event_ms": cadence.last_ms,
        "events": cadence.events,
        "spread_ms": cadence.spread_ms,
        "share": round(cadence.share, 3),
        "exchange": exchange.id,
    }
