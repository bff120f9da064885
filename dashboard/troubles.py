"""What is answered when something is wrong: the same look for people, one JSON shape for programs, no traceback."""

import logging
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from checks.text import clean
from dashboard.access.way_in import to_the_login
from dashboard.guard import SECURITY_HEADERS
from dashboard.rendering import page

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong, and what to do about it."""

    status: int
    title: str
    lines: tuple[str, ...] = ()


_UNREACHABLE = Trouble(
    503,
    "The database cannot be reached.",
    (
        "The dashboard shows what the prober stored, and right now it cannot read it. Probing may well go on.",
        "Check that PostgreSQL runs and that DATABASE_URL names it. This page tries again by itself.",
    ),
)
_UNPREPARED = Trouble(
    503,
    "The database has no tables of this release.",
    ("Run mcp-prober migrate with the same DATABASE_URL, or start mcp-prober up, which does it first.",),
)
_BUG = Trouble(
    500,
    "The dashboard made a mistake.",
    ("It is a bug of ours, and probing goes on without it. The dashboard's log holds the traceback.",),
)


def install(app: FastAPI) -> None:
    """Let the application answer its errors from here."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(SQLAlchemyError, _without_database)
    app.add_exception_handler(OSError, _without_database)
    app.add_exception_handler(Exception, _bug)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.UNAUTHORIZED and not _wants_json(request):
        return to_the_login(request)
    title = {404: "There is no such page.", 405: "This page can only be read."}.get(
        error.status_code, f"{HTTPStatus(error.status_code).phrase}."
    )
    # Starlette's own detail for an unknown route is the bare phrase, which the title already says better.
    said = error.detail if error.detail != HTTPStatus(error.status_code).phrase else ""
    trouble = Trouble(error.status_code, said or title)
    return _answer(request, trouble, dict(error.headers or {}))


def _malformed(request: Request, error: Exception) -> Response:
    if not _wants_json(request):
        return _answer(request, Trouble(404, "There is no such page."))
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
    return _answer(request, Trouble(422, "The request cannot be read.", (clean(said),)))


def _without_database(request: Request, error: Exception) -> Response:
    cause = error.orig if isinstance(error, DBAPIError) else error
    trouble = _UNPREPARED if isinstance(cause, UndefinedTable | UndefinedColumn) else _UNREACHABLE
    log.warning("%s %s", trouble.title, clean(str(cause)))
    return _answer(request, trouble, {"Retry-After": "5"})


def _bug(request: Request, error: Exception) -> Response:
    # The server logs the traceback: Starlette raises the exception again once this is sent.
    return _answer(request, _BUG, dict(SECURITY_HEADERS))


def _answer(request: Request, trouble: Trouble, headers: dict[str, str] | None = None) -> Response:
    if _wants_json(request):
        body = {"title": trouble.title, "status": trouble.status, "detail": " ".join(trouble.lines)}
        return JSONResponse(body, trouble.status, headers, media_type="application/problem+json")
    return page(
        request,
        "error.html",
        status=trouble.status,
        live="" if trouble.status == HTTPStatus.SERVICE_UNAVAILABLE else None,
        headers={**(headers or {}), "X-Trouble": trouble.title},
        error=trouble,
    )


def _wants_json(request: Request) -> bool:
    return str(request.scope["path"]).startswith("/api/")
