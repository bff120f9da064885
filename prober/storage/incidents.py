"""Keeps what `prober.incidents` decides: the state of each endpoint, its incidents, and who is told of them."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, RowMapping, and_, cast, func, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.model import Verdict
from checks.text import clean, storable
from prober.incidents.lifecycle import Incident, IncidentState, Seen, Transition, TransitionKind, step
from prober.incidents.policy import AlertPolicy
from prober.incidents.rules import Severity
from prober.storage import tables, tellings
from prober.storage.membership import among
from prober.storage.tellings import Subject

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a probe says about an endpoint, in the order in which it is to be stepped."""

    endpoint_id: UUID
    seen: Seen
    held_s: float = 0.0
    """Seconds for which all but an end is kept back, because newer reports of the endpoint are about to be saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a step came to, for the log."""

    endpoint: str
    transition: Transition


@dataclass(slots=True)
class _Known:
    """An endpoint with its state before and after the steps of this transaction."""

    name: str
    labels: Mapping[str, str]
    options: Mapping[str, Any]
    before: IncidentState
    state: IncidentState
    seen_at: datetime | None = None
    """The slot of the newest report."""
    held_s: float = 0.0
    """As the newest report has it."""


async def record(
    connection: AsyncConnection, observed: Sequence[Observed], policy: AlertPolicy, now: datetime
) -> tuple[Change, ...]:
    """Step the incidents of endpoints by what probes saw of them, and tell whoever is to be told.

    It belongs into the transaction that saves the reports, after these and the endpoints' newest states. Each report
    must come once: one that was saved before is not stepped again.
    """
    known = await _load(connection, {each.endpoint_id for each in observed})
    changes: list[tuple[UUID, Transition]] = []
    for each in observed:
        endpoint = known.get(each.endpoint_id)
        if endpoint is None:
            continue
        rules = policy.rules.of_endpoint(
            fail_after=endpoint.options.get("fail_after"), recover_after=endpoint.options.get("recover_after")
        )
        endpoint.state, transitions = step(endpoint.state, each.seen, rules, now)
        endpoint.seen_at, endpoint.held_s = each.seen.at, each.held_s
        changes += [(each.endpoint_id, transition) for transition in transitions]
    await _save_states(connection, known)
    silent = [(identity, each) for identity, each in known.items() if _is_silent(each)]
    # All in one order, of which people who decide about several take care as well.
    await _save_incidents(
        connection,
        [
            *((identity, each.incident) for identity, each in changes),
            *((identity, each.state.incident) for identity, each in silent if each.state.incident is not None),
        ],
    )
    await _save_transitions(connection, [each for _, each in changes])
    subjects = [_subject(identity, known[identity], each.incident, each.id) for identity, each in changes]
    await tellings.tell(connection, [*subjects, *_heavier(silent)], policy, now)
    return tuple(Change(endpoint=known[identity].name, transition=each) for identity, each in changes)


async def attend(db: AsyncEngine, policy: AlertPolicy, now: datetime, *, limit: int = 100) -> int:
    """Look at up to `limit` incidents whose time has come, for reminders, escalation and the end of what muted them.

    Several workers share them. How many that were.
    """
    incident, endpoint, state = tables.incident, tables.endpoint, tables.endpoint_state
    due = (
        select(
            incident,
            endpoint.c.name,
            endpoint.c.labels,
            endpoint.c.options,
            state.c.incident.label("state"),
            state.c.slot.label("seen_at"),
        )
        .join(endpoint, endpoint.c.id == incident.c.endpoint_id)
        .outerjoin(state, state.c.endpoint_id == endpoint.c.id)
        .where(incident.c.reconsider_at <= now)
        .order_by(incident.c.reconsider_at)
        .limit(limit)
        .with_for_update(of=incident, skip_locked=True)
    )
    async with db.begin() as connection:
        rows = list((await connection.execute(due)).mappings())
        await tellings.tell(connection, [_subject_of(row) for row in rows], policy, now)
    return len(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An open incident that a person has decided something about."""

    incident: UUID
    endpoint: str
    """By its name."""
    until: datetime | None
    """When a snooze of it ends."""
    is_news: bool
    """Whether that changes anything: false where somebody had decided the same before."""


def detail_of(decided: Decided) -> dict[str, str]:
    """What the audit log keeps of a decision, for whoever tells the incident's history."""
    until = {} if decided.until is None else {"until": decided.until.isoformat()}
    return {"incident": str(decided.incident), **until}


def open_of(names: Sequence[str]) -> ColumnElement[bool]:
    """The open incidents of these endpoints, for `acknowledge` and `snooze`."""
    return and_(among(tables.endpoint.c.name, names), tables.incident.c.ended_at.is_(None))


def open_one(incident: UUID) -> ColumnElement[bool]:
    """This one, while it is open."""
    return and_(tables.incident.c.id == incident, tables.incident.c.ended_at.is_(None))


async def acknowledge(connection: AsyncConnection, which: ColumnElement[bool], *, by: str) -> tuple[Decided, ...]:
    """Note that somebody has these incidents in hand: no more reminders, no escalation.

    Those that there are, by name; one that was acknowledged before stays with whoever did it first.
    """
    is_news = tables.incident.c.acknowledged_at.is_(None)
    who = storable(clean(by, 100))
    return await _decide(connection, which, is_news, acknowledged_by=who, acknowledged_at=func.now())


async def snooze(
    connection: AsyncConnection, which: ColumnElement[bool], until: datetime | timedelta | None
) -> tuple[Decided, ...]:
    """Tell nobody of these incidents until then, or for so long; None ends that. Those that there are, by name.

    What was muted is told afterwards, if it is still so.
    """
    ends = func.now() + until if isinstance(until, timedelta) else until
    is_news = true() if until else tables.incident.c.snoozed_until.is_not(None)
    return await _decide(connection, which, is_news, snoozed_until=ends)


async def exists(connection: AsyncConnection, incident: UUID) -> bool:
    """Whether there is an incident with this id, open or not."""
    found = await connection.scalar(select(tables.incident.c.id).where(tables.incident.c.id == incident))
    return found is not None


async def _decide(
    connection: AsyncConnection, which: ColumnElement[bool], is_news: ColumnElement[bool], **values: Any
) -> tuple[Decided, ...]:
    """Write these values into the incidents of which they say anything new. Locked in the order in which reports are
    recorded, so that neither waits for the other."""
    incident, endpoint = tables.incident, tables.endpoint
    ends = values.get("snoozed_until")
    found = await connection.execute(
        select(
            incident.c.id,
            endpoint.c.name,
            is_news.label("is_news"),
            cast(ends, DateTime(timezone=True)).label("until"),
        )
        .join(endpoint, endpoint.c.id == incident.c.endpoint_id)
        .where(which)
        .order_by(incident.c.endpoint_id)
        .with_for_update(of=incident)
    )
    rows = sorted(found, key=lambda each: each.name)
    decided = tuple(Decided(incident=row.id, endpoint=row.name, until=row.until, is_news=row.is_news) for row in rows)
    fresh = [each.incident for each in decided if each.is_news]
    await connection.execute(
        update(incident).where(among(incident.c.id, fresh)).values(reconsider_at=func.now(), **values)
    )
    return decided


async def _load(connection: AsyncConnection, ids: set[UUID]) -> dict[UUID, _Known]:
    """What is remembered of these endpoints, locked until the caller's transaction ends, in one order for everybody."""
    state, endpoint = tables.endpoint_state, tables.endpoint
    rows = await connection.execute(
        select(state.c.endpoint_id, state.c.incident, endpoint.c.name, endpoint.c.labels, endpoint.c.options)
        .join(endpoint, endpoint.c.id == state.c.endpoint_id)
        .where(among(state.c.endpoint_id, ids))
        .order_by(state.c.endpoint_id)
        .with_for_update(of=state)
    )
    known = {}
    for row in rows.mappings().all():
        before = _state_of(row["incident"], row["name"])
        if before is None:
            await _give_up(connection, row["endpoint_id"])
            before = IncidentState()
        known[row["endpoint_id"]] = _Known(
            name=row["name"], labels=row["labels"], options=row["options"], before=before, state=before
        )
    return known


def _state_of(stored: Any, name: str) -> IncidentState | None:
    """The stored state, or None for one that this release cannot read."""
    try:
        return IncidentState.from_json(stored)
    except ValueError:
        log.error("%s: what is remembered of its incidents cannot be read, and counting begins anew", clean(name, 100))  # noqa: TRY400 - the value may quote a server
        return None


async def _give_up(connection: AsyncConnection, endpoint: UUID) -> None:
    """End an open incident that nothing is known of any more, or no other could open."""
    incident = tables.incident
    await connection.execute(
        update(incident)
        .where(incident.c.endpoint_id == endpoint, incident.c.ended_at.is_(None))
        .values(ended_at=func.now(), reconsider_at=func.now())
    )


async def _save_states(connection: AsyncConnection, known: Mapping[UUID, _Known]) -> None:
    changed = {identity: each.state for identity, each in known.items() if each.state != each.before}
    if changed:
        states = [json.dumps(state.to_json()) for state in changed.values()]
        await connection.execute(_SAVE_STATES, {"ids": list(changed), "states": states})


_SAVE_STATES: Final = text(
    "update endpoint_state set incident = new.state"
    " from unnest(cast(:ids as uuid[]), cast(cast(:states as text[]) as jsonb[])) as new (id, state)"
    " where endpoint_state.endpoint_id = new.id"
)


def _is_silent(known: _Known) -> bool:
    """Whether the incident is another than before without being a new one: its row follows, whatever the news."""
    before, after = known.before.incident, known.state.incident
    return before is not None and after is not None and before.id == after.id and before != after


def _heavier(silent: Iterable[tuple[UUID, _Known]]) -> Iterator[Subject]:
    """Incidents without news that weigh more: they may be for other channels."""
    for identity, each in silent:
        before, after = each.before.incident, each.state.incident
        if before is None or after is None:
            continue
        if after.severity != before.severity and after.news == before.news:
            yield _subject(identity, each, after, None)


def _subject(endpoint: UUID, known: _Known, incident: Incident, transition: UUID | None) -> Subject:
    return Subject(
        incident=incident,
        endpoint_id=endpoint,
        name=known.name,
        labels=known.labels,
        depends_on=tuple(known.options.get("depends_on") or ()),
        seen_at=known.seen_at,
        is_recovering=known.state.is_recovering,
        held_s=known.held_s,
        transition=transition,
    )


def _subject_of(row: RowMapping) -> Subject:
    """An incident that nothing new is known of; the endpoint's state knows more of one that is open."""
    state = _state_of(row["state"], row["name"]) or IncidentState()
    is_open = state.incident is not None and state.incident.id == row["id"] and row["ended_at"] is None
    return Subject(
        incident=state.incident if is_open and state.incident else _incident_of(row),
        endpoint_id=row["endpoint_id"],
        name=row["name"],
        labels=row["labels"],
        depends_on=tuple(row["options"].get("depends_on") or ()),
        seen_at=row["seen_at"],
        is_recovering=is_open and state.is_recovering,
        watched=is_open,
    )


def _incident_of(row: RowMapping) -> Incident:
    return Incident(
        id=row["id"],
        verdict=Verdict(row["verdict"]),
        severity=Severity(row["severity"]),
        since=row["since"],
        opened_at=row["opened_at"],
        shown=Seen(
            verdict=Verdict(row["verdict"]),
            cause_id=row["cause"],
            cause_summary=row["cause_summary"],
            fix=row["fix"],
            report_id=row["report_id"],
            at=row["since"],
        ),
        news=(TransitionKind.OPENED,),
        ended_at=row["ended_at"],
    )


async def _save_incidents(connection: AsyncConnection, found: Sequence[tuple[UUID, Incident]]) -> None:
    """Write incidents of endpoints as they are; of one that comes twice the latter counts."""
    rows = [
        {
            "id": incident.id,
            "endpoint_id": endpoint,
            "since": incident.since,
            "opened_at": incident.opened_at,
            "verdict": incident.verdict.value,
            "severity": incident.severity.value,
            "ended_at": incident.ended_at,
            "cause": incident.shown.cause_id,
            "cause_summary": incident.shown.cause_summary,
            "fix": incident.shown.fix,
            "report_id": incident.shown.report_id,
        }
        for endpoint, incident in sorted(found, key=lambda each: each[0])
    ]
    if rows:
        fresh = insert(tables.incident)
        await connection.execute(
            fresh.on_conflict_do_update(
                index_elements=["id"], set_={name: fresh.excluded[name] for name in _CHANGING_COLUMNS}
            ),
            rows,
        )


_CHANGING_COLUMNS: Final = ("verdict", "severity", "ended_at", "cause", "cause_summary", "fix", "report_id")


async def _save_transitions(connection: AsyncConnection, transitions: Sequence[Transition]) -> None:
    rows = [
        {
            "id": transition.id,
            "incident_id": transition.incident.id,
            "kind": transition.kind.value,
            "at": transition.at,
            "report_id": transition.report_id,
            "verdict": transition.incident.verdict.value,
            "severity": transition.incident.severity.value,
            "cause": transition.incident.shown.cause_id,
            "cause_summary": transition.incident.shown.cause_summary,
        }
        for transition in transitions
    ]
    if rows:
        await connection.execute(insert(tables.transition).on_conflict_do_nothing(), rows)
