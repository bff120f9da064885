"""The two cookies: that of a login, and that of a visit before it, which binds the login form to a browser."""

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
    held = request.cookies.get(_full(name, https=config.is_https(request)), "")
    return held if 0 < len(held) <= _LONGEST and held.isascii() else None


def put(response: Response, request: Request, config: AccessConfig, name: str, secret: str) -> None:
    """Let the browser keep a secret until the server counts it no more, or for its session where that is the visit's.

    `SameSite=Lax`, so that links in notices lead to pages and not to the login.
    """
    https = config.is_https(request)
    response.set_cookie(
        _full(name, https=https),
        secret,
        max_age=int(config.lasts.whole.total_seconds()) if name == LOGIN else None,
        path="/",
        secure=https,
        httponly=True,
        samesite="lax",
    )


def drop(response: Response, request: Request, config: AccessConfig, name: str) -> None:
    """Let the browser forget it."""
    https = config.is_https(request)
    response.delete_cookie(_full(name, https=https), path="/", secure=https, httponly=True, samesite="lax")


def _full(name: str, *, https: bool) -> str:
    """With the prefix, browsers take the cookie over https alone, and from nobody but this very host (RFC 6265bis)."""
    return f"__Host-{name}" if https else name
