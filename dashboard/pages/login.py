"""The page on which people say who they are, and the way out."""

from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.entering import access_of, begin_login, browser_address, entered, left, passwords_of, with_logins
from dashboard.access.gate import actor_of, anybody
from dashboard.access.logging_in import NotLoggedIn, TooManyTries, log_in
from dashboard.access.provider import Provider
from dashboard.access.way_in import LOGIN_HREF, local
from dashboard.rendering import READ, page
from dashboard.services import Services, WithServices
from dashboard.views.login import LoginView
from dashboard.views.single_sign_on import BEGIN, Way
from prober.storage import audit, logins, people
from prober.storage.audit import Author, Via
from prober.storage.people import Person

router = APIRouter(include_in_schema=False, dependencies=[Depends(with_logins)])

LOGOUT_HREF: Final = "/logout"


@router.api_route(LOGIN_HREF, methods=READ, dependencies=[anybody()])
async def asked(request: Request, services: WithServices) -> Response:
    """The form; whoever is logged in is led on."""
    next_path = local(request.query_params.get("next"))
    if (await actor_of(request)).is_known:
        return RedirectResponse(next_path, HTTPStatus.SEE_OTHER)
    return await _form(request, services, next_path)


@router.post(LOGIN_HREF, dependencies=[anybody()])
async def log_in_here(
    request: Request,
    services: WithServices,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the field's name is what links carry
) -> Response:
    """A new login for whoever knows a name and its password."""
    try:
        person = await log_in(
            services.db,
            services.clock,
            passwords_of(request),
            name=name,
            password=password,
            address=browser_address(request),
        )
        secret = await _begun(request, services, person)
    except TooManyTries as wait:
        status, headers = HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(wait.wait_s)}
        return await _form(request, services, local(next), name=name, error=str(wait), status=status, headers=headers)
    except NotLoggedIn as wrong:
        said = str(wrong)
        return await _form(request, services, local(next), name=name, error=said, status=HTTPStatus.FORBIDDEN)
    return entered(request, secret, local(next))


@router.post(LOGOUT_HREF, dependencies=[anybody()])
async def log_out(request: Request, services: WithServices) -> Response:
    """End the login of this browser, if it has one."""
    actor = await actor_of(request)
    if actor.login is not None:
        async with audit.change(services.db, actor.author, "login.end", actor.login.person.name) as change:
            await logins.end(change, actor.login.person.id, actor.login.digest)
    return left(request, LOGIN_HREF)


async def _begun(request: Request, services: Services, person: Person) -> str:
    """The secret of a new login. Raises NotLoggedIn where the person has another password by now, or is disabled."""
    author = Author(name=person.name, via=Via.PAGE)
    async with audit.change(services.db, author, "login.begin", person.name) as change:
        if not await people.is_unchanged(change, person):
            raise NotLoggedIn
        return await begin_login(request, change, services, person.id)


async def _form(
    request: Request,
    services: Services,
    next_path: str,
    *,
    name: str = "",
    error: str = "",
    status: int = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
) -> Response:
    provider: Provider | None = request.app.state.provider
    async with services.db.connect() as connection:
        has_admin = await people.has_admin(connection) or (provider is not None and provider.settings.has_admins)
    elsewhere = None if provider is None else Way(f"{BEGIN}?next={quote(next_path)}", provider.settings.label)
    view = LoginView(
        next=next_path,
        name=name,
        error=error,
        elsewhere=elsewhere,
        has_admin=has_admin,
        in_the_clear=access_of(request).is_in_the_clear(request),
    )
    kept_nowhere = {"Cache-Control": "no-store", **(headers or {})}
    return page(request, "login.html", status=status, headers=kept_nowhere, login=view)
