"""Cold starts, suspected from what a client can time, and those that outlast the patience of clients.

Source: AWS Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle"; `checks.instances` names
those of single headers.
"""

from datetime import timedelta
from typing import Final

from checks.instances import woken
from checks.model import Effect, Evidence, Proof
from checks.proofs import counted, milliseconds
from checks.reproduce import curl
from checks.timing import first_answer_ms
from checks.tool_lists import latest_deploy
from checks.tool_memory import WARMING
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

RECENT: Final = timedelta(days=1)
"""A cold start longer ago says little about the version that runs now, and whoever mended it need not wait longer."""

LATEST: Final = 5
"""Cold starts of that time that are looked at."""

ENOUGH: Final = 2
"""How many of these must have taken too long, and half of them at least: one may be a blip of the platform."""


@detector("cold-start", effect=Effect.INFORMATION, timed=True)
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


@detector("cold-start-exceeds-timeout", effect=Effect.DEGRADED, timed=True)
def cold_start_exceeds_timeout(evidence: Evidence) -> Cause | None:
    """Cold starts take longer than the clients of this endpoint wait: who wakes an instance gets no answer in time.

    It stands while the cold starts of the last day say so, also between them: what clients meet at the next one has
    not changed because this probe met a warm instance.
    """
    patience = evidence.endpoint.client_timeout_s
    if patience is None or not evidence.opening.established:
        return None
    cold = _cold_answers_ms(evidence)[-LATEST:]
    late = [each for each in cold if each > patience * 1000]
    if len(late) < ENOUGH or 2 * len(late) < len(cold):
        return None
    return Cause(
        confidence=0.75,
        summary=f"{len(late)} of the last {counted(len(cold), 'cold start')} took longer than the {patience:g} s that "
        f"clients wait, the longest {milliseconds(max(late))}: a client that wakes an instance gives up.",
        evidence=(
            Proof(text=f"from connecting to the first byte: {', '.join(milliseconds(each) for each in cold)}"),
            Proof(text=f"client_timeout {patience:g} s"),
        ),
        fix=f"Make cold starts shorter, or rare: {KEEP_WARM}",
        reproduce=curl(evidence.opening.exchanges[0], insecure=not evidence.endpoint.verify_tls),
        alternatives=(
            "Something else than an instance was slow at those moments: then the function's log shows no Init Duration "
            "for them.",
        ),
    )


def _cold_answers_ms(evidence: Evidence) -> list[float]:
    """How long the recent cold starts kept a client waiting, oldest first, those of this probe and its burst last.

    Those soon after a deploy are no measure: every instance is new then, and provisioned ones are on their way.
    """
    at, deploys = evidence.opening.exchanges[0].started_at, evidence.history.tools.deploys
    recent = [
        each.answer_ms
        for each in evidence.history.cold_starts
        if at - each.at <= RECENT and not any(timedelta() <= each.at - deploy.at <= WARMING for deploy in deploys)
    ]
    if latest_deploy(evidence) is not None:
        return recent
    now, burst = first_answer_ms(evidence.opening), evidence.result("cold_starts")
    met = [] if now is None or woken(evidence) is None else [now]
    return [*recent, *met, *(() if burst is None else burst.facts.get("cold_ms", ()))]
