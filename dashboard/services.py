"""What the routes work with: the database, the clock, the hub of live clients."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from dashboard.live import Hub
from prober.clock import Clock


@dataclass(frozen=True, slots=True)
class Services:
    db: AsyncEngine
    clock: Clock
    hub: Hub


def _services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


WithServices = Annotated[Services, Depends(_services)]
