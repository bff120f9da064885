"""The login by OpenID Connect: to the provider, and back with a code."""

import logging
from http import HTTPStatus
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checks.text import clean
from dashboard.access import cookies
from dashboard.access.entering import access_of, begin_login, entered
from dashboard.access.gate import actor_of, anybody
from dashboard.access.oidc import CALLBACK, Attempt
from dashboard.access.provider import Arrival, NotConfirmed, Provider, ProviderTrouble
from dashboard.access.way_in import local
from dashboard.rendering import page
from dashboard.services import Services, WithServices
from dashboard.views import single_sign_on as views
from dashboard.views.single_sign_on import BEGIN, END, RefusedView
from prober.storage import audit, vouched
from prober.storage.audit import Author, Via
from prober.storage.people import Source
from prober.storage.vouched import TurnedAway

log = logging.getLogger(__name__)

COOKIE: Final = "mcpp_oidc"

_LONGEST_CODE: Final = 4096

router = APIRouter(include_in_schema=False)


def _provider(request: Request) -> Provider:
    """The configured provider. Raises HTTPException where there is none."""
    provider = cast("Provider | None", request.app.state.provider)
    if provider is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return provider


WithProvider = Annotated[Provider, Depends(_provider)]


@router.get(BEGIN, dependencies=[anybody()])
async def begin(request: Request, services: WithServices, provider: WithProvider) -> Response:
    """Send the browser to the provider, with a cookie by which it is known again."""
    attempt = Attempt.begin(services.clock.now(), local(request.query_params.get("next")))
    try:
        address = await provider.address_for(attempt)
    except ProviderTrouble:
        return await _refused(request, HTTPStatus.BAD_GATEWAY, views.UNREACHABLE)
    answer = RedirectResponse(address, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
    cookies.put(answer, request, access_of(request), COOKIE, attempt.cookie)
    return answer


@router.get(CALLBACK, dependencies=[anybody()])
async def come_back(request: Request, services: WithServices, provider: WithProvider) -> Response:
    """Log the browser in that comes back with a code, if it is the one that was sent, and the provider stands by it."""
    attempt = Attempt.read(cookies.read(request, access_of(request), COOKIE) or "", services.clock.now())
    query = request.query_params
    if attempt is None or not attempt.is_answered_by(query.get("state", "")) or not provider.is_first(attempt):
        return await _refused(request, HTTPStatus.BAD_REQUEST, views.STRANGE)
    code = query.get("code", "")
    if not code or len(code) > _LONGEST_CODE:
        log.info("login by OpenID Connect: the provider sent a browser back with %s", clean(query.get("error", ""), 60))
        return await _refused(request, HTTPStatus.FORBIDDEN, views.NOT_CONFIRMED)
    if provider.is_busy:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "Too many people log in at once.", {"Retry-After": "5"})
    try:
        await provider.check_sender(query.get("iss"))
        arrival = await provider.arrival(attempt, code)
    except NotConfirmed as trouble:
        log.warning("login by OpenID Connect: %s", trouble)
        return await _refused(request, HTTPStatus.FORBIDDEN, views.NOT_CONFIRMED)
    except ProviderTrouble as trouble:
        log.warning("login by OpenID Connect: %s", trouble)
        return await _refused(request, HTTPStatus.BAD_GATEWAY, views.UNREACHABLE)
    return await _let_in(request, services, arrival, local(attempt.next))


@router.get(END, dependencies=[anybody()])
async def leave(request: Request, provider: WithProvider) -> Response:
    """Send the browser to log out of the provider, which would otherwise let it in again without a question."""
    try:
        address = await provider.address_to_leave()
    except ProviderTrouble:
        return await _refused(request, HTTPStatus.BAD_GATEWAY, views.UNREACHABLE)
    if address is None:
        return await _refused(request, HTTPStatus.NOT_FOUND, views.NO_WAY_OUT)
    return RedirectResponse(address, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})


async def _let_in(request: Request, services: Services, arrival: Arrival, next_path: str) -> Response:
    """A new login for the person, in place of the one that the browser had."""
    if arrival.role is None:
        async with services.db.begin() as connection:
            await vouched.turn_away(connection, Source.OIDC, arrival.subject)
        return await _refused(request, HTTPStatus.FORBIDDEN, views.NO_GROUP)
    try:
        async with services.db.begin() as connection:
            person = await vouched.welcome(
                connection, Source.OIDC, arrival.subject, name=arrival.name, role=arrival.role
            )
            secret = await begin_login(request, connection, services, person.id)
            await audit.note(connection, Author(name=person.name, via=Via.PAGE), "login.begin", person.name)
    except TurnedAway as refused:
        return await _refused(request, HTTPStatus.FORBIDDEN, views.turned_away(str(refused)))
    answer = entered(request, secret, next_path)
    cookies.drop(answer, request, access_of(request), COOKIE)
    return answer


async def _refused(request: Request, status: HTTPStatus, refused: RefusedView) -> Response:
    """The page for somebody who is not let in. The cookie has done its duty: a login is tried once."""
    await actor_of(request)
    answer = page(
        request, "sign_on_refused.html", status=status, headers={"Cache-Control": "no-store"}, refused=refused
    )
    cookies.drop(answer, request, access_of(request), COOKIE)
    return answer
