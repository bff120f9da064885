"""What stands in front of every page: response headers for browsers, and a check of the name we are asked by."""

from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.access.gate import HARMLESS
from dashboard.api import problems
from dashboard.config import ALLOWED_HOSTS

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Nothing is inline and nothing comes from elsewhere, so the policy needs no exception.

With `no-referrer`, browsers would send our own forms with `Origin: null` (Fetch standard, "append a request `Origin`
header"), and `SameOrigin` could not tell them from others.
"""


class SecurityHeaders:
    """Adds `SECURITY_HEADERS` to every answer, and forbids caches to keep a page that did not say otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache, private")
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class KnownHost:
    """Refuses requests whose Host is a stranger's domain name.

    An open dashboard asks nobody who they are, so a page on the internet must not reach it by pointing its own name at
    our address (DNS rebinding). An attacker owns neither an IP literal nor a name without a dot, so those pass.
    """

    def __init__(self, app: ASGIApp, *, allowed: frozenset[str]) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_known_host(Headers(scope=scope).get("host", ""), self._allowed):
            await self._app(scope, receive, send)
            return
        said = (
            "This dashboard does not answer to that host name. Whoever runs it can allow the name in "
            f"{ALLOWED_HOSTS} (comma separated)."
        )
        await _refusal(scope, 421, said)(scope, receive, send)


class SameOrigin:
    """Refuses changes that a page of somebody else asks for in the name of whoever looks at it (CSRF).

    Browsers tell where a request comes from, in `Sec-Fetch-Site` or `Origin`, and pages cannot write these. Who sends
    neither is no browser, and acts in nobody else's name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in HARMLESS or is_same_origin(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        said = "This change was asked for by a page of another site."
        await _refusal(scope, 403, said)(scope, receive, send)


def _refusal(scope: Scope, status: int, said: str) -> Response:
    """For programs in the shape of all errors."""
    if scope["path"].startswith("/api/"):
        return problems.answer(status, said)
    return PlainTextResponse(f"{said}\n", status)


def is_same_origin(headers: Headers) -> bool:
    """Whether a request was made by a page of ours, or by no page at all.

    The scheme of `Origin` is not compared: before us, TLS may have ended.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site == "same-origin"
    return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").strip().lower() != ""


def is_known_host(header: str, allowed: frozenset[str]) -> bool:
    """Whether a Host header names localhost, an IP address, a name without a dot, or one of `allowed`."""
    host = _without_port(header.strip().lower()).removesuffix(".")
    if not host or any(character in host for character in "/\\@?#, \t"):
        return False
    if host in allowed or "." not in host.removesuffix(".localhost"):
        return ":" not in host or _is_address(host)
    return _is_address(host)


def _without_port(authority: str) -> str:
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
