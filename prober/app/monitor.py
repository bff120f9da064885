"""A worker: claims and probes, delivers notices, publishes metrics and follows the configuration file."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from prober.app import attending, channels, references
from prober.app.attending import Attending
from prober.app.background import DaemonExecutor
from prober.app.confirming import Confirming
from prober.app.delivering import Delivery
from prober.app.housekeeping import LOOKS_EVERY_S, Housekeeping
from prober.app.measuring import CENSUS_EVERY_S, Measuring
from prober.app.memory import GIVES_BACK_EVERY_S, give_back, settle
from prober.app.probing import REALIGNS_EVERY_S, Probing, Surroundings
from prober.app.self_watch import SelfWatch
from prober.app.timer import Job, Timer
from prober.clock import Clock
from prober.endpoints.config_file import ConfigFileWatcher
from prober.function_logs.cloudwatch_logs import FunctionLogs
from prober.incidents.policy import AlertPolicy
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.notifiers.contract import Tools
from prober.notifiers.delivery import Channel
from prober.probing.credentials import Credentials
from prober.probing.cycle import Policy
from prober.probing.scheduler import TICK_JITTER_S, TICK_S
from prober.secrets.allowance import AllowList
from prober.secrets.vault import Vault
from prober.settings import Settings
from prober.storage import endpoints, mutes
from prober.storage.schedule import FIRST_WITHIN_S
from prober.vitals import Vitals

log = logging.getLogger(__name__)

NAMES_LOGGED: Final = 10
"""Endpoints that one log line names."""

FOLLOW_EVERY_S: Final = 2.0
ACCESS: Final = ("network", "limits", "secrets")
"""Sections by which probes are let out, of which an edit counts at once."""
UNTIL_RESTART: Final = ("cloudwatch", "dashboard", "status", "database_url", "data_dir", "spool")
"""Sections of the configuration of which an edit does not count while the prober runs."""

WORKER_THREADS: Final = 4
"""For calls that block: boto3 speaks to AWS over these."""

SECRET_THREADS: Final = 4
"""For secrets, so that a notice that hangs keeps no probe from its credentials."""

LOG_THREADS: Final = 2
"""For searches in the logs of functions, so that one that hangs delays no notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """The configuration file that a worker follows, and whether it writes the file's endpoints to the database."""

    watcher: ConfigFileWatcher
    owns_endpoints: bool
    first_within_s: float = FIRST_WITHIN_S
    """Within this time each endpoint is first probed that it writes."""


class Monitor:
    """One worker on a database. Any number of them share the work."""

    def __init__(
        self,
        *,
        db: AsyncEngine,
        settings: Settings,
        following: Following | None,
        clock: Clock,
        worker: str,
        spool: Path,
        own: tuple[tuple[str, int], ...] = (),
    ) -> None:
        """`spool` is where reports wait, `own` are the addresses where the prober itself or its database listens."""
        self._db = db
        self._own = own
        self._settings = settings
        self._following = following
        self._clock = clock
        self._worker = worker
        self._edited: Settings | None = None
        self._executor = DaemonExecutor(WORKER_THREADS, "blocking")
        self._secrets_executor = DaemonExecutor(SECRET_THREADS, "secrets")
        self._logs_executor = DaemonExecutor(LOG_THREADS, "logs")
        self._grant_access(settings)
        self._vitals = Vitals()
        self._timer = Timer()
        self._make_parts(spool)

    def _make_parts(self, spool: Path) -> None:
        """Build what works side by side, in the order in which each needs another."""
        db, settings, clock = self._db, self._settings, self._clock
        self._delivery = self._new_delivery(settings)
        self._housekeeping = Housekeeping(db, settings=lambda: self._settings, clock=clock)
        self._measuring = Measuring(db, settings=settings, vitals=self._vitals, clock=clock, executor=self._executor)
        self._confirming = Confirming(db, FunctionLogs(self._logs_executor))
        self._attending = Attending(db, policy=self._alerts, clock=clock)
        self._self_watch = SelfWatch(
            db=db,
            settings=lambda: self._settings,
            channels=lambda: self._delivery.channels,
            net=lambda: self._net,
            secret=lambda reference: self._vault.secret(reference),
            metrics=self._measuring.exposition.render,
            clock_was_set=self._timer.begin_anew,
            vitals=self._vitals,
            clock=clock,
            worker=self._worker,
        )
        self._probing = Probing(self._surroundings(), spool, quota_bytes=settings.spool.quota_bytes)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then let running probes end and hand back what has not begun.

        Raises what the database raises while starting; later failures are logged and waited out.
        """
        async with AsyncExitStack() as ending:
            for executor in (self._executor, self._secrets_executor, self._logs_executor):
                ending.callback(executor.shutdown, wait=False, cancel_futures=True)
            await self._housekeeping.begin()
            self._warn_of_missing_secrets(self._settings)
            settle()
            await self._probing.start()
            # Late, because the first slots of new endpoints count from here: whatever came between them and the first
            # tick would let those that begin meanwhile begin all at once.
            await self._write_configured(self._settings)
            await self._measuring.start()
            self._delivery.start()
            ending.push_async_callback(lambda: self._delivery.stop())
            self._self_watch.start()
            ending.push_async_callback(self._self_watch.stop)
            for job in self._jobs():
                self._timer.add(job)
            self._timer.start()
            ending.callback(self._timer.stop)
            await stop.wait()
            self._timer.pause()
            await self._probing.end_probes()
            await asyncio.gather(
                self._probing.end_saving(),
                self._delivery.stop(),
                self._confirming.stop(),
                self._measuring.publish_last(),
            )

    async def _tick(self) -> None:
        self._vitals.happened("tick", self._clock.monotonic())
        await self._probing.tick()

    def _jobs(self) -> Iterator[Job]:
        yield Job(TICK_S, "claiming due probes", self._tick, TICK_JITTER_S, begins_at_once=True)
        yield Job(REALIGNS_EVERY_S, "looking at the timetable", self._probing.realign)
        yield Job(REALIGNS_EVERY_S, "looking at the clock of the database", self._housekeeping.follow_clock)
        yield Job(LOOKS_EVERY_S, "making and dropping partitions", self._housekeeping.keep)
        yield Job(LOOKS_EVERY_S, "rolling up figures", self._housekeeping.roll_up)
        yield Job(attending.EVERY_S, "attending to incidents", self._attending.attend)
        if self._following is not None:
            yield Job(FOLLOW_EVERY_S, "following the configuration file", self._follow)
        yield Job(CENSUS_EVERY_S, "counting the endpoints", self._measuring.count)
        yield Job(GIVES_BACK_EVERY_S, "giving memory back", partial(asyncio.to_thread, give_back))
        if self._measuring.publishes:
            yield Job(self._settings.cloudwatch.flush_s, "publishing metrics", self._measuring.publish)

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            db=self._db,
            clock=self._clock,
            vitals=self._vitals,
            worker=self._worker,
            policy=self._policy,
            alerts=self._alerts,
            published=self._measuring.add,
            committed=self._confirming.follow,
            observe=self._self_watch.judge,
        )

    def _policy(self) -> Policy:
        return Policy(
            location=self._settings.location,
            net=self._net,
            credentials=self._credentials,
            named=self._named,
            confirm_after_s=self._settings.alerting.confirm_after_s,
        )

    def _alerts(self) -> AlertPolicy:
        settings = self._settings
        return AlertPolicy(
            rules=settings.rules,
            alerting=settings.alerting,
            routes=tuple(replace(each.route, channel=each.name) for each in settings.notifiers),
            windows=settings.maintenance,
        )

    async def _follow(self) -> None:
        assert self._following is not None
        news = await asyncio.to_thread(self._following.watcher.poll)
        for problem in news if isinstance(news, tuple) else ():
            log.error("the edited configuration is not taken over: %s", problem)
        if isinstance(news, Settings):
            self._edited = news
        # The watcher tells of an edit once; one that met a database that is away is kept until it counts.
        if self._edited is not None:
            await self._take_over(self._edited)
            self._edited = None

    async def _take_over(self, settings: Settings) -> None:
        """Let an edit count, except for what is decided at the start alone."""
        await self._write_configured(settings)
        if any(getattr(settings, name) != getattr(self._settings, name) for name in ACCESS):
            self._grant_access(settings)  # probes that began with the former guard end with it
        later = [name for name in UNTIL_RESTART if getattr(settings, name) != getattr(self._settings, name)]
        self._settings = settings
        await self._delivery.stop()
        self._delivery = self._new_delivery(settings)
        self._delivery.start()
        log.info("the configuration was edited and counts from now on")
        self._warn_of_missing_secrets(settings)
        if later:
            log.warning("the edit of %s counts after a restart", ", ".join(later))
        # Who attended to incidents since the windows were written did so with the former channels and rules.
        await mutes.look_again(self._db)

    def _warn_of_missing_secrets(self, settings: Settings) -> None:
        for sentence in references.missing(settings):
            log.warning("%s", sentence)

    async def _write_configured(self, settings: Settings) -> None:
        """Let the database know endpoints, windows and channels; what is not named any more goes with its owner."""
        file = self._following
        if owns := file is not None and file.owns_endpoints:
            await self._write_endpoints(settings, file.first_within_s)
            await mutes.sync_windows(self._db, settings.maintenance)
        await channels.register(self._db, settings, owns=owns)

    async def _write_endpoints(self, settings: Settings, soon_s: float) -> None:
        changes = await endpoints.sync(self._db, settings.endpoints, options=settings.options, soon_s=soon_s)
        for word, names in (("added", changes.added), ("changed", changes.changed), ("removed", changes.removed)):
            if names:
                more = f" and {len(names) - NAMES_LOGGED} more" if len(names) > NAMES_LOGGED else ""
                log.info("endpoints %s: %s%s", word, ", ".join(names[:NAMES_LOGGED]), more)

    def _grant_access(self, settings: Settings) -> None:
        """Make what leads out of this process: the network behind its guard, and the credentials."""
        network, threads = settings.network, self._secrets_executor
        policy = GuardPolicy(allow_cidrs=network.allow_cidrs, allow_private=network.allow_private, own=self._own)
        self._net = Net(policy, clock=self._clock, limits=settings.limits)
        self._vault = Vault(threads, allow=settings.secrets)
        self._credentials = Credentials(self._vault, net=self._net, clock=self._clock, executor=threads)
        self._named = self._credentials
        if settings.secrets is None:
            self._named = Credentials(Vault(threads, allow=AllowList()), net=self._net, clock=self._clock)

    def _new_delivery(self, settings: Settings) -> Delivery:
        built = self._channels(settings)
        return Delivery(self._db, built, worker=self._worker, clock=self._clock, vitals=self._vitals)

    def _channels(self, settings: Settings) -> tuple[Channel, ...]:
        public_url = settings.dashboard.public_url
        secret, threads = self._vault.secret, self._executor
        tools = Tools(net=self._net, secret=secret, executor=threads, clock=self._clock, public_url=public_url)
        return channels.build(settings, tools)
