"""Saves what a probe found: the report, the endpoint's newest state, the end of the lease, and word to listeners."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Insert, Text, Update, case, cast, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.axes import axes_of
from checks.baseline import with_wait
from checks.encode import as_json
from checks.instances import log_stream
from checks.model import ColdStart, ProbeReport, Profile, Timings, Verdict
from checks.sentinel_states import after_probe
from checks.text import clean, storable
from checks.timing import first_answer_ms, first_wait_ms
from prober.storage.identity import report_id
from prober.storage.marks import MARKS_KEPT, mark_of
from prober.storage.schedule import Claim
from prober.storage.tables import endpoint, endpoint_state, evidence, report, routine_evidence

CHANNEL: Final = "prober_report"
"""NOTIFY channel on which a saved report is announced; the payload is the endpoint's id."""

SPARK_KEPT: Final = 30
WARM_WAITS_KEPT: Final = 30
COLD_STARTS_KEPT: Final = 10
LOG_STREAMS_KEPT: Final = 5

COLD_START: Final = "cold-start"
"""The diagnosis whose presence marks a report as one of a cold start."""


class StaleClaim(Exception):
    """The lease went to another worker meanwhile, or the endpoint was removed or replaced: the report is worthless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Where a report is kept."""

    report_id: UUID
    is_new: bool
    """False when this very report had been saved before; its transitions were written then, too."""


async def save(connection: AsyncConnection, found: ProbeReport, *, claim: Claim) -> Saved:
    """Write the report of the claimed slot and give the lease back, inside the caller's transaction.

    Saving it again is harmless. Raises StaleClaim when the claim no longer holds.
    """
    identity = report_id(claim.endpoint_id, claim.slot, found.location)
    kept = await connection.execute(
        update(endpoint)
        .where(endpoint.c.id == claim.endpoint_id, endpoint.c.fence == claim.fence)
        .values(lease_owner=None, lease_until=None, claimed_slot=None)
    )
    if not kept.rowcount:
        known = select(report.c.id).where(report.c.id == identity, report.c.slot == claim.slot, report.c.missed == 0)
        if await connection.scalar(known) is None:
            raise StaleClaim(
                f"{claim.endpoint.name} was edited, removed or taken over by another worker while it was probed; "
                "this report is dropped"
            )
        return Saved(report_id=identity, is_new=False)
    row = insert(report).values(id=identity, **_row(found, claim)).on_conflict_do_nothing().returning(report.c.id)
    is_new = await connection.scalar(row) is not None
    if is_new:
        place = routine_evidence if _is_routine(found) else evidence
        await connection.execute(insert(place).values(report_id=identity, slot=claim.slot, detail=_detail(found)))
        await connection.execute(_new_state(found, claim, identity))
        await _announce(connection, claim.endpoint_id)
    return Saved(report_id=identity, is_new=is_new)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """What the function's log says of the first request of a probe."""

    cold: bool
    """Whether the client waited for an instance to start."""
    init_ms: float | None = None
    restore_ms: float | None = None
    function_ms: float | None = None
    memory_mb: float | None = None


async def complete(connection: AsyncConnection, endpoint_id: UUID, found: ProbeReport, entry: LogEntry) -> None:
    """Add to a saved report what the function's log says, inside the caller's transaction.

    The endpoint's memory of cold starts follows: a suspicion that the log refutes goes, one that nobody had comes.
    """
    identity, slot = report_id(endpoint_id, found.slot, found.location), found.slot
    await connection.execute(
        update(report)
        .where(report.c.id == identity, report.c.slot == slot)
        .values(
            cold_confirmed=entry.cold,
            init_ms=entry.init_ms,
            restore_ms=entry.restore_ms,
            function_ms=entry.function_ms,
            memory_mb=entry.memory_mb,
        )
    )
    state, answer = endpoint_state.c, first_answer_ms(found.opening)
    if _is_cold(found) and not entry.cold:
        others = func.jsonb_path_query_array(
            state.cold_starts, cast("$[*] ? (@.at != $at)", JSONPATH), _json({"at": as_json(slot)}), type_=JSONB
        )
        await connection.execute(_of_state(endpoint_id).values(cold_starts=others))
    elif entry.cold and not _is_cold(found) and answer is not None:
        more = _json([as_json(ColdStart(at=slot, answer_ms=answer))])
        added = _newest_json(state.cold_starts, more, COLD_STARTS_KEPT)
        await connection.execute(_of_state(endpoint_id).values(cold_starts=added))
    await _announce(connection, endpoint_id)


def _of_state(endpoint_id: UUID) -> Update:
    return update(endpoint_state).where(endpoint_state.c.endpoint_id == endpoint_id)


def _json(value: Any) -> Any:
    return literal(value, JSONB)


async def _announce(connection: AsyncConnection, endpoint_id: UUID) -> None:
    await connection.execute(
        text("select pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": str(endpoint_id)}
    )


def _row(found: ProbeReport, claim: Claim) -> dict[str, Any]:
    first = found.opening.exchanges[0].timings if found.opening.exchanges else Timings()
    streaming = _facts(found, "streaming")
    cause = found.cause
    return {
        "endpoint_id": claim.endpoint_id,
        "slot": claim.slot,
        "location": found.location,
        "profile": found.profile.value,
        "started_at": found.started_at,
        "verdict": found.verdict.value,
        "cause": cause.id if cause else None,
        "cause_summary": _summary(found),
        "cold": _is_cold(found),
        "duration_ms": found.duration_ms,
        "dns_ms": first.dns_ms,
        "connect_ms": first.connect_ms,
        "tls_ms": first.tls_ms,
        "wait_ms": first_wait_ms(found.opening),
        "handshake_ms": _ms(found, "lifecycle"),
        "tools_list_ms": _ms(found, "tools_list"),
        "sentinel_ms": _ms(found, "sentinel_call"),
        "first_event_ms": _number(streaming.get("first_event_ms")),
        "last_event_ms": _number(streaming.get("last_event_ms")),
        "burst_ms": _facts(found, "cold_starts").get("cold_ms") or None,
        **_shape(found),
    }


def _is_routine(found: ProbeReport) -> bool:
    """Whether nobody will want to look at it again for long."""
    return found.verdict is Verdict.UP and found.profile is Profile.STANDARD and not found.diagnoses


def _detail(found: ProbeReport) -> Any:
    """The whole report with its axes; exchanges of the opening that stand in the result of `lifecycle` are not written
    twice."""
    lifecycle = found.result("lifecycle")
    is_twice = lifecycle is not None and lifecycle.exchanges == found.opening.exchanges
    written = replace(found, opening=replace(found.opening, exchanges=())) if is_twice else found
    return {**as_json(written), "axes": as_json(axes_of(found))}


def _shape(found: ProbeReport) -> dict[str, Any]:
    """The columns that `report` and `endpoint_state` share."""
    opener = found.opening.opener
    tool_count = _facts(found, "tools_list").get("tool_count")
    return {
        "era": opener.era.value if opener else None,
        "protocol_version": storable(opener.protocol_version) if opener else None,
        "transport": opener.transport.value if opener else None,
        "tool_count": tool_count if isinstance(tool_count, int) else None,
    }


def _new_state(found: ProbeReport, claim: Claim, identity: UUID) -> Insert:
    """The statement that makes this report the newest of its endpoint. What was not seen this time is kept."""
    opening, cause = found.opening, found.cause
    is_full = found.profile is Profile.FULL
    latency = found.duration_ms if found.verdict in (Verdict.UP, Verdict.DEGRADED) and not is_full else None
    warm = None if _is_cold(found) or not opening.established else first_wait_ms(opening)
    fresh = insert(endpoint_state).values(
        endpoint_id=claim.endpoint_id,
        verdict=found.verdict.value,
        since=claim.slot,
        cause=cause.id if cause else None,
        cause_summary=_summary(found),
        report_id=identity,
        slot=claim.slot,
        server_name=clean(opening.server_name, 200) if opening.server_name else None,
        server_version=clean(opening.server_version, 100) if opening.server_version else None,
        latency_ms=latency,
        spark=[] if is_full else [latency],
        marks=mark_of(found.verdict),
        warm_wait_ms=[] if warm is None else [warm],
        opener=as_json(opening.opener) if opening.opener else None,
        sentinels=as_json(after_probe(claim.sentinels, claim.endpoint.sentinels, found)),
        **_shape(found),
        **_past(found, claim, warm),
    )
    old, new = endpoint_state.c, fresh.excluded
    replaced = ("verdict", "cause", "cause_summary", "report_id", "slot", "baseline", "sentinels")
    seen_again = (
        "server_name", "server_version", "opener", "era", "protocol_version", "transport", "tool_count", "answered_at",
    )  # fmt: skip
    return fresh.on_conflict_do_update(
        index_elements=["endpoint_id"],
        set_={
            **{name: new[name] for name in replaced},
            # A full probe asks several times as much: its duration compares with no other.
            **({} if is_full else {"latency_ms": new.latency_ms}),
            **{name: func.coalesce(new[name], old[name]) for name in seen_again},
            "since": case((old.verdict == new.verdict, old.since), else_=new.since),
            "spark": _newest(old.spark, new.spark, SPARK_KEPT),
            "warm_wait_ms": _newest(old.warm_wait_ms, new.warm_wait_ms, WARM_WAITS_KEPT),
            "log_streams": _newest(old.log_streams, new.log_streams, LOG_STREAMS_KEPT),
            "cold_starts": _newest_json(old.cold_starts, new.cold_starts, COLD_STARTS_KEPT),
            "marks": func.right(cast(old.marks + new.marks, Text), MARKS_KEPT),
            "updated_at": func.now(),
        },
    )


def _past(found: ProbeReport, claim: Claim, warm: float | None) -> dict[str, Any]:
    """The columns, beside the warm waits, by which the next probe of the endpoint is judged."""
    opening, answer = found.opening, first_answer_ms(found.opening)
    stream = log_stream(opening.exchanges[0]) if opening.exchanges else None
    return {
        "baseline": as_json(claim.baseline if warm is None else with_wait(claim.baseline, claim.slot, warm)),
        "cold_starts": [as_json(ColdStart(at=claim.slot, answer_ms=answer))]
        if _is_cold(found) and answer is not None
        else [],
        "log_streams": [] if stream is None or stream in claim.history.log_streams else [stream],
        "answered_at": found.started_at if opening.established else None,
    }


def _newest(old: Any, new: Any, kept: int) -> Any:
    """SQL for the last `kept` elements of two arrays put together. A slice may begin below the first element."""
    both = func.array_cat(old, new, type_=old.type)
    return both[func.cardinality(both) - kept + 1 : func.cardinality(both)]


def _newest_json(old: Any, new: Any, kept: int) -> Any:
    """SQL for the last `kept` elements of two JSON arrays put together; subscripts below the first are left out."""
    return func.jsonb_path_query_array(old + new, cast(f"lax $[last - {kept - 1} to last]", JSONPATH), type_=JSONB)


def _is_cold(found: ProbeReport) -> bool:
    return any(diagnosis.id == COLD_START for diagnosis in found.diagnoses)


def _summary(found: ProbeReport) -> str:
    return clean(found.cause.summary, 500) if found.cause else ""


def _facts(found: ProbeReport, check: str) -> Mapping[str, Any]:
    result = found.result(check)
    return result.facts if result else {}


def _ms(found: ProbeReport, check: str) -> float | None:
    """How long a check took, where it asked anything at all."""
    result = found.result(check)
    return result.ms if result and result.exchanges else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
