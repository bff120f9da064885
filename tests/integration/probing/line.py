"""The way of a report from the probe into the database, as a worker builds it, one probe at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import ProbeReport
from prober.clock import SystemClock
from prober.incidents.notice import Route
from prober.incidents.policy import AlertPolicy
from prober.incidents.rules import Rules
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.probing.cycle import Cycle, Policy
from prober.probing.recorder import Recorder
from prober.storage.schedule import Claim
from prober.storage.spool import Spool
from prober.vitals import Vitals

SAVED_WITHIN_S = 10


@dataclass
class Line:
    """Cycle, spool and recorder. `policy` and `alerts` may be replaced at any time."""

    db: AsyncEngine
    directory: Path
    policy: Policy
    alerts: AlertPolicy
    published: list[ProbeReport] = field(default_factory=list)
    vitals: Vitals = field(default_factory=Vitals)

    def __post_init__(self) -> None:
        clock = SystemClock()
        self.spool = Spool(self.directory, quota_bytes=1 << 20, vitals=self.vitals, clock=clock)
        self.recorder = Recorder(
            db=self.db,
            spool=self.spool,
            policy=lambda: self.alerts,
            clock=clock,
            vitals=self.vitals,
            aside=self.directory,
        )
        self.cycle = Cycle(
            clock=clock,
            worker="one",
            policy=lambda: self.policy,
            keep=self.recorder.keep,
            published=lambda _, report: self.published.append(report),
            rest=self._rest,
            vitals=self.vitals,
        )

    async def run(self, claim: Claim) -> Claim:
        """Probe, and wait until the report is saved or set aside."""
        following = await self.cycle.run(claim)
        await self.saved()
        return following

    async def saved(self) -> None:
        async with asyncio.timeout(SAVED_WITHIN_S):
            while self.spool.status.records:  # noqa: ASYNC110 - the spool tells nobody that it is empty
                await asyncio.sleep(0.01)

    async def _rest(self, seconds: float) -> bool:
        return True


@asynccontextmanager
async def line(db: AsyncEngine, directory: Path, rules: Rules, *channels: str, **policy: Any) -> AsyncIterator[Line]:
    """A line at work; what is in its spool at the end stays there."""
    made = Line(
        db=db,
        directory=directory / "spool",
        policy=Policy(location="test", net=Net(GuardPolicy(allow_private=True), clock=SystemClock()), **policy),
        alerts=AlertPolicy(rules=rules, routes=tuple(Route(channel=each) for each in channels)),
    )
    await made.spool.open()
    made.recorder.start()
    try:
        yield made
    finally:
        await made.recorder.stop(1.0)
        await made.spool.close()
