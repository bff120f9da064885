"""Requests as the events that front doors make of them.

Source: API Gateway Developer Guide, "Lambda proxy integrations" (payload formats 1.0 and 2.0); AWS Lambda Developer
Guide, "Invoking Lambda function URLs"; Elastic Load Balancing, "Use Lambda functions as targets".
"""

import base64
import secrets
from http.cookies import SimpleCookie
from typing import Any, Final
from urllib.parse import unquote

from prober.clock import Clock
from prober.lab.http import Request

HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})
DEFAULT_STAGE: Final = "$default"


def trace_root(clock: Clock) -> str:
    """A new trace of AWS X-Ray: the second in which it begins, and 96 random bits."""
    return f"Root=1-{int(clock.now().timestamp()):08x}-{secrets.token_hex(12)}"


def format_2(
    request: Request, *, request_id: str, trace_id: str, clock: Clock, stage: str = DEFAULT_STAGE
) -> dict[str, Any]:
    """The event of a Function URL or an HTTP API. Its path is the one that was asked for, stage and all."""
    host = request.header("host") or "localhost"
    now = clock.now()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.raw_query,
        "headers": _headers(request, trace_id),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "lab",
            "domainName": host,
            "domainPrefix": host.split(".", 1)[0],
            "http": {
                "method": request.method,
                "path": unquote(request.path),
                "protocol": "HTTP/1.1",
                "sourceIp": request.client,
                "userAgent": request.header("user-agent") or "",
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": stage,
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    if request.query:
        event["queryStringParameters"] = request.query
    cookies = SimpleCookie(request.header("cookie") or "")
    if cookies:
        event["cookies"] = [f"{name}={morsel.coded_value}" for name, morsel in cookies.items()]
    event["headers"].pop("cookie", None)
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(request)
    return event


def format_1(
    request: Request, *, path: str, stage: str, request_id: str, trace_id: str, clock: Clock
) -> dict[str, Any]:
    """The event of a REST API, whose `path` is the resource's, without the stage."""
    now = clock.now()
    headers = _headers(request, trace_id)
    query = request.query or None
    return {
        "resource": path,
        "path": path,
        "httpMethod": request.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": query and {name: [value] for name, value in query.items()},
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "lab",
            "domainName": request.header("host") or "localhost",
            "httpMethod": request.method,
            "identity": {"sourceIp": request.client, "userAgent": request.header("user-agent") or ""},
            "path": request.path,
            "protocol": "HTTP/1.1",
            "requestId": request_id,
            "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "requestTimeEpoch": int(now.timestamp() * 1000),
            "resourcePath": path,
            "stage": stage,
        },
        # Without binary media types, which hardly anybody configures, every body is text.
        "body": request.body.decode("utf-8", "replace") if request.body else None,
        "isBase64Encoded": False,
    }


def balancer_format(request: Request, *, trace_id: str) -> dict[str, Any]:
    """The event of an Application Load Balancer. The query stays as the client encoded it."""
    pairs = [part.partition("=") for part in request.raw_query.split("&") if part]
    body, is_base64 = _body(request) if request.body else ("", False)
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:lab:123456789012:targetgroup/lab"}},
        "httpMethod": request.method,
        "path": request.path,
        "queryStringParameters": {name: value for name, _, value in pairs},
        "headers": _headers(request, trace_id),
        "body": body,
        "isBase64Encoded": is_base64,
    }


def _headers(request: Request, trace_id: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in request.headers:
        key = name.lower()
        if key not in HOP_BY_HOP:
            headers[key] = f"{headers[key]},{value}" if key in headers else value
    return headers | {
        "x-amzn-tls-cipher-suite": "TLS_AES_128_GCM_SHA256",
        "x-amzn-tls-version": "TLSv1.3",
        "x-amzn-trace-id": trace_id,
        "x-forwarded-for": request.client,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }


def _body(request: Request) -> tuple[str, bool]:
    """The body as the text of an event, and whether that is base64."""
    media_type = (request.header("content-type") or "").lower()
    if any(kind in media_type for kind in ("text", "json", "xml")):
        try:
            return request.body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode("ascii"), True
