"""A browser comes in and goes: its login begins and ends, with the cookie that stands for it."""

from http import HTTPStatus
from typing import cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access import cookies
from dashboard.access.gate import actor_of
from dashboard.access.logging_in import Passwords
from dashboard.access.mode import AccessConfig, Mode
from dashboard.access.proxy import address_of
from dashboard.services import Services
from prober.storage import logins
from prober.storage.logins import Login


def access_of(request: Request) -> AccessConfig:
    return cast(AccessConfig, request.app.state.access)


def passwords_of(request: Request) -> Passwords:
    return cast(Passwords, request.app.state.passwords)


def browser_address(request: Request) -> str:
    """From where the browser asks, as far as it can be believed."""
    return address_of(request, request.app.state.proxy) or "an unknown address"


def with_logins(request: Request) -> None:
    """Raises HTTPException, 404, for pages of logins where nobody is asked who they are."""
    if access_of(request).mode is Mode.OPEN:
        raise HTTPException(HTTPStatus.NOT_FOUND, "This dashboard asks nobody who they are, so it knows no people.")


async def begin_login(request: Request, connection: AsyncConnection, services: Services, person: UUID) -> str:
    """A login in place of the one that the browser had; gives the secret for its cookie."""
    before = (await actor_of(request)).login
    if before is not None:
        await logins.end(connection, before.person.id, before.digest)
    return await logins.begin(
        connection,
        person,
        now=services.clock.now(),
        lasts=access_of(request).lasts,
        address=browser_address(request),
        agent=request.headers.get("user-agent", ""),
    )


def entered(request: Request, secret: str, to: str) -> Response:
    """Lead the browser on with the cookie of its new login."""
    answer = RedirectResponse(to, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
    cookies.put(answer, request, access_of(request), cookies.LOGIN, secret)
    cookies.drop(answer, request, access_of(request), cookies.VISIT)
    return answer


def left(request: Request, to: str) -> Response:
    """Lead the browser on without a login. Nothing that it keeps of our pages is shown again."""
    answer = RedirectResponse(to, HTTPStatus.SEE_OTHER, {"Clear-Site-Data": '"cache"', "Cache-Control": "no-store"})
    cookies.drop(answer, request, access_of(request), cookies.LOGIN)
    return answer


async def own_login(request: Request) -> Login:
    """The login of the browser that asks. Raises HTTPException: 404 for whoever came in another way."""
    login = (await actor_of(request)).login
    if login is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "You came in without a login of this dashboard.")
    return login
