"""What is answered when something is wrong: the same look for people, one JSON shape for programs, no traceback."""

import logging
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from checks.proofs import listed
from checks.text import clean
from dashboard.access.way_in import back_to_the_form, to_the_login
from dashboard.api import problems
from dashboard.api.faults import UNUSABLE, fault_of
from dashboard.api.problems import Fault
from dashboard.guard import SECURITY_HEADERS
from dashboard.operations.refusals import Unusable
from dashboard.rendering import page
from prober.settings import Problem

_MOST_FAULTS: Final = 50
_UNFIT_FOR_A_HEADER: Final = re.compile(r"[^\x20-\x7e]")
"""Servers send ASCII alone there, and a sentence may quote a name that is none (RFC 9110 section 5.5)."""

_OURS: Final = {
    "There was an error parsing the body": "The body cannot be read as JSON: it is nested too deeply, or one of its "
    "numbers is too long.",
}
"""For sentences of FastAPI."""

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
    title = _title(request, error)
    # Starlette's own detail for an unknown route is the bare phrase, which the title already says better.
    said = error.detail if error.detail != HTTPStatus(error.status_code).phrase else ""
    faults = tuple(Fault(place=each.place, message=each.message, way_out=each.hint) for each in _problems_of(error))
    trouble = Trouble(error.status_code, _OURS.get(said, said) or title, faults=faults)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (methods := _methods(request)):
        headers["Allow"] = ", ".join(methods)
    return _answer(request, trouble, headers)


def _methods(request: Request) -> list[str]:
    """What an address of the API takes, by all of its routes: Starlette names the methods of one (RFC 9110 section
    15.5.6)."""
    route: APIRoute | None = request.scope.get("route")
    named = {} if route is None else request.app.openapi()["paths"].get(route.path_format, {})
    return sorted(each.upper() for each in named)


def _title(request: Request, error: HTTPException) -> str:
    """What is said where nothing else is."""
    is_program = _wants_json(request)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "There is no such operation: /api/openapi.json names all." if is_program else "There is no such page."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        methods = _methods(request) if is_program else []
        return f"This address takes {listed(methods)}." if methods else "This page can only be read."
    return f"{HTTPStatus(error.status_code).phrase}."


def _problems_of(error: HTTPException) -> tuple[Problem, ...]:
    return error.problems if isinstance(error, Unusable) else ()


def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    is_of_a_form = request.method == "POST" and all(each["loc"][0] != "path" for each in error.errors())
    if not (_wants_json(request) or is_of_a_form):
        return _answer(request, Trouble(404, "There is no such page."))
    faults = tuple(fault_of(request, each) for each in error.errors()[:_MOST_FAULTS])
    lines = () if _wants_json(request) else tuple(f"{each.place} {each.message}: {each.way_out}." for each in faults)
    return _answer(request, Trouble(422, UNUSABLE, lines, faults))


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
        back=back_to_the_form(request),
    )


def _wants_json(request: Request) -> bool:
    return str(request.scope["path"]).startswith("/api/")
