"""Answers that end too soon or never, as far as the clock shows it: a function's time limit cuts streams off.

Lambda has sent status and headers by then, so that all a client sees is a stream that breaks off after a whole number
of seconds: no error page, no last event.
"""

from dataclasses import dataclass
from typing import Final

from checks.model import Evidence, Exchange, Failure
from checks.plateaus import is_at_whole_seconds, round_trip_ms
from checks.symptoms import STREAM_ERROR_MARK, Symptom, troubled

_ALIKE_MS: Final = 100.0
_HANGS_MS: Final = 250.0
"""The end of an answer without a body is sent right behind its headers; a packet on the way may be late by less."""

_BROKEN: Final = frozenset({Failure.CONNECTION_LOST, Failure.PROTOCOL})


@dataclass(frozen=True, slots=True)
class Cut:
    """Streams that were cut after the same time, which is a whole number of seconds."""

    exchanges: tuple[Exchange, ...]
    after_ms: float
    """From the request's last byte to the end of the first of them."""

    @property
    def confidence(self) -> float:
        """One stream may end at whole seconds by chance."""
        return 0.85 if len(self.exchanges) > 1 else 0.6


def cut_at_limit(evidence: Evidence) -> Cut | None:
    """The streams that a time limit cut off, or None where none was, or one of the others ended otherwise."""
    ended = [each for each, symptom in troubled(evidence) if symptom is Symptom.STREAM_TRUNCATED]
    if not ended or not all(_was_cut(each) for each in ended):
        return None
    lasted = [_lasted_ms(each) for each in ended]
    away = round_trip_ms(evidence.exchanges)
    alike = max(lasted) - min(lasted) <= _ALIKE_MS
    return Cut(tuple(ended), lasted[0]) if alike and all(is_at_whole_seconds(each, away) for each in lasted) else None


def _was_cut(exchange: Exchange) -> bool:
    """Whether the connection ended in the stream, instead of the stream on the connection."""
    broken = exchange.transport_error is not None and exchange.transport_error.failure in _BROKEN
    return broken and STREAM_ERROR_MARK not in exchange.body


def _lasted_ms(exchange: Exchange) -> float:
    return exchange.timings.total_ms - (exchange.timings.sent_ms or 0.0)


def never_ends(exchange: Exchange) -> bool:
    """Whether a notification was taken, and its answer, which has no body, has not ended as long as we waited.

    Near the probe's deadline we wait only briefly. So it must have hung for longer than its headers took to come.
    Source: aws-lambda-web-adapter and the Node.js runtime client, whose older releases never end an empty stream.
    """
    late = exchange.transport_error is not None and exchange.transport_error.failure is Failure.DEADLINE
    taken = exchange.status is not None and 200 <= exchange.status < 300
    is_notification = exchange.rpc_method is not None and exchange.rpc_id is None
    hung_ms = exchange.timings.total_ms - (exchange.timings.first_byte_ms or 0.0)
    hangs = hung_ms >= max(_HANGS_MS, exchange.timings.wait_ms or 0.0)
    return late and taken and is_notification and not exchange.body_size and hangs
