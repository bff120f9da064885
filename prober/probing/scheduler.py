"""Starts each due probe on time: the timetable itself lives in PostgreSQL, this only claims from it and keeps count."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

log = logging.getLogger(__name__)

TICK_S: Final = 0.7
TICK_JITTER_S: Final = 0.6
"""Every tick comes up to this much later, by chance: of two workers in step, one would always take everything."""

CLAIM_AHEAD_S: Final = 1.5
"""Slots are claimed this long before they begin: longer than two ticks lie apart, so that no start waits for a tick."""

LONGEST_LAG_S: Final = 3.0
"""A start that is later than this is given up, because the lease could end before the probe does."""

HANDED_BACK_WITHIN_S: Final = 1.0


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
        longest_lag_s: float = LONGEST_LAG_S,
    ) -> None:
        self._claim = claim
        self._run = run
        self._release = release
        self._capacity = capacity
        self._longest_lag_s = longest_lag_s
        self._claiming = asyncio.Lock()
        self._waiting: dict[asyncio.TimerHandle, ClaimT] = {}
        self._running: dict[asyncio.Task[None], ClaimT] = {}
        self._stopping = False

    @property
    def load(self) -> int:
        """Slots that are claimed and not yet done."""
        return len(self._waiting) + len(self._running)

    async def tick(self) -> None:
        """Claim what falls due, within the free capacity. Raises what `claim` raises."""
        async with self._claiming:
            free = self._capacity - self.load
            if free <= 0 or self._stopping:
                return
            asked_at = asyncio.get_running_loop().time()
            claims = await self._claim(free)
            if self._stopping:
                await self._hand_back(claims)
                return
            for claim in claims:
                self._arrange(claim, asked_at)

    async def stop(self, grace_s: float) -> None:
        """Begin nothing more, hand back what has not begun, and give running probes `grace_s` seconds to end.

        Those that do not end in time are cut off and handed back, too. Never raises for a database that is away: what
        cannot be handed back is free for others once its lease ends.
        """
        self._stopping = True
        waiting, self._waiting = self._waiting, {}
        for timer in waiting:
            timer.cancel()
        await asyncio.gather(
            self._within(grace_s, self._hand_back(waiting.values())),
            self._within(grace_s, self._last_tick()),
            self._end_running(grace_s),
        )

    async def _end_running(self, grace_s: float) -> None:
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=grace_s)
        claims = [self._running[task] for task in late]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self._within(HANDED_BACK_WITHIN_S, self._hand_back(claims))

    async def _last_tick(self) -> None:
        """Wait for a tick that is claiming: what it gets, it hands back."""
        async with self._claiming:
            return

    async def _hand_back(self, claims: Iterable[ClaimT]) -> None:
        outcomes = await asyncio.gather(*(self._release(claim) for claim in claims), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                log.warning("a slot could not be handed back: %s; its lease ends by itself", type(outcome).__name__)

    @staticmethod
    async def _within(seconds: float, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            log.warning("the database takes too long: slots are left behind until their leases end")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def _arrange(self, claim: ClaimT, asked_at: float) -> None:
        loop = asyncio.get_running_loop()
        due = asked_at + claim.starts_in_s

        def begin() -> None:
            del self._waiting[timer]
            # A slot that was claimed late has its whole lease from the claim on.
            held_up_s = loop.time() - max(due, asked_at)
            task = loop.create_task(self._too_late(claim) if held_up_s > self._longest_lag_s else self._run(claim))
            self._running[task] = claim
            task.add_done_callback(self._done)

        timer = loop.call_at(due, begin)
        self._waiting[timer] = claim

    async def _too_late(self, claim: ClaimT) -> None:
        log.warning("this process was held up for too long to begin a probe; its slot is handed back")
        await self._hand_back([claim])

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("a probe ended with a bug of the prober: please report this", exc_info=failure)
