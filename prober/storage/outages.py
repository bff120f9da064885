"""Keeps outages: who is affected now, whether an incident is part of one, and what has been told of it."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, and_, exists, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.model import Verdict
from prober.incidents import outages
from prober.incidents.lifecycle import FLAKY
from prober.incidents.notice import Route
from prober.incidents.outages import LOOK_EVERY, TOGETHER, Affected, Outage
from prober.incidents.policy import AlertPolicy
from prober.incidents.rules import Severity
from prober.incidents.telling import Circumstances, Telling, consider
from prober.incidents.wording import outage_notice
from prober.storage import tables
from prober.storage.membership import among
from prober.storage.mutes import Quiet, quiet
from prober.storage.outbox import put

log = logging.getLogger(__name__)

EXPLAINS_AFTERWARDS: Final = timedelta(minutes=5)
"""For so long after its recovery an endpoint explains the trouble of those that depend on it: they recover a few probes
later."""
LOOKED_AT_WITHIN_S: Final = LOOK_EVERY.total_seconds() + 2.0
"""An outage whose endpoints are all well again is known to be over after so many seconds."""
_MOST_AFFECTED: Final = 10_000
_ROWS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    labels: Mapping[str, str]
    depends_on: tuple[str, ...]
    snoozed_until: datetime | None
    affected: Affected

    def is_muted(self, silence: Quiet) -> bool:
        """Whether nobody is told of this one now."""
        is_snoozed = self.snoozed_until is not None and self.snoozed_until > silence.now
        return is_snoozed or bool(silence.of(self.name, self.labels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """Finds the outages that incidents are part of, within one transaction."""

    policy: AlertPolicy
    quiet: Quiet
    lasting: dict[str, Outage] = field(default_factory=dict)
    """Outages that were found, by group."""

    async def join(
        self,
        connection: AsyncConnection,
        incident: UUID,
        since: datetime,
        labels: Mapping[str, str],
        *,
        held_s: float = 0.0,
    ) -> UUID | None:
        """The outage that an incident is part of which is about to be told; it begins with it, where enough fail.

        What is muted by itself, or explained by what it depends on, makes no outage. Where the incident's notices are
        held, the outage's are, until it was looked at after that.
        """
        group = outages.group_of(labels, self.policy.alerting)
        if group not in self.lasting and (found := await _lasting(connection, group)) is not None:
            self.lasting[group] = found
        outage = self.lasting.get(group)
        if outage is not None and since <= outage.joins_until:
            return outage.id if since >= outage.since - TOGETHER else None
        shared = outages.labels_of(labels, self.policy.alerting)
        held_s = held_s + LOOKED_AT_WITHIN_S if held_s else 0.0
        rows = await _affected(connection, group, shared, since - TOGETHER, self.policy, self.quiet.now)
        counted = [row for row in rows if row.affected.outage is None and not row.is_muted(self.quiet)]
        fresh = outages.together((row.affected for row in counted), since)
        if outage is not None:
            return await self._extend(connection, outage, counted, fresh, held_s)
        begun = outages.begun(incident, group, shared, fresh, self.policy.alerting, self.quiet.now)
        return None if begun is None else await self._begin(connection, begun, counted, held_s)

    async def _begin(
        self, connection: AsyncConnection, begun: Outage, rows: Sequence[_Row], held_s: float
    ) -> UUID | None:
        table = tables.outage
        is_first = await connection.scalar(
            insert(table)
            .values(id=begun.id, group_key=begun.group, since=begun.since, opened_at=begun.opened_at, **_values(begun))
            .on_conflict_do_nothing()
            .returning(table.c.id)
        )
        if is_first is None:  # another worker was faster
            found = await _lasting(connection, begun.group)
            return None if found is None else found.id
        routes = _concerned(self.policy.routes, rows)
        await _tell(connection, begun, Telling(), Circumstances(), routes, self.quiet.now, held_s=held_s)
        return begun.id

    async def _extend(
        self,
        connection: AsyncConnection,
        outage: Outage,
        rows: Sequence[_Row],
        fresh: Sequence[Affected],
        held_s: float,
    ) -> UUID | None:
        """The outage that lasts, if again enough fail together to be one."""
        if not self.policy.alerting.are_one_outage(len(fresh)):
            return None
        table = tables.outage
        locked = await connection.execute(select(table).where(table.c.id == outage.id).with_for_update())
        row = locked.mappings().one()
        everybody = await _affected(
            connection, outage.group, outage.labels, outage.since - TOGETHER, self.policy, self.quiet.now
        )
        after = outages.joined(
            Outage.from_json(row["facts"]), [each.affected for each in everybody], fresh, self.quiet.now
        )
        await connection.execute(update(table).where(table.c.id == outage.id).values(**_values(after)))
        telling, circumstances = Telling.from_json(row["telling"]), await _circumstances(connection, outage)
        routes = _concerned(self.policy.routes, [*_loud(everybody, self.quiet), *rows])
        await _tell(connection, after, telling, circumstances, routes, self.quiet.now, held_s=held_s)
        self.lasting[outage.group] = after
        return outage.id


async def _lasting(connection: AsyncConnection, group: str) -> Outage | None:
    table = tables.outage
    facts = await connection.scalar(select(table.c.facts).where(table.c.group_key == group, table.c.ended_at.is_(None)))
    return None if facts is None else _readable(facts)


def _readable(facts: Mapping[str, Any]) -> Outage | None:
    """The outage, or None for one that this release cannot read: what happens to others must not depend on it."""
    try:
        return Outage.from_json(facts)
    except ValueError:
        log.error("an outage in the database is not as this release writes them: it is left out")  # noqa: TRY400 - the value may quote a server
        return None


async def known(db: AsyncEngine, identity: UUID) -> Outage | None:
    """The outage, or None where it is no longer kept or another release wrote it."""
    async with db.connect() as connection:
        facts = await connection.scalar(select(tables.outage.c.facts).where(tables.outage.c.id == identity))
    return None if facts is None else _readable(facts)


async def recent(db: AsyncEngine, *, limit: int = 10) -> tuple[Outage, ...]:
    """The newest outages, those that last first."""
    table = tables.outage
    wanted = select(table.c.facts).order_by(table.c.ended_at.is_not(None), table.c.opened_at.desc()).limit(limit)
    async with db.connect() as connection:
        found = (_readable(facts) for facts in await connection.scalars(wanted))
        return tuple(each for each in found if each is not None)


async def attend(db: AsyncEngine, policy: AlertPolicy, now: datetime) -> int:
    """Look at the outages whose time has come; several workers share them. How many that were."""
    table = tables.outage
    due = (
        select(table)
        .where(table.c.reconsider_at <= now)
        .order_by(table.c.reconsider_at)
        .limit(10)
        .with_for_update(skip_locked=True)
    )
    async with db.begin() as connection:
        rows = list((await connection.execute(due)).mappings())
        for row in rows:
            await _follow(connection, row, policy, now)
    if any(row["ended_at"] is None for row in rows):
        await release(db)
    return len(rows)


async def release(db: AsyncEngine) -> None:
    """Have the incidents considered anew whose outage is over, so that each is told on its own from then on."""
    async with db.begin() as connection:
        await connection.execute(
            text(
                "update incident set reconsider_at = now() where id in ("
                " select incident.id from incident join outage on outage.id = incident.outage_id"
                " where incident.ended_at is null and incident.reconsider_at is null and incident.muted is not null"
                " and outage.ended_at is not null for update of incident skip locked)"
            )
        )


async def _follow(connection: AsyncConnection, row: RowMapping, policy: AlertPolicy, now: datetime) -> None:
    outage, table = _readable(row["facts"]), tables.outage
    if outage is None:  # nobody can follow it: whoever is in it is told on its own from now on
        await connection.execute(update(table).where(table.c.id == row["id"]).values(ended_at=now, reconsider_at=None))
        return
    silence = await quiet(connection, policy.windows, now)
    rows = await _affected(connection, outage.group, outage.labels, outage.since - TOGETHER, policy, now)
    counted = (row for row in rows if row.affected.outage == outage.id or not row.is_muted(silence))
    affected = outages.part_of(outage, (row.affected for row in counted))
    after = outages.followed(outage, affected, policy.alerting, now)
    await connection.execute(update(table).where(table.c.id == outage.id).values(**_values(after)))
    still = [each.name for each in affected] if after.ended_at else []
    circumstances, routes = await _circumstances(connection, outage), _concerned(policy.routes, _loud(rows, silence))
    await _tell(connection, after, Telling.from_json(row["telling"]), circumstances, routes, now, still=still)


async def _circumstances(connection: AsyncConnection, outage: Outage) -> Circumstances:
    """Whoever has one of its incidents in hand has the outage in hand."""
    incident = tables.incident
    acknowledged = await connection.scalar(
        select(
            exists().where(
                incident.c.outage_id == outage.id,
                incident.c.ended_at.is_(None),
                incident.c.acknowledged_at.is_not(None),
            )
        )
    )
    return Circumstances(acknowledged=bool(acknowledged))


def _loud(rows: Sequence[_Row], silence: Quiet) -> list[_Row]:
    """Those of them that people are told of now."""
    return [row for row in rows if not row.is_muted(silence)]


def _concerned(routes: Sequence[Route], rows: Sequence[_Row]) -> list[Route]:
    """The channels that hear of an outage: those that would hear of any of these endpoints, which are in it."""
    return [
        replace(route, labels={}) for route in routes if any(route.labels.items() <= row.labels.items() for row in rows)
    ]


async def _tell(
    connection: AsyncConnection,
    outage: Outage,
    telling: Telling,
    circumstances: Circumstances,
    routes: Sequence[Route],
    now: datetime,
    *,
    still: Sequence[str] = (),
    held_s: float = 0.0,
) -> None:
    considered = consider(telling, outage.thing, circumstances, routes, now)
    for tell in considered.tells:
        notice = outage_notice(tell, outage, now, still=still)
        await put(connection, notice, channel=tell.channel, held_s=held_s)
    await connection.execute(
        update(tables.outage)
        .where(tables.outage.c.id == outage.id)
        .values(
            telling=considered.telling.to_json(),
            reconsider_at=None if outage.ended_at is not None else now + LOOK_EVERY,
        )
    )


def _values(outage: Outage) -> dict[str, Any]:
    return {"severity": outage.severity.value, "ended_at": outage.ended_at, "facts": outage.to_json()}


async def _affected(
    connection: AsyncConnection,
    group: str,
    shared: Mapping[str, str],
    since: datetime,
    policy: AlertPolicy,
    now: datetime,
) -> list[_Row]:
    """The endpoints of a group that are not well since then, without those whose trouble another's explains."""
    # A part at a time: ten thousand rows at once would hold up the event loop for longer than probes may be late.
    rows = await connection.stream(_not_well(shared, since), execution_options={"yield_per": _ROWS_AT_ONCE})
    newest: dict[str, _Row] = {}
    async for part in rows.mappings().partitions():
        # An endpoint may have had several incidents; the newest comes last.
        newest.update((row["name"], _row(row, policy)) for row in part)
    found = [row for row in newest.values() if outages.group_of(row.labels, policy.alerting) == group]
    ill = await not_well(connection, {name for row in found for name in row.depends_on}, now)
    return [row for row in found if not ill & set(row.depends_on)]


def _not_well(shared: Mapping[str, str], since: datetime) -> Select[Any]:
    endpoint, state, incident = tables.endpoint, tables.endpoint_state, tables.incident
    untold_end = and_(incident.c.ended_at.is_not(None), incident.c.outage_id.is_(None), incident.c.telling.is_(None))
    began = func.coalesce(incident.c.since, state.c.bad_since)
    return (
        select(
            endpoint.c.name,
            endpoint.c.labels,
            endpoint.c.options,
            began.label("since"),
            func.coalesce(incident.c.cause, state.c.cause).label("cause"),
            func.coalesce(incident.c.verdict, state.c.verdict).label("verdict"),
            incident.c.severity,
            incident.c.outage_id,
            incident.c.snoozed_until,
        )
        .join(state, state.c.endpoint_id == endpoint.c.id)
        .outerjoin(
            incident,
            and_(
                incident.c.endpoint_id == endpoint.c.id,
                incident.c.since >= since,
                or_(incident.c.ended_at.is_(None), untold_end),
            ),
        )
        .where(endpoint.c.removed_at.is_(None), endpoint.c.enabled, endpoint.c.labels.contains(dict(shared)))
        .where(or_(incident.c.id.is_not(None), state.c.bad_since >= since))
        .order_by(endpoint.c.name, began)
        .limit(_MOST_AFFECTED)
    )


async def not_well(connection: AsyncConnection, names: Collection[str], now: datetime) -> frozenset[str]:
    """Which of these endpoints are in an incident, or were until just now, or in a row of bad verdicts.

    One that is flaky explains nothing by that: most of the time it works. Nor does one that was well again in a time to
    come, before the clock was set back.
    """
    if not names:
        return frozenset()
    endpoint, state, incident = tables.endpoint, tables.endpoint_state, tables.incident
    is_ill = exists().where(
        incident.c.endpoint_id == endpoint.c.id,
        or_(incident.c.ended_at.is_(None), and_(incident.c.ended_at > now - EXPLAINS_AFTERWARDS, _is_past(now))),
        incident.c.cause.is_distinct_from(FLAKY),
    )
    found = await connection.scalars(
        select(endpoint.c.name)
        .join(state, state.c.endpoint_id == endpoint.c.id)
        .where(among(endpoint.c.name, names), endpoint.c.removed_at.is_(None), endpoint.c.enabled)
        .where(or_(state.c.bad_since.is_not(None), is_ill))
    )
    return frozenset(found)


async def well_since(connection: AsyncConnection, names: Collection[str], now: datetime) -> Mapping[str, datetime]:
    """When the last incident ended of those of these endpoints that are watched and had one. Flaky ones explain
    nothing, nor does an end in a time to come."""
    if not names:
        return {}
    endpoint, incident = tables.endpoint, tables.incident
    found = await connection.execute(
        select(endpoint.c.name, func.max(incident.c.ended_at).label("ended_at"))
        .join(incident, incident.c.endpoint_id == endpoint.c.id)
        .where(among(endpoint.c.name, names), endpoint.c.removed_at.is_(None), endpoint.c.enabled)
        .where(_is_past(now), incident.c.cause.is_distinct_from(FLAKY))
        .group_by(endpoint.c.name)
    )
    return {row.name: row.ended_at for row in found}


def _is_past(now: datetime) -> ColumnElement[bool]:
    """Whether an incident ended, and not in a time to come; clocks of workers may be a little apart."""
    return tables.incident.c.ended_at <= now + EXPLAINS_AFTERWARDS


def _row(row: RowMapping, policy: AlertPolicy) -> _Row:
    usual = policy.rules.severity_of(Verdict(row["verdict"]), row["cause"])
    return _Row(
        name=row["name"],
        labels=row["labels"],
        depends_on=tuple(row["options"].get("depends_on") or ()),
        snoozed_until=row["snoozed_until"],
        affected=Affected(
            name=row["name"],
            cause_id=row["cause"],
            since=row["since"],
            severity=Severity(row["severity"] or usual),
            outage=row["outage_id"],
        ),
    )
