"""The page on which the first admin chooses a name and a password, by the link that was printed at the start."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dashboard.access.entering import access_of, begin_login, entered, passwords_of, with_logins
from dashboard.access.gate import actor_of, anybody
from dashboard.rendering import READ, page
from dashboard.services import Services, WithServices
from dashboard.views.login import SetupView, password_problem
from prober.storage import audit, people, setup_tokens
from prober.storage.audit import Author, Via
from prober.storage.people import PersonRefused, Role, tidy_name

router = APIRouter(include_in_schema=False, dependencies=[Depends(with_logins)])

SETUP_HREF: Final = "/setup"
_USED: Final = (
    "That link does not count, or no longer: it does for an hour, once, and until a newer one is made. "
    "Make one with: mcp-prober access setup"
)


@router.api_route(SETUP_HREF, methods=READ, dependencies=[anybody()])
async def asked(request: Request, services: WithServices) -> Response:
    await _while_there_is_no_admin(services)
    await actor_of(request)
    return _form(request, SetupView())


@router.post(SETUP_HREF, dependencies=[anybody()])
async def set_up(
    request: Request,
    services: WithServices,
    token: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Make the first admin, and log this browser in."""
    await _while_there_is_no_admin(services)
    try:
        problem = password_problem(password, again, of=tidy_name(name))
        if problem:
            return _form(request, SetupView(name=name, token=token, error=problem), HTTPStatus.UNPROCESSABLE_ENTITY)
        async with services.db.connect() as connection:
            if not await setup_tokens.counts(connection, token.strip(), now=services.clock.now()):
                return _form(request, SetupView(name=name, error=_USED), HTTPStatus.FORBIDDEN)
        kept = await passwords_of(request).hashed(password)
        async with services.db.begin() as connection:
            if not await setup_tokens.take(connection, token.strip(), now=services.clock.now()):
                return _form(request, SetupView(name=name, error=_USED), HTTPStatus.FORBIDDEN)
            person = await people.add(connection, name, Role.ADMIN, password=kept, by="the set-up link")
            author = Author(name=person.name, via=Via.PAGE)
            await audit.note(connection, author, "person.add", person.name, {"role": "admin", "by": "the set-up link"})
            secret = await begin_login(request, connection, services, person.id)
    except PersonRefused as refused:
        view = SetupView(name=name, token=token, error=str(refused))
        return _form(request, view, HTTPStatus.UNPROCESSABLE_ENTITY)
    return entered(request, secret, "/")


async def _while_there_is_no_admin(services: Services) -> None:
    """Raises HTTPException, 404, once there is one: as if the page had never been."""
    async with services.db.connect() as connection:
        if await people.has_admin(connection):
            raise HTTPException(HTTPStatus.NOT_FOUND)


def _form(request: Request, view: SetupView, status: int = HTTPStatus.OK) -> Response:
    shown = replace(view, in_the_clear=access_of(request).is_in_the_clear(request))
    return page(request, "setup.html", status=status, headers={"Cache-Control": "no-store"}, setup=shown)
