"""Cold starts, suspected from what a client can time, and those that outlast the patience of clients."""

from typing import Final

from checks.instances import woken
from checks.model import Effect, Evidence
from checks.proofs import milliseconds
from checks.reproduce import curl
from checks.unit import Cause, detector

KEEP_WARM: Final = (
    "keep instances warm with provisioned concurrency on the alias that the URL points at, use SnapStart (Java, "
    "Python, .NET), or import less at start.\n"
    "  aws lambda put-provisioned-concurrency-config --function-name NAME --qualifier ALIAS "
    "--provisioned-concurrent-executions 1"
)
_FIX: Final = f"Nothing is broken. Where clients give up before the server is ready: {KEEP_WARM}"
_OTHERWISE: Final = (
    "Opening costs this server more than other requests (a session table, a token check): then every first wait is "
    "this long, and the baseline of a few probes says so.",
    "A deploy replaced the instances: then the first probe of each version is slow.",
)


@detector("cold-start", effect=Effect.INFORMATION)
def cold_start(evidence: Evidence) -> Cause | None:
    """The first request of the probe waited much longer than a warm instance takes: it likely woke a new one.

    Suspected from outside. The REPORT line of the function's log (`Init Duration`) would confirm it.
    """
    found = woken(evidence)
    if found is None:
        return None
    waited = milliseconds(found.wait_ms)
    return Cause(
        confidence=found.confidence,
        summary=f"This probe likely woke a new instance: the first request waited {waited}, {found.compared}.",
        evidence=found.proofs,
        fix=_FIX,
        reproduce=curl(evidence.opening.exchanges[0], insecure=not evidence.endpoint.verify_tls),
        alternatives=_OTHERWISE,
    )
