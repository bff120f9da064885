"""The application: `uvicorn dashboard.app:create_app --factory`, with DATABASE_URL in the environment."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final, cast

from fastapi import APIRouter, FastAPI
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dashboard import troubles
from dashboard.access.asking import WhoAsks
from dashboard.access.gate import anybody, may
from dashboard.access.logging_in import Passwords
from dashboard.access.permissions import Permission
from dashboard.access.provider import Provider
from dashboard.access.proxy import ProxyVouches
from dashboard.api import routes as api
from dashboard.config import Config, ConfigMissing
from dashboard.guard import KnownHost, SameOrigin, SecurityHeaders
from dashboard.live import Hub, ended_by_signals, listen, stream
from dashboard.pages import (
    account,
    audit,
    baselines,
    channels,
    endpoint,
    fleet,
    incidents,
    login,
    people,
    probe,
    public,
    registry,
    settings,
    setup,
    single_sign_on,
    tokens,
)
from dashboard.rendering import STATIC
from dashboard.services import Services, WithServices
from dashboard.shared import Shared
from prober.clock import Clock, SystemClock
from prober.storage import queries
from prober.storage.database import DatabaseUrlError, open_engine

_PAGES: Final = APIRouter()
"""FastAPI works out a route for each of its inclusions: this one serves all applications of a process."""
for _each in (
    *(fleet, endpoint, probe, incidents, channels, public),
    *(single_sign_on, login, setup, account, registry, settings, baselines, people, tokens, audit),
):
    _PAGES.include_router(_each.router)

_READY_KEPT_S: Final = 1.0


def create_app() -> FastAPI:
    """The dashboard as the environment describes it. Ends the process with a message where it describes none."""
    try:
        return build(Config.from_environment(os.environ), SystemClock())
    except (ConfigMissing, DatabaseUrlError) as problem:
        sys.exit(f"dashboard: {problem}")


def build(config: Config, clock: Clock) -> FastAPI:
    """The dashboard over one database. Nothing connects before the first request."""
    services = Services(db=open_engine(config.database_url), clock=clock, hub=Hub())

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        listener = asyncio.create_task(listen(config.database_url, services.hub))
        with ended_by_signals(services.hub):
            yield
        services.hub.close()
        listener.cancel()
        with suppress(asyncio.CancelledError):
            await listener
        await services.db.dispose()

    # The interactive documentation that FastAPI offers loads scripts from a CDN, so it stays off.
    app = FastAPI(title="mcp-prober dashboard", lifespan=running, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = services
    app.state.access = config.access
    app.state.passwords = Passwords()
    app.state.provider = None if config.oidc is None else Provider(config.oidc, clock)
    app.state.proxy = config.proxy
    app.state.public = public.Public(services)
    app.state.ready = Shared(partial(_is_readable, services.db), clock.monotonic, _READY_KEPT_S)
    vouching = () if config.proxy is None else (ProxyVouches(config.proxy, services.db, clock),)
    app.state.who = WhoAsks(db=services.db, clock=clock, config=config.access, vouching=vouching)
    app.include_router(_PAGES)
    app.add_api_route("/live", _live, include_in_schema=False, dependencies=[may(Permission.READ)])
    app.add_api_route("/livez", _alive, include_in_schema=False, dependencies=[anybody()])
    app.add_api_route("/readyz", _ready, include_in_schema=False, dependencies=[anybody()])
    app.mount("/static", _KeptForEver(directory=STATIC))
    api.install(app)
    troubles.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)
    app.add_middleware(SameOrigin)
    app.add_middleware(KnownHost, allowed=config.allowed_hosts)
    app.add_middleware(SecurityHeaders)
    return app


class _KeptForEver(StaticFiles):
    """Static files whose addresses carry the hash of their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if scope["query_string"].startswith(b"v=") and response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


async def _live(services: WithServices) -> Response:
    if services.hub.is_full:
        return PlainTextResponse("too many live pages are open\n", 503, {"Retry-After": "30"})
    return StreamingResponse(
        stream(services.hub),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _alive() -> Response:
    """The process runs. It says nothing about the database: a restart would not mend that."""
    return PlainTextResponse("alive\n")


async def _ready(request: Request) -> Response:
    """The pages can be shown: the database answers and has our tables. Everybody may ask, so that it is asked once a
    second at most."""
    if await cast("Shared[bool]", request.app.state.ready).value():
        return PlainTextResponse("ready\n")
    return PlainTextResponse("the database cannot be read\n", 503)


async def _is_readable(db: AsyncEngine) -> bool:
    try:
        await queries.incidents(db, limit=1)
    except (SQLAlchemyError, OSError):
        return False
    return True
