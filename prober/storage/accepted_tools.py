"""The list of tools that an endpoint's changes are measured by, and who accepted it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, and_, cast, func, select, update
from sqlalchemy.dialects.postgresql import JSONPATH, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.encode import as_json
from checks.inventory import Inventory
from checks.text import clean
from checks.tool_memory import Reading, ToolMemory, after_probe
from prober.storage import tables
from prober.storage.membership import among
from prober.storage.specs import inventory_of, tool_memory_of

FIRST_SEEN: Final = "first seen"
"""Stands for whoever accepted the first list of an endpoint: nobody did."""

_BY_KEPT: Final = 100


class NotAccepted(Exception):
    """There is no such endpoint, or nothing of it that could be accepted. The text says which."""


class NoSuchEndpoint(NotAccepted):
    """No endpoint of that name is watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolLists:
    """What is known of the tools of one endpoint."""

    accepted: Inventory | None = None
    accepted_at: datetime | None = None
    accepted_by: str = ""
    memory: ToolMemory = ToolMemory()  # noqa: RUF009 - frozen

    @property
    def latest(self) -> Inventory | None:
        """The list that the server now has: the one that probes agree on, else the one that was read last."""
        known = self.memory.settled or next(reversed(self.memory.fingerprints), None)
        if self.accepted is not None and known in (None, self.accepted.fingerprint):
            return self.accepted
        return self.memory.inventory(known)

    @property
    def candidate(self) -> Inventory | None:
        """The list that could be accepted in place of the one that is."""
        accepted = None if self.accepted is None else self.accepted.fingerprint
        newest = (self.memory.settled, next(reversed(self.memory.fingerprints), None))
        return next((self.memory.inventory(each) for each in newest if each not in (None, accepted)), None)

    def chosen(self, fingerprint: str | None) -> Inventory | None:
        """The list with that fingerprint, or without one the candidate; the accepted one where there is no other."""
        if fingerprint is None:
            return self.candidate or self.accepted
        is_accepted = self.accepted is not None and self.accepted.fingerprint == fingerprint
        return self.accepted if is_accepted else self.memory.inventory(fingerprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRow:
    """Which list of one endpoint is accepted, without the list."""

    id: UUID
    """Of the endpoint."""
    name: str
    fingerprint: str | None
    """None while none is accepted."""
    tools: int | None
    accepted_at: datetime | None
    accepted_by: str
    memory: ToolMemory
    """Without lists."""
    kept: tuple[str, ...]
    """The fingerprints of these."""

    @property
    def other(self) -> str | None:
        """The fingerprint of the list that could be accepted in its place."""
        newest = (self.memory.settled, next(reversed(self.memory.fingerprints), None))
        return next((each for each in newest if each in self.kept and each != self.fingerprint), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The list that changes are measured by."""

    inventory: Inventory
    is_news: bool
    """Whether it was another one before."""


async def overview(db: AsyncEngine) -> tuple[BaselineRow, ...]:
    """Every endpoint that is watched, by name."""
    endpoint, state, accepted = tables.endpoint, tables.endpoint_state, tables.accepted_tools
    wanted = (
        select(
            endpoint.c.id,
            endpoint.c.name,
            accepted.c.fingerprint,
            func.jsonb_array_length(accepted.c.tools).label("tools"),
            accepted.c.accepted_at,
            func.coalesce(accepted.c.accepted_by, "").label("accepted_by"),
            state.c.tool_memory.op("-")("lists").label("memory"),
            func.jsonb_path_query_array(state.c.tool_memory, cast("$.lists[*].fingerprint", JSONPATH)).label("kept"),
        )
        .outerjoin(state, state.c.endpoint_id == endpoint.c.id)
        .outerjoin(accepted, accepted.c.endpoint_id == endpoint.c.id)
        .where(endpoint.c.removed_at.is_(None))
        .order_by(endpoint.c.name)
    )
    async with db.connect() as connection:
        rows = (await connection.execute(wanted)).mappings()
        return tuple(
            BaselineRow(**{**row, "memory": tool_memory_of(row["memory"]), "kept": tuple(row["kept"] or ())})
            for row in rows
        )


async def of_names(db: AsyncEngine, names: Sequence[str]) -> Mapping[str, ToolLists]:
    """The lists of the endpoints of these names, of those that are watched."""
    table = tables.endpoint
    if not names:
        return {}
    wanted = _lists(and_(among(table.c.name, names), table.c.removed_at.is_(None))).add_columns(table.c.name)
    async with db.connect() as connection:
        return {row["name"]: _tool_lists_of(row) for row in (await connection.execute(wanted)).mappings()}


async def accept_first(connection: AsyncConnection, endpoint: UUID, first: Inventory) -> None:
    """Accept the first list that probes of the endpoint agree on: there is nothing else to measure by."""
    table = tables.accepted_tools
    row = insert(table).values(endpoint_id=endpoint, **_values(first, FIRST_SEEN))
    await connection.execute(row.on_conflict_do_nothing())


async def note_version(connection: AsyncConnection, endpoint: UUID, version: str, at: datetime) -> None:
    """Keep which version of the function answered the probe of the slot `at`, which was learned only after it."""
    state = tables.endpoint_state
    mine = state.c.endpoint_id == endpoint
    kept = await connection.scalar(select(state.c.tool_memory).where(mine).with_for_update())
    memory = after_probe(tool_memory_of(kept), Reading(at=at, version=None, function=version), accepted=None)
    await connection.execute(update(state).where(mine).values(tool_memory=as_json(memory)))


async def known(db: AsyncEngine, name: str) -> ToolLists:
    """The lists of the endpoint of that name. Raises NoSuchEndpoint."""
    async with db.connect() as connection:
        return _tool_lists_of(await _row(connection, _lists(_watched(name)), name))


async def of_endpoint(connection: AsyncConnection, endpoint: UUID) -> ToolLists:
    """The lists of the endpoint with that id; there are none of one that nobody knows."""
    row = (await connection.execute(_lists(tables.endpoint.c.id == endpoint))).mappings().first()
    return ToolLists() if row is None else _tool_lists_of(row)


async def accept(connection: AsyncConnection, name: str, *, by: str, fingerprint: str | None = None) -> Accepted:
    """Measure changes by the list that the endpoint has now, or by the one with that fingerprint.

    Raises NoSuchEndpoint, or NotAccepted where there is no such list.
    """
    # The row of the endpoint is locked, so that nobody forgets the server while its list is accepted.
    row = await _row(connection, _lists(_watched(name)).with_for_update(of=tables.endpoint), name)
    lists = _tool_lists_of(row)
    chosen = lists.chosen(fingerprint)
    if chosen is None:
        raise NotAccepted(_why_not(lists, fingerprint))
    if chosen == lists.accepted:
        return Accepted(inventory=chosen, is_news=False)
    values = _values(chosen, by)
    await connection.execute(
        insert(tables.accepted_tools)
        .values(endpoint_id=row["id"], **values)
        .on_conflict_do_update(index_elements=["endpoint_id"], set_={**values, "accepted_at": func.now()})
    )
    return Accepted(inventory=chosen, is_news=True)


def _tool_lists_of(row: RowMapping) -> ToolLists:
    return ToolLists(
        accepted=inventory_of(row["accepted_fingerprint"], row["accepted_list"]),
        accepted_at=row["accepted_at"],
        accepted_by=row["accepted_by"] or "",
        memory=tool_memory_of(row["tool_memory"]),
    )


def _watched(name: str) -> ColumnElement[bool]:
    return and_(tables.endpoint.c.name == name, tables.endpoint.c.removed_at.is_(None))


def _lists(wanted: ColumnElement[bool]) -> Select[Any]:
    endpoint, state, accepted = tables.endpoint, tables.endpoint_state, tables.accepted_tools
    return (
        select(
            endpoint.c.id,
            state.c.tool_memory,
            accepted.c.fingerprint.label("accepted_fingerprint"),
            accepted.c.tools.label("accepted_list"),
            accepted.c.accepted_at,
            accepted.c.accepted_by,
        )
        .outerjoin(state, state.c.endpoint_id == endpoint.c.id)
        .outerjoin(accepted, accepted.c.endpoint_id == endpoint.c.id)
        .where(wanted)
    )


async def _row(connection: AsyncConnection, wanted: Select[Any], name: str) -> RowMapping:
    row: RowMapping | None = (await connection.execute(wanted)).mappings().first()
    if row is None:
        raise NoSuchEndpoint(f"no endpoint of the name {clean(name, 60)} is watched")
    return row


def _values(inventory: Inventory, by: str) -> dict[str, object]:
    return {
        "fingerprint": inventory.fingerprint,
        "tools": as_json(inventory.tools),
        "accepted_by": clean(by, _BY_KEPT),
    }


def _why_not(lists: ToolLists, fingerprint: str | None) -> str:
    if fingerprint is None:
        return "no list of its tools has been read yet"
    newer = lists.candidate or lists.accepted
    found = f"; the newest is {newer.fingerprint}" if newer is not None else ""
    return f"no recent probe read a list with the fingerprint {clean(fingerprint, 40)}{found}"
