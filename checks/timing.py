"""What the clock says about exchanges: how long they took, how the events of a stream were spaced, the first wait."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from checks.front_door import LAMBDA_DOORS, front_door_of
from checks.model import Exchange, Opening
from checks.spec import EVENT_STREAM_TYPE, JSON_TYPE

BURST_TOOK_MS: Final = 500.0
"""Below this a server may well have written all its events at once; runtimes also join small chunks."""

BURST_SPREAD_MS: Final = 50.0
BURST_SPREAD_SHARE: Final = 0.1
"""Events that lie closer together than this share of the time taken (but at least 50 ms) arrived in one burst."""

JOINED_BYTES: Final = 100_000
"""The Node.js runtime of Lambda holds smaller chunks back and sends them with what is written next."""

HEADERS_EARLY_SHARE: Final = 0.8
"""Headers that come before this share of the wait for the first event were not held back with it."""

_OPENINGS: Final = frozenset({"initialize", "server/discover"})

ONE_BODY_TOOK_MS: Final = 1000.0
"""A tool that takes longer than this and is expected to stream should not answer in one JSON body."""


class Pace(Enum):
    """How an answer arrived."""

    STREAMED = auto()
    BURST = auto()
    """Several events, all together, although the server took its time."""
    SIZED = auto()
    """Events with a Content-Length: nobody knows the length of a stream before its end. A server may well write a
    single event, the answer of a quick tool, in one go; then a front door of Lambda is needed to tell that it buffers.
    """
    ONE_BODY = auto()
    """A JSON body, late, where events were expected."""
    JOINED = auto()
    """A few events, all together, but behind headers that came at once: so nothing on the way held the answer back.
    The server wrote them so, or its runtime joined them."""
    UNMEASURED = auto()
    """Too fast or too small to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """When the messages of one answer arrived; offsets count from the start of the exchange."""

    events: int
    headers_ms: float | None
    first_ms: float
    last_ms: float
    taken_ms: float
    """From the request's last byte to the last message."""

    @property
    def spread_ms(self) -> float:
        return self.last_ms - self.first_ms

    @property
    def share(self) -> float:
        """How much of the time taken lies between the first message and the last: near 0 in a burst, near 1 where the
        first came at once."""
        return self.spread_ms / self.taken_ms if self.taken_ms > 0 else 0.0

    @property
    def has_early_headers(self) -> bool:
        return self.headers_ms is not None and self.headers_ms < HEADERS_EARLY_SHARE * self.first_ms

    @property
    def is_burst(self) -> bool:
        close = self.spread_ms <= max(BURST_SPREAD_MS, BURST_SPREAD_SHARE * self.taken_ms)
        return self.events >= 2 and self.taken_ms >= BURST_TOOK_MS and close


def elapsed_ms(exchanges: Sequence[Exchange]) -> float:
    """From the start of the first exchange to the end of the last."""
    if not exchanges:
        return 0.0
    return max(each.offset_ms + each.timings.total_ms for each in exchanges) - exchanges[0].offset_ms


def cadence_of(exchange: Exchange) -> Cadence | None:
    """The spacing of an answer's messages, or None when nothing came."""
    if not exchange.messages:
        return None
    first, last = exchange.messages[0].at_ms, exchange.messages[-1].at_ms
    return Cadence(
        events=len(exchange.messages),
        headers_ms=exchange.timings.first_byte_ms,
        first_ms=first,
        last_ms=last,
        taken_ms=last - (exchange.timings.sent_ms or 0.0),
    )


def came_as_events(exchange: Exchange) -> bool:
    """Whether the answer came on an event stream: its own, or the one that stands beside it on legacy HTTP+SSE."""
    return exchange.media_type == EVENT_STREAM_TYPE or exchange.timings.first_event_ms is not None


def pace_of(exchange: Exchange, expected: bool | None) -> Pace:
    """How an answer arrived, given what the owner says about streaming.

    Where the owner expects it, the clock decides, and a Content-Length does. Where nothing is said, a burst counts only
    with a Content-Length, so that something certainly held the answer back. Where the owner says that events need not
    stream, nothing counts against the endpoint.
    """
    cadence = cadence_of(exchange)
    if cadence is None:
        return Pace.UNMEASURED
    if exchange.media_type == JSON_TYPE:
        late = expected is True and cadence.taken_ms >= ONE_BODY_TOOK_MS
        return Pace.ONE_BODY if late else Pace.UNMEASURED
    if not came_as_events(exchange):
        return Pace.UNMEASURED
    sized = exchange.media_type == EVENT_STREAM_TYPE and exchange.header("content-length") is not None
    if cadence.is_burst:
        return _pace_of_burst(exchange, cadence, expected, sized=sized)
    if sized and expected is True and (cadence.events > 1 or front_door_of(exchange) in LAMBDA_DOORS):
        return Pace.SIZED
    return Pace.STREAMED if cadence.spread_ms > BURST_SPREAD_MS else Pace.UNMEASURED


def _pace_of_burst(exchange: Exchange, cadence: Cadence, expected: bool | None, *, sized: bool) -> Pace:
    if expected is not True:
        return Pace.BURST if expected is None and sized else Pace.UNMEASURED
    own = exchange.media_type == EVENT_STREAM_TYPE
    joined = own and not sized and cadence.has_early_headers and exchange.body_size < JOINED_BYTES
    return Pace.JOINED if joined else Pace.BURST


def held_back(exchanges: Iterable[Exchange], expected: bool | None) -> tuple[Exchange, Pace] | None:
    """The answer that shows best that events did not come one by one: a burst before a length, and that before a body.

    Where streaming is expected, only tool calls count, because only they were asked to report progress. An opening
    never does: it waits for an instance to start, which says nothing about the time between its events.
    """
    counted = [
        each
        for each in exchanges
        if each.rpc_method == "tools/call" or (expected is None and each.rpc_method not in _OPENINGS)
    ]
    for pace in (Pace.BURST, Pace.SIZED, Pace.ONE_BODY, Pace.JOINED):
        for exchange in counted:
            if pace_of(exchange, expected) is pace:
                return exchange, pace
    return None


def first_wait_ms(opening: Opening) -> float | None:
    """How long the server kept the very first request of the probe waiting: the one that a cold start delays."""
    return opening.exchanges[0].timings.wait_ms if opening.exchanges else None


def first_answer_ms(opening: Opening) -> float | None:
    """How long a client would have waited for the first byte of the very first answer, its connection included."""
    return opening.exchanges[0].timings.first_byte_ms if opening.exchanges else None
