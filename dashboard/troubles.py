"""What is answered when something is wrong: the same look for people, one JSON shape for programs, no traceback."""

import logging
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from checks.text import clean
from dashboard.access.way_in import to_the_login
from dashboard.api import problems
from dashboard.api.problems import Fault
from dashboard.guard import SECURITY_HEADERS
from dashboard.operations.refusals import Unusable
from dashboard.rendering import page
from prober.settings import Problem

_MOST_FAULTS: Final = 50
_UNFIT_FOR_A_HEADER: Final = re.compile(r"[^\x20-\x7e]")
"""Servers send ASCII alone there, and a sentence may quote a name that is none (RFC 9110 section 5.5)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong, and what to do about it."""

    status: int
    title: str
    lines: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    """What is wrong with what was sent, each with its place."""


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
    app.add_exception_handler(DataError, _unstorable)
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
    faults = tuple(Fault(place=each.place, message=each.message, way_out=each.hint) for each in _problems_of(error))
    trouble = Trouble(error.status_code, said or title, faults=faults)
    return _answer(request, trouble, dict(error.headers or {}))


def _problems_of(error: HTTPException) -> tuple[Problem, ...]:
    return error.problems if isinstance(error, Unusable) else ()


def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    is_of_a_form = request.method == "POST" and all(each["loc"][0] != "path" for each in error.errors())
    if not (_wants_json(request) or is_of_a_form):
        return _answer(request, Trouble(404, "There is no such page."))
    faults = tuple(_fault(each) for each in error.errors()[:_MOST_FAULTS])
    lines = () if _wants_json(request) else tuple(f"{each.place}: {each.message}" for each in faults)
    return _answer(request, Trouble(422, "What was sent cannot be used.", lines, faults))


def _fault(error: dict[str, Any]) -> Fault:
    """What pydantic found, without the value, and without the marks of where FastAPI took it from."""
    place = ".".join(clean(str(part), 60) for part in error["loc"][1:])
    return Fault(place=place, message=clean(str(error["msg"]), 300))


def _unstorable(request: Request, error: Exception) -> Response:
    """PostgreSQL takes no NUL in a text, and no number beyond its type: what was sent holds one."""
    said = "What was sent holds a character or a number that cannot be stored or looked for."
    return _answer(request, Trouble(422 if _wants_json(request) else 404, said))


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
        detail = " ".join((trouble.title, *trouble.lines))
        return problems.answer(trouble.status, detail, errors=trouble.faults, headers=headers)
    return page(
        request,
        "error.html",
        status=trouble.status,
        live="" if trouble.status == HTTPStatus.SERVICE_UNAVAILABLE else None,
        headers={**(headers or {}), "X-Trouble": _UNFIT_FOR_A_HEADER.sub("?", trouble.title)},
        error=trouble,
    )


def _wants_json(request: Request) -> bool:
    return str(request.scope["path"]).startswith("/api/")
