"""Causes of a 429: who counts, and what has run out.

Sources: Lambda API reference, `TooManyRequestsException` (its `Reason`); Lambda Developer Guide, "Invoking Lambda
function URLs"; API Gateway Developer Guide, "Gateway response types". How a Function URL words its 429 is inferred.
"""

from collections.abc import Mapping
from typing import Final

from checks.detectors.scene import Scene, scene
from checks.front_door import FrontDoor
from checks.messages import error_of
from checks.model import Effect, Evidence
from checks.proofs import header_proof
from checks.symptoms import Symptom, body_json, error_message, error_type
from checks.text import clean
from checks.unit import Cause, detector

_RESERVED: Final = """\
If it is always so, the function's reserved concurrency is 0 (somebody switched it off):
  aws lambda get-function-concurrency --function-name NAME
  aws lambda delete-function-concurrency --function-name NAME
  # SAM: ReservedConcurrentExecutions, CDK: reservedConcurrentExecutions
If it comes and goes, raise it: every request in progress takes one, and so does every open stream."""

_ACCOUNT: Final = """\
All functions of the account share one limit per Region. Reserve a part for this one, or have the limit raised:
  aws lambda put-function-concurrency --function-name NAME --reserved-concurrent-executions N
  aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value N"""

_RATE: Final = (
    "A function takes ten requests a second for each unit of its concurrency: raise that, or ask more slowly."
)

_SNAPSHOT: Final = "SnapStart makes too many snapshots at once: wait, and deploy less often."

_STAGE_REST: Final = """\
Raise the stage's or the method's throttle, or that of the usage plan:
  aws apigateway update-stage --rest-api-id ID --stage-name STAGE \\
    --patch-operations 'op=replace,path=/*/*/throttling/rateLimit,value=N'
  # CDK: deployOptions: { throttlingRateLimit: N, throttlingBurstLimit: N }"""

_STAGE_HTTP: Final = """\
Raise the stage's throttle:
  aws apigatewayv2 update-stage --api-id ID --stage-name STAGE \\
    --default-route-settings ThrottlingRateLimit=N,ThrottlingBurstLimit=N
  # SAM: DefaultRouteSettings: { ThrottlingRateLimit: N, ThrottlingBurstLimit: N }"""

_QUOTA: Final = """\
The API key's usage plan has a quota per day, week or month, and it is spent:
  aws apigateway get-usage --usage-plan-id ID --start-date DATE --end-date DATE
  aws apigateway update-usage-plan --usage-plan-id ID --patch-operations op=replace,path=/quota/limit,value=N"""

_BY_REASON: Final[Mapping[str, tuple[str, str]]] = {
    "ReservedFunctionConcurrentInvocationLimitExceeded": ("the function's reserved concurrency", _RESERVED),
    "ReservedFunctionInvocationRateLimitExceeded": ("the rate that its reserved concurrency allows", _RATE),
    "FunctionInvocationRateLimitExceeded": ("the function's rate", _RATE),
    "CallerRateLimitExceeded": ("the caller's rate", _RATE),
    "ConcurrentInvocationLimitExceeded": ("the account's concurrency", _ACCOUNT),
    "ConcurrentSnapshotCreateLimitExceeded": ("the making of snapshots", _SNAPSHOT),
}
"""Lambda's reasons, with what has run out and what helps."""

_FUNCTION: Final = (
    "Reserved concurrency that is used up, or 0 (then it is always so): the function's metric Throttles counts."
)
_GATEWAY: Final = "The gateway's stage throttle or usage plan: then the function's Throttles stay at 0."
_APPLICATION: Final = "A rate limit of the application: then the function's Invocations count the request."


@detector("throttled", effect=Effect.DOWN)
def throttled(evidence: Evidence) -> Cause | None:
    """Lambda or the gateway turns the request away with 429: no concurrency or quota is left for it."""
    found = scene(evidence, Symptom.THROTTLED, tool_calls=True)
    if found is None:
        return None
    error = error_of(found.exchange)
    said = error_message(found.exchange) or (error.message if error else "") or "no reason given"
    confidence, spent, fix, otherwise = _counted_by(found)
    return found.cause(
        confidence,
        f"HTTP 429 to {found.asked}{spent}: {clean(said, 120)}.",
        fix,
        proofs=(*header_proof(found.exchange, "x-amzn-errortype"), *header_proof(found.exchange, "retry-after")),
        alternatives=otherwise,
    )


def _counted_by(found: Scene) -> tuple[float, str, str, tuple[str, ...]]:
    """How sure it is who counts, what has run out (as words of the summary), what helps, and who else may count."""
    if error_of(found.exchange) is not None:
        return 0.7, "", "Ask the server less often, or raise its own limit.", (_GATEWAY, _FUNCTION)
    named = _BY_REASON.get(_reason_of(found))
    if named is not None:
        spent, fix = named
        used_up = "Reserved concurrency that is merely used up, and not 0: then it comes and goes with the load."
        return 0.95, f", {spent} is used up", fix, (used_up,) if fix is _RESERVED else (_FUNCTION,)
    if error_type(found.exchange) == "LimitExceededException":
        return 0.9, ", a usage plan's quota is spent", _QUOTA, (_APPLICATION,)
    if found.door is FrontDoor.REST_API and found.exchange.header("x-amzn-trace-id") is None:
        return 0.9, " of the REST API", _STAGE_REST, ("A rate rule of AWS WAF: its sampled requests name it.",)
    if found.door is FrontDoor.HTTP_API:
        return 0.8, " of the HTTP API", _STAGE_HTTP, (_APPLICATION, _FUNCTION)
    return 0.8, "", _RESERVED, (_FUNCTION, _GATEWAY, _APPLICATION)


def _reason_of(found: Scene) -> str:
    """The limit that Lambda names in the body."""
    body = body_json(found.exchange)
    members = body if isinstance(body, dict) else {}
    reason = next((each for name, each in members.items() if name.lower() == "reason"), "")
    return reason if isinstance(reason, str) else ""
