"""Endpoints that people keep, in the database and not in the configuration file."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.model import Endpoint
from checks.text import shown_url
from dashboard.operations.refusals import Unusable, conflict, missing, outdated, unusable
from dashboard.services import Services
from prober.net.guard import never_allowed
from prober.settings import ConfigError, EndpointOptions, Problem, endpoint_from
from prober.settings.document import MAX_DEPTH
from prober.storage import audit, endpoints
from prober.storage.audit import Author
from prober.storage.endpoints import Circle, Kept, NoSuchEndpoint, NotWritten, Outdated, UnknownParent


async def kept(services: Services, name: str) -> Kept:
    """The endpoint with who keeps it. Raises HTTPException: 404."""
    try:
        return await endpoints.kept(services.db, name)
    except NoSuchEndpoint as absent:
        raise missing(absent) from None


async def add(services: Services, author: Author, document: Mapping[str, Any]) -> Endpoint:
    """Watch another endpoint. `document` is like an entry of `endpoints` in the configuration file, without the
    defaults that stand there. Raises HTTPException: 409 or 422."""
    endpoint, options = _read(document)
    async with _changing(services, author, "endpoint.add", endpoint.name, _said(endpoint, document)) as connection:
        await endpoints.add(connection, endpoint, options)
    return endpoint


async def change(
    services: Services, author: Author, name: str, document: Mapping[str, Any], edition: str | None = None
) -> Endpoint:
    """Write an endpoint that people keep anew. With `edition`, only where it is still that one.

    Raises HTTPException: 404, 409, 412 or 422.
    """
    if document.get("name", name) != name:
        said = "An endpoint keeps its name: remove it and add another one."
        raise Unusable(said, [Problem("name", f"is not {name}", "leave it out")])
    endpoint, options = _read({"name": name, **document})
    async with _changing(services, author, "endpoint.change", name, _said(endpoint, document)) as connection:
        await endpoints.change(connection, endpoint, options, edition=edition)
    return endpoint


async def remove(services: Services, author: Author, name: str, edition: str | None = None) -> None:
    """Watch an endpoint no more that people keep: its incident ends. Raises HTTPException: 404, 409 or 412."""
    async with _changing(services, author, "endpoint.remove", name, {}) as connection:
        await endpoints.remove(connection, name, edition=edition)


def _read(document: Mapping[str, Any]) -> tuple[Endpoint, EndpointOptions]:
    if _is_too_deep(document):
        said = "The endpoint cannot be used as it is written."
        raise Unusable(said, [Problem("", "is nested too deeply", "write it flatter")])
    try:
        endpoint, options = endpoint_from(document)
    except ConfigError as error:
        raise Unusable("The endpoint cannot be used as it is written.", error.problems) from None
    if refusal := never_allowed(urlsplit(endpoint.url).hostname or ""):
        problem = Problem("url", f"is refused: {refusal}", "give the address that clients of the server use")
        raise Unusable("The endpoint cannot be used as it is written.", [problem])
    return endpoint, options


def _is_too_deep(document: Any) -> bool:
    """Whether it is nested deeper than a file may be; what reads it later goes down by recursion."""
    layer = [document]
    for _ in range(MAX_DEPTH):
        layer = [inner for each in layer for inner in _inside(each)]
        if not layer:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def _said(endpoint: Endpoint, document: Mapping[str, Any]) -> dict[str, str]:
    """What the audit log keeps: where it is, and which keys were written. Values may be meant for the server alone."""
    return {"url": shown_url(endpoint.url), "keys": ", ".join(sorted(map(str, document)))}


@asynccontextmanager
async def _changing(
    services: Services, author: Author, action: str, name: str, detail: Mapping[str, str]
) -> AsyncIterator[AsyncConnection]:
    try:
        async with audit.change(services.db, author, action, name, detail) as connection:
            yield connection
    except NoSuchEndpoint as absent:
        raise missing(absent) from None
    except Outdated as late:
        raise outdated(late) from None
    except (UnknownParent, Circle) as refused:
        raise unusable(refused) from None
    except NotWritten as refused:
        raise conflict(refused) from None
