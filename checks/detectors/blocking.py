"""Causes of a refusal before the server: a firewall, a policy, an authorizer or an API key check.

Sources: AWS re:Post, "Troubleshoot HTTP 403 errors from API Gateway"; AWS WAF Developer Guide, "Web ACLs"; CloudFront
Developer Guide, "HTTP 403 status code (Permission Denied)".
"""

from dataclasses import dataclass
from typing import Final

from checks.credentials import credential_headers
from checks.detectors.scene import Scene, scene
from checks.front_door import FrontDoor
from checks.model import Effect, Evidence
from checks.proofs import header_proof
from checks.symptoms import Symptom, challenge_of, error_message, error_type
from checks.unit import Cause, detector

_ALLOW_LIST: Final = """\
Let this prober pass by a rule before those that block, with its address in an IP set:
  aws wafv2 get-sampled-requests --web-acl-arn ARN --rule-metric-name RULE --scope {scope} \\
    --time-window StartTime=…,EndTime=… --max-items 100
  aws wafv2 update-ip-set --id ID --name NAME --scope {scope} --addresses ADDRESS/32 --lock-token TOKEN"""

_POLICY_FIX: Final = """\
Allow execute-api:Invoke on this method to the prober, by its address (aws:SourceIp) or its principal, and deploy:
  aws apigateway get-rest-api --rest-api-id ID --query policy
  aws apigateway create-deployment --rest-api-id ID --stage-name STAGE
  # SAM: Auth: { ResourcePolicy: { IpRangeWhitelist: [ADDRESS] } }, CDK: new apigateway.RestApi(…, { policy })"""

_AUTHORIZER_FIX: Final = """\
Find out why the authorizer denies: its function's log has the request, and a policy that it returned may be cached for
another path (its Resource names one method, and the next method reuses it):
  aws apigateway get-authorizers --rest-api-id ID      # HTTP API: aws apigatewayv2 get-authorizers --api-id ID
  aws apigateway flush-stage-authorizers-cache --rest-api-id ID --stage-name STAGE"""

_KEY_FIX: Final = (
    "Send the API key, by reference, as `headers: {x-api-key: env:NAME}` of the endpoint; the key must belong to a "
    "usage plan of this stage."
)

_CHALLENGE_FIX: Final = """\
Let this path be asked without a challenge, for MCP clients are no browsers: by a rule with action Allow before the one
that challenges, or by a scope-down statement that leaves the path out.
  aws wafv2 get-web-acl --id ID --name NAME --scope REGIONAL     # CLOUDFRONT --region us-east-1 for a distribution
  # Cloudflare: a custom rule for the path with action Skip (managed rules, bot fight mode)"""

_FIREWALL: Final = "A rule of AWS WAF: the web ACL's sampled requests name it."
_POLICY: Final = "A resource policy: `aws apigateway get-rest-api --rest-api-id ID --query policy` shows it."
_KEY: Final = "A missing or wrong API key: the method's apiKeyRequired is true."
_IDENTITY: Final = "IAM: whoever signs may not execute-api:Invoke here, or nobody signs: the AuthorizationType tells."
_GEOGRAPHY: Final = "A geographic restriction of the distribution: its page then speaks of a country."
_ORIGIN: Final = "The origin refuses with a page of its own: then its log shows the request."
_RULE: Final = "A listener rule with a fixed 403: `aws elbv2 describe-rules` tells."
_PRIVATE: Final = (
    "The prober sits in a VPC whose endpoint for execute-api has private DNS, which leads every public API astray: "
    "then a request from elsewhere is let in."
)


_TELLING: Final = ("x-amzn-errortype", "x-cache", "x-amzn-waf-action", "cf-mitigated")
"""Headers that tell who refused."""


@dataclass(frozen=True, slots=True)
class _Author:
    """Who refused, how certain that is, what helps, and who else it may have been."""

    name: str
    confidence: float
    fix: str
    others: tuple[str, ...]


@detector("blocked-by-waf", effect=Effect.DOWN)
def blocked_by_waf(evidence: Evidence) -> Cause | None:
    """A web application firewall, a resource policy, an authorizer or an API key check refuses the request."""
    found = scene(evidence, Symptom.GATEWAY_REFUSED)
    if found is None:
        return None
    author = _author_of(found)
    said = f"{found.exchange.status} {error_type(found.exchange)}".strip()
    said = "403 Forbidden" if said == "403" else said
    return found.cause(
        author.confidence,
        f"{found.who} refuses {found.asked} with {said} before the server sees it: {author.name}.",
        author.fix,
        proofs=tuple(proof for name in _TELLING for proof in header_proof(found.exchange, name)),
        alternatives=author.others,
    )


def _author_of(found: Scene) -> _Author:
    challenger = challenge_of(found.exchange)
    if challenger is not None:
        return _Author(f"{challenger} wants a challenge solved, which only browsers do", 0.95, _CHALLENGE_FIX, ())
    message = (error_message(found.exchange) or "").lower()
    if found.door is FrontDoor.CLOUDFRONT:
        return _of_cloudfront(found)
    if found.door is FrontDoor.ALB:
        return _Author("AWS WAF at the load balancer", 0.75, _ALLOW_LIST.format(scope="REGIONAL"), (_RULE, _ORIGIN))
    if "execute-api:invoke" in message:
        return _Author("a resource policy, or IAM, does not allow it", 0.9, _POLICY_FIX, (_IDENTITY, _PRIVATE))
    if error_type(found.exchange) == "AccessDeniedException" or "not authorized" in message:
        return _Author("an authorizer denies it", 0.8, _AUTHORIZER_FIX, (_POLICY, _IDENTITY))
    if found.door is FrontDoor.HTTP_API:
        return _Author("an authorizer denies it", 0.7, _AUTHORIZER_FIX, (_IDENTITY, _FIREWALL))
    if any("key" in name.lower() for name in credential_headers(found.evidence.endpoint)):
        fix = f"{_ALLOW_LIST.format(scope='REGIONAL')}\nOr mend the key: it must belong to a usage plan of this stage."
        return _Author("AWS WAF blocks it, or the API key is not good", 0.7, fix, (_FIREWALL, _KEY, _PRIVATE))
    fix = f"{_ALLOW_LIST.format(scope='REGIONAL')}\nOr: {_KEY_FIX}"
    return _Author("AWS WAF blocks it, or it lacks an API key", 0.7, fix, (_FIREWALL, _KEY, _PRIVATE))


def _of_cloudfront(found: Scene) -> _Author:
    """Of all of CloudFront's pages only the firewall's says that the request was blocked."""
    fix = _ALLOW_LIST.format(scope="CLOUDFRONT --region us-east-1")
    sure = b"request blocked" in found.exchange.body[:4096].lower()
    return _Author("AWS WAF at the edge", 0.85 if sure else 0.65, fix, (_GEOGRAPHY, _ORIGIN))
