"""The page of whoever is logged in: their logins and their password."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.entering import access_of, browser_address, left, own_login, passwords_of, with_logins
from dashboard.access.gate import WithActor, may
from dashboard.access.logging_in import NotLoggedIn, TooManyTries, log_in
from dashboard.access.permissions import Permission
from dashboard.access.way_in import LOGIN_HREF
from dashboard.operations import people as operations
from dashboard.operations.refusals import missing
from dashboard.rendering import READ, page
from dashboard.services import Services, WithServices
from dashboard.views.account import ACCOUNT_HREF, account_view
from dashboard.views.login import password_problem
from prober.storage import logins
from prober.storage.logins import Login

router = APIRouter(prefix=ACCOUNT_HREF, include_in_schema=False, dependencies=[Depends(with_logins)])

WithLogin = Annotated[Login, Depends(own_login)]
_DONE: Final = {"password": "The password is another one now, and all other logins have ended."}


@router.api_route("", methods=READ, dependencies=[may(Permission.READ)])
async def shown(request: Request, services: WithServices, login: WithLogin, done: str = "") -> Response:
    return await _shown(request, services, login, done=_DONE.get(done, ""))


@router.post("/password", dependencies=[may(Permission.READ)])
async def change_password(
    request: Request,
    services: WithServices,
    actor: WithActor,
    login: WithLogin,
    current: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Another password, for whoever knows the current one: a browser that somebody left open is not enough."""
    problem = password_problem(password, again, of=login.person.name)
    if problem:
        return await _shown(request, services, login, error=problem, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    checking, name = passwords_of(request), login.person.name
    try:
        await log_in(
            services.db, services.clock, checking, name=name, password=current, address=browser_address(request)
        )
    except NotLoggedIn:
        said = "The current password is another one."
        return await _shown(request, services, login, error=said, status=HTTPStatus.FORBIDDEN)
    except TooManyTries as wait:
        return await _shown(request, services, login, error=str(wait), status=HTTPStatus.TOO_MANY_REQUESTS)
    await operations.change_password(services, actor.author, login, password=await checking.hashed(password))
    return RedirectResponse(f"{ACCOUNT_HREF}?done=password", HTTPStatus.SEE_OTHER)


@router.post("/logins/{digest}/end", dependencies=[may(Permission.READ)])
async def end_login(
    request: Request, services: WithServices, actor: WithActor, login: WithLogin, digest: str
) -> Response:
    """End one of one's own logins, this one too."""
    try:
        meant = bytes.fromhex(digest)
    except ValueError:
        raise missing("there is no such login") from None
    await operations.end_login(services, actor.author, login, meant)
    if meant == login.digest:
        return left(request, LOGIN_HREF)
    return RedirectResponse(ACCOUNT_HREF, HTTPStatus.SEE_OTHER)


@router.post("/logins/end", dependencies=[may(Permission.READ)])
async def end_logins(request: Request, services: WithServices, actor: WithActor, login: WithLogin) -> Response:
    """Log oneself out everywhere."""
    await operations.end_logins(services, actor.author, login)
    return left(request, LOGIN_HREF)


async def _shown(
    request: Request,
    services: Services,
    login: Login,
    *,
    done: str = "",
    error: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    now = services.clock.now()
    mine = await logins.of_person(services.db, login.person, now=now, lasts=access_of(request).lasts)
    view = account_view(login, mine, now, done=done, error=error)
    return page(request, "account.html", status=status, section="account", account=view)
