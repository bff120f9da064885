"""The way to the login, and back to where somebody wanted to go."""

from typing import Final
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

LOGIN_HREF: Final = "/login"
_LONGEST: Final = 2000
_ENDED: Final = "The login has ended: load this page again."


def local(path: str | None) -> str:
    """A path of ours, for a redirect; `/` for whatever else leads away (open redirect).

    Browsers take `//`, and `/` with a backslash, for the beginning of a host, and drop tabs and line ends before they
    look (WHATWG URL, "relative slash state").
    """
    if not path or not path.startswith("/") or len(path) > _LONGEST:
        return "/"
    if path.startswith(("//", LOGIN_HREF)) or "\\" in path or not path.isprintable():
        return "/"
    return path


def to_the_login(request: Request) -> Response:
    """The login, and from there back. Scripts of a page are told instead: they would show a login in its place."""
    asked_by_script = request.query_params.get("fragment") == "1" or request.scope["path"] == "/live"
    if asked_by_script:
        return PlainTextResponse(_ENDED + "\n", 401, {"X-Trouble": _ENDED})
    back = local(_wanted(request))
    return RedirectResponse(LOGIN_HREF if back == "/" else f"{LOGIN_HREF}?next={quote(back)}", 303)


def _wanted(request: Request) -> str:
    """The page that was asked for; of a form, the one on which it stood."""
    if request.method in {"GET", "HEAD"}:
        query = request.scope["query_string"].decode("ascii", "replace")
        return quote(request.scope["path"]) + (f"?{query}" if query else "")
    return _stood_on(request)


def back_to_the_form(request: Request) -> str | None:
    """The page of ours on which a form stood, where the browser says so."""
    back = local(_stood_on(request)) if request.method == "POST" else "/"
    return None if back == "/" else back


def _stood_on(request: Request) -> str:
    try:
        stood = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return "/"
    return stood.path + (f"?{stood.query}" if stood.query else "")
