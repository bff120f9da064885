"""What is no longer kept goes: partitions whole, the rest by small batches, so that nobody who works waits for it."""

# ruff: noqa: S608 - statements are put together of constants of this package alone

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from prober.settings import Retention
from prober.storage.partitions import DAYS, EVIDENCE, HOURS, REPORTS, ROUTINE_EVIDENCE, drop_expired, patiently

ROWS_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What went."""

    partitions: tuple[str, ...]
    rows: int
    """Of tables without partitions."""


async def expire(db: AsyncEngine, kept: Retention) -> Expired:
    """Drop what is older than `kept` says. Whatever is interrupted, the next call completes. Raises TablesLocked.

    Beside the tables that have a length of their own: attempts, notices that are done, the transitions of incidents
    that have ended, single mutes that are over, probes that were asked for and workers that are gone stay as long as
    reports; times in which a prober was impaired as long as figures by the hour, whose gaps they explain; incidents and
    outages that have ended as long as figures by the day.
    """
    ages = (
        (ROUTINE_EVIDENCE, kept.evidence_days),
        (EVIDENCE, kept.reports_days),
        (REPORTS, kept.reports_days),
        (HOURS, kept.hours_days),
        (DAYS, kept.days_days),
    )
    partitions = [
        name for each, days in ages if days is not None for name in await drop_expired(db, each, days_kept=days)
    ]
    rows = 0
    for table, condition in _DELETED.items():
        days = getattr(kept, _AGES.get(table, "reports_days"))
        while days is not None:
            deleted = await patiently(db, partial(_delete, table=table, condition=condition, days=days))
            rows += deleted
            if deleted < ROWS_AT_ONCE:
                break
    return Expired(partitions=tuple(partitions), rows=rows)


# Notices go before the transitions, and those before the incidents, that they belong to: then no cascade is a long one.
_DELETED: Final = {
    "attempt": "at < :before",
    # By a notice that was handed to another channel it is known who else hears of the end.
    "notice": "coalesce(sent_at, failed_at) < :before and (handed_to is null"
    " or not exists (select from incident where incident.id = thread and ended_at is null)"
    " and not exists (select from outage where outage.id = thread and ended_at is null))",
    "transition": "at < :before"
    " and exists (select from incident where incident.id = incident_id and ended_at < :before)"
    " and not exists (select from notice where transition_id = transition.id)",
    "incident": "ended_at < :before and not exists (select from transition where incident_id = incident.id)",
    "outage": "ended_at < :before",
    "mute": "ends_at < :before",
    "worker": "seen_at < :before",
    "probe_request": "asked_at < :before",
    "impairment": "ended_at < :before",
    "rollup_due": "hour < :before",
}
_AGES: Final = {"incident": "days_days", "outage": "days_days", "impairment": "hours_days"}
"""Which length counts, where it is not that of reports."""


async def _delete(connection: AsyncConnection, *, table: str, condition: str, days: int) -> int:
    before = await connection.scalar(text("select now() - cast(:age as interval)"), {"age": timedelta(days=days)})
    batch = f"select ctid from {table} where {condition} limit {ROWS_AT_ONCE} for update skip locked"
    deleted = await connection.execute(
        text(f"delete from {table} where ctid = any (array({batch}))"), {"before": before}
    )
    return deleted.rowcount
