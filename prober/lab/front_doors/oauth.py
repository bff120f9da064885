"""A protected resource and its authorization server at one address: discovery, tokens for clients, bearer tokens.

Source: MCP specification 2026-07-28, basic/authorization; RFC 6749 section 4.4, RFC 6750, RFC 8414, RFC 8707, RFC 9728.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, unquote_plus

from prober.clock import Clock, SystemClock
from prober.lab import credentials
from prober.lab.http import Handler, Headers, Request, Response

JSON: Final = ("Content-Type", "application/json")
RESOURCE_DOCUMENT: Final = "/.well-known/oauth-protected-resource"
SERVER_DOCUMENT: Final = "/.well-known/oauth-authorization-server"
TOKEN_PATH: Final = "/token"  # noqa: S105 - a path


class _TokenRefused(Exception):
    """The token endpoint answers with an error of RFC 6749 section 5.2."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(kw_only=True)
class Protected:
    """The application for those who bring a token: the lab's fixed one, or one that its token endpoint has issued.

    `challenges` says whether a 401 names the scheme and the metadata; `metadata` is where it says that the metadata
    is, a whole address or a path of this server; `has_metadata` whether it is there; `resource` whose it claims to be.
    `token_status` is what the token endpoint answers instead of a token.
    """

    app: Handler
    path: str = "/mcp"
    challenges: bool = True
    metadata: str | None = None
    has_metadata: bool = True
    resource: str | None = None
    token_status: int | None = None
    lifetime_s: int = 300
    clock: Clock = field(default_factory=SystemClock)
    _issued: dict[str, datetime] = field(default_factory=dict)

    async def __call__(self, request: Request) -> Response:
        origin = f"http://{request.header('host')}"
        if request.path == TOKEN_PATH and request.method == "POST":
            return self._token(request, origin)
        if request.path == SERVER_DOCUMENT:
            return _json(200, _server_document(origin))
        if request.path in (RESOURCE_DOCUMENT, f"{RESOURCE_DOCUMENT}{self.path}"):
            return self._resource_document(origin)
        if request.path.startswith("/.well-known/"):
            return _json(404, {"detail": "Not Found"})
        given = request.header("authorization")
        return await self.app(request) if self._is_good(given) else self._refuse(given, origin)

    def _is_good(self, authorization: str | None) -> bool:
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        return token == credentials.TOKEN or self._issued.get(token, self.clock.now()) > self.clock.now()

    def _refuse(self, given: str | None, origin: str) -> Response:
        body = {"error": "invalid_token" if given else "unauthorized"}
        if not self.challenges:
            return _json(401, body)
        fault = 'error="invalid_token", error_description="The token is expired", ' if given else ""
        address = self.metadata or f"{RESOURCE_DOCUMENT}{self.path}"
        whole = f"{origin}{address}" if address.startswith("/") else address
        return _json(401, body, ("WWW-Authenticate", f'Bearer {fault}resource_metadata="{whole}"'))

    def _resource_document(self, origin: str) -> Response:
        if not self.has_metadata:
            return _json(404, {"detail": "Not Found"})
        document = {
            "resource": self.resource or f"{origin}{self.path}",
            "authorization_servers": [origin],
            "bearer_methods_supported": ["header"],
        }
        return _json(200, document)

    def _token(self, request: Request, origin: str) -> Response:
        if self.token_status is not None:
            return _json(self.token_status, {"error": "temporarily_unavailable"})
        try:
            self._judge(request, f"{origin}{self.path}")
        except _TokenRefused as refused:
            challenge: Headers = (("WWW-Authenticate", 'Basic realm="lab"'),) if refused.status == 401 else ()
            return _json(refused.status, {"error": refused.code}, *challenge)
        token = secrets.token_urlsafe(24)
        self._issued[token] = self.clock.now() + timedelta(seconds=self.lifetime_s)
        issued = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime_s}
        return _json(200, issued, ("Cache-Control", "no-store"))

    def _judge(self, request: Request, resource: str) -> None:
        media_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
        if media_type != "application/x-www-form-urlencoded":
            raise _TokenRefused(400, "invalid_request")
        form = {name: values[0] for name, values in parse_qs(request.body.decode("latin-1")).items()}
        if _client_of(request, form) != (credentials.CLIENT_ID, credentials.CLIENT_SECRET):
            raise _TokenRefused(401, "invalid_client")
        if form.get("grant_type") != "client_credentials":
            raise _TokenRefused(400, "unsupported_grant_type")
        if form.get("resource") != resource:
            raise _TokenRefused(400, "invalid_target")


def _client_of(request: Request, form: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The client's id and secret, by either way of RFC 6749 section 2.3.1."""
    scheme, _, encoded = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id"), form.get("client_secret")
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return unquote_plus(name), unquote_plus(secret)


def _server_document(origin: str) -> dict[str, Any]:
    return {
        "issuer": origin,
        "token_endpoint": f"{origin}{TOKEN_PATH}",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }


def _json(status: int, value: Mapping[str, Any], *headers: tuple[str, str]) -> Response:
    return Response(status=status, headers=(JSON, *headers), body=json.dumps(value).encode())
