"""Saves records of probes: many in one transaction, each once, however often and however late they come.

A record that is older than the newest of its endpoint becomes history: a row and its evidence, and the figures of its
hour are made anew. It decides nothing any more. One on a server that another has replaced is dropped. One of a slot
that was meanwhile recorded as missed takes its place. Slots before it that nobody claimed are recorded as missed.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Dialect, RowMapping, Table, TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.encode import as_json
from checks.model import Verdict
from prober.storage import accepted_tools, probe_requests
from prober.storage.marks import MARKS_KEPT, mark_of
from prober.storage.missed import Missed, MissedReason, MissedRun, Probed, SlotRun, save_missed, take_out
from prober.storage.records import LOG_STREAMS_KEPT, SPARK_KEPT, WARM_WAITS_KEPT, ReportRecord
from prober.storage.reports import CHANNEL, COLD_STARTS_KEPT
from prober.storage.rollups import outdate
from prober.storage.tables import endpoint_state, evidence, report, routine_evidence


class Fate(StrEnum):
    """What became of a record."""

    SAVED = "saved"
    LATE = "late"
    """Saved as history alone."""
    KNOWN = "known"
    """It had been saved before."""
    OUTDATED = "outdated"
    """Its endpoint had been removed, or was another server, when it was probed: nothing is saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One record, and what became of it."""

    record: ReportRecord
    fate: Fate


async def save(connection: AsyncConnection, records: Sequence[ReportRecord]) -> tuple[Saved, ...]:
    """Save records inside the caller's transaction; those of one endpoint keep their order.

    What they say about incidents is for `incidents.record`, in the same transaction. Raises what the database raises;
    then nothing is saved.
    """
    saved: list[Saved] = []
    for batch in one_of_each(records):
        left = await _without_known(connection, batch)
        saved += [Saved(record=each, fate=Fate.KNOWN) for each, parts in zip(batch, left, strict=True) if not parts]
        for group in one_of_each(part for parts in left for part in parts):
            saved += await _save(connection, group)
    return tuple(saved)


async def _without_known(
    connection: AsyncConnection, records: Sequence[ReportRecord]
) -> Sequence[Sequence[ReportRecord]]:
    """Each of the records in parts, without the slots of runs that were saved before, alone or in another run."""
    runs = [each for each in records if each.coalesced]
    if not runs:
        return [(each,) for each in records]
    found = (await connection.execute(_KNOWN, {"probed": json.dumps(as_json([_probed(each) for each in runs]))})).all()
    known = defaultdict(list)
    for row in found:
        known[row.endpoint_id].append((row.slot, row.last_slot))
    return [_left(each, known[each.endpoint_id] if each.coalesced else ()) for each in records]


def _left(record: ReportRecord, known: Iterable[tuple[datetime, datetime]]) -> Sequence[ReportRecord]:
    whole: tuple[SlotRun, ...] = (
        SlotRun(first_slot=record.slot, last_slot=record.newest_slot, count=1 + record.coalesced),
    )
    parts = whole
    for first, last in known:
        parts = tuple(rest for part in parts for rest in part.without(first, last))
    return (record,) if parts == whole else [record.limited_to(part) for part in parts]


def one_of_each(records: Iterable[ReportRecord]) -> Iterator[tuple[ReportRecord, ...]]:
    """The records in groups without two of one endpoint; those of one endpoint keep their order."""
    groups: list[list[ReportRecord]] = []
    seen: Counter[UUID] = Counter()
    for record in records:
        place = seen[record.endpoint_id]
        seen[record.endpoint_id] += 1
        if place == len(groups):
            groups.append([])
        groups[place].append(record)
    return (tuple(group) for group in groups)


async def _save(connection: AsyncConnection, records: Sequence[ReportRecord]) -> list[Saved]:
    found = await _lock(connection, records)
    wanted = [each for each in records if _is_current(each, found)]
    former = [each for each in records if _is_of_the_former(each, found)]
    strays = [each for each in wanted if not _holds_lease(each, found[each.endpoint_id])] + former
    replaced = await take_out(connection, [_probed(each) for each in strays]) if strays else frozenset()
    new = await _insert(connection, wanted + former)
    await save_missed(connection, [run for each in wanted for run in _passed_by(each, found[each.endpoint_id])])
    fresh = [each for each in wanted if each.report_id in new and _is_newest(each, found[each.endpoint_id])]
    await _move_on(connection, wanted, found)
    await _renew_states(connection, fresh, found, replaced)
    await outdate(connection, [(each.slot, each.newest_slot) for each in records if each.report_id in new])
    await probe_requests.done(connection, {each.request: each.report_id for each in wanted if each.request is not None})
    await _announce(connection, [each.endpoint_id for each in records if each.report_id in new])
    return [Saved(record=each, fate=_fate(each, found, new)) for each in records]


def _fate(record: ReportRecord, found: Mapping[UUID, RowMapping], new: Collection[UUID]) -> Fate:
    is_former = _is_of_the_former(record, found)
    if not is_former and not _is_current(record, found):
        return Fate.OUTDATED
    if record.report_id not in new:
        return Fate.KNOWN
    if is_former:
        return Fate.LATE
    return Fate.SAVED if _is_newest(record, found[record.endpoint_id]) else Fate.LATE


async def _lock(connection: AsyncConnection, records: Sequence[ReportRecord]) -> Mapping[UUID, RowMapping]:
    rows = await connection.execute(_LOCK, {"ids": sorted(each.endpoint_id for each in records)})
    return {row["id"]: row for row in rows.mappings()}


def _is_current(record: ReportRecord, found: Mapping[UUID, RowMapping]) -> bool:
    row = found.get(record.endpoint_id)
    return row is not None and row["edition"] == record.edition and row["removed_at"] is None


def _is_of_the_former(record: ReportRecord, found: Mapping[UUID, RowMapping]) -> bool:
    """Whether it was probed before its endpoint was removed or became another server: it is history, as what was saved
    before that is, and tells nothing of how the endpoint is now. None of its slots is one of the new server's."""
    row = found.get(record.endpoint_id)
    return row is not None and not _is_current(record, found) and record.newest_slot < row["changed_at"]


def _holds_lease(record: ReportRecord, row: RowMapping) -> bool:
    """Whether nobody can have recorded its slot as missed."""
    return bool(row["lease_owner"] == record.worker and row["claimed_slot"] == record.slot)


def _ends_lease(record: ReportRecord, row: RowMapping) -> bool:
    """Whether the lease on its endpoint is the one that it was probed under, or an earlier one of its worker."""
    return bool(row["lease_owner"] == record.worker and row["claimed_slot"] <= record.newest_slot)


def _is_newest(record: ReportRecord, row: RowMapping) -> bool:
    """Whether it tells how the endpoint is now. One that is no longer watched has no state to follow; and none is newer
    that is of a time to come, before the clock of the database was set back."""
    is_newer = row["newest"] is None or row["newest"] < record.newest_slot or row["is_of_another_clock"]
    return bool(row["enabled"] and is_newer)


def _probed(record: ReportRecord) -> Probed:
    return Probed(
        endpoint_id=record.endpoint_id,
        location=record.location,
        first_slot=record.slot,
        last_slot=record.newest_slot,
    )


def _passed_by(record: ReportRecord, row: RowMapping) -> Iterator[MissedRun]:
    """The slots before it that nobody claimed: they went by while the endpoint was still being probed, and a probe from
    memory followed. Should another worker have probed them, its reports take their place."""
    interval = timedelta(seconds=row["interval_s"])
    count = int((record.slot - row["next_due"]) / interval + 1e-6)
    if row["enabled"] and count > 0:
        missed = Missed(
            first_slot=row["next_due"],
            last_slot=row["next_due"] + (count - 1) * interval,
            count=count,
            reason=MissedReason.MISSED,
        )
        yield MissedRun(endpoint_id=record.endpoint_id, location=record.location, missed=missed)


async def _insert(connection: AsyncConnection, records: Sequence[ReportRecord]) -> frozenset[UUID]:
    """Write the rows and their evidence; returns the ids of the reports that were not there."""
    rows = [
        {
            **each.row,
            "id": str(each.report_id),
            "endpoint_id": str(each.endpoint_id),
            "slot": each.slot.isoformat(),
            "location": each.location,
            "last_slot": None if each.last_slot is None else each.last_slot.isoformat(),
            "coalesced": each.coalesced,
        }
        for each in records
    ]
    new = frozenset(await connection.scalars(_INSERT, {"rows": json.dumps(rows)})) if rows else frozenset()
    for statement, is_routine in ((_EVIDENCE, False), (_ROUTINE_EVIDENCE, True)):
        details = [
            {"report_id": each.report_id, "slot": each.slot, "detail": each.evidence}
            for each in records
            if each.report_id in new and each.is_routine is is_routine and each.evidence is not None
        ]
        if details:
            await connection.execute(statement, details)
    return new


async def _move_on(
    connection: AsyncConnection, records: Sequence[ReportRecord], found: Mapping[UUID, RowMapping]
) -> None:
    """End the leases on these slots, and let the timetable go on after them where it has not yet."""
    rows = [
        {
            "id": str(each.endpoint_id),
            "ends_lease": _ends_lease(each, found[each.endpoint_id]),
            "slot": each.newest_slot.isoformat(),
            "next_slot": each.next_slot.isoformat(),
        }
        for each in records
    ]
    if rows:
        await connection.execute(_MOVE_ON, {"rows": json.dumps(rows)})


async def _renew_states(
    connection: AsyncConnection,
    records: Sequence[ReportRecord],
    found: Mapping[UUID, RowMapping],
    replaced: Collection[UUID],
) -> None:
    """Make each record the newest of its endpoint. What was not seen this time is kept."""
    if not records:
        return
    rows = json.dumps([_state(each, each.endpoint_id in replaced) for each in records])
    if any(found[each.endpoint_id]["has_state"] is None for each in records):
        await connection.execute(_FIRST_STATES, {"rows": rows})
    await connection.execute(_RENEW_STATES, {"rows": rows})
    for each in records:
        if each.first_tools is not None:
            await accepted_tools.accept_first(connection, each.endpoint_id, each.first_tools)


def _state(record: ReportRecord, fills_gap: bool) -> dict[str, Any]:
    row, findings = record.row, record.findings
    decisive = row["confirmed"] or row["verdict"]
    return {
        **record.state,
        "endpoint_id": str(record.endpoint_id),
        "report_id": str(record.report_id),
        "slot": record.newest_slot.isoformat(),
        "first_slot": record.slot.isoformat(),
        "verdict": row["verdict"],
        "cause": row["cause"],
        "cause_summary": row["cause_summary"],
        "is_standard": row["profile"] == "standard",
        "is_bad": decisive in _BAD,
        "is_well": decisive == Verdict.UP,
        "fills_gap": fills_gap,
        "marks": record.state["marks"] * min(1 + record.coalesced, MARKS_KEPT),
        "full_due": findings and findings.due,
        "full_findings": findings and findings.findings,
        "is_full": findings is not None and findings.is_full,
    }


async def _announce(connection: AsyncConnection, endpoints: Sequence[UUID]) -> None:
    if endpoints:
        await connection.execute(_ANNOUNCE, {"channel": CHANNEL, "ids": [str(each) for each in endpoints]})


_UNKNOWN: Final = mark_of(Verdict.UNKNOWN)
_BAD: Final = (Verdict.DOWN, Verdict.DEGRADED)
_TYPES: Final[Dialect] = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


def _typed(table: Table, names: Iterable[str]) -> str:
    """The columns as `jsonb_to_recordset` wants to be told them."""
    return ", ".join(f"{name} {table.c[name].type.compile(_TYPES)}" for name in names)


_REPORT_COLUMNS: Final = tuple(
    column.name
    for column in report.c
    if column.name not in ("saved_at", "missed", "cold_confirmed", "init_ms", "restore_ms", "function_ms", "memory_mb")
)
_STATE_COLUMNS: Final = (
    "endpoint_id", "report_id", "slot", "verdict", "cause", "cause_summary", "era", "protocol_version", "transport",
    "server_name", "server_version", "tool_count", "latency_ms", "spark", "marks", "warm_wait_ms", "opener", "baseline",
    "cold_starts", "log_streams", "answered_at", "tool_memory", "sentinels", "full_due", "full_findings",
)  # fmt: skip
_SEEN_AGAIN: Final = (
    "server_name", "server_version", "opener", "era", "protocol_version", "transport", "tool_count", "answered_at",
    "tool_memory", "full_due", "full_findings",
)  # fmt: skip
_REPLACED: Final = ("verdict", "cause", "cause_summary", "report_id", "slot", "baseline", "sentinels")
_NEWEST: Final = {"spark": SPARK_KEPT, "warm_wait_ms": WARM_WAITS_KEPT, "log_streams": LOG_STREAMS_KEPT}
_STATE_ROWS: Final = (
    f"jsonb_to_recordset(cast(:rows as jsonb)) as new ({_typed(endpoint_state, _STATE_COLUMNS)},"
    " first_slot timestamptz, is_standard boolean, is_bad boolean, is_well boolean, is_full boolean, fills_gap boolean)"
)


def _newest(name: str, kept: int) -> str:
    """SQL for the last `kept` elements of two arrays put together."""
    return f"(old.{name} || new.{name})[cardinality(old.{name} || new.{name}) - {kept - 1} :]"


def _evidence_into(table: Table) -> TextClause:
    return text(
        f"insert into {table.name} (report_id, slot, detail) values (:report_id, :slot, cast(:detail as jsonb))"  # noqa: S608 - one of ours
        " on conflict do nothing"  # a report whose day is being moved out of DEFAULT counts as new
    )


_LOCK: Final = text(
    """
    select endpoint.id, endpoint.edition, endpoint.removed_at, endpoint.enabled, endpoint.lease_owner,
           endpoint.claimed_slot, endpoint.next_due, endpoint.interval_s,
           coalesce(endpoint.removed_at, endpoint.updated_at) as changed_at,
           state.endpoint_id as has_state, state.slot as newest,
           state.slot > now() + interval '1 minute' as is_of_another_clock
    from endpoint left join endpoint_state as state on state.endpoint_id = endpoint.id
    where endpoint.id = any(cast(:ids as uuid[]))
    order by endpoint.id
    for update of endpoint
    """
)
# No run stands for slots of two hours: see `prober.storage.spool_room`.
_KNOWN: Final = text(
    """
    select asked.endpoint_id, report.slot, coalesce(report.last_slot, report.slot) as last_slot
    from jsonb_to_recordset(cast(:probed as jsonb)) as asked (
        endpoint_id uuid, location text, first_slot timestamptz, last_slot timestamptz)
    join report on report.endpoint_id = asked.endpoint_id and report.location = asked.location and report.missed = 0
        and report.slot <= asked.last_slot and coalesce(report.last_slot, report.slot) >= asked.first_slot
        and report.slot > asked.first_slot - interval '1 hour'
    order by report.slot
    """
)
_INSERT: Final = text(
    f"""
    insert into report ({", ".join(_REPORT_COLUMNS)})
    select {", ".join(_REPORT_COLUMNS)}
    from jsonb_to_recordset(cast(:rows as jsonb)) as new ({_typed(report, _REPORT_COLUMNS)})
    on conflict do nothing
    returning id
    """  # noqa: S608 - names of our own columns
)
_MOVE_ON: Final = text(
    """
    update endpoint
    set lease_owner = case when new.ends_lease then null else lease_owner end,
        lease_until = case when new.ends_lease then null else lease_until end,
        claimed_slot = case when new.ends_lease then null else claimed_slot end,
        next_due = case when next_due <= new.slot then new.next_slot else next_due end
    from jsonb_to_recordset(cast(:rows as jsonb))
        as new (id uuid, ends_lease boolean, slot timestamptz, next_slot timestamptz)
    where endpoint.id = new.id and (new.ends_lease or endpoint.next_due <= new.slot)
    """
)
_FIRST_STATES: Final = text(
    f"""
    insert into endpoint_state (endpoint_id, verdict, since, cause_summary)
    select endpoint_id, verdict, first_slot, '' from {_STATE_ROWS}
    on conflict do nothing
    """  # noqa: S608 - names of our own columns
)
_RENEW_STATES: Final = text(
    f"""
    update endpoint_state as old
    set {", ".join(f"{name} = new.{name}" for name in _REPLACED)},
        {", ".join(f"{name} = coalesce(new.{name}, old.{name})" for name in _SEEN_AGAIN)},
        {", ".join(f"{name} = {_newest(name, kept)}" for name, kept in _NEWEST.items())},
        cold_starts = jsonb_path_query_array(
            old.cold_starts || new.cold_starts, 'lax $[last - {COLD_STARTS_KEPT - 1} to last]'),
        latency_ms = case when new.is_standard then new.latency_ms else old.latency_ms end,
        since = case when old.verdict = new.verdict then old.since else new.first_slot end,
        marks = case when new.fills_gap and right(old.marks, 1) = '{_UNKNOWN}'
            then regexp_replace(old.marks, '\\{_UNKNOWN}(\\{_UNKNOWN}*)$', left(new.marks, 1) || '\\1')
            else right(old.marks || new.marks, {MARKS_KEPT}) end,
        bad_since = case when new.is_bad then coalesce(old.bad_since, new.first_slot)
            when new.is_well then null else old.bad_since end,
        full_at = case when new.is_full then new.slot else old.full_at end,
        full_report_id = case when new.is_full then new.report_id else old.full_report_id end,
        updated_at = now()
    from {_STATE_ROWS}
    where old.endpoint_id = new.endpoint_id
    """  # noqa: S608 - names of our own columns
)
_EVIDENCE, _ROUTINE_EVIDENCE = (_evidence_into(table) for table in (evidence, routine_evidence))
_ANNOUNCE: Final = text("select pg_notify(:channel, id) from unnest(cast(:ids as text[])) as id")
