"""Everything that is to be saved of one probe, as bytes that outlive this process: see `prober.storage.recording`.

The first line holds what must not get lost, as JSON; what follows is the evidence, which the record can do without.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import TypeAdapter

from checks.baseline import Baseline, with_wait
from checks.encode import as_json
from checks.instances import log_stream
from checks.inventory import Inventory
from checks.model import ColdStart, Opener, ProbeReport, Profile, Verdict
from checks.sentinel_states import SentinelState, after_probe
from checks.standing import Told
from checks.text import clean, storable
from checks.timing import first_answer_ms, first_wait_ms
from checks.tool_memory import ToolMemory
from prober.incidents.lifecycle import Seen
from prober.storage.identity import report_id
from prober.storage.marks import mark_of
from prober.storage.missed import SlotRun
from prober.storage.reports import COLD_STARTS_KEPT, detail_of, is_cold, is_routine, row_of, shape_of
from prober.storage.schedule import Claim

SPARK_KEPT: Final = 30
WARM_WAITS_KEPT: Final = 30
LOG_STREAMS_KEPT: Final = 5


class UnreadableRecord(ValueError):
    """Bytes that are no record, or one that another release wrote in a way that this one cannot read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a full probe leaves to be remembered, as the columns of `endpoint_state` hold it."""

    due: str
    findings: dict[str, Any]
    is_full: bool
    """Whether it could look: then the time until the next one begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRecord:
    """One report on its way to the database."""

    version: Literal[1] = 1
    endpoint_id: UUID
    name: str
    edition: int
    """Of the endpoint: when another server has taken its place, nobody wants to know."""
    worker: str
    """Whose lease on the slot ends with it."""
    location: str
    slot: datetime
    next_slot: datetime
    """The one after it, where the endpoint's timetable goes on."""
    labels: dict[str, str]
    seen: Seen
    """What incidents make of it."""
    is_routine: bool
    row: dict[str, Any]
    """Columns of `report`."""
    state: dict[str, Any]
    """Columns of `endpoint_state`; what was not seen is null."""
    findings: Findings | None = None
    first_tools: Inventory | None = None
    """The first list of tools that probes agree on."""
    last_slot: datetime | None = None
    coalesced: int = 0
    """Further slots up to `last_slot`, of which only the same verdict and cause are known."""
    request: UUID | None = None
    """Of the person who asked for this probe."""
    evidence: str | None = None
    """The whole report as JSON; None where there was no room for it."""

    @property
    def report_id(self) -> UUID:
        return report_id(self.endpoint_id, self.slot, self.location)

    @property
    def newest_slot(self) -> datetime:
        """The last one that it speaks of."""
        return self.last_slot or self.slot

    def standing_for(self, last_slot: datetime, count: int) -> "ReportRecord":
        """The record of a run of `count` slots of which this one is the first."""
        if count <= 1:
            return self
        step = self.next_slot - self.slot
        return replace(
            self,
            seen=replace(self.seen, until=last_slot),
            last_slot=last_slot,
            coalesced=count - 1,
            next_slot=last_slot + step,
        )

    def limited_to(self, run: SlotRun) -> "ReportRecord":
        """The record of a part of its slots."""
        step = self.next_slot - self.newest_slot
        last_slot = run.last_slot if run.count > 1 else None
        following = run.last_slot + step
        return replace(
            self,
            seen=replace(self.seen, until=run.last_slot),
            slot=run.first_slot,
            last_slot=last_slot,
            coalesced=run.count - 1,
            next_slot=following,
        )

    def to_bytes(self, *, slim: bool = False) -> bytes:
        """What `from_bytes` reads; `slim` without the evidence."""
        head = _RECORD.dump_json(replace(self, evidence=None), exclude_defaults=False)
        return head if slim or self.evidence is None else b"\n".join((head, self.evidence.encode()))

    @staticmethod
    def from_bytes(data: bytes) -> "ReportRecord":
        """The record that `to_bytes` wrote. Raises UnreadableRecord."""
        head, _, evidence = data.partition(b"\n")
        try:
            record = _RECORD.validate_json(head)
            return replace(record, evidence=evidence.decode()) if evidence else record
        except ValueError as error:
            raise UnreadableRecord(f"not a record that this release can read ({len(data)} bytes)") from error


_RECORD: Final = TypeAdapter(ReportRecord)


def record_of(
    told: Told, claim: Claim, tools: ToolMemory, seen: Seen, *, worker: str, confirmed: Verdict | None = None
) -> ReportRecord:
    """What is to be saved of a probe. `confirmed` is the verdict of its repetition."""
    found, learnt = told.report, Learnt.of(told.report, claim)
    findings = None
    if found.profile is Profile.FULL:
        findings = Findings(due=told.findings.due.value, findings=as_json(told.findings), is_full=told.is_full)
    return ReportRecord(
        endpoint_id=claim.endpoint_id,
        name=claim.endpoint.name,
        edition=claim.edition,
        worker=worker,
        location=found.location,
        slot=claim.slot,
        next_slot=claim.next_slot,
        labels=as_json(found.labels),
        seen=seen,
        is_routine=is_routine(found),
        row=as_json({**row_of(found), "confirmed": confirmed}),
        state=as_json({**_state_of(found, learnt), "tool_memory": None if tools == claim.history.tools else tools}),
        findings=findings,
        request=claim.request,
        first_tools=None if claim.history.accepted is not None else tools.inventory(tools.settled),
        evidence=json.dumps(detail_of(found), ensure_ascii=False, separators=(",", ":")),
    )


def remembered(told: Told, claim: Claim, tools: ToolMemory) -> Claim:
    """The slot after this one, with what is known after the probe: for when the database cannot say."""
    found, learnt = told.report, Learnt.of(told.report, claim)
    history = claim.history
    after = replace(
        history,
        warm_wait_ms=(*history.warm_wait_ms, *learnt.warm_ms)[-WARM_WAITS_KEPT:],
        usual_wait_ms=learnt.baseline.medians,
        cold_starts=(*history.cold_starts, *learnt.cold_starts)[-COLD_STARTS_KEPT:],
        log_streams=(*history.log_streams, *learnt.log_streams)[-LOG_STREAMS_KEPT:],
        answered_at=learnt.answered_at or history.answered_at,
        tools=tools,
        accepted=history.accepted or tools.inventory(tools.settled),
    )
    known = replace(
        claim,
        history=after,
        remembered=found.opening.opener or claim.remembered,
        baseline=learnt.baseline,
        sentinels=learnt.sentinels,
        findings=told.findings,
        is_down=found.verdict is Verdict.DOWN,
    )
    return known.following()


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What a probe adds to the past that the next one is judged by."""

    opener: Opener | None
    baseline: Baseline
    sentinels: tuple[SentinelState, ...]
    warm_ms: tuple[float, ...]
    cold_starts: tuple[ColdStart, ...]
    log_streams: tuple[str, ...]
    answered_at: datetime | None

    @staticmethod
    def of(found: ProbeReport, claim: Claim) -> "Learnt":
        opening, answer = found.opening, first_answer_ms(found.opening)
        is_measured = opening.established and not is_cold(found) and not found.observer.is_late
        warm = first_wait_ms(opening) if is_measured else None
        stream = log_stream(opening.exchanges[0]) if opening.exchanges else None
        is_new_stream = stream is not None and stream not in claim.history.log_streams
        return Learnt(
            opener=opening.opener,
            baseline=claim.baseline if warm is None else with_wait(claim.baseline, claim.slot, warm),
            sentinels=after_probe(claim.sentinels, claim.endpoint.sentinels, found),
            warm_ms=() if warm is None else (warm,),
            cold_starts=(ColdStart(at=claim.slot, answer_ms=answer),) if is_cold(found) and answer is not None else (),
            log_streams=(stream,) if stream is not None and is_new_stream else (),
            answered_at=found.started_at if opening.established else None,
        )


def _state_of(found: ProbeReport, learnt: Learnt) -> Mapping[str, Any]:
    opening, is_full = found.opening, found.profile is Profile.FULL
    is_answered = found.verdict in (Verdict.UP, Verdict.DEGRADED)
    return {
        "server_name": clean(opening.server_name, 200) if opening.server_name else None,
        "server_version": clean(opening.server_version, 100) if opening.server_version else None,
        # A full probe asks several times as much: the whole of it compares with no other.
        "latency_ms": found.duration_ms if is_answered and not is_full else None,
        "spark": [first_answer_ms(opening) if is_answered else None],
        "marks": mark_of(found.verdict),
        "warm_wait_ms": learnt.warm_ms,
        "opener": learnt.opener,
        "baseline": learnt.baseline,
        "sentinels": learnt.sentinels,
        "cold_starts": learnt.cold_starts,
        "log_streams": [storable(each) for each in learnt.log_streams],
        "answered_at": learnt.answered_at,
        **shape_of(found),
    }
