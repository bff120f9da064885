"""Slots for which there is no report: recorded as `unknown`, so that no hole in the past looks like health."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.model import Verdict
from prober.storage.identity import report_id
from prober.storage.marks import MARKS_KEPT, mark_of
from prober.storage.tables import endpoint_state, report


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
class Missed:
    """A run of slots without a report."""

    first_slot: datetime
    count: int
    reason: MissedReason


async def save_missed(connection: AsyncConnection, endpoint: UUID, missed: Missed, *, location: str) -> None:
    """Record the run as one report row with verdict `unknown`. Saving it again changes nothing."""
    added = await connection.scalar(
        insert(report)
        .values(
            id=report_id(endpoint, missed.first_slot, location),
            endpoint_id=endpoint,
            slot=missed.first_slot,
            location=location,
            verdict=Verdict.UNKNOWN.value,
            cause_summary=SUMMARIES[missed.reason],
            missed=missed.count,
            unknown_reason=missed.reason.value,
        )
        .on_conflict_do_nothing()
        .returning(report.c.id)
    )
    if added is not None:
        marks = endpoint_state.c.marks + mark_of(Verdict.UNKNOWN) * min(missed.count, MARKS_KEPT)
        await connection.execute(
            update(endpoint_state)
            .where(endpoint_state.c.endpoint_id == endpoint)
            .values(marks=func.right(marks, MARKS_KEPT))
        )
