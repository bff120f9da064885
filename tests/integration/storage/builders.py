"""Endpoints, claims and reports for the tests of storage; time is moved by rewriting rows, never by waiting."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Diagnosis, Effect, Endpoint, Opener, Opening, ProbeReport, Proof, Verdict
from checks.spec import Era, Transport
from checks.standing import FullFindings, Told
from checks.tool_memory import ToolMemory
from prober.incidents.lifecycle import seen_of
from prober.storage import endpoints, recording, schedule
from prober.storage.identity import report_id
from prober.storage.recording import Fate
from prober.storage.records import ReportRecord, record_of
from prober.storage.schedule import Claim

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
OPENER = Opener(
    transport=Transport.STREAMABLE_HTTP,
    era=Era.HANDSHAKE,
    protocol_version="2025-11-25",
    reason="initialize was answered",
    chosen_at=NOON,
)


def endpoint(name: str = "shop", **fields: Any) -> Endpoint:
    return Endpoint(**{"name": name, "url": f"https://{name}.example/mcp", "interval_s": 60.0, **fields})


def report_on(claim: Claim, verdict: Verdict = Verdict.UP, **fields: Any) -> ProbeReport:
    return ProbeReport(
        **{
            "endpoint": claim.endpoint.name,
            "endpoint_id": claim.endpoint_id,
            "slot": claim.slot,
            "started_at": claim.slot,
            "duration_ms": 120.0,
            "verdict": verdict,
            "opening": Opening(),
            **fields,
        }
    )


def record_on(
    claim: Claim,
    found: ProbeReport | None = None,
    *,
    findings: FullFindings | None = None,
    is_full: bool = False,
    tools: ToolMemory | None = None,
    worker: str = "one",
    confirmed: Verdict | None = None,
) -> ReportRecord:
    """What a worker keeps of a report on that slot."""
    found = found or report_on(claim)
    told = Told(report=found, findings=findings or claim.findings, is_full=is_full)
    identity = report_id(claim.endpoint_id, claim.slot, found.location)
    seen = seen_of(found, identity, confirmed=confirmed)
    memory = claim.history.tools if tools is None else tools
    return record_of(told, claim, memory, seen, worker=worker, confirmed=confirmed)


def diagnosis(cause: str = "tools-empty", effect: Effect = Effect.DOWN, **fields: Any) -> Diagnosis:
    return Diagnosis(
        **{
            "id": cause,
            "effect": effect,
            "confidence": 0.9,
            "summary": "the server lists no tools",
            "evidence": (Proof(text="tools/list answered with an empty list"),),
            "fix": "register the tools before the adapter starts",
            **fields,
        }
    )


@dataclass(frozen=True)
class Saved:
    """A report that a test has saved."""

    report_id: UUID
    fate: Fate

    @property
    def is_new(self) -> bool:
        return self.fate in (Fate.SAVED, Fate.LATE)


@dataclass(frozen=True)
class Store:
    """The database with the few moves that most tests make."""

    db: AsyncEngine

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.db.begin() as connection:
            found = await connection.execute(text(statement), values)
            return list(found.all()) if found.returns_rows else []

    async def watch(self, *watched: Endpoint, **fields: Any) -> endpoints.Changes:
        return await endpoints.sync(self.db, watched, **fields)

    async def due_now(self, name: str = "shop") -> None:
        """Move the endpoint's timetable so that a slot of its grid begins now."""
        await self.sql(
            "update endpoint set next_due = date_trunc('milliseconds', now()), phase_s = mod("
            " extract(epoch from date_trunc('milliseconds', now())), interval_s::numeric) where name = :name",
            name=name,
        )

    async def claim(self, worker: str = "one", limit: int = 10, **fields: Any) -> list[Claim]:
        answer = await schedule.claim(self.db, worker=worker, limit=limit, **fields)
        return list(answer.claims)

    async def claim_one(self, name: str = "shop", worker: str = "one") -> Claim:
        await self.sql(
            "update endpoint set next_due = now() + interval '1 min'"
            " where name <> :name and next_due < now() + interval '5 s'",
            name=name,
        )
        await self.due_now(name)
        (claim,) = await self.claim(worker)
        return claim

    async def save_all(self, *records: ReportRecord) -> list[Fate]:
        async with self.db.begin() as connection:
            return [saved.fate for saved in await recording.save(connection, records)]

    async def save(self, found: ProbeReport, claim: Claim, **fields: Any) -> Saved:
        record = record_on(claim, found, **fields)
        (fate,) = await self.save_all(record)
        return Saved(record.report_id, fate)

    async def probe(self, name: str = "shop", verdict: Verdict = Verdict.UP, **fields: Any) -> tuple[Claim, Saved]:
        claim = await self.claim_one(name)
        return claim, await self.save(report_on(claim, verdict, **fields), claim)
