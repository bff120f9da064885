"""Everything by which a worker looks after itself: its loop, its network, its clock, and who is told how it does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Evidence, ProbeReport
from checks.observing import Reviewed
from prober.app.own_clock import ClockWatch
from prober.app.reporting import EVERY_S, Reporting
from prober.app.status_server import Status, StatusServer
from prober.app.watchdog import FullCycle, Watchdog
from prober.clock import Clock
from prober.net.client import Net
from prober.notifiers.delivery import Channel
from prober.probing.loop_lag import LoopLag
from prober.probing.observer import Vantage
from prober.settings import Settings
from prober.vitals import Vitals

log = logging.getLogger(__name__)

STEP_S: Final = 1.0
"""How soon a jump of the clock is noticed, and a watchdog that is due is called."""


class SelfWatch:
    """Works between `start` and `stop`, on a timetable that no jump of the wall clock moves."""

    def __init__(
        self,
        *,
        db: AsyncEngine,
        settings: Callable[[], Settings],
        channels: Callable[[], Sequence[Channel]],
        net: Callable[[], Net],
        secret: Callable[[str], Awaitable[str]],
        metrics: Callable[[], bytes],
        clock_was_set: Callable[[], None],
        vitals: Vitals,
        clock: Clock,
        worker: str,
    ) -> None:
        """`settings`, `channels` and `net` give those that count at the moment; `secret` resolves a reference,
        `metrics` writes the exposition in a thread of its own, `clock_was_set` hears of jumps of the wall clock."""
        self._settings = settings
        self._metrics = metrics
        self._clock_was_set = clock_was_set
        self._own_clock = ClockWatch(clock, vitals)
        self._lag = LoopLag(clock, vitals)
        self._vantage = Vantage(
            settings=lambda: settings().observer, reach=partial(_reach, net), lag=self._lag, clock=clock, vitals=vitals
        )
        self._reporting = Reporting(
            db=db,
            settings=settings,
            channels=channels,
            vantage=self._vantage,
            lag=self._lag,
            vitals=vitals,
            clock=clock,
            worker=worker,
        )
        self._watchdog = Watchdog(
            settings=lambda: settings().watchdog, net=net, secret=secret, cycle=FullCycle(vitals, clock), clock=clock
        )
        self._status = Status(vitals, clock)
        self._server: StatusServer | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def judge(self, report: ProbeReport, evidence: Evidence) -> Reviewed:
        """The report of a probe that has just ended, in the light of how this worker does."""
        return await self._vantage.judge(report, evidence)

    def start(self) -> None:
        """Begin, and serve the status where the configuration says so. Raises CannotListen."""
        status = self._settings().status
        if status.port is not None:
            self._server = StatusServer(status.host, status.port, status=self._status, metrics=self._metrics)
            self._server.start()
            log.info("the status of this worker is served on %s port %d", *self._server.address)
        kept = (
            self._lag.keep_measuring(),
            _again(EVERY_S, "looking after this worker", self._reporting.look),
            _again(STEP_S, "calling the watchdog", self._watchdog.keep),
            _again(STEP_S, "looking at the clock", self._look_at_the_clock),
        )
        self._tasks = tuple(asyncio.create_task(each) for each in kept)

    async def stop(self) -> None:
        """End at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    async def _look_at_the_clock(self) -> None:
        if self._own_clock.look():
            self._clock_was_set()


async def _reach(net: Callable[[], Net], host: str, port: int) -> None:
    (await net().open_socket(host, port, confidential=False)).close()


async def _again(every_s: float, what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do it again and again. A bug in it is logged once, and ends nothing."""
    known = ""
    while True:
        try:
            await work()
        except Exception as bug:  # what looks after the worker must outlive its own bugs
            if type(bug).__name__ != known:
                log.exception("%s failed: please report this", what)
            known = type(bug).__name__
        await asyncio.sleep(every_s)
