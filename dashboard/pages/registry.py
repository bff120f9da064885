"""The form on which people write the endpoints that they keep."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.operations import endpoints as operations
from dashboard.operations.refusals import Unusable, conflict
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.common import endpoint_href
from dashboard.views.registry import (
    MOST_CHARACTERS,
    NEW_HREF,
    REGISTRY_HREF,
    EntryForm,
    change_form,
    new_form,
    text_of,
)
from prober.settings import ConfigError, Problem
from prober.settings.document import read

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=MOST_CHARACTERS)]
_ONE: str = f"{REGISTRY_HREF}/{{name:path}}"


@router.api_route(NEW_HREF, methods=READ, dependencies=[may(Permission.MANAGE)])
async def new(request: Request) -> Response:
    return _shown(request, new_form())


@router.post(NEW_HREF, dependencies=[may(Permission.MANAGE)])
async def add(request: Request, services: WithServices, actor: WithActor, entry: Text) -> Response:
    """Watch another endpoint, or show what is wrong with it."""
    try:
        added = await operations.add(services, actor.author, _read(entry))
    except HTTPException as refused:
        return _shown(request, new_form(entry, said=refused.detail, problems=_problems(refused)), refused.status_code)
    return RedirectResponse(endpoint_href(added.name), HTTPStatus.SEE_OTHER)


@router.post(f"{_ONE}/remove", dependencies=[may(Permission.MANAGE)])
async def remove(services: WithServices, actor: WithActor, name: str, edition: Annotated[str, Form()]) -> Response:
    """Watch it no more."""
    await operations.remove(services, actor.author, name, edition)
    return RedirectResponse("/", HTTPStatus.SEE_OTHER)


@router.api_route(_ONE, methods=READ, dependencies=[may(Permission.MANAGE)])
async def shown(request: Request, services: WithServices, name: str) -> Response:
    kept = await operations.kept(services, name)
    if kept.options.written is None:
        raise conflict("the configuration file keeps this endpoint: change its entry there")
    return _shown(request, change_form(name, text_of(kept.options.written), kept.edition))


@router.post(_ONE, dependencies=[may(Permission.MANAGE)])
async def change(
    request: Request,
    services: WithServices,
    actor: WithActor,
    name: str,
    entry: Text,
    edition: Annotated[str, Form(max_length=100)],
) -> Response:
    """Write it anew, or show what is wrong with it."""
    try:
        await operations.change(services, actor.author, name, _read(entry), edition)
    except HTTPException as refused:
        if refused.status_code == HTTPStatus.NOT_FOUND:
            raise
        form = change_form(name, entry, edition, said=refused.detail, problems=_problems(refused))
        return _shown(request, form, refused.status_code)
    return RedirectResponse(endpoint_href(name), HTTPStatus.SEE_OTHER)


def _shown(request: Request, form: EntryForm, status: int = HTTPStatus.OK) -> Response:
    return page(request, "registry.html", status=status, section="settings", form=form)


def _problems(refused: HTTPException) -> tuple[Problem, ...]:
    return refused.problems if isinstance(refused, Unusable) else ()


def _read(text: str) -> dict[str, Any]:
    """The entry that the text holds, as the configuration file would be read; there are no variables here.

    Raises Unusable.
    """
    said = "The endpoint cannot be used as it is written."
    try:
        document = read(text.encode(errors="replace"), "line", {})
    except ConfigError as error:
        raise Unusable(said, error.problems) from None
    if document.problems:
        raise Unusable(said, document.problems)
    if not isinstance(document.data, dict):
        raise Unusable(said, [Problem("", "it holds no keys: begin with the line name: …")])
    return document.data
