"""What API Gateway says to a request that it lets into no integration.

Source: API Gateway Developer Guide, "Gateway response types for API Gateway"; AWS re:Post, "Troubleshoot HTTP 403
errors from API Gateway". The bodies are spelled as the service spells them, capitals included.
"""

import json
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, Final

from prober.lab.http import Headers, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer of the gateway's own. `kind` is the error type that a REST API names in a header."""

    status: int
    kind: str
    body: dict[str, Any]
    headers: Headers = ()


FIREWALL: Final = Refusal(status=403, kind="ForbiddenException", body={"message": "Forbidden"})
"""A rule of AWS WAF matched; a request without its API key reads the same."""
RESOURCE_POLICY: Final = Refusal(
    status=403,
    kind="AccessDeniedException",
    body={
        "Message": "User: anonymous is not authorized to perform: execute-api:Invoke on resource: "
        "arn:aws:execute-api:eu-west-1:********9012:lab/prod/POST/mcp"
    },
)
AUTHORIZER_DENIED: Final = Refusal(
    status=403,
    kind="AccessDeniedException",
    body={"Message": "User is not authorized to access this resource with an explicit deny"},
)
UNAUTHORIZED: Final = Refusal(status=401, kind="UnauthorizedException", body={"message": "Unauthorized"})
"""An authorizer wants a token; the answer has no challenge that a client could follow."""
AUTHORIZER_FAILED: Final = Refusal(status=500, kind="AuthorizerConfigurationException", body={"message": None})
"""The authorizer's own function crashed."""
NO_ROUTE: Final = Refusal(
    status=403, kind="MissingAuthenticationTokenException", body={"message": "Missing Authentication Token"}
)
"""No such resource, method or stage; a request without the signature that IAM wants reads the same."""
THROTTLED: Final = Refusal(status=429, kind="TooManyRequestsException", body={"message": "Too Many Requests"})
QUOTA_SPENT: Final = Refusal(status=429, kind="LimitExceededException", body={"message": "Limit Exceeded"})
TOO_LARGE: Final = Refusal(status=413, kind="RequestTooLargeException", body={"message": "Request Too Long"})
TIMED_OUT: Final = Refusal(
    status=504, kind="InternalServerErrorException", body={"message": "Endpoint request timed out"}
)
FAILED: Final = Refusal(status=502, kind="InternalServerErrorException", body={"message": "Internal server error"})
"""The function failed, or answered what is no proxy response."""
NOT_INVOKED: Final = Refusal(status=500, kind="InternalServerErrorException", body={"message": "Internal server error"})
"""Lambda did not take the event: no permission to invoke, or no concurrency left."""


def unsigned_token(authorization: str) -> Refusal:
    """What a missing route, or IAM, makes of an Authorization header that is no AWS signature."""
    token = authorization.partition(" ")[2]
    text = f"'{token}' not a valid key=value pair (missing equal-sign) in Authorization header: '{authorization}'."
    return Refusal(status=403, kind="IncompleteSignatureException", body={"message": text})


def rest_stamps() -> Headers:
    """What every answer of a REST API carries."""
    return (("x-amzn-RequestId", str(uuid.uuid4())), ("x-amz-apigw-id", f"{secrets.token_urlsafe(11)}="))


def of_rest_api(refusal: Refusal, stamps: Headers) -> Response:
    headers = (("Content-Type", "application/json"), ("x-amzn-ErrorType", refusal.kind), *refusal.headers, *stamps)
    return Response(status=refusal.status, headers=headers, body=json.dumps(refusal.body).encode())


def of_http_api(refusal: Refusal, stamps: Headers) -> Response:
    """An HTTP API names no error type."""
    headers = (("Content-Type", "application/json"), *refusal.headers, *stamps)
    return Response(
        status=refusal.status, headers=headers, body=json.dumps(refusal.body, separators=(",", ":")).encode()
    )
