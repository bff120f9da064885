"""The two cookies: that of a login, and that of a visit before it, which binds the login form to a browser.

Browsers send a cookie to every port of its host (RFC 6265 section 8.5), so that the port is in its name: two dashboards
on one host log nobody out of each other.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from dashboard.access.mode import AccessConfig

LOGIN: Final = "mcpp_login"
VISIT: Final = "mcpp_visit"
_LONGEST: Final = 3800
"""Browsers keep cookies of 4,096 bytes with their names (RFC 6265 section 6.1)."""


def read(request: Request, config: AccessConfig, name: str) -> str | None:
    """What a cookie of ours holds; None without one."""
    held = request.cookies.get(_full(name, request, config), "")
    return held if 0 < len(held) <= _LONGEST and held.isascii() else None


def put(response: Response, request: Request, config: AccessConfig, name: str, secret: str) -> None:
    """Let the browser keep a secret until the server counts it no more, or for its session where that is the visit's.

    `SameSite=Lax`, so that links in notices lead to pages and not to the login.
    """
    response.set_cookie(
        _full(name, request, config),
        secret,
        max_age=int(config.lasts.whole.total_seconds()) if name == LOGIN else None,
        path="/",
        secure=config.is_https(request),
        httponly=True,
        samesite="lax",
    )


def drop(response: Response, request: Request, config: AccessConfig, name: str) -> None:
    """Let the browser forget it."""
    https = config.is_https(request)
    response.delete_cookie(_full(name, request, config), path="/", secure=https, httponly=True, samesite="lax")


def _full(name: str, request: Request, config: AccessConfig) -> str:
    """With the prefix, browsers take the cookie over https alone, and from nobody but this very host (RFC 6265bis)."""
    port = _port(request.headers.get("host", ""))
    own = f"{name}_{port}" if port else name
    return f"__Host-{own}" if config.is_https(request) else own


def _port(host: str) -> str:
    """The port that the browser has in the address; empty where it is the usual one."""
    port = host.rpartition(":")[2]
    return port if ":" in host and port.isascii() and port.isdigit() and len(port) <= 5 else ""
