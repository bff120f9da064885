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
from dashboard.access.gate import actor_of, anybody
from dashboard.access.mode import AccessConfig
from dashboard.access.oidc import CALLBACK, Attempt
from dashboard.access.provider import Arrival, NotConfirmed, Provider, ProviderTrouble
from dashboard.access.proxy import address_of
from dashboard.access.way_in import LOGIN_HREF, local
from dashboard.rendering import page
from dashboard.services import Services, WithServices
from dashboard.troubles import Trouble
from prober.storage import logins, vouched
from prober.storage.people import Source
from prober.storage.vouched import TurnedAway

log = logging.getLogger(__name__)

BEGIN: Final = f"{LOGIN_HREF}/oidc"
END: Final = f"{BEGIN}/end"
COOKIE: Final = "mcpp_oidc"

_LONGEST_CODE: Final = 4096
_AGAIN: Final = f"Begin again at {LOGIN_HREF}."
_STRANGE: Final = (
    "This login did not begin in this browser.",
    f"Or it began more than ten minutes ago, or before another one. {_AGAIN}",
)
_NOT_CONFIRMED: Final = ("The login was not confirmed.", f"The dashboard's log says why. {_AGAIN}")
_UNREACHABLE: Final = (
    "The provider of logins cannot be asked.",
    "The dashboard's log says why. Whoever has a password here can log in with that meanwhile.",
)
_NO_GROUP: Final = (
    "None of your groups may look at this dashboard.",
    "Whoever runs it says which may; at the provider, somebody can put you into one.",
)
_NO_WAY_OUT: Final = (
    "The provider of logins has no page to log out.",
    "Close the browser, or log out where you logged in.",
)

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
        return _refused(request, HTTPStatus.BAD_GATEWAY, _UNREACHABLE)
    answer = RedirectResponse(address, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
    cookies.put(answer, request, _access(request), COOKIE, attempt.cookie)
    return answer


@router.get(CALLBACK, dependencies=[anybody()])
async def come_back(request: Request, services: WithServices, provider: WithProvider) -> Response:
    """Log the browser in that comes back with a code, if it is the one that was sent, and the provider stands by it."""
    attempt = Attempt.read(cookies.read(request, _access(request), COOKIE) or "", services.clock.now())
    query = request.query_params
    if attempt is None or not attempt.is_answered_by(query.get("state", "")) or not provider.is_first(attempt):
        return _refused(request, HTTPStatus.BAD_REQUEST, _STRANGE)
    code = query.get("code", "")
    if not code or len(code) > _LONGEST_CODE:
        log.info("login by OpenID Connect: the provider sent a browser back with %s", clean(query.get("error", ""), 60))
        return _refused(request, HTTPStatus.FORBIDDEN, _NOT_CONFIRMED)
    if provider.is_busy:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "Too many people log in at once.", {"Retry-After": "5"})
    try:
        await provider.check_sender(query.get("iss"))
        arrival = await provider.arrival(attempt, code)
    except NotConfirmed as trouble:
        log.warning("login by OpenID Connect: %s", trouble)
        return _refused(request, HTTPStatus.FORBIDDEN, _NOT_CONFIRMED)
    except ProviderTrouble as trouble:
        log.warning("login by OpenID Connect: %s", trouble)
        return _refused(request, HTTPStatus.BAD_GATEWAY, _UNREACHABLE)
    return await _let_in(request, services, arrival, local(attempt.next))


@router.get(END, dependencies=[anybody()])
async def leave(request: Request, provider: WithProvider) -> Response:
    """Send the browser to log out of the provider, which would otherwise let it in again without a question."""
    try:
        address = await provider.address_to_leave()
    except ProviderTrouble:
        return _refused(request, HTTPStatus.BAD_GATEWAY, _UNREACHABLE)
    if address is None:
        return _refused(request, HTTPStatus.NOT_FOUND, _NO_WAY_OUT)
    return RedirectResponse(address, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})


async def _let_in(request: Request, services: Services, arrival: Arrival, next_path: str) -> Response:
    """A new login for the person, in place of the one that the browser had."""
    if arrival.role is None:
        async with services.db.begin() as connection:
            await vouched.turn_away(connection, Source.OIDC, arrival.subject)
        return _refused(request, HTTPStatus.FORBIDDEN, _NO_GROUP)
    access, before = _access(request), (await actor_of(request)).login
    try:
        async with services.db.begin() as connection:
            person = await vouched.welcome(
                connection, Source.OIDC, arrival.subject, name=arrival.name, role=arrival.role
            )
            if before is not None:
                await logins.end(connection, before.person.id, before.digest)
            secret = await logins.begin(
                connection,
                person.id,
                now=services.clock.now(),
                lasts=access.lasts,
                address=address_of(request, request.app.state.proxy),
                agent=request.headers.get("user-agent", ""),
            )
    except TurnedAway as refused:
        return _refused(request, HTTPStatus.FORBIDDEN, (str(refused),))
    answer = RedirectResponse(next_path, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
    cookies.put(answer, request, access, cookies.LOGIN, secret)
    cookies.drop(answer, request, access, COOKIE)
    return answer


def _refused(request: Request, status: HTTPStatus, words: tuple[str, ...]) -> Response:
    """The page for somebody who is not let in. The cookie has done its duty: a login is tried once."""
    answer = page(request, "error.html", status=status, error=Trouble(status, words[0], words[1:]))
    cookies.drop(answer, request, _access(request), COOKIE)
    return answer


def _access(request: Request) -> AccessConfig:
    return cast(AccessConfig, request.app.state.access)
