"""How sentinels stand: each has an outcome of its own, and the time from which on it has been the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

from checks.model import CheckResult, Opening, Outcome, ProbeReport, Sentinel, Verdict
from checks.sentinel_states import STATES_KEPT, SentinelState, after_probe

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FIND, LIST = Sentinel(tool="find", arguments={"id": 7}), Sentinel(tool="list")


def report(minute: int, *facts: tuple[str, str, float | None]) -> ProbeReport:
    """A probe that came to its sentinels, or without facts one that did not."""
    told: list[dict[str, Any]] = [
        {"tool": tool, "outcome": outcome, "ms": ms, "summary": outcome, "exchange": None}
        for tool, outcome, ms in facts
    ]
    return ProbeReport(
        endpoint="orders",
        slot=NOON + timedelta(minutes=minute),
        started_at=NOON,
        duration_ms=1.0,
        verdict=Verdict.UP,
        opening=Opening(),
        results=(
            CheckResult(
                check="sentinel_call", outcome=Outcome.PASS, summary="", facts={"sentinels": told} if told else {}
            ),
        ),
    )


def shown(states: tuple[SentinelState, ...]) -> list[tuple[str, str, int, int]]:
    return [
        (each.tool, each.outcome, (each.since - NOON).seconds // 60, (each.at - NOON).seconds // 60) for each in states
    ]


def test_a_state_lasts_from_the_first_probe_that_found_it() -> None:
    both = (FIND, LIST)
    first = after_probe((), both, report(0, ("find", "ok", 20.0), ("list", "failed", 30.0)))
    second = after_probe(first, both, report(1, ("find", "ok", 21.0), ("list", "failed", 31.0)))
    third = after_probe(second, both, report(2, ("find", "access-denied", 22.0), ("list", "skipped", None)))

    assert shown(second) == [("find", "ok", 0, 1), ("list", "failed", 0, 1)]
    assert shown(third) == [("find", "access-denied", 2, 2), ("list", "skipped", 2, 2)]
    assert [each.ms for each in third] == [22.0, None]


def test_a_probe_that_came_to_no_sentinel_leaves_them_as_they_were() -> None:
    first = after_probe((), (FIND,), report(0, ("find", "ok", 20.0)))

    assert after_probe(first, (FIND,), report(1)) == first


def test_one_tool_with_other_arguments_is_another_sentinel() -> None:
    other = Sentinel(tool="find", arguments={"id": 8})
    first = after_probe((), (FIND, other), report(0, ("find", "ok", 20.0), ("find", "failed", 20.0)))
    swapped = after_probe(first, (other, FIND), report(1, ("find", "failed", 20.0), ("find", "ok", 20.0)))

    assert shown(swapped) == [("find", "failed", 0, 1), ("find", "ok", 0, 1)]


def test_what_is_no_longer_a_sentinel_is_forgotten() -> None:
    first = after_probe((), (FIND, LIST), report(0, ("find", "ok", 20.0), ("list", "ok", 20.0)))

    assert shown(after_probe(first, (LIST,), report(1))) == [("list", "ok", 0, 0)]


def test_what_is_kept_is_bounded() -> None:
    many = tuple(Sentinel(tool=f"t{number}" + "x" * 1000) for number in range(STATES_KEPT + 50))
    kept = after_probe((), many, report(0, *((each.tool, "ok", 1.0) for each in many)))

    assert len(kept) == STATES_KEPT
    assert max(len(each.tool) for each in kept) <= 200
