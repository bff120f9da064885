"""An endpoint whose warm answers take too long, seen over several probes and never in one.

Source: none but the endpoint's own past; the bounds are stated in `checks.baseline`.
"""

from dataclasses import dataclass
from statistics import median
from typing import Final

from checks.instances import limit_ms, woken
from checks.model import Effect, Evidence, Exchange, Failure, Proof
from checks.proofs import milliseconds
from checks.reproduce import curl
from checks.timing import first_wait_ms
from checks.tool_lists import latest_deploy
from checks.unit import Cause, detector

RECENT: Final = 5
"""Warm probes that are looked at, this one among them."""

SLOW_AMONG_RECENT: Final = 4
"""How many of them must have been slow: one that was not does not end it, and one that was does not begin it."""

ENOUGH_BASELINE: Final = 4
"""Half hours of the past from which on it says what is usual."""

RATIO: Final = 2.0
"""Against its own past, an endpoint is slow only where it takes this many times as long."""

LEAST_RISE_MS: Final = 250.0
"""And so much longer: by less, no client feels it, and the load of a morning makes it out of a quiet night's past."""

_FIX: Final = (
    "Look at the function's Duration metric: where it rose as well, the function or what it calls is slower (a "
    "database, another service); more memory gives it more CPU:\n"
    "  aws lambda update-function-configuration --function-name NAME --memory-size 1769\n"
    "Where Duration did not rise, time is lost before the function: an authorizer, a gateway, a proxy.\n"
    "Set `slow_after` of the endpoint to the wait that you accept; it then counts instead of the past."
)
_OTHERWISE: Final = (
    "The way between the prober and the endpoint became longer: then probes from another location take as long as "
    "before.",
    "A new version does more work per request: then it began with a deploy and stays.",
)


@dataclass(frozen=True, slots=True)
class _Measure:
    """From which wait on the endpoint is slow, and why there."""

    limit_ms: float
    text: str
    confidence: float


@detector("slow", effect=Effect.DEGRADED, timed=True)
def slow(evidence: Evidence) -> Cause | None:
    """Warm answers take longer than the endpoint's limit, or far longer than they used to, in probe after probe.

    What is measured is the wait for the first answer of each probe, without name lookup and connection, and without
    cold starts.
    """
    measure = _measure(evidence)
    wait = first_wait_ms(evidence.opening)
    if measure is None or wait is None or not is_observed(evidence) or woken(evidence) is not None:
        return None
    first = evidence.opening.exchanges[0]
    recent = (*evidence.history.warm_wait_ms, wait)[-RECENT:]
    beyond = sum(each > measure.limit_ms for each in recent)
    if len(recent) < RECENT or beyond < SLOW_AMONG_RECENT or _own_share_ms(first, wait) <= measure.limit_ms:
        return None
    if latest_deploy(evidence) is not None:
        return None  # `deploy-warming` says it, as information
    return Cause(
        confidence=measure.confidence,
        summary=f"Slow while warm: {beyond} of the last {RECENT} probes waited longer than {measure.text}, "
        f"{milliseconds(median(recent))} in the middle.",
        evidence=(
            Proof(text=f"this probe waited {milliseconds(wait)} for its first answer", exchange=first.id),
            Proof(text=f"the last {RECENT} warm waits: {', '.join(milliseconds(each) for each in recent)}"),
            Proof(text=f"limit {milliseconds(measure.limit_ms)}: {measure.text}"),
        ),
        fix=_FIX,
        reproduce=curl(first, insecure=not evidence.endpoint.verify_tls),
        alternatives=_OTHERWISE,
    )


def _measure(evidence: Evidence) -> _Measure | None:
    """The owner's limit where there is one, else that of the endpoint's own past."""
    if evidence.endpoint.slow_after_s is not None:
        limit = evidence.endpoint.slow_after_s * 1000
        return _Measure(limit, f"the {milliseconds(limit)} that its owner accepts", 0.85)
    usual = evidence.history.usual_wait_ms
    if len(usual) < ENOUGH_BASELINE:
        return None
    middle = median(usual)
    limit = max(limit_ms(usual), RATIO * middle, middle + LEAST_RISE_MS)
    return _Measure(limit, f"{milliseconds(limit)}, against {milliseconds(middle)} usually", 0.7)


def is_observed(evidence: Evidence) -> bool:
    """Whether we could look well enough: a prober in trouble finds everything slow."""
    return evidence.opening.established and not any(
        each.transport_error is not None and each.transport_error.failure is Failure.OBSERVER
        for each in evidence.exchanges
    )


def _own_share_ms(first: Exchange, wait: float) -> float:
    """The wait without one round trip, which is what connecting took: a longer way is not the endpoint's doing."""
    return wait - (first.timings.connect_ms or 0.0)
