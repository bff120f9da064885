"""The page of people: who may log in, and as what."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.entering import passwords_of, with_logins
from dashboard.access.gate import WithActor, people_may
from dashboard.access.permissions import Permission
from dashboard.operations import people as operations
from dashboard.operations.refusals import unusable
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.login import password_problem
from dashboard.views.people import PEOPLE_HREF, people_view
from prober.storage import people
from prober.storage.people import Role

router = APIRouter(prefix=PEOPLE_HREF, include_in_schema=False, dependencies=[Depends(with_logins)])

_MANAGE: Final = [people_may(Permission.MANAGE)]
_Password = Annotated[str, Form()]


@router.api_route("", methods=READ, dependencies=_MANAGE)
async def shown(request: Request, services: WithServices, actor: WithActor) -> Response:
    own = "" if actor.login is None else actor.login.person.name
    view = people_view(await people.everybody(services.db), services.clock.now(), own=own)
    return page(request, "people.html", section="settings", people=view)


@router.post("", dependencies=_MANAGE)
async def add(
    request: Request,
    services: WithServices,
    actor: WithActor,
    name: Annotated[str, Form()],
    role: Annotated[Role, Form()],
    password: _Password = "",
    again: _Password = "",
) -> Response:
    """Somebody new, with a first password that they are told."""
    kept = await _hashed(request, password, again, of=name.strip().lower())
    await operations.add(services, actor.author, name, role, password=kept)
    return _back()


@router.post("/{name}/role", dependencies=_MANAGE)
async def give_role(services: WithServices, actor: WithActor, name: str, role: Annotated[Role, Form()]) -> Response:
    """Let somebody do more or less, at once."""
    await operations.give_role(services, actor.author, name, role)
    return _back()


@router.post("/{name}/password", dependencies=_MANAGE)
async def reset_password(
    request: Request,
    services: WithServices,
    actor: WithActor,
    name: str,
    password: _Password = "",
    again: _Password = "",
) -> Response:
    """Another password for somebody who has forgotten theirs; all logins end."""
    await operations.reset_password(
        services, actor.author, name, password=await _hashed(request, password, again, of=name)
    )
    return _back()


@router.post("/{name}/disable", dependencies=_MANAGE)
async def disable(services: WithServices, actor: WithActor, name: str) -> Response:
    """Let somebody in no more."""
    await operations.disable(services, actor.author, name)
    return _back()


@router.post("/{name}/enable", dependencies=_MANAGE)
async def enable(services: WithServices, actor: WithActor, name: str) -> Response:
    """Let somebody in again."""
    await operations.enable(services, actor.author, name)
    return _back()


@router.post("/{name}/remove", dependencies=_MANAGE)
async def remove(services: WithServices, actor: WithActor, name: str) -> Response:
    """Forget somebody."""
    await operations.remove(services, actor.author, name)
    return _back()


async def _hashed(request: Request, password: str, again: str, *, of: str) -> str:
    if problem := password_problem(password, again, of=of):
        raise unusable(problem)
    return await passwords_of(request).hashed(password)


def _back() -> Response:
    return RedirectResponse(PEOPLE_HREF, HTTPStatus.SEE_OTHER)
