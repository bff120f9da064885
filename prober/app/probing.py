"""The probing side of a worker: timetable, probes, spool and recorder, put together, and the order of their end."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import ProbeReport
from prober.app.presence import Presence
from prober.clock import Clock
from prober.incidents.policy import AlertPolicy
from prober.probing.cycle import Cycle, Observe, Policy
from prober.probing.recorder import Recorder
from prober.probing.scheduler import CLAIM_AHEAD_S, Scheduler
from prober.storage import schedule
from prober.storage.identity import report_id
from prober.storage.schedule import LATE_BY_S, Claim, Round
from prober.storage.spool import Spool
from prober.storage.spool_files import left_beside
from prober.vitals import Vitals

log = logging.getLogger(__name__)

CAPACITY: Final = 100
"""Probes that one worker runs at once. More would make its own queue look like the servers' latency."""

REALIGNS_EVERY_S: Final = 30.0
"""How soon it is noticed that the clock of the database was set back."""

AHEAD: Final = 500
"""Slots that one worker holds and has not begun: those of some three seconds at the rate that its core can probe."""

PROBES_END_WITHIN_S: Final = 3.0
"""How long running probes may take to end when the worker stops."""

SAVED_WITHIN_S: Final = 2.0
"""For how long their reports are then offered to the database; in the spool they are safe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the probing side shares with the rest of its worker."""

    db: AsyncEngine
    clock: Clock
    vitals: Vitals
    worker: str
    policy: Callable[[], Policy]
    alerts: Callable[[], AlertPolicy]
    published: Callable[[Claim, ProbeReport], None]
    """Hears of a report once it outlives this process."""
    committed: Callable[[Claim, ProbeReport], None]
    """Hears of it once it is saved."""
    observe: Observe


class Probing:
    """Probes what is due and saves what is found, each in its own time."""

    def __init__(self, shared: Surroundings, spool: Path, *, quota_bytes: int) -> None:
        """`spool` is the directory where reports wait; other workers on the same database may share it."""
        self._shared = shared
        self._directory = spool
        self._presence = Presence(spool / "workers", shared.worker)
        self._spool = Spool(spool, quota_bytes=quota_bytes, vitals=shared.vitals, clock=shared.clock)
        self._recorder = Recorder(
            db=shared.db,
            spool=self._spool,
            policy=shared.alerts,
            clock=shared.clock,
            vitals=shared.vitals,
            aside=spool,
        )
        self._scheduler: Scheduler[Claim] = Scheduler(
            claim=self._claim,
            run=self._run,
            release=self._release,
            capacity=CAPACITY,
            ahead=AHEAD,
            unsaved=lambda: self._recorder.unsaved,
            may_claim=lambda: self._recorder.has_caught_up,
            started=lambda lag_s: shared.vitals.set("probe_lag", lag_s),
        )
        self._cycle = Cycle(
            clock=shared.clock,
            worker=shared.worker,
            policy=shared.policy,
            keep=self._recorder.keep,
            published=self._published,
            rest=self._scheduler.rest,
            vitals=shared.vitals,
            observe=shared.observe,
        )

    async def start(self) -> None:
        """Take in what earlier workers left: reports in the spool, and leases. Raises what the database raises."""
        await self._spool.open()
        await asyncio.to_thread(_warn_of_others, self._directory)
        self._recorder.start()
        dead = await asyncio.to_thread(self._presence.enter)
        if dead:
            released = await schedule.release_all(self._shared.db, dead)
            if released:
                log.info("endpoints taken over from workers that were killed: %d", released)
            self._presence.forget(dead)

    async def tick(self) -> None:
        """Claim what falls due. Raises what the database raises."""
        self._shared.vitals.set("in_flight", self._scheduler.load)
        await self._scheduler.tick()

    async def realign(self) -> None:
        """Go on after the clock of the database was set back. Raises what the database raises."""
        realigned = await schedule.realign(self._shared.db)
        if realigned:
            log.warning("the clock of the database was set back: %d endpoints have new times", realigned)

    async def end_probes(self) -> None:
        """Begin no more probes, and let those that run come to their end."""
        await self._scheduler.stop(PROBES_END_WITHIN_S)

    async def end_saving(self) -> None:
        """Offer what was found to the database once more. What it does not take is saved after the next start."""
        await self._recorder.stop(SAVED_WITHIN_S)
        await self._spool.close()
        self._presence.leave()

    async def _run(self, claim: Claim) -> Claim:
        return await self._cycle.run(claim)

    async def _claim(self, limit: int, *, busy: Collection[Any], late_s: float | None) -> Round:
        policy = self._shared.policy()
        return await schedule.claim(
            self._shared.db,
            worker=self._shared.worker,
            limit=limit,
            ahead_s=CLAIM_AHEAD_S,
            late_s=LATE_BY_S if late_s is None else late_s,
            confirm_after_s=policy.confirm_after_s,
            location=policy.location,
            busy=busy,
        )

    async def _release(self, claim: Claim) -> None:
        await schedule.release(self._shared.db, claim)

    def _published(self, claim: Claim, report: ProbeReport) -> None:
        self._shared.published(claim, report)
        if claim.endpoint.function is not None:
            identity = report_id(claim.endpoint_id, claim.slot, report.location)
            self._recorder.after_commit(identity, lambda: self._shared.committed(claim, report))


def _warn_of_others(spool: Path) -> None:
    try:
        others = left_beside(spool)
    except OSError as failure:
        log.warning("reports for another database are not looked for: %s", failure.strerror or failure)
        return
    for each in others:
        log.warning(
            "reports wait in %s, and nobody saves them: they are for a database of another address. A prober that is "
            "started with that address saves them. If it is this database, which has another address now, stop the "
            "prober and move the numbered directories from there to %s, each under a number that is free",
            each,
            spool,
        )
