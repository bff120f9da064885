"""Failures of what stands around a function, which front doors tell with the same kind of page: no function ran.

Sources: API Gateway Developer Guide, "Gateway response types" (AUTHORIZER_CONFIGURATION_ERROR, INTEGRATION_FAILURE);
Elastic Load Balancing, "Troubleshoot your Application Load Balancers"; CloudFront Developer Guide, "HTTP 502 status
code" and "HTTP 503 status code". That a REST API says 500, and not 502, where Lambda takes no event is often reported.
"""

from dataclasses import dataclass
from typing import Final

from checks.detectors.scene import Scene
from checks.front_door import FrontDoor, is_own_page
from checks.symptoms import body_json

_INVOKE: Final = """\
Let the gateway call the function, and see whether the function has any concurrency left:
  aws lambda add-permission --function-name NAME --statement-id gateway --action lambda:InvokeFunction \\
    --principal apigateway.amazonaws.com --source-arn 'arn:aws:execute-api:REGION:ACCOUNT:API/*'
  aws lambda get-function-concurrency --function-name NAME
  # SAM events and CDK's LambdaIntegration grant the permission themselves"""

_AUTHORIZER: Final = """\
The reason stands in the log of the authorizer's function, or that function may not be called by the gateway:
  aws apigateway get-authorizers --rest-api-id ID
  aws logs tail /aws/lambda/AUTHORIZER --since 10m"""

_TARGET: Final = """\
Register the function with the target group that the listener's rule names, and let the load balancer call it:
  aws lambda add-permission --function-name NAME --statement-id alb --action lambda:InvokeFunction \\
    --principal elasticloadbalancing.amazonaws.com --source-arn TARGET_GROUP
  aws elbv2 register-targets --target-group-arn TARGET_GROUP --targets Id=FUNCTION_ARN
  # CDK: listener.addTargets('Mcp', { targets: [new targets.LambdaTarget(fn)] })"""

_ORIGIN: Final = """\
Compare the origin's domain name with that of the function, ask it directly, and see that its certificate fits:
  aws cloudfront get-distribution-config --id ID --query 'DistributionConfig.Origins.Items[].DomainName'
  # CDK: new origins.FunctionUrlOrigin(url)"""

_ANSWER: Final = """\
Ask the origin directly for the same, and see how its answer ends: a connection that is closed before the end of the
body, a wrong Content-Length or a header that is too long makes CloudFront give up:
  aws cloudfront get-distribution-config --id ID --query 'DistributionConfig.Origins.Items[].DomainName'"""

_EDGE: Final = """\
See what the function at the edge says; its logs are in the Region next to the client:
  aws cloudfront get-distribution-config --id ID \\
    --query 'DistributionConfig.DefaultCacheBehavior.[LambdaFunctionAssociations,FunctionAssociations]'"""

_CRASH: Final = "The function itself failed: then its log has an error for this request."


@dataclass(frozen=True, slots=True)
class NotRun:
    """What failed in the function's stead, and how sure that is."""

    confidence: float
    what: str
    fix: str
    others: tuple[str, ...]


def not_run(found: Scene) -> NotRun | None:
    """What failed before any function of the server ran, or None where it was rather the function."""
    if found.door is FrontDoor.REST_API and found.exchange.status == 500:
        return _of_rest_api(found)
    if not is_own_page(found.exchange):
        return None
    if found.door is FrontDoor.ALB and found.exchange.status == 503:
        return NotRun(0.8, "its target group has no target", _TARGET, (_CRASH,))
    if found.door is FrontDoor.CLOUDFRONT:
        return _of_cloudfront(found)
    return None


def _of_rest_api(found: Scene) -> NotRun | None:
    """A REST API keeps 502 for functions that failed; its bodies hold nothing but a message."""
    body = body_json(found.exchange)
    message = next(iter(body.values())) if isinstance(body, dict) and [*map(str.lower, body)] == ["message"] else False
    if message is None:
        return NotRun(0.85, "its authorizer failed", _AUTHORIZER, ("The method's authorizer is set up wrongly.",))
    if isinstance(message, str) and message.strip().lower() == "internal server error":
        wanting = "for want of a permission or of concurrency"
        if found.evidence.opening.established:
            wanting = "although it takes others, so rather for want of concurrency than of a permission"
        return NotRun(
            0.75,
            f"Lambda did not take the request, {wanting}",
            _INVOKE,
            (
                "The function has no concurrency left, reserved or the account's: its metric Throttles counts.",
                "The integration names a function, alias or stage variable that is not there: its log says so.",
                _CRASH,
            ),
        )
    return None


def _of_cloudfront(found: Scene) -> NotRun:
    if found.exchange.status == 503 or b"function" in found.exchange.body[:4096].lower():
        missing = "The service is overloaded at this edge, or the function there is throttled: then it passes."
        return NotRun(0.75, "the function at its edge did not run", _EDGE, (missing,))
    if found.evidence.opening.established:
        return NotRun(0.7, "its origin, which answers others, gave no usable answer to this one", _ANSWER, (_CRASH,))
    return NotRun(0.75, "it gets no usable answer from its origin", _ORIGIN, (_CRASH,))
