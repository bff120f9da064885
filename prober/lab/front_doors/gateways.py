"""The other doors of AWS, as far as a fault can be seen through them: an API Gateway REST API, and CloudFront.

Source: API Gateway Developer Guide, "Gateway responses" and "Important notes"; Amazon CloudFront Developer Guide,
"Restrict access to an AWS Lambda function URL origin".
"""

import asyncio
import json
import secrets
import uuid
from dataclasses import dataclass, field, replace
from typing import Final

from prober.clock import Clock, SystemClock
from prober.lab.front_doors import sigv4
from prober.lab.front_doors.events import HOP_BY_HOP, trace_root
from prober.lab.http import Handler, Headers, Request, Response, read_body

LIMIT_S: Final = 29.0
"""How long a REST API waits for its integration, unless the owner has had the quota raised."""
REMAPPED: Final = frozenset({"content-length", "date", "server", "www-authenticate"})
"""Headers of the integration that arrive as `x-amzn-Remapped-*`; the challenge of a 401 is among them."""

NO_ROUTE: Final = b'{"message":"Missing Authentication Token"}'
BLOCKED: Final = b'{"message":"Forbidden"}'
TIMED_OUT: Final = b'{"message": "Endpoint request timed out"}'
WRONG_SIGNATURE: Final = json.dumps({"message": sigv4.WRONG}, separators=(",", ":")).encode()


@dataclass(kw_only=True)
class RestApi:
    """A REST API with one resource, `path`, and a buffering proxy integration behind it.

    `limit_s` is the integration's timeout; with `blocked`, a web application firewall refuses every request first.
    """

    integration: Handler
    path: str = "/mcp"
    limit_s: float = LIMIT_S
    blocked: bool = False
    clock: Clock = field(default_factory=SystemClock)

    async def __call__(self, request: Request) -> Response:
        stamps: Headers = (
            ("x-amzn-RequestId", str(uuid.uuid4())),
            ("x-amz-apigw-id", f"{secrets.token_urlsafe(11)}="),
        )
        if self.blocked:
            return _error(403, "ForbiddenException", BLOCKED, stamps)
        if request.path != self.path:
            return _error(403, "MissingAuthenticationTokenException", NO_ROUTE, stamps)
        # Only a request that reached the integration has a trace.
        stamps = (*stamps, ("X-Amzn-Trace-Id", trace_root(self.clock)))
        try:
            async with asyncio.timeout(self.limit_s):
                response = await self.integration(request)
                body = await read_body(response.body)
        except TimeoutError:
            return _error(504, "InternalServerErrorException", TIMED_OUT, stamps)
        return Response(status=response.status, headers=(*_remapped(response.headers), *stamps), body=body)


@dataclass(kw_only=True)
class CloudFront:
    """A distribution in front of one origin, without a cache.

    With `signs`, origin access control signs every request to a Function URL that demands it. CloudFront does not hash
    bodies for that: where the client has not named the hash of its body, Lambda finds the signature wrong.
    """

    origin: Handler
    signs: bool = False

    async def __call__(self, request: Request) -> Response:
        unhashed = bool(request.body) and request.header("x-amz-content-sha256") is None
        response = _signature_rejected() if self.signs and unhashed else await self.origin(request)
        served = "Error" if response.status >= 400 else "Miss"
        marks = (
            ("X-Cache", f"{served} from cloudfront"),
            ("Via", f"1.1 {secrets.token_hex(16)}.cloudfront.net (CloudFront)"),
            ("X-Amz-Cf-Pop", "FRA56-P1"),
            ("X-Amz-Cf-Id", secrets.token_urlsafe(41) + "=="),
        )
        return replace(response, headers=(*response.headers, *marks))


def _signature_rejected() -> Response:
    """What Lambda answers to CloudFront, which relays it."""
    stamps = (("x-amzn-RequestId", str(uuid.uuid4())),)
    return _error(403, "InvalidSignatureException", WRONG_SIGNATURE, stamps)


def _error(status: int, kind: str, body: bytes, stamps: Headers) -> Response:
    headers = (("Content-Type", "application/json"), ("x-amzn-ErrorType", kind), *stamps)
    return Response(status=status, headers=headers, body=body)


def _remapped(headers: Headers) -> Headers:
    return tuple(
        (f"x-amzn-Remapped-{name.lower()}" if name.lower() in REMAPPED else name, value)
        for name, value in headers
        if name.lower() not in HOP_BY_HOP
    )
