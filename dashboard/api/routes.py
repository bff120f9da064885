"""All routes of the API. Those of one endpoint stand before the one whose address ends with its name."""

from functools import cache
from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse

from dashboard.access.gate import may
from dashboard.access.permissions import Permission
from dashboard.api import (
    baselines,
    channels,
    endpoints,
    history,
    incidents,
    notices,
    registry,
    silence,
    state,
)
from dashboard.api.bodies import BoundedBody, EntityTags
from dashboard.api.description import described
from dashboard.api.faults import known_parameters
from prober.net.client import VERSION

ADDRESS: Final = "/api/openapi.json"

_ROUTERS: Final = (history, registry, endpoints, baselines, channels, incidents, notices, silence, state)

_API: Final = APIRouter()
"""FastAPI works out a route for each of its inclusions: this one serves all applications of a process."""
for _each in _ROUTERS:
    _API.include_router(_each.router, dependencies=[Depends(known_parameters)])


def install(app: FastAPI) -> None:
    """Give the application the API, with its description."""
    app.router.routes.extend(_API.routes)
    app.add_api_route(ADDRESS, _description, include_in_schema=False, dependencies=[may(Permission.READ)])
    app.openapi = description  # type: ignore[method-assign]  # as FastAPI documents it ("Extending OpenAPI")
    app.add_middleware(EntityTags)
    app.add_middleware(BoundedBody)


@cache
def description() -> dict[str, Any]:
    """The description of the API, made once."""
    routes = [route for each in _ROUTERS for route in each.router.routes if isinstance(route, APIRoute)]
    return described(routes, VERSION)


async def _description() -> JSONResponse:
    return JSONResponse(description())
