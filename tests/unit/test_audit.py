"""What the scorecard of reliability is judged by finds what is lost, what is missing, and what is there twice."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from tests.reliability.audit import Audit, audit
from tests.reliability.fleet import Seen

INTERVAL_S = 10.0


@dataclass(frozen=True)
class Table:
    """The rows of a database that there is none of."""

    rows: list[tuple[Any, ...]]

    def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.rows


def report(number: int, *, last: int | None = None, missed: int = 0, server: str = "shop") -> tuple[Any, ...]:
    """The row of a slot, or of all slots up to `last`: counted with the first, or missed."""
    slot = number * INTERVAL_S
    last_slot = slot if last is None else last * INTERVAL_S
    coalesced = 0 if last is None or missed else last - number
    verdict, reason = ("unknown", "missed") if missed else ("up", "")
    return (server, UUID(int=number), slot, last_slot, missed, coalesced, verdict, reason, INTERVAL_S, 0.0)


def probe(number: int, *, late_s: float = 0.01, attempts: int = 1) -> Seen:
    at = number * INTERVAL_S + late_s
    return Seen(report=UUID(int=number), server="shop", at=at, attempts=attempts, ended=True)


def judged(rows: list[tuple[Any, ...]], seen: list[Seen], **asked: float) -> Audit:
    return audit(Table(rows), seen, **asked)


def faults(found: Audit) -> tuple[int, int, int, int]:
    return len(found.lost), found.missing, found.double, found.twice


def test_where_every_probe_has_its_report_nothing_is_wrong() -> None:
    found = judged([report(each) for each in range(1, 6)], [probe(each) for each in range(1, 6)])
    assert faults(found) == (0, 0, 0, 0)
    assert round(found.p(99)) == 10


def test_a_probe_without_a_report_is_lost_unless_it_may_be_under_way() -> None:
    rows = [report(1), report(2), report(4)]
    seen = [probe(each) for each in (1, 2, 3, 4, 5)]
    assert faults(judged(rows, seen))[:2] == (1, 1), "the newest may be under way"
    assert faults(judged(rows, [*seen, probe(6)]))[0] == 2
    assert faults(judged(rows, [*seen, probe(6)], excused=2 * INTERVAL_S))[0] == 1


def test_a_run_covers_as_many_probes_as_it_counts_and_no_more() -> None:
    rows = [report(1), report(2, last=4), report(5), report(6)]
    assert faults(judged(rows, [probe(each) for each in range(1, 7)])) == (0, 0, 0, 0)
    counted = list(rows[1])
    counted[5] = 1
    assert faults(judged([rows[0], tuple(counted), *rows[2:]], [probe(each) for each in range(1, 7)]))[0] == 1


def test_slots_that_were_missed_are_no_hole_and_no_probe() -> None:
    found = judged([report(1), report(2), report(3, last=5, missed=3), report(6)], [probe(1), probe(2), probe(6)])
    assert faults(found) == (0, 0, 0, 0)
    assert found.unknown == {"missed": 3}


def test_a_slot_for_which_two_rows_stand_and_one_probed_twice_are_found() -> None:
    rows = [report(1), report(2, last=4), report(4), report(5)]
    assert faults(judged(rows, []))[2] == 1
    assert faults(judged([report(1)], [replace(probe(1), attempts=2)]))[3] == 1


def test_lags_count_from_the_moment_that_is_asked_for() -> None:
    rows = [report(each) for each in (1, 2, 3)]
    found = judged(rows, [probe(1, late_s=5.0), probe(2), probe(3)], since=15.5)
    assert len(found.lags_ms) == 2
    assert found.p(100) < 11
