"""What time brings to incidents, shared by workers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.app.attending import RELEASE_EVERY_S, Attending
from prober.incidents.notice import Route
from prober.storage import incidents
from prober.storage.identity import endpoint_id
from prober.storage.incidents import Observed
from tests.integration.storage.builders import Store
from tests.integration.storage.test_telling import NOON, Desk


@dataclass
class Hands:
    """A clock that the test sets."""

    moment: datetime = field(default=NOON)
    passed: float = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.passed


@pytest.fixture
def desk(db: AsyncEngine) -> Desk:
    return Desk(Store(db))


def names(number: int) -> Sequence[str]:
    return [f"shop-{each:03}" for each in range(number)]


async def test_everything_that_is_due_is_looked_at_and_two_workers_tell_it_once(desk: Desk) -> None:
    desk.policy = replace(
        desk.policy,
        routes=(Route(channel="boss", after_s=900.0),),
        alerting=replace(desk.policy.alerting, mass_after=10_000),
    )
    await desk.watch(*names(250))
    await desk.see(Verdict.DOWN, *names(250))
    assert await desk.told() == []
    clock = Hands(NOON + timedelta(minutes=15))
    workers = [Attending(desk.db, policy=lambda: desk.policy, clock=clock) for _ in range(2)]
    await asyncio.gather(*(worker.attend() for worker in workers))
    told = await desk.told()
    assert sorted(told) == [("boss", "escalated", name) for name in names(250)]
    await asyncio.gather(*(worker.attend() for worker in workers))
    assert await desk.told() == []


async def test_workers_that_see_an_outage_at_the_same_moment_tell_it_once(desk: Desk) -> None:
    fleet = names(60)
    await desk.watch(*fleet)
    await desk.see(Verdict.UP, *fleet)
    await desk.store.sql("update endpoint_state set verdict = 'down', bad_since = :at", at=NOON)

    async def record(batch: Sequence[str]) -> None:
        observed = [
            Observed(endpoint_id=endpoint_id(name), seen=replace(desk.seen(name, Verdict.DOWN, "x"), at=NOON))
            for name in batch
        ]
        async with desk.db.begin() as connection:
            await incidents.record(connection, observed, desk.policy, NOON)

    desk.probes += 1
    await asyncio.gather(*(record(fleet[start : start + 15]) for start in range(0, 60, 15)))
    assert await desk.told() == [("chat", "outage-opened", "all endpoints")]


async def test_an_incident_that_waits_for_an_outage_that_is_over_is_released(desk: Desk) -> None:
    fleet = names(5)
    await desk.watch(*fleet)
    await desk.see(Verdict.DOWN, *fleet)
    await desk.store.sql("update outage set ended_at = :at, reconsider_at = null", at=NOON)
    await desk.store.sql(
        "update endpoint_state set bad_since = null where endpoint_id <> :id", id=endpoint_id(fleet[0])
    )
    await desk.store.sql(
        "update incident set ended_at = :at, reconsider_at = null where endpoint_id <> :id",
        at=NOON,
        id=endpoint_id(fleet[0]),
    )
    clock = Hands()
    worker = Attending(desk.db, policy=lambda: desk.policy, clock=clock)
    await worker.attend()
    clock.passed = RELEASE_EVERY_S
    await worker.attend()
    await desk.rewound()
    await worker.attend()
    assert [each for each in await desk.told() if each[1] == "opened"] == [("chat", "opened", fleet[0])]
