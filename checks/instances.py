"""What a probe shows about the instance that answered it: woken, new, or one that had answered before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from statistics import median
from typing import Final

from checks.front_door import LAMBDA_DOORS, FrontDoor, front_door_of
from checks.http_date import read_date
from checks.model import Evidence, Exchange, History, Proof
from checks.proofs import header_proof, milliseconds
from checks.symptoms import is_tool_call
from checks.text import clean
from checks.timing import first_wait_ms

EXCESS_MS: Final = 100.0
"""The least by which a wait stands out; smaller ones drown in the network's own variation."""

DEVIATIONS: Final = 6.0
"""How many median absolute deviations above the median count as out of the ordinary."""

ENOUGH_HISTORY: Final = 5
"""Warm probes from which on the past is a better measure than the next request."""

ALONE_EXCESS_MS: Final = 150.0
ALONE_RATIO: Final = 3.0
"""Without a past, the first wait must be this many times the next one: an opening may simply cost more."""

IDLE_AFTER_S: Final = 300.0
"""Lambda says nowhere how long an idle instance lives; after so long it may well be gone."""

TOO_OFTEN: Final = 5
OFTEN_WITHIN: Final = 8
"""So many cold starts among so many probes, of an endpoint that is kept awake, are none."""

STALE_AFTER_S: Final = 2.0
"""Web servers refresh their Date every second. An older one was made before the instance was frozen."""

OLDEST_THAW_S: Final = 86_400.0
"""No instance is kept that long. An older Date comes out of a snapshot that was restored (SnapStart)."""

LOG_STREAM: Final = "lambda-web-logstream"
"""Names the log stream of the instance. Lambda developer guide, "Web functions", response headers."""

SUREST: Final = 0.85
"""What timing and headers can make certain at most; only the function's log knows."""


_Measure = tuple[str, tuple[str, ...], float]
"""What a wait was compared with, in words; the figures behind it; the confidence that follows."""


class Age(Enum):
    """What the answer's headers tell about the instance."""

    UNTOLD = auto()
    THAWED = auto()
    """It was there before this probe."""
    FRESH = auto()
    """The application's clock runs: the instance is new, or was at work a moment ago."""
    OTHER = auto()
    """Another instance than those that answered before."""


_MORE: Final = {Age.FRESH: 0.05, Age.OTHER: 0.15}
_MORE_AFTER_IDLING: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken:
    """Why a probe likely met a cold start."""

    wait_ms: float
    compared: str
    """What the wait is measured by, in words."""
    proofs: tuple[Proof, ...]
    confidence: float


def limit_ms(usual: Sequence[float]) -> float:
    """From which wait on one is out of the ordinary: far above the median, by the spread of the others."""
    middle = median(usual)
    spread = median(abs(each - middle) for each in usual)
    return middle + max(EXCESS_MS, DEVIATIONS * spread)


def woken(evidence: Evidence) -> Woken | None:
    """The cold start that the probe likely met, or None where an instance was there, or nothing can be said.

    Only the wait between request and first byte is read, so a slow name server, connection or TLS handshake says
    nothing. The waits after it on the same connection tell a cold start from a slow server.
    """
    wait = first_wait_ms(evidence.opening)
    if wait is None or not evidence.opening.established:
        return None
    first = evidence.opening.exchanges[0]
    if front_door_of(first) not in LAMBDA_DOORS:
        return None
    age = age_of(first, evidence.history.log_streams)
    if age is Age.THAWED or _comes_every_time(evidence, first):
        return None
    warm = evidence.history.warm_wait_ms
    nexts = waits_when_warm(each for each in evidence.exchanges if each.id != first.id)
    measure = _by_history(wait, warm, nexts) if len(warm) >= ENOUGH_HISTORY else _by_next(wait, nexts)
    if measure is None:
        return None
    compared, texts, confidence = measure
    idle = _idle_proofs(evidence, first)
    more = _MORE.get(age, 0.0) + (_MORE_AFTER_IDLING if idle else 0.0)
    waited = Proof(text=f"first wait {milliseconds(wait)}, from request sent to first byte", exchange=first.id)
    return Woken(
        wait_ms=wait,
        compared=compared,
        proofs=(waited, *(Proof(text=text) for text in texts), *_age_proofs(first, age), *idle),
        confidence=min(SUREST, confidence + more),
    )


def age_of(exchange: Exchange, log_streams: Sequence[str] = ()) -> Age:
    """What the headers of an answer tell about its instance; `log_streams` are those of earlier instances.

    A Function URL passes the application's own Date on as `x-amzn-Remapped-Date`, and a frozen instance keeps the one
    that it had. That is observed with uvicorn behind the Lambda Web Adapter, and nowhere documented.
    """
    stream = log_stream(exchange)
    if stream is not None and log_streams:
        return Age.THAWED if stream in log_streams else Age.OTHER
    behind = _seconds_behind(exchange)
    if behind is None or behind > OLDEST_THAW_S:
        return Age.UNTOLD
    # A busy application may not have come to look at the clock since the request arrived.
    return Age.THAWED if behind > STALE_AFTER_S + (exchange.timings.wait_ms or 0.0) / 1000 else Age.FRESH


def log_stream(exchange: Exchange) -> str | None:
    """The log stream of the instance that answered, where the front door tells it."""
    if front_door_of(exchange) is not FrontDoor.WEB_FUNCTION:
        return None
    return clean(exchange.header(LOG_STREAM) or "", 200) or None


def _by_history(wait: float, warm: Sequence[float], nexts: Sequence[float]) -> _Measure | None:
    limit = limit_ms(warm)
    if wait <= limit or (nexts and min(nexts) > limit):
        return None
    usual = milliseconds(median(warm))
    text = f"usual first wait {usual} (median of {len(warm)} warm probes), limit {milliseconds(limit)}"
    return f"against {usual} usually", (text, *_said(nexts)), 0.7 if nexts else 0.6


def _by_next(wait: float, nexts: Sequence[float]) -> _Measure | None:
    if not nexts:
        return None
    fastest = min(nexts)
    if wait < fastest + ALONE_EXCESS_MS or wait < fastest * ALONE_RATIO:
        return None
    return f"against {milliseconds(fastest)} right after it", _said(nexts), 0.5


def waits_when_warm(exchanges: Iterable[Exchange]) -> tuple[float, ...]:
    """The waits of requests on a kept connection, which an instance had answered before. A tool's own work is no
    measure of the instance."""
    return tuple(
        wait
        for exchange in exchanges
        if exchange.reused_connection and not is_tool_call(exchange)
        if (wait := exchange.timings.wait_ms) is not None
    )


def _said(nexts: Sequence[float]) -> tuple[str, ...]:
    if not nexts:
        return ()
    return (f"fastest later wait on the same connection {milliseconds(min(nexts))} ({len(nexts)} measured)",)


def _age_proofs(first: Exchange, age: Age) -> tuple[Proof, ...]:
    if age is Age.OTHER:
        return header_proof(first, LOG_STREAM)
    return header_proof(first, _REMAPPED_DATE) if age is Age.FRESH else ()


def idle_s(history: History, first: Exchange) -> float | None:
    """For how long nobody of us had kept an instance at work when the request went out; None where that is unknown."""
    return None if history.answered_at is None else (first.started_at - history.answered_at).total_seconds()


def _idle_proofs(evidence: Evidence, first: Exchange) -> tuple[Proof, ...]:
    idle = idle_s(evidence.history, first)
    if idle is None or idle < IDLE_AFTER_S:
        return ()
    return (Proof(text=f"{idle / 60:,.0f} minutes after the probe before it"),)


def _comes_every_time(evidence: Evidence, first: Exchange) -> bool:
    """Whether probe after probe was taken for a cold start: no instance is gone again so soon and so often.

    Then opening a conversation is what costs the time, and counts as this server's usual wait from now on.
    """
    idle = idle_s(evidence.history, first)
    if idle is None or idle >= IDLE_AFTER_S:
        return False
    span_s = OFTEN_WITHIN * evidence.endpoint.interval_s
    lately = [each for each in evidence.history.cold_starts if (first.started_at - each.at).total_seconds() <= span_s]
    return len(lately) >= TOO_OFTEN


_REMAPPED_DATE: Final = "x-amzn-remapped-date"


def _seconds_behind(exchange: Exchange) -> float | None:
    """By how much the application's Date is older than the front door's; None where one of them is not there."""
    theirs, own = read_date(exchange.header(_REMAPPED_DATE)), read_date(exchange.header("date"))
    if theirs is None or own is None:
        return None
    return (own - theirs).total_seconds()
