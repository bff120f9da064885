"""All routes of the API. Those of one endpoint stand before the one whose address ends with its name."""

from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
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


def install(app: FastAPI) -> None:
    """Give the application the API, with its description."""
    for each in _ROUTERS:
        app.include_router(each.router, dependencies=[Depends(known_parameters)])
    app.add_api_route(ADDRESS, _description, include_in_schema=False, dependencies=[may(Permission.READ)])
    app.openapi = lambda: description(app)  # type: ignore[method-assign]
    app.add_middleware(EntityTags)
    app.add_middleware(BoundedBody)


def description(app: FastAPI) -> dict[str, Any]:
    """The description of the API, made once."""
    if app.openapi_schema is None:
        routes = [route for each in _ROUTERS for route in each.router.routes if isinstance(route, APIRoute)]
        app.openapi_schema = described(app, routes, VERSION)
    return app.openapi_schema


async def _description(request: Request) -> JSONResponse:
    return JSONResponse(description(request.app))
