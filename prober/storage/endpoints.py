"""The endpoints that are watched: what a source names is written here, and the timetable follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping, delete, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.encode import as_json
from checks.model import Endpoint, Profile
from prober.settings.model import EndpointOptions
from prober.storage import standing, tables
from prober.storage.identity import endpoint_id, phase_s
from prober.storage.schedule import FIRST_WITHIN_S
from prober.storage.specs import endpoint_of, spec_of

_SYNC_LOCK: Final = 0x6D637001
"""Key of the advisory lock under which one process at a time writes endpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Names of the endpoints that a source added, changed and removed, each in alphabetical order."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


async def sync(
    db: AsyncEngine,
    endpoints: Sequence[Endpoint],
    *,
    options: Mapping[str, EndpointOptions] = MappingProxyType({}),
    source: str = "file",
) -> Changes:
    """Make the stored endpoints of `source` those that are given; running it again changes nothing.

    A name is an identity: an endpoint whose configuration changed keeps its state, unless its URL changed, for then it
    is another server. One that vanished or was disabled is no longer probed and its incident ends; its reports stay. An
    endpoint that another source had named is taken over. `options` are by name.
    """
    wanted = {endpoint.name: endpoint for endpoint in endpoints}
    async with db.begin() as connection:
        await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _SYNC_LOCK})
        known = await _known(connection, source, list(wanted))
        added = sorted(name for name in wanted if name not in known or known[name]["removed_at"] is not None)
        changed = sorted(
            name
            for name, endpoint in wanted.items()
            if name not in added and _is_changed(known[name], endpoint, options.get(name), source)
        )
        removed = sorted(name for name, row in known.items() if name not in wanted and row["removed_at"] is None)
        for name in added:
            await _write(connection, wanted[name], options.get(name), source, start_over=True)
        for name in changed:
            await _change(connection, wanted[name], options.get(name), source, endpoint_of(known[name]["spec"]))
        for name in removed:
            await _forget(connection, known[name]["id"], {"removed_at": text("now()")})
    return Changes(added=tuple(added), changed=tuple(changed), removed=tuple(removed))


async def _known(connection: AsyncConnection, source: str, names: Sequence[str]) -> Mapping[str, RowMapping]:
    table = tables.endpoint
    rows = await connection.execute(
        select(table.c.id, table.c.name, table.c.spec, table.c.options, table.c.source, table.c.removed_at)
        .where(or_(table.c.source == source, table.c.name.in_(names)))
        .with_for_update()
    )
    return {row["name"]: row for row in rows.mappings()}


def _is_changed(row: RowMapping, endpoint: Endpoint, options: EndpointOptions | None, source: str) -> bool:
    now = (spec_of(endpoint), _options(options), source)
    return now != (row["spec"], row["options"], row["source"])


def _options(options: EndpointOptions | None) -> dict[str, Any]:
    plain: dict[str, Any] = as_json(options or EndpointOptions())
    return plain


async def _change(
    connection: AsyncConnection, endpoint: Endpoint, options: EndpointOptions | None, source: str, before: Endpoint
) -> None:
    is_another_server = endpoint.url != before.url
    if is_another_server:
        await _forget(connection, endpoint_id(endpoint.name), {})
    elif before.enabled and not endpoint.enabled:
        await _end_incident(connection, endpoint_id(endpoint.name))
    if endpoint.full_every_s is None and before.full_every_s is not None:
        await standing.forget(connection, endpoint_id(endpoint.name))  # no full probe will look for it again
    paces = ("interval_s", "cold_every_s", "cool_down_s")
    is_repaced = any(getattr(endpoint, each) != getattr(before, each) for each in paces)
    is_moved = is_repaced or (endpoint.enabled and not before.enabled)
    await _write(connection, endpoint, options, source, start_over=is_another_server or is_moved)


async def _write(
    connection: AsyncConnection, endpoint: Endpoint, options: EndpointOptions | None, source: str, *, start_over: bool
) -> None:
    """Store the endpoint. `start_over` gives it a first slot: soon, at its phase, and without slots that it missed.

    A probe that runs meanwhile ends under its lease, so that there are never two of one endpoint.
    """
    identity = endpoint_id(endpoint.name)
    values: dict[str, Any] = {
        "spec": spec_of(endpoint),
        "options": _options(options),
        "source": source,
        "enabled": endpoint.enabled,
        "interval_s": endpoint.interval_s,
        "timeout_s": endpoint.deadline_s(Profile.STANDARD),
        "full_every_s": endpoint.full_every_s,
        "full_timeout_s": endpoint.deadline_s(Profile.FULL),
        "labels": as_json(endpoint.labels),
        "phase_s": phase_s(identity, endpoint.interval_s),
        "updated_at": text("now()"),
        "removed_at": None,
    }
    if start_over:
        values["next_due"] = _first_slot(values["phase_s"], endpoint.interval_s)
    await connection.execute(
        insert(tables.endpoint)
        .values(id=identity, name=endpoint.name, **{"next_due": text("now()"), **values})
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )


def _first_slot(phase: float, interval_s: float) -> Any:
    """SQL for when a new timetable begins: at the phase, or where the interval is long, a like share of a short one."""
    if interval_s > FIRST_WITHIN_S:
        return text("now() + make_interval(secs => :wait)").bindparams(wait=phase / interval_s * FIRST_WITHIN_S)
    return text(
        "to_timestamp(:phase + ceil((extract(epoch from now())::double precision - :phase) / :every) * :every)"
    ).bindparams(phase=phase, every=interval_s)


async def _forget(connection: AsyncConnection, endpoint: UUID, values: Mapping[str, Any]) -> None:
    """Drop what was learnt and accepted of a server that is not watched any more, and write `values` to its endpoint.

    Another edition makes what a probe found that still runs, or that waits to be saved, worthless.
    """
    table, state = tables.endpoint, tables.endpoint_state
    await connection.execute(
        update(table)
        .where(table.c.id == endpoint)
        .values(lease_owner=None, lease_until=None, claimed_slot=None, edition=table.c.edition + 1, **values)
    )
    await _end_incident(connection, endpoint)
    await connection.execute(delete(state).where(state.c.endpoint_id == endpoint))
    await connection.execute(delete(tables.accepted_tools).where(tables.accepted_tools.c.endpoint_id == endpoint))


async def _end_incident(connection: AsyncConnection, endpoint: UUID) -> None:
    """End an open incident, and forget the verdicts that led to it: a person decided that nobody looks any more, the
    server did not recover. Whoever was told of it is told so, by whoever attends to incidents."""
    state, incident = tables.endpoint_state, tables.incident
    await connection.execute(
        update(incident)
        .where(incident.c.endpoint_id == endpoint, incident.c.ended_at.is_(None))
        .values(ended_at=text("now()"), reconsider_at=text("now()"))
    )
    await connection.execute(update(state).where(state.c.endpoint_id == endpoint).values(incident=None))
