"""A worker: claims and probes, delivers notices, publishes metrics and follows the configuration file."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import ProbeReport
from prober.app import channels as channel_room
from prober.clock import Clock
from prober.endpoints.config_file import ConfigFileWatcher
from prober.incidents.rules import Rules
from prober.metrics.cloudwatch import CloudWatch, monthly_price_usd
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.notifiers.contract import Notifier, Tools
from prober.notifiers.delivery import deliver_once
from prober.probing.cycle import Cycle, Policy
from prober.probing.scheduler import CLAIM_AHEAD_S, Scheduler
from prober.secrets.references import resolve
from prober.settings import Settings
from prober.storage import endpoints, schedule
from prober.storage.partitions import ensure_partitions
from prober.storage.schedule import Claim

log = logging.getLogger(__name__)

CAPACITY: Final = 50
"""Probes that one worker runs or holds at once. More would make its own queue look like the servers' latency."""

PROBES_END_WITHIN_S: Final = 5.0
"""How long running probes may take to end when the worker stops."""

WORKER_THREADS: Final = 4
"""For calls that block: boto3 speaks to AWS over these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """The configuration file that a worker follows, and whether it writes the file's endpoints to the database."""

    watcher: ConfigFileWatcher
    owns_endpoints: bool


class Monitor:
    """One worker on a database. Any number of them share the work."""

    def __init__(
        self, *, db: AsyncEngine, settings: Settings, following: Following | None, clock: Clock, worker: str
    ) -> None:
        self._db = db
        self._clock = clock
        self._worker = worker
        self._following = following
        self._executor = ThreadPoolExecutor(WORKER_THREADS, thread_name_prefix="blocking")
        self._settings = settings
        self._net, self._channels = self._equipment(settings)
        self._metrics = self._cloudwatch(settings)
        cycle = Cycle(db=db, clock=clock, location=settings.location, policy=self._policy, published=self._published)
        self._scheduler: Scheduler[Claim] = Scheduler(
            claim=self._claim, run=cycle.run, release=self._release, capacity=CAPACITY
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then let running probes end and hand back what has not begun."""
        timer = AsyncIOScheduler(timezone="UTC")
        async with AsyncExitStack() as ending:
            ending.callback(self._executor.shutdown, wait=False, cancel_futures=True)
            ending.callback(self._net.close)
            if self._following is not None and self._following.owns_endpoints:
                await self._write_endpoints(self._settings)
            await ensure_partitions(self._db)
            for seconds, name, job in self._jobs():
                # No misfire grace: a tick that comes late is still the tick that claims what is due.
                timer.add_job(
                    _steady(name, job),
                    "interval",
                    seconds=seconds,
                    max_instances=1,
                    coalesce=True,
                    misfire_grace_time=None,
                )
            timer.start()
            ending.callback(timer.shutdown, wait=False)
            await stop.wait()
            timer.pause()
            await self._scheduler.stop(PROBES_END_WITHIN_S)
            if self._metrics is not None:
                await self._metrics.flush()

    def _jobs(self) -> list[tuple[float, str, Callable[[], Awaitable[Any]]]]:
        jobs: list[tuple[float, str, Callable[[], Awaitable[Any]]]] = [
            (1.0, "claiming due probes", self._scheduler.tick),
            (1.0, "delivering notices", self._deliver),
            (3600.0, "making partitions ahead", lambda: ensure_partitions(self._db)),
        ]
        if self._following is not None:
            jobs.append((2.0, "following the configuration file", self._follow))
        if self._metrics is not None:
            jobs.append((self._settings.cloudwatch.flush_s, "publishing metrics", self._metrics.flush))
        return jobs

    async def _claim(self, limit: int) -> list[Claim]:
        return await schedule.claim(
            self._db, worker=self._worker, limit=limit, ahead_s=CLAIM_AHEAD_S, location=self._settings.location
        )

    async def _release(self, claim: Claim) -> None:
        await schedule.release(self._db, claim)

    async def _deliver(self) -> None:
        await deliver_once(self._db, self._channels, worker=self._worker, clock=self._clock)

    def _published(self, report: ProbeReport) -> None:
        if self._metrics is not None:
            self._metrics.add(report)

    def _policy(self) -> Policy:
        return Policy(
            rules=Rules(
                fail_after=self._settings.incidents.fail_after, recover_after=self._settings.incidents.recover_after
            ),
            channels=tuple(self._channels),
            net=self._net,
        )

    async def _follow(self) -> None:
        assert self._following is not None
        news = await asyncio.to_thread(self._following.watcher.poll)
        if news is None:
            return
        if not isinstance(news, Settings):
            for problem in news:
                log.error("the configuration is not taken over: %s", problem)
            return
        if self._following.owns_endpoints:
            await self._write_endpoints(news)
        former = self._net
        self._settings = news
        self._net, self._channels = self._equipment(news)
        # Probes that began with the former guard and resolver end with them.
        asyncio.get_running_loop().call_later(60.0, former.close)
        log.info("the configuration has changed and counts from now on")

    async def _write_endpoints(self, settings: Settings) -> None:
        changes = await endpoints.sync(self._db, settings.endpoints)
        for word in ("added", "changed", "removed"):
            if names := getattr(changes, word):
                log.info("endpoints %s: %s", word, ", ".join(names))

    def _equipment(self, settings: Settings) -> tuple[Net, Mapping[str, Notifier]]:
        net = Net(
            GuardPolicy(allow_cidrs=settings.network.allow_cidrs, allow_private=settings.network.allow_private),
            clock=self._clock,
        )
        tools = Tools(net=net, secret=resolve, executor=self._executor, public_url=settings.dashboard.public_url)
        return net, channel_room.build(settings, tools)

    def _cloudwatch(self, settings: Settings) -> CloudWatch | None:
        if not settings.cloudwatch.enabled:
            return None
        count = sum(endpoint.enabled for endpoint in settings.endpoints)
        log.info(
            "CloudWatch metrics are on: about %.2f USD a month for %s endpoints at list price",
            monthly_price_usd(count),
            count,
        )
        return CloudWatch.connect(
            region=settings.cloudwatch.region, namespace=settings.cloudwatch.namespace, executor=self._executor
        )


def _steady(name: str, job: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[None]]:
    """The job with its failures logged once when they begin and once when they end, instead of at every tick."""
    failing = False

    async def run() -> None:
        nonlocal failing
        try:
            await job()
        except Exception as failure:  # whatever fails must not end the timetable; the log says what it was
            if not failing:
                log.error("%s failed and is tried again: %s", name, _brief(failure))  # noqa: TRY400 - a database that is away is no bug
            failing = True
        else:
            if failing:
                log.warning("%s works again", name)
            failing = False

    return run


def _brief(failure: Exception) -> str:
    """Kind and first line: a database driver's text goes on with the whole statement and its values."""
    lines = str(failure).splitlines()
    return f"{type(failure).__name__}: {lines[0][:200]}" if lines else type(failure).__name__
