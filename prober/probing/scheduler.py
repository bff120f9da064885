"""Starts each due probe on time: the timetable itself lives in PostgreSQL, this claims from it and keeps count.

Where the database does not answer in time, an endpoint that this worker probed last is probed on from what is known of
it: at a slot for which no answer has come by then that would have spoken of it. A worker to whom an answer did not
give the slot knows that another one has it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from prober.probing.timetable import Horizon, SlotClock

log = logging.getLogger(__name__)

TICK_S: Final = 0.7
TICK_JITTER_S: Final = 0.6
"""Every tick comes up to this much later, by chance: of two workers in step, one would always take everything."""

CLAIM_AHEAD_S: Final = 1.5
"""Slots are claimed this long before they begin: longer than two ticks lie apart, so that no start waits for a tick."""

ASKED_BEFORE_S: Final = 0.3
"""How long before a slot that no tick has claimed the database is asked once more: an endpoint that is probed every
second is free for less than a second, and a tick may miss that."""

ANSWER_WITHIN_S: Final = 0.1
"""How long after the slot the answer may come, before the probe begins without it."""

SILENT_AFTER_S: Final = 0.25
"""A question that has waited for so long when it is time to ask once more will not be answered by the slot."""

LONGEST_LAG_S: Final = 3.0
"""A start that is later than this is given up, because the lease could end before the probe does."""

LONGEST_MEMORY_LAG_S: Final = 1.0
"""The same of a start without a lease: the process was held up, and nobody waits for this slot any more."""

HELD_UP_S: Final = 5.0
"""Ticks that lie further apart show that the process was stopped. What was due meanwhile is missed, not made up for."""

HANDED_BACK_WITHIN_S: Final = 1.0

COMPLAINS_EVERY_S: Final = 10.0
"""One delay of this process holds up many probes."""


class Due(Protocol):
    """A slot to be probed."""

    @property
    def key(self) -> Hashable:
        """Whose it is."""
        ...

    @property
    def slot(self) -> datetime: ...

    def following(self) -> Self:
        """The slot after it, without a lease."""
        ...


ClaimT = TypeVar("ClaimT", bound=Due)
ClaimT_co = TypeVar("ClaimT_co", bound=Due, covariant=True)


class Answer(Protocol[ClaimT_co]):
    """What the database says: its time, and the slots that are now this worker's."""

    @property
    def now(self) -> datetime: ...

    @property
    def claims(self) -> Sequence[ClaimT_co]: ...


class Claiming(Protocol[ClaimT_co]):
    """Asks the database for slots."""

    async def __call__(self, limit: int, *, busy: Collection[Any], late_s: float | None) -> Answer[ClaimT_co]:
        """Up to `limit` slots of endpoints that are not in `busy`, none later than `late_s` (None: than usual)."""
        ...


class Scheduler(Generic[ClaimT]):
    """Claims slots ahead of time, starts each at its time, and lets running probes end on shutdown.

    While as many probes run as may run at once, a slot that is due waits for a place, and none is claimed.
    """

    def __init__(
        self,
        *,
        claim: Claiming[ClaimT],
        run: Callable[[ClaimT], Coroutine[Any, Any, ClaimT | None]],
        release: Callable[[ClaimT], Awaitable[None]],
        capacity: int,
        ahead: int,
        unsaved: Callable[[], Collection[Any]] = frozenset,
        may_claim: Callable[[], bool] = lambda: True,
        started: Callable[[float], None] = lambda lag_s: None,
        longest_lag_s: float = LONGEST_LAG_S,
    ) -> None:
        """At most `capacity` probes run at once, and `ahead` slots are held that have not begun.

        `run` returns the slot after the one that it probed, to be probed from memory if it has to be.

        `unsaved` are the endpoints of which reports wait to be saved, and before `may_claim` nothing is claimed.
        `started` hears of each probe how many seconds after its slot it began.
        """
        self._claim = claim
        self._run = run
        self._release = release
        self._capacity = capacity
        self._ahead = ahead
        self._unsaved = unsaved
        self._may_claim = may_claim
        self._started = started
        self._longest_lag_s = longest_lag_s
        self._claiming = asyncio.Lock()
        self._slots = SlotClock()
        self._horizon: Horizon[Any] = Horizon()
        self._waiting: dict[asyncio.TimerHandle, ClaimT] = {}
        self._queue: deque[tuple[ClaimT, float, float]] = deque()
        self._running: dict[asyncio.Task[ClaimT | None], ClaimT] = {}
        self._remembered: dict[Any, asyncio.TimerHandle] = {}
        self._begun: dict[Any, datetime] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._resting = 0
        self._ticked_at: float | None = None
        self._asked_at: float | None = None
        self._resumed_at = float("-inf")
        self._complained_at = float("-inf")
        self._stopping = asyncio.Event()

    @property
    def load(self) -> int:
        """Slots that are claimed and not yet done, without probes that rest."""
        return len(self._waiting) + len(self._queue) + self._at_once

    @property
    def _at_once(self) -> int:
        return len(self._running) - self._resting

    async def rest(self, seconds: float) -> bool:
        """Pause a running probe, whose place is free for another one meanwhile. False: the worker stops."""
        self._resting += 1
        self._begin_next()
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return True
        else:
            return False
        finally:
            self._resting -= 1

    async def tick(self) -> None:
        """Claim what falls due, within the free capacity. Raises what `claim` raises.

        Does nothing while an earlier question waits for its answer.
        """
        if self._claiming.locked():
            return
        async with self._claiming:
            late_s = self._note_tick()
            free = self._ahead - len(self._waiting) - len(self._queue)
            if free <= 0 or self._at_once >= self._capacity or self._stopping.is_set() or not self._may_claim():
                return
            loop, busy = asyncio.get_running_loop(), self._busy()
            asked_at = self._asked_at = loop.time()
            answer = await self._claim(free, busy=busy, late_s=late_s)
            self._asked_at = None
            self._slots.observe(answer.now, asked_at, loop.time())
            self._ticked_at = loop.time()
            if self._stopping.is_set():
                await self._hand_back(answer.claims)
                return
            # Whoever is given one slot is told nothing of those after it.
            given = {claim.key for claim in answer.claims}
            self._horizon.answered(self._slots.at(answer.now) + CLAIM_AHEAD_S, busy | given)
            for claim in answer.claims:
                self._arrange(claim, asked_at)

    async def stop(self, grace_s: float) -> None:
        """Begin nothing more, hand back what has not begun, and give running probes `grace_s` seconds to end.

        Those that do not end in time are cut off and handed back, too. Never raises for a database that is away: what
        cannot be handed back is free for others once its lease ends.
        """
        self._stopping.set()
        for timer in (*self._waiting, *self._remembered.values()):
            timer.cancel()
        not_begun = (*self._waiting.values(), *(claim for claim, _, _ in self._queue))
        self._waiting, self._queue = {}, deque()
        self._remembered.clear()
        await asyncio.gather(
            self._within(grace_s, self._hand_back(not_begun)),
            self._within(grace_s, self._last_tick()),
            self._end_running(grace_s),
        )

    def _note_tick(self) -> float | None:
        """How late a slot may be at this tick; None: as usual."""
        now = asyncio.get_running_loop().time()
        if self._ticked_at is not None and now - self._ticked_at > HELD_UP_S:
            self._resumed_at = now
        self._ticked_at = now
        since = now - self._resumed_at
        return since if since < HELD_UP_S else None

    def _busy(self) -> frozenset[Any]:
        under_way = (claim.key for claims in (self._waiting, self._running) for claim in claims.values())
        return frozenset(under_way) | {claim.key for claim, _, _ in self._queue} | frozenset(self._unsaved())

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
        await asyncio.wait({task}, timeout=HANDED_BACK_WITHIN_S)

    def _arrange(self, claim: ClaimT, asked_at: float) -> None:
        begun = self._begun.get(claim.key)
        if begun is not None and claim.slot <= begun:
            return  # the answer was late, and the slot has been probed from memory; its report ends the lease
        self._forget(claim.key)
        due = self._slots.at(claim.slot)

        def begin() -> None:
            del self._waiting[timer]
            self._queue.append((claim, due, asked_at))
            self._begin_next()

        timer = asyncio.get_running_loop().call_at(due, begin)
        self._waiting[timer] = claim

    def _begin_next(self) -> None:
        """Start what is due, as far as there is a place."""
        while self._queue and self._at_once < self._capacity:
            claim, due, asked_at = self._queue.popleft()
            # A slot that was claimed late has its whole lease from the claim on.
            is_too_late = asyncio.get_running_loop().time() - max(due, asked_at) > self._longest_lag_s
            self._start(claim, due, self._too_late(claim) if is_too_late else self._run(claim))

    def _start(self, claim: ClaimT, due: float, work: Coroutine[Any, Any, ClaimT | None]) -> None:
        loop = asyncio.get_running_loop()
        self._begun[claim.key] = claim.slot
        self._started(max(0.0, loop.time() - due))
        task = loop.create_task(work)
        self._running[task] = claim
        task.add_done_callback(self._done)

    async def _too_late(self, claim: ClaimT) -> ClaimT | None:
        now = asyncio.get_running_loop().time()
        if now - self._complained_at > COMPLAINS_EVERY_S:
            self._complained_at = now
            log.warning("this process was held up for too long to begin its probes; their slots are handed back")
        await self._hand_back([claim])
        return claim.following()

    def _done(self, task: asyncio.Task[ClaimT | None]) -> None:
        del self._running[task]
        if not self._stopping.is_set():
            self._begin_next()
        if task.cancelled():
            return
        if (failure := task.exception()) is not None:
            log.error("a probe ended with a bug of the prober: please report this", exc_info=failure)
        elif (following := task.result()) is not None:
            self._remember(following)

    def _remember(self, claim: ClaimT) -> None:
        """Look at the coming slot again shortly before it begins."""
        if self._stopping.is_set():
            return
        loop = asyncio.get_running_loop()
        due = self._slots.at(claim.slot)
        while due < loop.time() - ANSWER_WITHIN_S:
            claim = claim.following()
            due = self._slots.at(claim.slot)
        self._forget(claim.key)
        self._remembered[claim.key] = loop.call_at(due - ASKED_BEFORE_S, self._ask_for, claim, due)

    def _forget(self, key: Hashable) -> None:
        timer = self._remembered.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _ask_for(self, claim: ClaimT, due: float) -> None:
        del self._remembered[claim.key]
        if self._horizon.covers(claim.key, due):
            self._begun.pop(claim.key, None)
            return
        loop = asyncio.get_running_loop()
        if not self._claiming.locked():
            task = loop.create_task(self._tick_quietly())
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        patience_s = 0.0 if self._is_silent else ANSWER_WITHIN_S
        self._remembered[claim.key] = loop.call_at(due + patience_s, self._begin_from_memory, claim, due)

    @property
    def _is_silent(self) -> bool:
        """Whether the database has let the last question fail, or has not answered it for longer than it usually takes:
        waiting for it would only make the start late."""
        return self._asked_at is not None and asyncio.get_running_loop().time() - self._asked_at > SILENT_AFTER_S

    async def _tick_quietly(self) -> None:
        try:
            await self.tick()
        except Exception as failure:  # the regular tick says so where it lasts
            log.debug("an additional tick failed: %s", type(failure).__name__)

    def _begin_from_memory(self, claim: ClaimT, due: float) -> None:
        del self._remembered[claim.key]
        if self._horizon.covers(claim.key, due):
            self._begun.pop(claim.key, None)
            return
        is_late = asyncio.get_running_loop().time() - due > LONGEST_MEMORY_LAG_S
        if is_late or self._at_once >= self._capacity:
            self._remember(claim.following())
            return
        self._start(claim, due, self._run(claim))
