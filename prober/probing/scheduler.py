"""Starts each due probe on time: the timetable itself lives in PostgreSQL, this only claims from it and keeps count."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

log = logging.getLogger(__name__)

CLAIM_AHEAD_S: Final = 1.1
"""Slots are claimed this long before they begin, so that a tick of one second never makes a start late."""


class Due(Protocol):
    """A claimed slot: how long until it begins, counted from the claim."""

    @property
    def starts_in_s(self) -> float: ...


ClaimT = TypeVar("ClaimT", bound=Due)


class Scheduler(Generic[ClaimT]):
    """Claims slots up to a capacity, starts each at its time, and lets running probes end on shutdown."""

    def __init__(
        self,
        *,
        claim: Callable[[int], Awaitable[Sequence[ClaimT]]],
        run: Callable[[ClaimT], Coroutine[Any, Any, None]],
        release: Callable[[ClaimT], Awaitable[None]],
        capacity: int,
    ) -> None:
        self._claim = claim
        self._run = run
        self._release = release
        self._capacity = capacity
        self._waiting: dict[asyncio.TimerHandle, ClaimT] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.latest_start_lag_s = 0.0
        """How late the most recent probe began; a growing figure means that this process is overloaded."""

    @property
    def load(self) -> int:
        """Slots that are claimed and not yet done."""
        return len(self._waiting) + len(self._running)

    async def tick(self) -> None:
        """Claim what falls due, within the free capacity. Raises what `claim` raises."""
        free = self._capacity - self.load
        if free <= 0 or self._stopping:
            return
        asked_at = asyncio.get_running_loop().time()
        for claim in await self._claim(free):
            await self._arrange(claim, asked_at)

    async def stop(self, grace_s: float) -> None:
        """Begin nothing more, hand back what has not begun, and give running probes `grace_s` seconds to end."""
        self._stopping = True
        waiting, self._waiting = self._waiting, {}
        for timer, claim in waiting.items():
            timer.cancel()
            await self._release(claim)
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _arrange(self, claim: ClaimT, asked_at: float) -> None:
        if self._stopping:
            await self._release(claim)
            return
        loop = asyncio.get_running_loop()
        due = asked_at + claim.starts_in_s

        def begin() -> None:
            del self._waiting[timer]
            self.latest_start_lag_s = max(loop.time() - due, 0.0)
            task = loop.create_task(self._run(claim))
            self._running.add(task)
            task.add_done_callback(self._done)

        timer = loop.call_at(due, begin)
        self._waiting[timer] = claim

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("a probe ended with a bug of the prober: please report this", exc_info=failure)
