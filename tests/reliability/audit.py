"""Holds what the database says against what the servers saw: what is missing, what is there twice, and how late."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

from tests.reliability.cluster import Database, Worker
from tests.reliability.fleet import Fleet, Seen

_ROWS = """
    select endpoint.name, report.id, extract(epoch from slot)::float8,
           extract(epoch from coalesce(last_slot, slot))::float8, missed, coalesced, verdict,
           coalesce(unknown_reason, ''), endpoint.interval_s, coalesce(lag_ms, 0)
    from report join endpoint on endpoint.id = report.endpoint_id
"""


class Asked(Protocol):
    """A database, as far as this needs one."""

    def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True)
class Row:
    """One row of the table of reports."""

    endpoint: str
    id: object
    slot: float
    last_slot: float
    missed: int
    coalesced: int
    verdict: str
    reason: str
    interval_s: float
    lag_ms: float

    @property
    def slots(self) -> int:
        """For how many slots it stands."""
        return max(1, self.missed) + self.coalesced


@dataclass
class Audit:
    """What was found."""

    rows: list[Row]
    probes: int
    """That servers saw."""
    lost: list[Seen] = field(default_factory=list)
    """Probes whose report is nowhere."""
    missing: int = 0
    """Slots of the grid between the first and the last row of each endpoint that no row stands for."""
    double: int = 0
    """Slots that two rows stand for."""
    twice: int = 0
    """Slots that were probed more than once."""
    lags_ms: list[float] = field(default_factory=list)
    """From each slot to the first request of its probe."""

    @property
    def unknown(self) -> Counter[str]:
        """Slots without an observation, by reason."""
        found: Counter[str] = Counter()
        for row in self.rows:
            if row.verdict == "unknown":
                found[row.reason] += row.slots
        return found

    @property
    def verdicts(self) -> Counter[str]:
        return Counter(row.verdict for row in self.rows)

    def p(self, percent: float) -> float:
        """A percentile of the lags."""
        return percentile(self.lags_ms, percent)


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest rank; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def rows_of(database: Asked) -> list[Row]:
    return [Row(*each) for each in database.ask(_ROWS)]


def audit(database: Asked, seen: Sequence[Seen], *, since: float = 0.0, excused: float = 0.0) -> Audit:
    """All reports against all probes. `since`: lags of probes from then on count; probes that began within the last
    `excused` seconds may be under way."""
    rows = rows_of(database)
    found = Audit(rows=rows, probes=len(seen))
    slots = {row.id: row.slot for row in rows if row.missed == 0}
    newest = max((each.at for each in seen), default=0.0)
    covered = _Covered(rows, seen)
    for each in sorted(seen, key=lambda each: each.at):
        slot = slots.get(each.report)
        if slot is not None:
            if each.at >= since:
                found.lags_ms.append((each.at - slot) * 1000)
        elif not covered.by_count(each) and each.at < newest - excused:
            found.lost.append(each)
        found.twice += each.attempts > 1
    for mine in _by_endpoint(rows).values():
        _walk(mine, found)
    return found


class _Covered:
    """Slots that are counted in another row because the spool was full.

    A row covers no more probes than it counts. It may reach further than its count: slots that were missed meanwhile
    are not in it.
    """

    def __init__(self, rows: Sequence[Row], seen: Sequence[Seen]) -> None:
        known = {each.report for each in seen}
        self._runs: dict[str, list[Row]] = {}
        self._left: dict[object, int] = {}
        for row in sorted(rows, key=lambda each: each.slot):
            if row.coalesced:
                self._runs.setdefault(row.endpoint, []).append(row)
                self._left[row.id] = row.slots - (row.id in known)

    def by_count(self, each: Seen) -> bool:
        """Whether a row stands for this probe as well. Probes are to be asked for in their order, each once."""
        for row in self._runs.get(each.server, ()):
            if self._left[row.id] and row.slot - 0.1 <= each.at <= row.last_slot + row.interval_s + 1.0:
                self._left[row.id] -= 1
                return True
        return False


def _by_endpoint(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda each: each.slot):
        found.setdefault(row.endpoint, []).append(row)
    return found


def _walk(rows: Sequence[Row], found: Audit) -> None:
    """Count holes and overlaps of one endpoint. The first slot may lie off the grid."""
    for before, after in pairwise(rows):
        step = (after.slot - before.slot) / before.interval_s - before.slots
        if abs(step) <= 0.5 or before is rows[0]:
            continue
        found.missing += max(0, round(step))
        found.double += max(0, round(-step))
        print(f"a hole or an overlap: {before}\n  {after}")


def settled(database: Database, fleet: Fleet, worker: Worker) -> list[Seen]:
    """End the worker, and let it begin anew for as long as it saves what was left in its spool.

    Returns all probes until its first end.
    """
    status, _ = worker.end()
    assert status == 0, worker.said[-2000:]
    seen = fleet.seen()
    left = _unsaved(database, seen)
    if left:
        worker.start()
        before = left + 1
        while left and left < before:
            time.sleep(3)
            before, left = left, _unsaved(database, seen)
        worker.end()
    return seen


def _unsaved(database: Database, seen: Sequence[Seen]) -> int:
    known = {row for (row,) in database.ask("select id from report")}
    return sum(each.report not in known for each in seen)
