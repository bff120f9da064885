"""How late our own event loop is: what it says of others' answers is true only while it runs in time."""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from prober.clock import Clock
from prober.vitals import Vitals

STEP_S: Final = 0.05
WORTH_KEEPING_S: Final = 0.01
KEPT: Final = 20_000
"""Delays that are remembered: all of the longest probe's, even where every step is late."""


class LoopLag:
    """Sleeps again and again, and notes by how much each sleep was too long."""

    def __init__(
        self, clock: Clock, vitals: Vitals, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._clock = clock
        self._vitals = vitals
        self._sleep = sleep
        self._due: float | None = None
        self._late: deque[tuple[float, float]] = deque(maxlen=KEPT)
        """When the loop came to it, and how late that was, in seconds."""

    async def keep_measuring(self) -> None:
        """Measure until cancelled."""
        try:
            while True:
                self._due = self._clock.monotonic() + STEP_S
                await self._sleep(STEP_S)
                self._note(self._due, self._clock.monotonic())
        finally:
            self._due = None

    def worst_ms(self, since: float) -> float:
        """The worst delay, in milliseconds, that held up anything since that moment of the monotonic clock.

        The one that lasts is among them: whoever asks may have come before the next note.
        """
        return max(self._delays_s(since), default=0.0) * 1000

    def lost_ms(self, since: float) -> float:
        """All delays since that moment together, in milliseconds."""
        return sum(self._delays_s(since)) * 1000

    def _delays_s(self, since: float) -> Iterator[float]:
        if self._due is not None:
            yield max(self._clock.monotonic() - self._due, 0.0)
        yield from (late for _, late in itertools.takewhile(lambda each: each[0] >= since, reversed(self._late)))

    def _note(self, due: float, now: float) -> None:
        late = max(now - due, 0.0)
        if late >= WORTH_KEEPING_S:
            self._late.append((now, late))
        self._vitals.happened("loop", now)
        self._vitals.set("loop_lag", late)
