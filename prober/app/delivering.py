"""The delivery of notices as a task that can be stopped and replaced when the channels change."""

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from prober.clock import Clock
from prober.notifiers.delivery import Channel, Sender, keep_delivering
from prober.vitals import Vitals

GRACE_S: Final = 2.0


class Delivery:
    """Sends what the outbox holds for these channels, between `start` and `stop`."""

    def __init__(
        self, db: AsyncEngine, channels: Sequence[Channel], *, worker: str, clock: Clock, vitals: Vitals
    ) -> None:
        self.channels = tuple(channels)
        self._sender = Sender(db, worker=worker, clock=clock, vitals=vitals)
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(keep_delivering(self._sender, self.channels, self._stop))

    async def stop(self) -> None:
        """End after the notices that are being sent, or after a grace: what was cut off is sent again later, because
        its lease runs out."""
        self._stop.set()
        if self._task is None:
            return
        _, late = await asyncio.wait({self._task}, timeout=GRACE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
