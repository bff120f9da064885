"""Reports on the disk of this worker, from the probe until the database has them."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from prober.clock import Clock
from prober.storage.spool_format import Entry, Stored
from prober.storage.spool_keeper import SPOOL_DISK, SPOOL_FULL, Keeper, Pile, SpoolStatus
from prober.vitals import Vitals

__all__ = ["SPOOL_DISK", "SPOOL_FULL", "Spool", "SpoolStatus"]

log = logging.getLogger(__name__)

KEEP_RUN: Final = 6
PATIENCE_S: Final = 5.0
"""How long anyone waits for a disk that does not answer."""
CLOSING_S: Final = 2.0


class Spool:
    """Durable, ordered, bounded. Every method belongs to the event loop that opened it.

    `directory` is shared by all workers of the machine (`<data_dir>/spool`): each takes a numbered directory in it for
    itself, and adopts what dead workers left. Whatever touches the disk is done by one thread, which writes and syncs
    together what came while it was busy. Troubles `spool-full` and `spool-disk`, counters `spool_dropped`,
    `spool_coalesced`, `spool_slimmed`, `spool_damaged` and gauges `spool_bytes`, `spool_records` go to `vitals`.
    """

    def __init__(
        self, directory: Path, *, quota_bytes: int, vitals: Vitals, clock: Clock, keep_run: int = KEEP_RUN
    ) -> None:
        self._keeper: Final = Keeper(directory, quota_bytes=quota_bytes, vitals=vitals, clock=clock, keep_run=keep_run)
        self._wake: Final = threading.Condition()
        self._is_awake = False
        self._is_closing = False
        self._jobs: Final[deque[tuple[Callable[[], None], asyncio.Future[None]]]] = deque()
        self._safe: Final[deque[tuple[int, asyncio.Future[None]]]] = deque()
        self._came: Final = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Take a directory, and take in what is in it. Never raises for the disk: `status.trouble` says."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, args=(self._loop,), name="spool", daemon=True).start()
        await self._patiently(self._ask(self._keeper.work), PATIENCE_S)

    async def close(self) -> None:
        """Write what is not written, within 2 s, and let go of the directory. Waiting calls of `next` return."""
        if self._loop is None or self._is_closing:
            return
        self._is_closing = True
        self._came.set()
        if not await self._patiently(self._ask(self._keeper.shut), CLOSING_S):
            log.warning("the spool's disk does not answer: what it has not written ends with this process")

    async def append(self, entry: Entry) -> None:
        """Return once the entry is on the disk, or counted in a run, or held in memory because the disk refuses.

        Never raises for the disk, and never waits for it longer than `PATIENCE_S`. `next` may hand the entry out
        before: who saves it in the database needs no disk. A run is written when it ends, or within 10 minutes.
        """
        position = self._keeper.admit(entry)
        self._came.set()
        if position is None or self._loop is None:
            return
        safe = self._loop.create_future()
        self._safe.append((position, safe))
        self._rouse()
        await self._patiently(safe, PATIENCE_S)

    async def next(self, limit: int, timeout_s: float | None = None) -> Sequence[Stored]:
        """The oldest records that are not done, `limit` at most; the same ones again until they are.

        Waits for one: until `timeout_s` have passed, or until the spool is closed. Then there is none to be had now;
        `status.records` says whether any waits all the same, on a slow disk or in a run.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self._is_closing:
                    self._came.clear()
                    found, unread = self._keeper.front(limit)
                    if found:
                        return found
                    await (self._came.wait() if unread is None else self._load(unread))
        # What came in the very moment that the time was over is not kept back.
        return () if self._is_closing else self._keeper.front(limit)[0]

    async def done(self, stored: Iterable[Stored]) -> None:
        """These are saved (or set aside). A crash may forget it: they are handed out again after the next start."""
        self._keeper.done(each.position for each in stored)
        self._rouse()

    @property
    def status(self) -> SpoolStatus:
        """How it does now."""
        return self._keeper.status

    async def _load(self, pile: Pile) -> None:
        await self._ask(lambda: self._keeper.load(pile))

    def _ask(self, job: Callable[[], None]) -> asyncio.Future[None]:
        """Have the thread do it."""
        assert self._loop is not None
        asked = self._loop.create_future()
        with self._wake:
            self._jobs.append((job, asked))
            self._wake.notify()
        return asked

    async def _patiently(self, waiting: asyncio.Future[None], patience_s: float) -> bool:
        """Whether it came to pass in time; if not, the disk is said not to answer."""
        await asyncio.wait({waiting}, timeout=patience_s)
        if not waiting.done():
            self._keeper.stall()
        return waiting.done()

    def _rouse(self) -> None:
        with self._wake:
            self._is_awake = True
            self._wake.notify()

    def _settle(self, asked: Iterable[asyncio.Future[None]]) -> None:
        """On the event loop: tell everyone whose wish the thread has fulfilled."""
        settled = self._keeper.settled
        safe = []
        while self._safe and self._safe[0][0] <= settled:
            safe.append(self._safe.popleft()[1])
        for each in (*asked, *safe):
            if not each.done():
                each.set_result(None)
        self._came.set()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """The thread."""
        while not self._keeper.is_shut:
            with self._wake:
                if not self._is_awake and not self._jobs:
                    self._wake.wait(self._keeper.pause_s)
                self._is_awake = False
                jobs = list(self._jobs)
                self._jobs.clear()
            try:
                for job, _ in jobs:
                    job()
                if not self._keeper.is_shut:
                    self._keeper.work()
            except Exception:
                log.exception("the spool failed, and goes on")
                self._keeper.stall()
            # The event loop may have been closed meanwhile: then nobody waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._settle, [asked for _, asked in jobs])
