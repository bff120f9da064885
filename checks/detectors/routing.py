"""Causes of a request that is led nowhere, or elsewhere: no such route, method, stage, host or path; a redirect.

Sources: API Gateway Developer Guide, "Gateway response types"; AWS re:Post, "Troubleshoot HTTP 403 errors from API
Gateway" (an unsigned request reads like a missing route); the Lambda Web Adapter's README; Lambda Developer Guide,
"Troubleshooting Lambda Web Functions". How an HTTP API words a missing route is well known and not documented.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, parse_qs, urljoin, urlsplit

from checks.detectors.scene import Scene, scene
from checks.front_door import FrontDoor, is_own_page
from checks.model import Effect, Evidence, Exchange, Proof
from checks.proofs import answer_line, header_proof
from checks.sessions import refused_on_stream
from checks.symptoms import Symptom, error_message, error_type, is_from_bucket
from checks.text import clean
from checks.unit import Cause, detector

_REST_FIX: Final = """\
Compare the address with what is deployed (resource, method and stage); a greedy route leads everything to the server:
  aws apigateway get-resources --rest-api-id ID
  aws apigateway create-deployment --rest-api-id ID --stage-name STAGE
  # SAM: Events: { Mcp: { Type: Api, Properties: { Path: "/{proxy+}", Method: ANY } } }
  # CDK: new apigateway.LambdaRestApi(this, 'Api', { handler: fn })"""

_HTTP_FIX: Final = """\
Compare the address with the routes, and with the stage, which is part of the path unless it is $default:
  aws apigatewayv2 get-routes --api-id ID
  aws apigatewayv2 create-route --api-id ID --route-key 'ANY /{proxy+}' --target integrations/INTEGRATION
  # SAM: Events: { Mcp: { Type: HttpApi, Properties: { Path: "/{proxy+}", Method: ANY } } }
  # CDK: api.addRoutes({ path: '/{proxy+}', methods: [HttpMethod.ANY], integration })"""

_METHODS_FIX: Final = """\
Let the cache behaviour of this path take all methods, and cache nothing:
  # CDK: { allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL, cachePolicy: cloudfront.CachePolicy.CACHING_DISABLED }
  # CloudFormation: AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]"""

_BEHAVIOUR_FIX: Final = """\
Give the distribution a behaviour for this path whose origin is the function, and which takes all methods:
  # CDK: distribution.addBehavior('/mcp*', new origins.FunctionUrlOrigin(url), {
  #   allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL, cachePolicy: cloudfront.CachePolicy.CACHING_DISABLED,
  #   originRequestPolicy: cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER })
A pattern matches the whole path: /mcp does not match /mcp/."""

_REPLACED: Final = (
    "The distribution gives out a page of the bucket for an error of the server (CustomErrorResponses): then the "
    "function's log shows the request, and the function asked directly tells what is wrong."
)
_IAM: Final = (
    "The method wants IAM signatures (authorizationType AWS_IAM) and we send none: it reads the same. `auth: "
    "{sigv4: {service: execute-api}}` in the endpoint's configuration, or `aws apigateway get-method`, decides."
)
_SECOND_PATH: Final = (
    " A second path, one that nobody can have meant, would tell them apart: another answer to it says that routing "
    "works and that it is the signature."
)
_SECOND_ALIKE: Final = " A second path that nobody can have meant is answered alike, which leaves it open."
_SECOND_OTHERWISE: Final = " A second path is led to the server, which speaks for the signature."


@detector("route-missing", effect=Effect.DOWN)
def route_missing(evidence: Evidence) -> Cause | None:
    """Nothing is served at this path: the gateway has no such route, or the application does not know it."""
    if evidence.opening.established or refused_on_stream(evidence.opening) is not None:
        return None
    found = scene(evidence, Symptom.ROUTE_MISSING)
    if found is None:
        return None
    if is_from_bucket(found.exchange):
        return _at_bucket(found)
    if found.exchange.status == 403:
        return _wrong_method(found) if is_own_page(found.exchange) else _at_rest_api(found)
    if found.door is FrontDoor.HTTP_API and (error_message(found.exchange) or "").strip().lower() == "not found":
        return _at_http_api(found)
    if found.door is FrontDoor.WEB_FUNCTION and found.exchange.header("lambda-web-logstream") is None:
        return _wrong_host(found)
    return _in_application(found)


def _at_rest_api(found: Scene) -> Cause:
    signed = found.evidence.endpoint.sigv4 is not None
    token = error_type(found.exchange) == "IncompleteSignatureException"
    taken = ", and takes the token for a signature" if token else ""
    elsewhere = tuple(_elsewhere(found))
    routed = any(each.status != 403 for each in elsewhere)
    summary = f"{found.who} has no route for {_asked(found)} in this stage{taken}."
    if routed:
        summary = f"{found.who} leads another path to the server, but not {_asked(found)}{taken}."
    second = _SECOND_OTHERWISE if routed else _SECOND_ALIKE if elsewhere else _SECOND_PATH
    return found.cause(
        0.9 if signed else 0.75 if not routed else 0.6,
        summary,
        _REST_FIX,
        proofs=(*header_proof(found.exchange, "x-amzn-errortype"), *(_path_proof(each) for each in elsewhere)),
        alternatives=() if signed else (_IAM + second,),
    )


def _at_http_api(found: Scene) -> Cause:
    return found.cause(
        0.85,
        f"The HTTP API has no route for {_asked(found)}.",
        _HTTP_FIX,
        alternatives=(
            "The application words its own 404 like the gateway: then the function's log shows the request.",
        ),
    )


def _wrong_method(found: Scene) -> Cause:
    return found.cause(
        0.85,
        f"The CloudFront distribution takes no {found.exchange.method} at this path: MCP needs POST, GET and DELETE.",
        _METHODS_FIX,
        proofs=header_proof(found.exchange, "x-cache"),
        alternatives=("A firewall or a geographic restriction whose page has been reworded: the page says which.",),
    )


def _at_bucket(found: Scene) -> Cause:
    # An error page of the distribution's own is a document of the bucket, and S3's own errors are none.
    replaced = found.door is FrontDoor.CLOUDFRONT and found.exchange.media_type == "text/html"
    return found.cause(
        0.6 if replaced else 0.9,
        f"Amazon S3 answers {_asked(found)} with HTTP {found.exchange.status}: the path leads to a bucket, the web "
        "site's perhaps, and not to the server.",
        _BEHAVIOUR_FIX,
        proofs=(*header_proof(found.exchange, "server"), *header_proof(found.exchange, "x-cache")),
        alternatives=(_REPLACED,) if replaced else (),
    )


def _wrong_host(found: Scene) -> Cause:
    host = clean(urlsplit(found.exchange.url).netloc.rpartition("@")[2], 100)
    return found.cause(
        0.75,
        f"No Web Function answers to the name {host}: nothing of it was run.",
        "Compare the address with the endpoint's domain name, and let proxies hand on that name as Host:\n"
        "  aws lambda-web get-web-function-endpoint --function-name NAME --endpoint-name ENDPOINT",
        proofs=header_proof(found.exchange, "lambda-web-request-id"),
        alternatives=("The application's own 404: then the answer names a log stream (lambda-web-logstream).",),
    )


def _in_application(found: Scene) -> Cause:
    """A 404 that the server wrote: it runs, and knows no such path."""
    first = _first_of_several(found)
    absent = "The server was deployed without its MCP route: then no path of it answers JSON-RPC."
    if first is None:
        return found.cause(
            0.7,
            f"The application answers {_asked(found)} with 404: it serves MCP at another path.",
            "Give the path that the server mounts, often /mcp; with or without a slash at its end is not the same.",
            alternatives=(absent, *_fixed_response(found)),
        )
    return found.cause(
        0.75,
        f"The application answers {_asked(found)} with 404: {first} looks like a stage or base path that reaches it, "
        "although the server mounts what follows.",
        f"""\
Take {first} off before the application sees it:
  AWS_LWA_REMOVE_BASE_PATH={first}                # Lambda Web Adapter
  AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH=true       # Rust, lambda_http
  Mangum(app, api_gateway_base_path="{first}")    # Mangum
or use a stage that is no part of the path: $default of an HTTP API, or a custom domain name.""",
        alternatives=(
            f"The server mounts MCP at another path below {first}: then /mcp at its end, or none, is answered.",
            absent,
            *_fixed_response(found),
        ),
    )


def _fixed_response(found: Scene) -> tuple[str, ...]:
    if found.door is not FrontDoor.ALB:
        return ()
    return ("The load balancer's default rule answers in the server's place: `aws elbv2 describe-rules` tells.",)


def _elsewhere(found: Scene) -> Iterator[Exchange]:
    """What the same gateway said to requests for other paths, where the probe made any."""
    asked = urlsplit(found.exchange.url)
    for exchange in found.evidence.exchanges:
        there = urlsplit(exchange.url)
        if exchange.status is not None and there.netloc == asked.netloc and there.path != asked.path:
            yield exchange


def _path_proof(exchange: Exchange) -> Proof:
    path = clean(urlsplit(exchange.url).path or "/", 120)
    return Proof(text=f"{exchange.method} {path} → {answer_line(exchange)}", exchange=exchange.id)


def _first_of_several(found: Scene) -> str | None:
    """The beginning of a path of several parts, which may be a stage."""
    parts = [part for part in urlsplit(found.exchange.url).path.split("/") if part]
    return f"/{clean(parts[0], 60)}" if len(parts) > 1 else None


def _asked(found: Scene) -> str:
    return f"{found.exchange.method} {clean(urlsplit(found.exchange.url).path or '/', 120)}"


_FINAL: Final = "Give clients and this endpoint the final address. "
_UVICORN: Final = "(uvicorn: --proxy-headers --forwarded-allow-ips='*')"
_LOGIN_FIX: Final = """\
Let this path pass the guard that logs browsers in, and let the server judge, or an authorizer that takes tokens:
  aws elbv2 describe-rules --listener-arn ARN     # a rule with authenticate-oidc or authenticate-cognito
  aws elbv2 create-rule --listener-arn ARN --priority 1 --conditions Field=path-pattern,Values='/mcp*' \\
    --actions Type=forward,TargetGroupArn=ARN"""
_LOGIN: Final = re.compile(
    r"/(?:log-?in|sign-?in|sso|saml2?|oauth2?/(?:v\d/)?authorize|authorize)(?:/|$)", re.IGNORECASE
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
    effect = Effect.DEGRADED
    if _asks_to_log_in(there):
        warning, fix = " It leads to a login page, which only browsers use.", _LOGIN_FIX
        effect = Effect.DOWN
    elif here.scheme == "https" and there.scheme == "http":
        warning = " It leads from https to http, which clients refuse: the application sees http behind the TLS end."
        fix = f"{_FINAL}Make the application trust X-Forwarded-Proto {_UVICORN}."
    elif here.netloc != there.netloc and _is_internal(there):
        warning = " It leads to an address that only the function itself knows."
        fix = f"{_FINAL}Make the application trust the forwarded headers {_UVICORN}, or redirect to a path alone."
    elif here.netloc != there.netloc:
        warning = " It leads to another host, where credentials must not go."
        fix = f"{_FINAL}Check that this host is meant."
    else:
        warning = ""
        fix = f"{_FINAL}Starlette redirects between /mcp and /mcp/ by default; mount the path that clients use."
    return found.cause(
        0.9,
        f"HTTP {found.exchange.status} redirects {found.asked} to {clean(target, 160)}.{warning}",
        fix,
        proofs=header_proof(found.exchange, "location"),
        effect=effect,
    )


def _asks_to_log_in(there: SplitResult) -> bool:
    """Whether an address is that of a login page, as load balancers and proxies that authenticate browsers name it."""
    query = parse_qs(there.query)
    by_oauth = "client_id" in query and "response_type" in query
    return by_oauth or _LOGIN.search(there.path) is not None or (there.hostname or "").endswith(".amazoncognito.com")


def _is_internal(there: SplitResult) -> bool:
    host = there.hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".internal", ".local"))
