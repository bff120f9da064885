"""Causes at the front door: refused, unknown, redirected, or given up on before the function was done."""

from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

from checks.detectors.scene import Scene, scene
from checks.front_door import FrontDoor
from checks.messages import error_of
from checks.model import Effect, Evidence, Exchange
from checks.proofs import header_proof, milliseconds
from checks.symptoms import Symptom, error_message, error_type
from checks.text import clean
from checks.unit import Cause, detector

_BOTH_STATEMENTS: Final = """\
For a public URL, set AuthType NONE and grant both actions (URLs made since October 2025 need the second one too):
  aws lambda add-permission --function-name NAME --statement-id url --action lambda:InvokeFunctionUrl \\
    --principal '*' --function-url-auth-type NONE
  aws lambda add-permission --function-name NAME --statement-id url-invoke --action lambda:InvokeFunction \\
    --principal '*' --invoked-via-function-url
For a URL with AuthType AWS_IAM, clients must sign their requests; an unsigned probe cannot get in."""

_SKEWED: Final = ("Signature expired", "Signature not yet current")
"""How AWS begins the message about a signature whose time is more than five minutes off its own."""
_TOLERANCE: Final = timedelta(minutes=5)
"""How far apart the clocks of signer and AWS may be (AWS API signing, "Troubleshoot": signature expired)."""


@detector("function-url-forbidden", effect=Effect.DOWN)
def function_url_forbidden(evidence: Evidence) -> Cause | None:
    """The Function URL refuses the request before any function runs: authorization type or resource policy."""
    found = scene(evidence, Symptom.URL_FORBIDDEN)
    if found is None:
        return None
    kind = error_type(found.exchange) or "Forbidden"
    return found.cause(
        0.95,
        f"The Function URL answers {found.asked} with 403 {kind}: no function ran.",
        _BOTH_STATEMENTS,
        proofs=header_proof(found.exchange, "x-amzn-errortype"),
        alternatives=(
            "lambda:InvokeFunctionUrl is missing, or lambda:InvokeFunction is: `aws lambda get-policy` tells.",
            "AuthType is AWS_IAM: `aws lambda get-function-url-config` tells.",
            "The alias behind the URL was deleted some minutes ago: `aws lambda list-aliases` tells.",
        ),
    )


@detector("function-url-gone", effect=Effect.DOWN)
def function_url_gone(evidence: Evidence) -> Cause | None:
    """There is no Function URL of this id: it was deleted, or never existed."""
    found = scene(evidence, Symptom.URL_GONE)
    if found is None:
        return None
    return found.cause(
        0.95,
        '403 with {"Message":null}: no Function URL has this id.',
        "A deleted URL never comes back under its old id. Put the new address into the endpoint:\n"
        "  aws lambda get-function-url-config --function-name NAME --query FunctionUrl",
        proofs=header_proof(found.exchange, "x-amzn-errortype"),
    )


@detector("signature-rejected", effect=Effect.DOWN)
def signature_rejected(evidence: Evidence) -> Cause | None:
    """The request's AWS signature does not match, as it is for every POST that CloudFront signs without a body hash."""
    found = scene(evidence, Symptom.SIGNATURE_REJECTED)
    if found is None:
        return None
    if evidence.endpoint.sigv4 is not None:
        return _own_signature(found)
    return found.cause(
        0.85,
        "403 InvalidSignatureException: the signature over the request does not match.",
        "Behind CloudFront with origin access control, MCP clients cannot work, because they send no "
        "x-amz-content-sha256 with a POST: add a Lambda@Edge function that does, or set the URL's AuthType to NONE "
        "and protect it otherwise. GET requests pass all the same, so health checks by GET do not notice.",
        proofs=header_proof(found.exchange, "x-amzn-errortype"),
        alternatives=("The clock of whoever signs is more than five minutes off: the error's text then names times.",),
    )


def _own_signature(found: Scene) -> Cause:
    """The signature was ours: our clock or our keys are wrong, or somebody changed the request on its way."""
    message = clean(error_message(found.exchange) or "the signature does not match", 200)
    proofs = (*header_proof(found.exchange, "x-amzn-errortype"), *header_proof(found.exchange, "date"))
    if error_type(found.exchange) == "ExpiredTokenException":
        return found.cause(
            0.95,
            "Nothing is known about the endpoint: the AWS credentials that the prober signs with have expired.",
            "Give the prober a role, whose credentials are renewed by themselves, or renew AWS_SESSION_TOKEN and the "
            "keys beside it.",
            proofs=proofs,
            effect=Effect.UNKNOWN,
        )
    if message.startswith(_SKEWED) or _clocks_differ(found.exchange):
        return found.cause(
            0.95,
            f"Our own clock is more than five minutes off, so that AWS takes no signature of ours: {message}.",
            "Set the clock of the machine that the prober runs on, and have it kept by NTP.",
            proofs=proofs,
            effect=Effect.UNKNOWN,
        )
    return found.cause(
        0.85,
        f"403 InvalidSignatureException: AWS does not take our signature: {message}.",
        "Compare the prober's AWS keys, and `service` and `region` under `sigv4`, with the endpoint: lambda for a "
        "Function URL, execute-api for API Gateway, and the region of the function.",
        proofs=proofs,
        alternatives=("A proxy on the way changes the path, a signed header or the body after they were signed.",),
    )


def _clocks_differ(exchange: Exchange) -> bool:
    """Whether the front door's clock, by the Date of its answer, is too far from ours for any signature of ours."""
    try:
        theirs = parsedate_to_datetime(exchange.header("date") or "")
    except ValueError:
        return False
    theirs = theirs if theirs.tzinfo is not None else theirs.replace(tzinfo=UTC)
    ours = exchange.started_at + timedelta(milliseconds=exchange.timings.total_ms)
    return abs(theirs - ours) > _TOLERANCE


@detector("blocked-by-waf", effect=Effect.DOWN)
def blocked_by_waf(evidence: Evidence) -> Cause | None:
    """A web application firewall, a resource policy, an authorizer or an API key check refuses the request."""
    found = scene(evidence, Symptom.GATEWAY_REFUSED)
    if found is None:
        return None
    kind = error_type(found.exchange) or "Forbidden"
    return found.cause(
        0.7,
        f"The {found.door.value} refuses {found.asked} with 403 {kind} before the server sees it.",
        "Let this prober pass: add its address to the allow rule of the WAF's web ACL, or its principal to the API's "
        "resource policy, or send the API key as `headers: {x-api-key: …}` of the endpoint.",
        proofs=header_proof(found.exchange, "x-amzn-errortype"),
        alternatives=(
            "A WAF rule: the web ACL's sampled requests name it.",
            "A resource policy or an authorizer's deny: the gateway's access log has the reason in $context.error.",
            "A missing or wrong API key: the method's apiKeyRequired is true.",
        ),
    )


@detector("route-missing", effect=Effect.DOWN)
def route_missing(evidence: Evidence) -> Cause | None:
    """Nothing is served at this path: the gateway has no such route, or the application does not know it."""
    if evidence.opening.established:
        return None
    found = scene(evidence, Symptom.ROUTE_MISSING)
    if found is None:
        return None
    path = clean(urlsplit(found.exchange.url).path or "/", 120)
    gateway = found.exchange.status == 403 or (found.door is FrontDoor.HTTP_API and error_message(found.exchange))
    if gateway:
        return found.cause(
            0.8,
            f"The {found.door.value} has no route for {found.exchange.method} {path}.",
            "Add the route (or a greedy `{proxy+}` one), deploy the stage, and give the address with its stage.",
            proofs=header_proof(found.exchange, "x-amzn-errortype"),
            alternatives=("IAM authorization without a signature reads the same on a REST API: its method tells.",),
        )
    return found.cause(
        0.7,
        f"The application answers {found.exchange.method} {path} with 404: it serves MCP at another path.",
        "Give the path that the server mounts, often /mcp. If a stage or base path reaches the application, strip it: "
        "AWS_LWA_REMOVE_BASE_PATH=/STAGE with the Lambda Web Adapter.",
        alternatives=("The server was deployed without its MCP route: then no path of it answers JSON-RPC.",),
    )


@detector("redirected", effect=Effect.DEGRADED)
def redirected(evidence: Evidence) -> Cause | None:
    """The endpoint answers with a redirect, which many clients do not follow."""
    found = scene(evidence, Symptom.REDIRECT)
    if found is None:
        return None
    url = found.exchange.url
    try:
        target = urljoin(url, found.exchange.header("location") or "")
        here, there = urlsplit(url), urlsplit(target)
    except ValueError:
        target, here, there = "an unreadable address", urlsplit(url), urlsplit(url)
    if here.scheme == "https" and there.scheme == "http":
        warning = " It leads from https to http, which clients refuse: the application sees http behind the TLS end."
        fix = "Make the application trust X-Forwarded-Proto (uvicorn: --proxy-headers --forwarded-allow-ips='*')."
    elif here.netloc != there.netloc:
        warning, fix = " It leads to another host, where credentials must not go.", "Check that this host is meant."
    else:
        warning, fix = "", "Starlette redirects between /mcp and /mcp/ by default; mount the path that clients use."
    return found.cause(
        0.9,
        f"HTTP {found.exchange.status} redirects {found.asked} to {clean(target, 160)}.{warning}",
        f"Give clients and this endpoint the final address. {fix}",
        proofs=header_proof(found.exchange, "location"),
        effect=Effect.DEGRADED,
    )


@detector("gateway-timeout", effect=Effect.DOWN)
def gateway_timeout(evidence: Evidence) -> Cause | None:
    """The gateway gave up waiting for the function."""
    found = scene(evidence, Symptom.GATEWAY_TIMEOUT)
    if found is None:
        return None
    waited = milliseconds(found.exchange.timings.total_ms)
    return found.cause(
        0.8,
        f"The {found.door.value} gives up on {found.asked} with HTTP {found.exchange.status} after {waited}; its limit "
        f"is {_limit(found.door)}.",
        "Make the answer faster than the limit, or stream it from a Function URL or a REST API with "
        "responseTransferMode: STREAM. A REST API's limit can be raised for Regional and private APIs.",
        alternatives=(
            "503 at once, not near the limit: the service behind the gateway is unavailable.",
            "An adapter that never becomes ready: then every method takes as long, OPTIONS too.",
        ),
    )


@detector("throttled", effect=Effect.DOWN)
def throttled(evidence: Evidence) -> Cause | None:
    """Lambda or the gateway turns the request away with 429: no concurrency or quota is left for it."""
    found = scene(evidence, Symptom.THROTTLED, tool_calls=True)
    if found is None:
        return None
    error = error_of(found.exchange)
    said = error_message(found.exchange) or (error.message if error else "") or "no reason given"
    return found.cause(
        0.9 if error is None else 0.7,
        f"HTTP 429 to {found.asked}: {clean(said, 120)}.",
        "If it is always so, the function's reserved concurrency is 0 (somebody switched it off):\n"
        "  aws lambda get-function-concurrency --function-name NAME\n"
        "  aws lambda delete-function-concurrency --function-name NAME\n"
        "If it comes and goes, raise the reserved concurrency or the account's limit, or the stage's throttle.",
        proofs=header_proof(found.exchange, "retry-after"),
        alternatives=(
            "Reserved concurrency is used up or 0, or the account's is: the metric Throttles of the function counts.",
            "The gateway's stage throttle or usage plan: then the function's Throttles stay at 0.",
            "A rate limit of the application: then the function's Invocations count the request.",
        ),
    )


def _limit(door: FrontDoor) -> str:
    return {
        FrontDoor.REST_API: "29 s by default",
        FrontDoor.HTTP_API: "30 s",
        FrontDoor.CLOUDFRONT: "30 s by default",
    }.get(door, "not known")
