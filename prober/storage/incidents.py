"""Keeps what `prober.incidents` decided: the state of each endpoint, its incidents, and the notices they cause."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from prober.incidents.lifecycle import IncidentState, Transition
from prober.incidents.wording import notice_of
from prober.storage import tables
from prober.storage.outbox import put


async def load_state(connection: AsyncConnection, endpoint: UUID) -> IncidentState:
    """What is remembered of the endpoint, locked until the caller's transaction ends."""
    state = tables.endpoint_state
    stored = await connection.scalar(select(state.c.incident).where(state.c.endpoint_id == endpoint).with_for_update())
    return IncidentState.from_json(stored)


async def save_step(
    connection: AsyncConnection,
    endpoint: UUID,
    name: str,
    state: IncidentState,
    transitions: Sequence[Transition],
    *,
    channels: Sequence[str],
) -> None:
    """Write the new state and what it changed, and a notice for each transition and channel, in the caller's
    transaction and after `reports.save`. Writing it again changes nothing."""
    table = tables.endpoint_state
    await connection.execute(update(table).where(table.c.endpoint_id == endpoint).values(incident=state.to_json()))
    for transition in transitions:
        await _save_incident(connection, endpoint, transition)
        await _save_transition(connection, transition)
        notice = notice_of(transition, name)
        for channel in channels:
            await put(connection, notice, endpoint=endpoint, transition=transition.id, channel=channel)
    if not transitions and state.incident is not None:
        shown = state.incident.shown
        await connection.execute(
            update(tables.incident)
            .where(tables.incident.c.id == state.incident.id)
            .values(cause=shown.cause_id, cause_summary=shown.cause_summary, fix=shown.fix, report_id=shown.report_id)
        )


async def _save_incident(connection: AsyncConnection, endpoint: UUID, transition: Transition) -> None:
    incident = transition.incident
    values = {
        "verdict": incident.verdict.value,
        "severity": incident.severity.value,
        "ended_at": incident.ended_at,
        "cause": incident.shown.cause_id,
        "cause_summary": incident.shown.cause_summary,
        "fix": incident.shown.fix,
        "report_id": incident.shown.report_id,
    }
    await connection.execute(
        insert(tables.incident)
        .values(id=incident.id, endpoint_id=endpoint, since=incident.since, opened_at=incident.opened_at, **values)
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )


async def _save_transition(connection: AsyncConnection, transition: Transition) -> None:
    incident = transition.incident
    await connection.execute(
        insert(tables.transition)
        .values(
            id=transition.id,
            incident_id=incident.id,
            kind=transition.kind.value,
            at=transition.at,
            report_id=transition.report_id,
            verdict=incident.verdict.value,
            severity=incident.severity.value,
            cause=incident.shown.cause_id,
            cause_summary=incident.shown.cause_summary,
        )
        .on_conflict_do_nothing()
    )
