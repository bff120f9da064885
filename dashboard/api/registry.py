"""Endpoints that people keep: how they are written, and how they are added, changed and removed."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Response
from pydantic import BaseModel

from checks.encode import as_json
from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.api.endpoints import Owner
from dashboard.operations import endpoints as operations
from dashboard.services import Services, WithServices
from prober.storage.endpoints import FILE

router = APIRouter(prefix="/api")

Entry = Annotated[dict[str, Any], Body()]
"""Described by `prober.settings.schema.EndpointSection`, as the description of the API says."""
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=1000, description="The ETag of `/document`: only that edition is changed."),
]


class Document(BaseModel):
    """An endpoint as it is written. `entry` is like one of `endpoints` in the configuration file, without the defaults
    that stand there; null where the file keeps the endpoint, and is where it is changed."""

    name: str
    owner: Owner
    entry: dict[str, Any] | None


@router.get("/endpoints/{name:path}/document", tags=["read"], dependencies=[may(Permission.MANAGE)])
async def document(services: WithServices, response: Response, name: str) -> Document:
    """How an endpoint is written, and by whom."""
    return await _document(services, response, name)


@router.post("/endpoints", tags=["change"], status_code=201, dependencies=[may(Permission.MANAGE)])
async def add(services: WithServices, actor: WithActor, response: Response, entry: Entry) -> Document:
    """Watch another endpoint. A secret is a reference, and `secrets.allow` of the prober's file has to allow it."""
    added = await operations.add(services, actor.author, entry)
    response.headers["Location"] = f"/api/endpoints/{added.name}"
    return await _document(services, response, added.name)


@router.put("/endpoints/{name:path}", tags=["change"], dependencies=[may(Permission.MANAGE)])
async def change(
    services: WithServices, actor: WithActor, response: Response, name: str, entry: Entry, if_match: IfMatch = None
) -> Document:
    """Write an endpoint anew: what is left out has its default. With another `url` it is another server, and what was
    learnt of the one before is forgotten. One that the file keeps is changed there."""
    edition = await _edition(services, name, if_match)
    await operations.change(services, actor.author, name, entry, edition)
    return await _document(services, response, name)


@router.delete("/endpoints/{name:path}", tags=["change"], status_code=204, dependencies=[may(Permission.MANAGE)])
async def remove(services: WithServices, actor: WithActor, name: str, if_match: IfMatch = None) -> None:
    """Watch an endpoint no more: its incident ends, and its reports are kept for their time."""
    edition = await _edition(services, name, if_match)
    await operations.remove(services, actor.author, name, edition)


async def _document(services: Services, response: Response, name: str) -> Document:
    found = await operations.kept(services, name)
    response.headers["ETag"] = f'"{found.edition}"'
    owner = Owner.FILE if found.source == FILE else Owner.API
    return Document(name=name, owner=owner, entry=as_json(found.options.written))


async def _edition(services: Services, name: str, if_match: str | None) -> str | None:
    """The edition that the condition means; one that there never is where it means no present one (RFC 9110 section
    13.1.1: by strong comparison)."""
    if if_match is None or if_match.strip() == "*":
        return None
    present = (await operations.kept(services, name)).edition
    return present if f'"{present}"' in [each.strip() for each in if_match.split(",")] else ""
