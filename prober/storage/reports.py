"""What of a report has a column of its own, and what the function's log adds to a saved one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Update, cast, func, literal, text, update
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.axes import axes_of
from checks.encode import as_json
from checks.model import ColdStart, ProbeReport, Profile, Timings, Verdict
from checks.observing import unknown_reason
from checks.text import clean, storable
from checks.timing import first_answer_ms, first_wait_ms
from prober.storage.identity import report_id
from prober.storage.rollups import outdate
from prober.storage.tables import endpoint_state, report

CHANNEL: Final = "prober_report"
"""NOTIFY channel on which a saved report is announced; the payload is the endpoint's id."""

COLD_STARTS_KEPT: Final = 10

COLD_START: Final = "cold-start"
"""The diagnosis whose presence marks a report as one of a cold start."""


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
    await outdate(connection, [(slot, slot)])
    state, answer = endpoint_state.c, first_answer_ms(found.opening)
    if is_cold(found) and not entry.cold:
        others = func.jsonb_path_query_array(
            state.cold_starts, cast("$[*] ? (@.at != $at)", JSONPATH), _json({"at": as_json(slot)}), type_=JSONB
        )
        await connection.execute(_of_state(endpoint_id).values(cold_starts=others))
    elif entry.cold and not is_cold(found) and answer is not None:
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


def row_of(found: ProbeReport) -> dict[str, Any]:
    """The columns of `report` that the report alone decides."""
    first = found.opening.exchanges[0].timings if found.opening.exchanges else Timings()
    streaming = _facts(found, "streaming")
    return {
        "profile": found.profile.value,
        "started_at": found.started_at,
        "verdict": found.verdict.value,
        "unknown_reason": unknown_reason(found),
        "cause": found.cause.id if found.cause else None,
        "cause_summary": summary_of(found),
        "cold": is_cold(found),
        "lag_ms": found.observer.lag_ms,
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
        **shape_of(found),
    }


def is_routine(found: ProbeReport) -> bool:
    """Whether nobody will want to look at it again for long."""
    return found.verdict is Verdict.UP and found.profile is Profile.STANDARD and not found.diagnoses


def detail_of(found: ProbeReport) -> Any:
    """The whole report with its axes; exchanges of the opening that stand in the result of `lifecycle` are not written
    twice."""
    lifecycle = found.result("lifecycle")
    is_twice = lifecycle is not None and lifecycle.exchanges == found.opening.exchanges
    written = replace(found, opening=replace(found.opening, exchanges=())) if is_twice else found
    return {**as_json(written), "axes": as_json(axes_of(found))}


def shape_of(found: ProbeReport) -> dict[str, Any]:
    """The columns that `report` and `endpoint_state` share."""
    opener = found.opening.opener
    return {
        "era": opener.era.value if opener else None,
        "protocol_version": storable(opener.protocol_version) if opener else None,
        "transport": opener.transport.value if opener else None,
        "tool_count": _tool_count(_facts(found, "tools_list")),
    }


def _tool_count(listing: Mapping[str, Any]) -> int | None:
    """How many tools were listed; None where the list failed before it named any: that is no empty one."""
    count = listing.get("tool_count")
    return count if isinstance(count, int) and (count or listing.get("complete")) else None


def _newest_json(old: Any, new: Any, kept: int) -> Any:
    """SQL for the last `kept` elements of two JSON arrays put together; subscripts below the first are left out."""
    return func.jsonb_path_query_array(old + new, cast(f"lax $[last - {kept - 1} to last]", JSONPATH), type_=JSONB)


def is_cold(found: ProbeReport) -> bool:
    """Whether the probe suspects that it met a cold start."""
    return any(diagnosis.id == COLD_START for diagnosis in found.diagnoses)


def summary_of(found: ProbeReport) -> str:
    """Its cause in a sentence; empty without one."""
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
