"""Cold starts, suspected from what a client can time."""

from collections.abc import Sequence
from statistics import median
from typing import Final

from checks.front_door import LAMBDA_DOORS, front_door_of
from checks.model import Effect, Evidence, Exchange, Proof
from checks.proofs import milliseconds
from checks.reproduce import curl
from checks.symptoms import is_tool_call
from checks.timing import first_wait_ms
from checks.unit import Cause, detector

EXCESS_MS: Final = 100.0
"""The least by which a cold start stands out; smaller ones drown in the network's own variation."""

DEVIATIONS: Final = 6.0
"""How many median absolute deviations above the warm median count as out of the ordinary."""

ENOUGH_HISTORY: Final = 5
"""Warm probes from which on the past is a better measure than the next request."""

ALONE_EXCESS_MS: Final = 150.0
ALONE_RATIO: Final = 3.0
"""Without a past, the first wait must be this many times the next one: an opening may simply cost more."""

_FIX: Final = (
    "Nothing is broken. Where clients give up before the server is ready: keep instances warm with provisioned "
    "concurrency on the alias that the URL points at, use SnapStart (Java, Python, .NET), or import less at start.\n"
    "  aws lambda put-provisioned-concurrency-config --function-name NAME --qualifier ALIAS "
    "--provisioned-concurrent-executions 1"
)
_OTHERWISE: Final = (
    "Opening costs this server more than other requests (a session table, a token check): then every first wait is "
    "this long, and the baseline of a few probes says so.",
    "A deploy replaced the instances: then the first probe of each version is slow.",
)


@detector("cold-start", effect=Effect.INFORMATION)
def cold_start(evidence: Evidence) -> Cause | None:
    """The first request of the probe waited much longer than a warm instance takes: it likely woke a new one.

    Only the wait between request and first byte is read, so a slow name server, connection or TLS handshake says
    nothing. The REPORT line of the function's log (`Init Duration`) would confirm it.
    """
    exchanges = evidence.opening.exchanges
    wait = first_wait_ms(evidence.opening)
    if wait is None or not evidence.opening.established or front_door_of(exchanges[0]) not in LAMBDA_DOORS:
        return None
    warm = evidence.history.warm_wait_ms
    nexts = _next_waits(evidence, exchanges[0])
    if len(warm) >= ENOUGH_HISTORY:
        return _against_history(evidence, wait, warm, nexts)
    return _against_next(evidence, wait, nexts)


def _against_history(evidence: Evidence, wait: float, warm: Sequence[float], nexts: Sequence[float]) -> Cause | None:
    usual = median(warm)
    spread = median(abs(each - usual) for each in warm)
    limit = usual + max(EXCESS_MS, DEVIATIONS * spread)
    if wait <= limit or (nexts and min(nexts) > limit):
        return None
    text = f"usual first wait {milliseconds(usual)} (median of {len(warm)} warm probes), limit {milliseconds(limit)}"
    compared = f"against {milliseconds(usual)} usually"
    return _cause(evidence, wait, compared, (text, *_said(nexts)), 0.7 if nexts else 0.6)


def _against_next(evidence: Evidence, wait: float, nexts: Sequence[float]) -> Cause | None:
    if not nexts:
        return None
    fastest = min(nexts)
    if wait < fastest + ALONE_EXCESS_MS or wait < fastest * ALONE_RATIO:
        return None
    return _cause(evidence, wait, f"against {milliseconds(fastest)} right after it", _said(nexts), 0.5)


def _cause(evidence: Evidence, wait: float, compared: str, texts: Sequence[str], confidence: float) -> Cause:
    first = evidence.opening.exchanges[0]
    return Cause(
        confidence=confidence,
        summary=f"This probe likely woke a new instance: the first request waited {milliseconds(wait)}, {compared}.",
        evidence=(
            Proof(text=f"first wait {milliseconds(wait)}, from request sent to first byte", exchange=first.id),
            *(Proof(text=text) for text in texts),
        ),
        fix=_FIX,
        reproduce=curl(first, insecure=not evidence.endpoint.verify_tls),
        alternatives=_OTHERWISE,
    )


def _next_waits(evidence: Evidence, first: Exchange) -> tuple[float, ...]:
    """The waits of later requests on the kept connection. A tool's own work is no measure of the instance."""
    return tuple(
        wait
        for exchange in evidence.exchanges
        if exchange.id != first.id and exchange.reused_connection and not is_tool_call(exchange)
        if (wait := exchange.timings.wait_ms) is not None
    )


def _said(nexts: Sequence[float]) -> tuple[str, ...]:
    if not nexts:
        return ()
    return (f"fastest later wait on the same connection {milliseconds(min(nexts))} ({len(nexts)} measured)",)
