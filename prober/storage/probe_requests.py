"""Probes out of turn: a person asks, the next worker that looks takes it, and its report answers.

A request is taken with a lease on its endpoint (see `schedule.claim`), never while a probe of it runs. Where it could
not end before the endpoint's next slot begins, that slot answers it. When that lease ends without a report, because its
worker was killed, whoever claims next takes the request over.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import Row, Select, and_, case, delete, func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.model import Profile
from checks.text import clean, storable
from prober.storage import tables
from prober.storage.membership import among

WAITS_S: Final = 600.0
"""For so long a request waits for a worker, and then for its report. Who asked has left after that."""

_BY_KEPT: Final = 100
_AGE: Final = timedelta(seconds=WAITS_S)


class NotAsked(Exception):
    """This probe cannot be asked for. The text says why."""


class NoSuchEndpoint(NotAsked):
    """No endpoint of that name is watched."""


class SwitchedOff(NotAsked):
    """The endpoint is not probed now."""


class AlreadyAsked(NotAsked):
    """Somebody has asked before, and the answer is not there yet."""

    def __init__(self, text: str, request: UUID) -> None:
        super().__init__(text)
        self.request = request
        """What was asked before."""


class Stage(StrEnum):
    """How far a request is."""

    WAITING = "waiting"
    UNDER_WAY = "under-way"
    DONE = "done"
    """Its report is saved."""
    LOST = "lost"
    """No worker took it in time, or none that did lived until its report was saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """One probe that somebody asked for."""

    id: UUID
    endpoint_id: UUID
    endpoint: str
    profile: Profile
    asked_at: datetime
    asked_by: str
    taken_at: datetime | None
    report_id: UUID | None
    stage: Stage


async def ask(connection: AsyncConnection, name: str, profile: Profile, by: str) -> UUID:
    """Ask for a standard or full probe of the endpoint of that name, soon; returns what `known` is asked by.

    Raises NoSuchEndpoint, SwitchedOff or AlreadyAsked.
    """
    table, endpoint = tables.probe_request, tables.endpoint
    wanted = select(endpoint.c.id, endpoint.c.enabled).where(endpoint.c.name == name, endpoint.c.removed_at.is_(None))
    # Whoever asks for the same one at the same time waits here.
    row = (await connection.execute(wanted.with_for_update(key_share=True))).first()
    if row is None:
        raise NoSuchEndpoint(f"no endpoint of the name {clean(name, 60)} is watched")
    if not row.enabled:
        raise SwitchedOff(f"the endpoint {clean(name, 60)} is switched off: it is not probed until it is enabled again")
    mine = table.c.endpoint_id == row.id
    await connection.execute(
        delete(table).where(mine, table.c.taken_at.is_(None), table.c.asked_at < func.now() - _AGE)
    )
    is_open = _STAGE.in_([Stage.WAITING, Stage.UNDER_WAY])
    earlier = await connection.scalar(select(table.c.id).join(endpoint).where(mine, is_open))
    if earlier is not None:
        raise AlreadyAsked(f"a probe of {clean(name, 60)} was asked for already, and is not done yet", earlier)
    identity = uuid4()
    by = storable(clean(by, _BY_KEPT))
    await connection.execute(insert(table).values(id=identity, endpoint_id=row.id, profile=profile.value, asked_by=by))
    return identity


async def known(db: AsyncEngine, identity: UUID) -> ProbeRequest | None:
    """What became of a request. None where there is none of that id, or not any more."""
    async with db.connect() as connection:
        row = (await connection.execute(_REQUESTS.where(tables.probe_request.c.id == identity))).first()
    return None if row is None else _request(row)


async def newest(db: AsyncEngine, name: str) -> ProbeRequest | None:
    """The latest request for the endpoint of that name, as long as it is kept."""
    wanted = _REQUESTS.where(tables.endpoint.c.name == name).order_by(tables.probe_request.c.asked_at.desc()).limit(1)
    async with db.connect() as connection:
        row = (await connection.execute(wanted)).first()
    return None if row is None else _request(row)


async def take(connection: AsyncConnection, requests: Collection[UUID]) -> None:
    """Note, in the transaction that claims their slots, that these are under way."""
    table = tables.probe_request
    if requests:
        wanted = among(table.c.id, requests), table.c.report_id.is_(None)
        await connection.execute(update(table).where(*wanted).values(taken_at=func.now()))


async def give_back(connection: AsyncConnection, request: UUID) -> None:
    """Let another worker take it: it was not probed. Where somebody has asked anew meanwhile, that one counts."""
    table = tables.probe_request
    other = table.alias()
    is_asked_anew = select(other.c.id).where(other.c.endpoint_id == table.c.endpoint_id, other.c.taken_at.is_(None))
    await connection.execute(
        update(table)
        .where(table.c.id == request, table.c.report_id.is_(None), ~is_asked_anew.exists())
        .values(taken_at=null())
    )


async def done(connection: AsyncConnection, reports: Mapping[UUID, UUID]) -> None:
    """Note, in the transaction that saves them, which reports answer which requests."""
    table = tables.probe_request
    for request, report_id in reports.items():
        await connection.execute(update(table).where(table.c.id == request).values(report_id=report_id))


def _request(row: Row[Any]) -> ProbeRequest:
    values = row._mapping
    return ProbeRequest(**{**values, "profile": Profile(values["profile"]), "stage": Stage(values["stage"])})


def _stage() -> Any:
    """For statements with the endpoint in them: whether its lease lasts tells whether anybody works on the request."""
    table, endpoint = tables.probe_request, tables.endpoint
    is_held = and_(table.c.taken_at.is_not(None), endpoint.c.lease_until > func.now())
    since = case((is_held, table.c.taken_at), else_=table.c.asked_at)
    return case(
        (table.c.report_id.is_not(None), Stage.DONE.value),
        (since < func.now() - _AGE, Stage.LOST.value),
        (is_held, Stage.UNDER_WAY.value),
        else_=Stage.WAITING.value,
    )


_STAGE: Final = _stage()
_REQUESTS: Final[Select[Any]] = select(
    *(each for each in tables.probe_request.c),
    tables.endpoint.c.name.label("endpoint"),
    _STAGE.label("stage"),
).join_from(tables.probe_request, tables.endpoint)
