"""Places that answer whenever our own network does: asked only when an endpoint does not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from checks.model import Failure
from prober.clock import Clock
from prober.net.failures import NetError

log = logging.getLogger(__name__)

ANSWER_WITHIN_S: Final = 2.0
Reach = Callable[[str, int], Awaitable[None]]
"""Connects to a host and port and hangs up again. Raises `NetError`."""


@dataclass(frozen=True, slots=True)
class Place:
    """A host and a port."""

    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> "Place":
        """The place that `prober.values.host_port` has accepted."""
        host, _, port = text.rpartition(":")
        return cls(host[1:-1] if host.startswith("[") else host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What came of asking."""

    asked_at: float
    """On the monotonic clock."""
    is_cut_off: bool
    """None of those that may be asked has answered."""


class Canaries:
    """A few places, asked together. One that the guard refuses is no witness."""

    def __init__(self, places: Sequence[Place], reach: Reach, clock: Clock) -> None:
        self.places = tuple(places)
        self._reach = reach
        self._clock = clock
        self._latest: Look | None = None
        self._asking: asyncio.Task[Look] | None = None

    def __str__(self) -> str:
        return ", ".join(str(each) for each in self.places)

    @property
    def were_asked(self) -> bool:
        """Whether any question was answered, or found no answer."""
        return self._latest is not None

    async def look(self, max_age_s: float) -> Look:
        """Whether our network works, by a question that was put at most `max_age_s` ago, or is put now. Whoever asks
        at once shares one answer."""
        oldest = self._clock.monotonic() - max_age_s
        latest = self._latest
        while latest is None or latest.asked_at < oldest:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask())
            latest = await asyncio.shield(self._asking)
        return latest

    async def _ask(self) -> Look:
        asked_at = self._clock.monotonic()
        waiting = {asyncio.create_task(self._answers(place)) for place in self.places}
        told: set[bool | None] = set()
        try:
            while waiting and True not in told:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                told |= {task.result() for task in done}
        finally:
            for task in waiting:
                task.cancel()
        self._latest = Look(asked_at=asked_at, is_cut_off=False in told and True not in told)
        return self._latest

    async def _answers(self, place: Place) -> bool | None:
        """None: it may not be asked."""
        with suppress(TimeoutError):
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    await self._reach(place.host, place.port)
            except NetError as failed:
                if failed.error.failure is not Failure.BLOCKED:
                    return False
                log.warning("the canary %s is of no use: %s", place, failed.error.detail)
                return None
            return True
        return False
