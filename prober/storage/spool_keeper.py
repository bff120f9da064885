"""What waits in the spool, in memory and on the disk, kept in step. Blocking, without a thread or an event loop.

`admit`, `front`, `done` and `status` only touch memory and may be called by anyone. `work`, `load` and `shut` touch the
disk, and belong to one thread.
"""

import errno
import itertools
import logging
import resource
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from prober.clock import Clock
from prober.storage.spool_files import NO_ROOM, Segment, WorkerDirectory, claim, room_in
from prober.storage.spool_format import HEADER_BYTES, Entry, Reading, Record, Stored, UnknownVersion, Weight
from prober.storage.spool_room import SLIM_FROM, Admission, Thrift, thinned, thrift_at, victims
from prober.vitals import Vitals

log = logging.getLogger(__name__)

SPOOL_FULL: Final = "spool-full"
"""Trouble: room is short, and what merely repeats is counted instead of kept; until what was counted is saved."""
SPOOL_DISK: Final = "spool-disk"
"""Trouble: the disk refuses or does not answer; what comes is kept in memory alone."""

MOST_SEGMENT_BYTES: Final = 4 * 1024 * 1024
LEAST_SEGMENT_BYTES: Final = 64 * 1024
SEGMENTS: Final = 16
"""At least so many segments in the room that there is; one more is left free, to rewrite others."""
WRITTEN_AT_ONCE_BYTES: Final = 1024 * 1024
REPLAYED_BYTES: Final = 256 * 1024
"""A segment of which all is done is given up from this size on; smaller ones are replayed if we are killed."""
HELD_BYTES: Final = 8 * 1024 * 1024
"""Held in memory while the disk refuses. While it takes what comes, whoever appends waits, and holds the rest."""
CACHED_BYTES: Final = 4 * 1024 * 1024
"""Kept in memory of what is on the disk, beside the oldest and the newest segment."""
MOST_SHARE: Final = 8
"""No entry takes more of the quota than one part of so many; else it is kept without its evidence."""
MOST_SHARE_SLIM: Final = 2
"""The same of one without: then it is dropped. What is left of a report on very many tools has some 1 MiB."""
MOST_PAYLOAD_BYTES: Final = 8 * 1024 * 1024
RETRIED_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolStatus:
    """How the spool does."""

    bytes: int
    """On the disk, and in memory where it is not on the disk."""
    records: int
    """Not saved yet; one may stand for many entries."""
    oldest_slot: datetime | None
    dropped: int
    """Entries lost for want of room, since the start of this process."""
    coalesced: int
    """Entries of which only their number is kept."""
    slimmed: int
    """Entries kept without evidence."""
    trouble: str | None
    """What is wrong, for people; None if nothing is."""


@dataclass(slots=True, eq=False)
class Pile:
    """A segment, and what is known of it in memory."""

    segment: Segment
    waiting: int = 0
    """Records that are not done."""
    entries: int = 0
    """Entries that they stand for, as far as nobody was handed any."""
    oldest: datetime | None = None
    records: dict[int, Stored] | None = None
    """Those that are not done, by position; None while they are on the disk alone."""
    touched: bool = False
    """Records of it were handed out or are done: what is in the file is more than what waits."""
    sealed: bool = True
    thinned: Weight | None = None
    """What was counted in it already."""
    freed: int = 0
    """Bytes that this made free."""


class Keeper:
    """See `prober.storage.spool.Spool`, which gives it a thread."""

    def __init__(self, directory: Path, *, quota_bytes: int, vitals: Vitals, clock: Clock, keep_run: int) -> None:
        self._directory: Final = directory
        self._quota: Final = quota_bytes
        self._vitals: Final = vitals
        self._clock: Final = clock
        self._lock: Final = threading.RLock()
        self._admission: Final = Admission(keep_run)
        self._positions: Final = itertools.count(1)
        self._piles: Final[deque[Pile]] = deque()
        self._afloat: Final[dict[int, Stored]] = {}
        self._handed: Final[set[int]] = set()
        self._flying: frozenset[int] = frozenset()
        self._held = self._latest = 0
        self._thinnable = False
        self._home: WorkerDirectory | None = None
        self._adopted: list[WorkerDirectory] = []
        self._number = 0
        self._active: Pile | None = None
        self._filled = 0.0
        self._needed = 0.0
        self._room_left = 0
        self._segment_bytes = MOST_SEGMENT_BYTES
        self._refused: str | None = None
        self._retry_at = 0.0
        self._troubles: dict[str, str] = {}
        self._dropped = self._coalesced = self._slimmed = 0
        self.settled = 0
        """The position up to which everything is on the disk, or is held because the disk refuses."""
        self.is_shut = False

    # What anyone may call.

    def admit(self, entry: Entry) -> int | None:
        """Take the entry in. The position to be settled for it to be safe; None if there is nothing to wait for."""
        most = min(self._quota // MOST_SHARE, MOST_PAYLOAD_BYTES)
        with self._lock:
            if len(entry.payload) > most:
                entry = replace(entry, payload=entry.slim)
                self._count(slimmed=1)
            if len(entry.payload) > self._quota // MOST_SHARE_SLIM or self.is_shut:
                self._count(dropped=1)
                return None
            admitted = self._admission.admit(entry, self._thrift, self._clock.monotonic())
            self._count(coalesced=admitted.coalesced, slimmed=admitted.slimmed)
            positions = [self._float(record) for record in admitted.records]
            self._tell()
            return positions[-1] if positions and self._refused is None else None

    def front(self, limit: int) -> tuple[tuple[Stored, ...], Pile | None]:
        """The oldest records that wait, `limit` at most; or the pile that must be loaded to say."""
        found: list[Stored] = []
        with self._lock:
            for pile in self._piles:
                if pile.records is None and pile.waiting:
                    return tuple(found), None if found else pile
                if pile.records is None:
                    continue  # nothing of it could be read, and the disk does not let it go
                found.extend(itertools.islice(pile.records.values(), limit - len(found)))
                pile.touched = pile.touched or bool(pile.records)
                if len(found) >= limit:
                    return tuple(found), None
            afloat = list(itertools.islice(self._afloat.values(), limit - len(found)))
            self._handed.update(each.position for each in afloat)
        return (*found, *afloat), None

    def done(self, positions: Iterable[int]) -> None:
        """Forget these."""
        with self._lock:
            for position in positions:
                if self._sink(position) is None:
                    self._strike(position)
            self._tell()

    def stall(self) -> None:
        """The disk does not answer: from now on what comes is held, and what was held counts as settled."""
        with self._lock:
            if self._refused is None:
                self._refuse(SPOOL_DISK, "the disk does not answer")

    @property
    def pause_s(self) -> float | None:
        """How long `work` may wait if nothing happens; None for ever."""
        with self._lock:
            if self._refused is None and self._afloat:
                return 0.0
            return RETRIED_S if self._refused or self._admission.runs or self._home is None else None

    @property
    def status(self) -> SpoolStatus:
        with self._lock:
            return SpoolStatus(
                bytes=self._held + sum(pile.segment.size for pile in self._piles),
                records=self._waiting,
                oldest_slot=self._oldest,
                dropped=self._dropped,
                coalesced=self._coalesced,
                slimmed=self._slimmed,
                trouble="; ".join(self._troubles.values()) or None,
            )

    # What belongs to the thread of the disk.

    def work(self) -> None:
        """Do what is to be done on the disk. Never raises for the disk: it becomes a trouble, and is tried again."""
        try:
            self._move_in()
            self._sweep()
            self._measure()
            with self._lock:
                for record in self._admission.due(self._thrift, self._clock.monotonic()):
                    self._float(record)
            while self._thin_one():
                self._measure()
            if self._refused is None or self._clock.monotonic() >= self._retry_at:
                self._write_all()
        except OSError as error:
            self._fail(error)
        with self._lock:
            self._tell()

    def load(self, pile: Pile) -> None:
        """Read what is in the pile, so that it can be handed out."""
        reading = self._read(pile.segment)
        with self._lock:
            if pile.records is not None or pile not in self._piles:
                return
            if reading is None:
                self._piles.remove(pile)
                self._vitals.add("spool_damaged", pile.entries)
                return
            records = [Stored(position=next(self._positions), record=record) for record in reading.records]
            lost = pile.entries - sum(each.count for each in records)
            if lost > 0:
                log.warning("%d reports in the spool were damaged on the disk, and are lost", lost)
                self._vitals.add("spool_damaged", lost)
            pile.records = {each.position: each for each in records}
            pile.waiting = len(records)
            pile.touched = True

    def shut(self) -> None:
        """Write what can be written, and let go of the directories."""
        with self._lock:
            for record in self._admission.end():
                self._float(record)
            self._retry_at = 0.0
        self.work()
        with self._lock:
            self.is_shut = True
            lost = sum(each.count for each in self._afloat.values())
            if lost:
                log.warning("%d reports could not be written to the spool, and end with this process", lost)
                self._count(dropped=lost)
        if self._active is not None:
            self._active.sealed = True
            self._active.segment.close()
        try:
            self._sweep()
        except OSError as error:
            log.warning("the spool could not be tidied: %s", error.strerror or error)
        for directory in [*self._adopted, *([self._home] if self._home else [])]:
            directory.leave(remove=not any(pile.segment.path.parent == directory.path for pile in self._piles))
        self._adopted, self._home = [], None

    # Memory.

    @property
    def _thrift(self) -> Thrift:
        if self._refused is None:
            return thrift_at(self._filled)
        return thrift_at(1.0 if self._refused == SPOOL_FULL else max(self._filled, self._held / HELD_BYTES))

    @property
    def _waiting(self) -> int:
        return sum(pile.waiting for pile in self._piles) + len(self._afloat) + self._admission.runs

    @property
    def _oldest(self) -> datetime | None:
        slots = [pile.oldest for pile in self._piles if pile.waiting and pile.oldest]
        held = next(iter(self._afloat.values()), None)
        return min([*slots, *([held.first_slot] if held else [])], default=None)

    def _float(self, record: Record) -> int:
        position = self._latest = next(self._positions)
        self._afloat[position] = Stored(position=position, record=record)
        self._held += record.size
        self._thinnable = self._thinnable or record.weight <= Weight.REPETITION
        if self._refused is not None:
            self._bound()
        return position

    def _sink(self, position: int) -> Stored | None:
        stored = self._afloat.pop(position, None)
        self._handed.discard(position)
        if stored is not None:
            self._held -= stored.record.size
        return stored

    def _strike(self, position: int) -> None:
        for pile in self._piles:
            if pile.records is not None and position in pile.records:
                del pile.records[position]
                pile.waiting -= 1
                pile.touched = True
                return

    def _bound(self) -> None:
        """Keep what is held within its bounds: count what repeats, then drop what tells least."""
        if self._held <= HELD_BYTES:
            return
        if self._thinnable:
            self._thinnable = False
            self._thin_held()
        fixed = self._handed | self._flying
        free = {position: each.record for position, each in self._afloat.items() if position not in fixed}
        for position in victims(free, self._held - HELD_BYTES):
            gone = self._sink(position)
            self._count(dropped=gone.count if gone else 0)

    def _thin_held(self) -> None:
        held = list(self._afloat.values())
        busy = self._handed | self._flying
        fixed = {place for place, each in enumerate(held) if each.position in busy}
        kept = thinned([each.record for each in held], Weight.REPETITION, fixed)
        self._count(coalesced=len(held) - len(kept))
        self._afloat.clear()
        self._afloat.update((held[place].position, replace(held[place], record=record)) for place, record in kept)
        self._held = sum(record.size for _, record in kept)

    def _count(self, *, dropped: int = 0, coalesced: int = 0, slimmed: int = 0) -> None:
        self._dropped += dropped
        self._coalesced += coalesced
        self._slimmed += slimmed
        for name, amount in (("dropped", dropped), ("coalesced", coalesced), ("slimmed", slimmed)):
            if amount:
                self._vitals.add(f"spool_{name}", amount)

    def _tell(self) -> None:
        self._vitals.set("spool_bytes", self._held + sum(pile.segment.size for pile in self._piles))
        self._vitals.set("spool_records", self._waiting)

    # Troubles.

    def _fail(self, error: OSError) -> None:
        reason = SPOOL_FULL if error.errno in NO_ROOM else SPOOL_DISK
        with self._lock:
            self._refuse(reason, error.strerror or str(error))

    def _refuse(self, reason: str, why: str) -> None:
        self._refused = reason
        self._retry_at = self._clock.monotonic() + RETRIED_S
        self.settled = self._latest
        self._trouble(reason, f"reports cannot be written to {self._directory}: {why}; they are held in memory")
        self._bound()

    def _accept(self) -> None:
        """The disk took all that there was."""
        self._refused = None
        self.settled = self._latest
        self._trouble(SPOOL_DISK, None)
        if self._thrift.counted is not None:
            why = "reports that wait for the database fill"
            self._trouble(SPOOL_FULL, f"{why} {self._directory}: what merely repeats is counted instead of kept")
        elif self._needed < SLIM_FROM:
            self._trouble(SPOOL_FULL, None)

    def _trouble(self, reason: str, detail: str | None) -> None:
        if detail is None:
            if self._troubles.pop(reason, None):
                log.info("the spool has recovered from %s", reason)
        elif reason not in self._troubles:
            log.warning("spool: %s", detail)
        if detail is not None:
            self._troubles[reason] = detail
        self._vitals.trouble(reason, detail)

    # The disk.

    def _move_in(self) -> None:
        """Take a directory of our own, and in what the dead left."""
        if self._home is not None:
            return
        claimed = claim(self._directory)
        found: list[list[Pile]] = []
        for directory in claimed:
            segments = directory.segments()
            if directory is claimed[0]:
                self._number = max((each.number for each in segments), default=0)
            found.append([pile for pile in map(self._opened, segments) if pile is not None])
        found.sort(key=lambda piles: min((pile.oldest.timestamp() for pile in piles if pile.oldest), default=0.0))
        with self._lock:
            self._home, *self._adopted = claimed
            self._piles.extendleft(reversed([pile for piles in found for pile in piles]))
        if self._piles:
            waiting = sum(pile.waiting for pile in self._piles)
            log.info(
                "the spool holds %d reports of an earlier run: those that are not in the database yet go there", waiting
            )

    def _opened(self, segment: Segment) -> Pile | None:
        reading = self._read(segment)
        if reading is None:
            return None
        if reading.damaged:
            log.warning("%d places in %s are damaged: reports are lost", reading.damaged, segment.path.name)
            self._vitals.add("spool_damaged", reading.damaged)
        return Pile(
            segment=segment,
            waiting=len(reading.records),
            entries=sum(record.count for record in reading.records),
            oldest=min((record.first_slot for record in reading.records), default=None),
        )

    def _read(self, segment: Segment) -> Reading | None:
        """What is in it; None for a file that is left where it is."""
        try:
            return segment.read()
        except UnknownVersion as unknown:
            log.warning("%s stays in the spool: it was %s", segment.path.name, unknown)
        except OSError as error:
            log.warning("%s cannot be read, and stays in the spool: %s", segment.path.name, error.strerror or error)
            self._vitals.add("spool_damaged")
        return None

    def _sweep(self) -> None:
        """Delete segments of which all is done, and directories that are no longer needed."""
        with self._lock:
            active = self._active
            if active is not None and not active.waiting and active.segment.size >= REPLAYED_BYTES:
                active.sealed, self._active = True, None
            empty = [pile for pile in self._piles if pile.sealed and not pile.waiting]
        for pile in empty:
            pile.segment.remove()
            with self._lock:
                self._piles.remove(pile)
        inhabited = {pile.segment.path.parent for pile in self._piles}
        for directory in [each for each in self._adopted if each.path not in inhabited]:
            self._adopted.remove(directory)
            directory.leave(remove=True)

    def _measure(self) -> None:
        """How full the room is that we have, by the quota or by what the file system has left; and how full it would
        be if nothing had been counted."""
        if self._home is None:
            return
        left = room_in(self._home.path)
        with self._lock:
            used = sum(pile.segment.size for pile in self._piles)
            most = min(self._quota, used + left)
            self._segment_bytes = max(LEAST_SEGMENT_BYTES, min(MOST_SEGMENT_BYTES, most // SEGMENTS))
            limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
            if limit != resource.RLIM_INFINITY:
                self._segment_bytes = min(self._segment_bytes, limit)
            room = max(0, min(self._quota, used + left - self._segment_bytes))
            freed = sum(pile.freed for pile in self._piles)
            self._filled, self._needed = (used / room, (used + freed) / room) if room else (1.0, 1.0)
            self._room_left = room - used

    def _thin_one(self) -> bool:
        """Count what repeats in the oldest segment that nobody has read yet; False where there is no need, or none."""
        with self._lock:
            counted = self._thrift.counted
            pile = next((each for each in self._piles if _is_thinnable(each, counted)), None)
            if pile is None or counted is None:
                return False
            pile.records, pile.thinned = None, counted
        reading = self._read(pile.segment)
        records = reading.records if reading else ()
        kept = [record for _, record in thinned(records, counted)]
        if len(kept) < len(records):
            size = pile.segment.size
            pile.segment.replace(kept)
            with self._lock:
                pile.waiting = len(kept)
                pile.freed += size - pile.segment.size
                self._count(coalesced=len(records) - len(kept))
        return True

    def _write_all(self) -> None:
        while self._afloat:
            self._write_some()
            self._measure()
        with self._lock:
            if not self._afloat:
                self._accept()

    def _write_some(self) -> None:
        with self._lock:
            pile = self._pile()
            batch = self._batch()
            self._flying = frozenset(each.position for each in batch)
        try:
            if batch:
                pile.segment.append(each.record for each in batch)
        except OSError as error:
            self._missed(pile)
            # A limit on the size of a file (RLIMIT_FSIZE) is met by beginning another.
            if error.errno != errno.EFBIG or not pile.segment.size:
                raise
            return
        finally:
            with self._lock:
                landed, self._flying = self._flying, frozenset()
        with self._lock:
            self._land(pile, landed)

    def _pile(self) -> Pile:
        assert self._home is not None
        active = self._active
        if active is None or active.segment.size >= self._segment_bytes:
            if active is not None:
                active.sealed = True
                active.segment.close()
            self._number += 1
            active = self._active = Pile(self._home.create(self._number), records={}, sealed=False)
            self._piles.append(active)
            self._evict()
        return active

    def _batch(self) -> list[Stored]:
        """The oldest that are held, as many as fit. Raises OSError if there is no room for any."""
        most = min(WRITTEN_AT_ONCE_BYTES, self._segment_bytes - HEADER_BYTES, self._room_left - HEADER_BYTES)
        batch: list[Stored] = []
        for each in self._afloat.values():
            most -= each.record.size
            if most < 0 and (batch or each.record.size > self._room_left):
                break
            batch.append(each)
        if self._afloat and not batch:
            raise OSError(errno.ENOSPC, "no room is left")
        return batch

    def _land(self, pile: Pile, landed: Iterable[int]) -> None:
        assert pile.records is not None
        for position in sorted(landed):
            was_handed = position in self._handed
            stored = self._sink(position)
            pile.touched = pile.touched or was_handed or stored is None
            self.settled = max(self.settled, position)
            if stored is not None:
                pile.records[position] = stored
                pile.waiting += 1
                pile.entries += stored.count
                pile.oldest = min(pile.oldest or stored.first_slot, stored.first_slot)

    def _missed(self, pile: Pile) -> None:
        """What was to be written is not: go on in another file, if this one holds something or cannot be trusted."""
        with self._lock:
            self._active = None
            pile.sealed = True
            if not pile.segment.size:
                self._piles.remove(pile)
        if pile.segment.size:
            pile.segment.close()
        else:
            pile.segment.remove()

    def _evict(self) -> None:
        """Forget what is on the disk and will not be asked for soon."""
        idle = [pile for pile in self._piles if pile.sealed and not pile.touched and pile.records is not None]
        size = sum(pile.segment.size for pile in idle)
        for pile in reversed(idle):
            if size <= CACHED_BYTES:
                return
            size -= pile.segment.size
            pile.records = None


def _is_thinnable(pile: Pile, counted: Weight | None) -> bool:
    if counted is None or not pile.sealed or pile.touched or not pile.waiting:
        return False
    return pile.thinned is None or pile.thinned < counted
