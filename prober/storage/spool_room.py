"""What becomes of an entry when room is short: written whole, slim, counted in a run, or dropped. Pure.

| filled | an entry is |
|---|---|
| below 75 % | written whole |
| from 75 % | written without evidence |
| from 90 % | counted, if its tone repeats for long and its endpoint is up |
| from 95 % | counted, if its tone repeats for long |
| full | held in memory, of which the same table holds; dropped if that is full too, what tells least first |

What is on the disk already is counted the same way from 90 % on. So a change of tone, and the entries right after it,
on which incidents are decided, are lost only when nothing is left that tells less.
"""

from collections import OrderedDict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from prober.storage.spool_format import Entry, Record, Weight

SLIM_FROM: Final = 0.75
COUNT_SUCCESSES_FROM: Final = 0.90
COUNT_REPETITIONS_FROM: Final = 0.95

RUN_LONGEST_S: Final = 600.0
"""A run is in memory alone until it ends; that is the most that a killed worker loses of what merely repeats."""

VOICES: Final = 50_000
"""Keys whose tones are remembered, more than one worker probes: in months many come and go."""


class Thrift(IntEnum):
    """How much is saved on."""

    NONE = 0
    EVIDENCE = 1
    SUCCESSES = 2
    REPETITIONS = 3

    @property
    def counted(self) -> Weight | None:
        """What is counted instead of kept: this and what tells less."""
        return {Thrift.SUCCESSES: Weight.SUCCESS, Thrift.REPETITIONS: Weight.REPETITION}.get(self)


def thrift_at(filled: float) -> Thrift:
    """`filled` is a share of the room: 1 is full."""
    if filled >= COUNT_REPETITIONS_FROM:
        return Thrift.REPETITIONS
    if filled >= COUNT_SUCCESSES_FROM:
        return Thrift.SUCCESSES
    return Thrift.EVIDENCE if filled >= SLIM_FROM else Thrift.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What is to be written now that an entry came."""

    records: tuple[Record, ...] = ()
    coalesced: int = 0
    """Entries that are counted and not kept."""
    slimmed: int = 0
    """Entries that are kept without their evidence."""


@dataclass(slots=True)
class _Run:
    record: Record
    since: float


@dataclass(slots=True)
class _Voice:
    """What one key said last."""

    tone: str
    repeated: int


class Admission:
    """Decides on each entry as it comes. A tone repeats for long when `keep_run` entries after its first had it too.

    It knows nothing of the time before it was made, nor of keys that it has not heard of for longest when there are
    more than `voices`, so that the first entries of every such key are kept.
    """

    def __init__(self, keep_run: int, voices: int = VOICES) -> None:
        self._keep_run: Final = keep_run
        self._most: Final = voices
        self._voices: Final[OrderedDict[str, _Voice]] = OrderedDict()
        self._runs: Final[dict[str, _Run]] = {}

    @property
    def runs(self) -> int:
        """How many runs there are that no record was written of yet."""
        return len(self._runs)

    def admit(self, entry: Entry, thrift: Thrift, now: float) -> Admitted:
        """`now` is in seconds of a clock that never goes back."""
        weight = self._weigh(entry)
        record = _record(entry, weight, slim=thrift >= Thrift.EVIDENCE)
        slimmed = int(record.payload != entry.payload)
        run = self._runs.pop(entry.key, None)
        if thrift.counted is None or weight > thrift.counted:
            return Admitted(records=_written(run, record), slimmed=slimmed)
        if run is not None and joins(run.record, record):
            run = _Run(joined(run.record, record), run.since)
            if now < run.since + RUN_LONGEST_S:
                self._runs[entry.key] = run
                return Admitted(coalesced=1)
            return Admitted(records=(run.record,), coalesced=1)
        self._runs[entry.key] = _Run(record, now)
        return Admitted(records=_written(run), slimmed=slimmed)

    def due(self, thrift: Thrift, now: float) -> list[Record]:
        """Runs to be written although nothing ended them: all once there is room, the old ones until then."""
        ended = [
            key
            for key, run in self._runs.items()
            if thrift.counted is None or run.record.weight > thrift.counted or now >= run.since + RUN_LONGEST_S
        ]
        return [self._runs.pop(key).record for key in ended]

    def end(self) -> list[Record]:
        """All runs, to be written before the process ends."""
        records = [run.record for run in self._runs.values()]
        self._runs.clear()
        return records

    def _weigh(self, entry: Entry) -> Weight:
        voice = self._voices.pop(entry.key, None)
        if voice is None or voice.tone != entry.tone:
            self._remember(entry.key, _Voice(entry.tone, 0))
            return Weight.CHANGE
        voice.repeated += 1
        self._remember(entry.key, voice)
        if voice.repeated <= self._keep_run:
            return Weight.FOLLOWING
        return Weight.SUCCESS if entry.is_up else Weight.REPETITION

    def _remember(self, key: str, voice: _Voice) -> None:
        self._voices[key] = voice
        if len(self._voices) > self._most:
            self._voices.popitem(last=False)


def joins(first: Record, then: Record) -> bool:
    """Whether one record may stand for both. None stands for slots of two hours: figures are kept by the hour."""
    return (
        (first.key, first.tone, first.weight) == (then.key, then.tone, then.weight)
        and first.last_slot < then.first_slot
        and _hour(first.first_slot.timestamp()) == _hour(then.last_slot.timestamp())
    )


def joined(first: Record, then: Record) -> Record:
    """The first record, standing for both."""
    return replace(first, last_slot=then.last_slot, count=first.count + then.count)


def thinned(records: Sequence[Record], counted: Weight, fixed: Container[int] = ()) -> list[tuple[int, Record]]:
    """The same entries in fewer records: those of `counted` or less are joined.

    What comes out has the place of the first that it stands for. Records at the places `fixed` stay as they are, and
    the order of each key is kept.
    """
    kept: dict[int, Record] = {}
    latest: dict[str, int] = {}
    for place, record in enumerate(records):
        before = latest.pop(record.key, None)
        if place in fixed or record.weight > counted:
            kept[place] = record
        elif before is not None and joins(kept[before], record):
            kept[before] = joined(kept[before], record)
            latest[record.key] = before
        else:
            kept[place] = record
            latest[record.key] = place
    return list(kept.items())


def victims(held: Mapping[int, Record], excess: int) -> list[int]:
    """Which of these go, to free `excess` bytes: what tells least first, and of these the oldest."""
    chosen: list[int] = []
    for place in sorted(held, key=lambda place: held[place].weight):
        if excess <= 0:
            break
        chosen.append(place)
        excess -= held[place].size
    return chosen


def _record(entry: Entry, weight: Weight, *, slim: bool) -> Record:
    return Record(
        key=entry.key,
        tone=entry.tone,
        weight=weight,
        payload=entry.slim if slim else entry.payload,
        first_slot=entry.slot,
        last_slot=entry.slot,
    )


def _written(run: _Run | None, *records: Record) -> tuple[Record, ...]:
    return records if run is None else (run.record, *records)


def _hour(seconds: float) -> int:
    return int(seconds // 3600)
