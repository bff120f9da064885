"""Slots for which there is no report: recorded as `unknown`, so that no hole in the past looks like health."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.model import Verdict
from prober.storage.identity import report_id
from prober.storage.marks import MARKS_KEPT, mark_of
from prober.storage.rollups import outdate


class MissedReason(StrEnum):
    """Why slots have no report."""

    MISSED = "missed"
    """No worker was there to claim them in time."""
    INTERRUPTED = "interrupted"
    """A worker claimed the slot and was gone before it saved a report."""


SUMMARIES: Final = {
    MissedReason.MISSED: "no prober was running, or none had room, when these probes were due",
    MissedReason.INTERRUPTED: "the prober that ran this probe ended before it saved a report",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRun:
    """Slots one after the other, all as far apart."""

    first_slot: datetime
    last_slot: datetime
    count: int

    def without(self, first: datetime, last: datetime) -> tuple[Self, ...]:
        """What is left without its slots from `first` to `last`, or those nearest to them."""
        if last < self.first_slot or first > self.last_slot:
            return (self,)
        if self.count == 1:
            return ()
        step = (self.last_slot - self.first_slot) / (self.count - 1)
        low, high = (min(max(round((at - self.first_slot) / step), 0), self.count - 1) for at in (first, last))
        before = replace(self, last_slot=self.first_slot + step * (low - 1), count=low)
        after = replace(self, first_slot=self.first_slot + step * (high + 1), count=self.count - high - 1)
        return tuple(part for part in (before, after) if part.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed(SlotRun):
    """A run of slots without a report."""

    reason: MissedReason

    @staticmethod
    def one(slot: datetime, reason: MissedReason) -> "Missed":
        """A run of a single slot."""
        return Missed(first_slot=slot, last_slot=slot, count=1, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedRun:
    """A run as it is recorded: whose, and seen from where."""

    endpoint_id: UUID
    location: str
    missed: Missed


async def save_missed(connection: AsyncConnection, runs: Sequence[MissedRun]) -> None:
    """Record each run as one report row with verdict `unknown`. Saving them again changes nothing."""
    if runs:
        await connection.execute(_SAVE, {"runs": json.dumps([_row(run) for run in runs])})
        await outdate(connection, [(run.missed.first_slot, run.missed.last_slot) for run in runs])


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """Slots of an endpoint that were probed after all, seen from a location."""

    endpoint_id: UUID
    location: str
    first_slot: datetime
    last_slot: datetime


async def take_out(connection: AsyncConnection, probed: Sequence[Probed]) -> frozenset[UUID]:
    """Take these slots out of the runs that they were recorded in; the rest of each run stays recorded.

    Returns the ids of the endpoints that had such a slot.
    """
    asked = [
        {
            "endpoint_id": str(each.endpoint_id),
            "location": each.location,
            "first_slot": each.first_slot.isoformat(),
            "last_slot": each.last_slot.isoformat(),
        }
        for each in probed
    ]
    found = (await connection.execute(_TAKE_OUT, {"probed": json.dumps(asked)})).mappings().all()
    rest = [
        MissedRun(endpoint_id=row["endpoint_id"], location=row["location"], missed=part)
        for row in found
        for part in _run_of(row).without(row["first_probed"], row["last_probed"])
    ]
    if rest:
        await connection.execute(_SAVE_QUIETLY, {"runs": json.dumps([_row(run) for run in rest])})
    return frozenset(row["endpoint_id"] for row in found)


def _run_of(row: RowMapping) -> Missed:
    return Missed(
        first_slot=row["slot"],
        last_slot=row["last_slot"],
        count=row["missed"],
        reason=MissedReason(row["unknown_reason"]),
    )


def _row(run: MissedRun) -> dict[str, Any]:
    missed = run.missed
    return {
        "id": str(report_id(run.endpoint_id, missed.first_slot, run.location)),
        "endpoint_id": str(run.endpoint_id),
        "slot": missed.first_slot.isoformat(),
        "last_slot": missed.last_slot.isoformat(),
        "location": run.location,
        "cause_summary": SUMMARIES[missed.reason],
        "missed": missed.count,
        "unknown_reason": missed.reason.value,
    }


_INSERT: Final = """
    insert into report (id, endpoint_id, slot, last_slot, location, verdict, cause_summary, missed, unknown_reason)
    select id, endpoint_id, slot, last_slot, location, 'unknown', cause_summary, missed, unknown_reason
    from jsonb_to_recordset(cast(:runs as jsonb)) as run (
        id uuid, endpoint_id uuid, slot timestamptz, last_slot timestamptz, location text, cause_summary text,
        missed integer, unknown_reason text)
    on conflict do nothing
"""
_SAVE_QUIETLY: Final = text(_INSERT)
_SAVE: Final = text(
    f"""
    with added as ({_INSERT} returning endpoint_id, missed),
    counted as (select endpoint_id, least(sum(missed), {MARKS_KEPT})::integer as marks from added group by endpoint_id)
    update endpoint_state
    set marks = right(endpoint_state.marks || repeat('{mark_of(Verdict.UNKNOWN)}', counted.marks), {MARKS_KEPT})
    from counted where counted.endpoint_id = endpoint_state.endpoint_id
    """  # noqa: S608 - constants of ours
)
_TAKE_OUT: Final = text(
    """
    delete from report
    using (
        select run.id, run.slot, asked.first_slot, asked.last_slot
        from jsonb_to_recordset(cast(:probed as jsonb)) as asked (
            endpoint_id uuid, location text, first_slot timestamptz, last_slot timestamptz)
        join report as run on run.endpoint_id = asked.endpoint_id and run.location = asked.location and run.missed > 0
            and run.slot <= asked.last_slot and coalesce(run.last_slot, run.slot) >= asked.first_slot
    ) as covering
    where report.id = covering.id and report.slot = covering.slot
    returning report.endpoint_id, report.location, report.slot, coalesce(report.last_slot, report.slot) as last_slot,
              report.missed, report.unknown_reason,
              covering.first_slot as first_probed, covering.last_slot as last_probed
    """
)
