"""HTTP inside a function: the events of every front door read as requests, and answers put into the form of each.

Source: API Gateway Developer Guide, "Lambda proxy integrations" (payload formats 1.0 and 2.0); Elastic Load Balancing,
"Use Lambda functions as targets".
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from prober.lab.http import Request


def request_of(event: Mapping[str, Any]) -> Request:
    """The HTTP request that an event of any front door stands for."""
    if not is_format_2(event):
        return _of_format_1(event)
    query = event["rawQueryString"]
    cookies = event.get("cookies", [])
    headers = [*event["headers"].items(), *([("cookie", "; ".join(cookies))] if cookies else [])]
    return Request(
        method=event["requestContext"]["http"]["method"],
        target=event["rawPath"] + (f"?{query}" if query else ""),
        headers=tuple(headers),
        body=_body_of(event),
        client=event["requestContext"]["http"]["sourceIp"],
    )


def head_of(
    event: Mapping[str, Any], status: int, headers: Mapping[str, str], cookies: Sequence[str]
) -> dict[str, Any]:
    """Status, headers and cookies of an answer to this event. What a format does not know must not be there."""
    head: dict[str, Any] = {"statusCode": status, "headers": dict(headers)}
    if is_format_2(event):
        return {**head, "cookies": list(cookies)}
    return {**head, "multiValueHeaders": {"set-cookie": list(cookies)}} if cookies else head


def is_format_2(event: Mapping[str, Any]) -> bool:
    """Whether a Function URL or an HTTP API sent the event; else it was a REST API or a load balancer."""
    return event.get("version") == "2.0"


def _of_format_1(event: Mapping[str, Any]) -> Request:
    """Payload format 1.0, which a load balancer's events resemble.

    A load balancer leaves the query as the client encoded it, a REST API decodes it.
    """
    parameters = event.get("queryStringParameters") or {}
    by_balancer = "elb" in event["requestContext"]
    query = "&".join(f"{name}={value}" for name, value in parameters.items()) if by_balancer else urlencode(parameters)
    headers = event.get("headers") or {}
    return Request(
        method=event["httpMethod"],
        target=event["path"] + (f"?{query}" if query else ""),
        headers=tuple(headers.items()),
        body=_body_of(event),
        client=event["requestContext"].get("identity", {}).get("sourceIp") or headers.get("x-forwarded-for", ""),
    )


def _body_of(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
