"""A gateway's patience: it gave up waiting for the function.

Sources: API Gateway Developer Guide, "Quotas for configuring and running a REST API" (29 s, and more by quota) and
"Quotas for HTTP APIs" (30 s); CloudFront Developer Guide, "Response timeout" (30 s, up to 180 by quota); Elastic Load
Balancing, "Connection idle timeout" (60 s). That an HTTP API says 503 at its limit has been reported, not documented.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from checks.detectors.scene import Scene, scene
from checks.front_door import FrontDoor
from checks.model import Effect, Evidence, Proof
from checks.plateaus import is_at_whole_seconds, round_trip_ms, server_wait_ms
from checks.proofs import counted, milliseconds
from checks.symptoms import Symptom, is_tool_call, troubled
from checks.unit import Cause, detector

_LIMITS_S: Final[Mapping[FrontDoor, tuple[float, ...]]] = {
    FrontDoor.REST_API: (29.0,),
    FrontDoor.HTTP_API: (30.0,),
    FrontDoor.CLOUDFRONT: (30.0, 60.0),
    FrontDoor.ALB: (60.0,),
}
"""What is set where nobody has set anything, or set the most that needs no quota."""

_NEAR_MS: Final = 500.0
_AT_ONCE_MS: Final = 300.0
"""Nothing is waited for as briefly as this: who refuses so fast has not waited."""

_ALIKE_MS: Final = 100.0
_ALIKE_SHARE: Final = 0.04
"""How far apart waits may lie that the same limit ended."""

_STREAM_FROM_URL: Final = """\
  aws lambda create-function-url-config --function-name NAME --auth-type AUTH --invoke-mode RESPONSE_STREAM
  # SAM: FunctionUrlConfig: { AuthType: AUTH, InvokeMode: RESPONSE_STREAM }
  # CDK: fn.addFunctionUrl({ invokeMode: lambda.InvokeMode.RESPONSE_STREAM })"""

_FIXES: Final[Mapping[FrontDoor, str]] = {
    FrontDoor.REST_API: """\
Make the answer faster than the limit, or stream it, which the limit then concerns up to the first byte only:
  # CDK: new apigateway.LambdaIntegration(fn, { responseTransferMode: apigateway.ResponseTransferMode.STREAM })
  # OpenAPI and SAM: responseTransferMode: STREAM in x-amazon-apigateway-integration
Or raise the limit of a Regional or private API, after its quota:
  aws apigateway update-integration --rest-api-id ID --resource-id RESOURCE --http-method POST \\
    --patch-operations op=replace,path=/timeoutInMillis,value=60000
  aws apigateway create-deployment --rest-api-id ID --stage-name STAGE""",
    FrontDoor.HTTP_API: "Make the answer faster than 30 s, which nobody can have raised for an HTTP API, or leave the "
    f"HTTP API for a Function URL that streams:\n{_STREAM_FROM_URL}",
    FrontDoor.CLOUDFRONT: """\
Raise the origin's response timeout, which also limits the pauses within a stream, or send something sooner (an SSE
comment will do):
  aws cloudfront update-distribution --id ID …   # Origins.Items[].CustomOriginConfig.OriginReadTimeout
  # CDK: new origins.FunctionUrlOrigin(url, { readTimeout: Duration.seconds(60) })""",
    FrontDoor.ALB: """\
Make the answer faster, or raise the idle timeout:
  aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN \\
    --attributes Key=idle_timeout.timeout_seconds,Value=120
  # CDK: new elbv2.ApplicationLoadBalancer(…, { idleTimeout: Duration.seconds(120) })""",
}
_OTHER_FIX: Final = f"Make the answer faster than the limit, or stream it from a Function URL:\n{_STREAM_FROM_URL}"

_NOT_READY: Final = "An adapter that never becomes ready: then every method takes as long, OPTIONS too."
_EMPTY: Final = (
    "A streaming adapter that does not end an answer without a body (202, 204): then only notifications take so long."
)
_AT_ONCE: Final = (
    "The service behind the gateway is not there, or takes no more requests: 503 at once, not near a limit, is no "
    "matter of time. The integration's error stands in the gateway's access log ($context.integrationErrorMessage)."
)


@detector("gateway-timeout", effect=Effect.DOWN)
def gateway_timeout(evidence: Evidence) -> Cause | None:
    """The gateway gave up waiting for the function."""
    found = scene(evidence, Symptom.GATEWAY_TIMEOUT)
    if found is None:
        return None
    waits = _waits(evidence)
    last = server_wait_ms(found.exchange)
    limit = _known_limit(found.door, last)
    which = f", which is near its limit of {limit:g} s" if limit is not None else ""
    return found.cause(
        _confidence(evidence, waits, last, limit),
        f"{found.who} gives up on {found.asked} with HTTP {found.exchange.status} after {milliseconds(last)}{which}.",
        _FIXES.get(found.door, _OTHER_FIX),
        proofs=_proofs(found, waits),
        alternatives=(
            *((_AT_ONCE,) if last < _AT_ONCE_MS else ()),
            _NOT_READY,
            *((_EMPTY,) if found.door is FrontDoor.CLOUDFRONT else ()),
        ),
    )


def _waits(evidence: Evidence) -> tuple[float, ...]:
    """How long each request waited that the gateway gave up on; tools take what time they like."""
    return tuple(
        server_wait_ms(exchange)
        for exchange, symptom in troubled(evidence)
        if symptom is Symptom.GATEWAY_TIMEOUT and not is_tool_call(exchange)
    )


def _known_limit(door: FrontDoor, wait_ms: float) -> float | None:
    return next((each for each in _LIMITS_S.get(door, ()) if abs(wait_ms - 1000 * each) <= _NEAR_MS), None)


def _is_plateau(waits: Sequence[float]) -> bool:
    """Whether several requests were given up on after the same wait."""
    alike = max(_ALIKE_MS, _ALIKE_SHARE * max(waits))
    return len(waits) > 1 and min(waits) >= _AT_ONCE_MS and max(waits) - min(waits) <= alike


def _confidence(evidence: Evidence, waits: Sequence[float], last: float, limit: float | None) -> float:
    """Surest where the wait is the limit's own, or the same each time; a refusal at once shows no limit at all."""
    if limit is not None:
        return 0.95
    if last < _AT_ONCE_MS:
        return 0.5
    settled = _is_plateau(waits) or is_at_whole_seconds(last, round_trip_ms(evidence.exchanges))
    return 0.85 if settled else 0.75


def _proofs(found: Scene, waits: Sequence[float]) -> tuple[Proof, ...]:
    if not _is_plateau(waits):
        return (Proof(text=f"given up on after {milliseconds(waits[-1])}", exchange=found.exchange.id),)
    each = ", ".join(milliseconds(wait) for wait in waits)
    return (Proof(text=f"{counted(len(waits), 'request')} given up on after the same wait: {each}"),)
