"""Reports on the disk of this worker, from the probe until the database has them."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from prober.clock import Clock
from prober.storage.spool_format import Entry, Record, Stored, Weight
from prober.vitals import Vitals

log = logging.getLogger(__name__)

SPOOL_FULL: Final = "spool-full"
"""Trouble: there is no room for more; what tells least is counted instead of kept."""
SPOOL_DISK: Final = "spool-disk"
"""Trouble: the disk refuses or does not answer; what comes is kept in memory alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolStatus:
    """How the spool does."""

    bytes: int
    """On the disk and in memory."""
    records: int
    """Not saved yet."""
    oldest_slot: datetime | None
    dropped: int
    """Entries lost for want of room, since the start of this process."""
    coalesced: int
    """Entries of which only their number is kept."""
    slimmed: int
    """Entries kept without evidence."""
    trouble: str | None
    """What is wrong, for people; None if nothing is."""


class Spool:
    """Durable, ordered, bounded. Every method belongs to the event loop that opened it.

    `directory` is shared by all workers of the machine (`<data_dir>/spool`): each takes a numbered directory in it for
    itself, and adopts what dead workers left. Troubles `spool-full` and `spool-disk`, counters `spool_dropped`,
    `spool_coalesced`, `spool_slimmed`, `spool_damaged` and gauges `spool_bytes`, `spool_records` go to `vitals`.
    """

    def __init__(self, directory: Path, *, quota_bytes: int, vitals: Vitals, clock: Clock, keep_run: int = 6) -> None:
        self.directory: Final = directory
        self._waiting: dict[int, Stored] = {}
        self._next = 0
        self._came = asyncio.Event()
        self._closed = False
        del quota_bytes, vitals, clock, keep_run

    async def open(self) -> None:
        """Take a directory, and take in what is in it. Never raises for the disk: `status.trouble` says."""

    async def close(self) -> None:
        """Write what is not written, within 2 s, and let go of the directory. Waiting calls of `next` return."""
        self._closed = True
        self._came.set()

    async def append(self, entry: Entry) -> None:
        """Return once the entry is on the disk, or counted in a run, or held in memory because the disk refuses.

        Never raises for the disk, and never waits for it longer than a few seconds.
        """
        record = Record(
            key=entry.key,
            tone=entry.tone,
            weight=Weight.CHANGE,
            payload=entry.payload,
            first_slot=entry.slot,
            last_slot=entry.slot,
        )
        self._waiting[self._next] = Stored(position=self._next, record=record)
        self._next += 1
        self._came.set()

    async def next(self, limit: int, timeout_s: float | None = None) -> Sequence[Stored]:
        """The oldest records that are not done, `limit` at most; the same ones again until they are.

        Waits for one: until `timeout_s` have passed, or until the spool is closed. Then there is none.
        """
        if not self._waiting and not self._closed:
            self._came.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._came.wait()
            except TimeoutError:
                return ()
        return tuple(self._waiting.values())[:limit]

    async def done(self, stored: Iterable[Stored]) -> None:
        """These are saved (or set aside). A crash may forget it: they are handed out again after the next start."""
        for each in stored:
            self._waiting.pop(each.position, None)

    @property
    def status(self) -> SpoolStatus:
        oldest = next((each.first_slot for each in self._waiting.values()), None)
        return SpoolStatus(
            bytes=sum(each.record.size for each in self._waiting.values()),
            records=len(self._waiting),
            oldest_slot=oldest,
            dropped=0,
            coalesced=0,
            slimmed=0,
            trouble=None,
        )
