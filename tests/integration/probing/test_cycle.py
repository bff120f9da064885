"""From a claimed slot to state, incident and outbox: everything of a report is written, or nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Endpoint, ProbeReport
from prober.clock import SystemClock
from prober.incidents.rules import Rules
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.probing.cycle import Cycle, Policy
from tests.integration.probing.servers import Switched, serving
from tests.integration.storage.builders import Store

PATIENT = (0.05,) * 100


@dataclass
class Stage:
    """One endpoint, the switch of its server, and the cycle under test."""

    store: Store
    server: Switched
    policy: Policy
    published: list[ProbeReport] = field(default_factory=list)

    def cycle(self, *save_pauses_s: float) -> Cycle:
        return Cycle(
            db=self.store.db,
            clock=SystemClock(),
            policy=lambda: self.policy,
            published=lambda _, report: self.published.append(report),
            save_pauses_s=save_pauses_s,
        )

    async def probe(self, *, is_well: bool) -> None:
        self.server.is_well = is_well
        await self.cycle().run(await self.store.claim_one())

    async def count(self, table: str) -> int:
        ((count,),) = await self.store.sql(f"select count(*) from {table}")
        return int(count)

    async def is_leased(self) -> bool:
        ((owner,),) = await self.store.sql("select lease_owner from endpoint")
        return owner is not None


@pytest.fixture
async def stage(db: AsyncEngine) -> AsyncIterator[Stage]:
    store, server = Store(db), Switched()
    policy = Policy(
        location="test",
        rules=Rules(fail_after=3, recover_after=2),
        channels=("slack", "pager"),
        net=Net(GuardPolicy(allow_private=True), clock=SystemClock()),
    )
    async with serving(server) as (_, url):
        await store.watch(Endpoint(name="shop", url=url, timeout_s=5.0))
        yield Stage(store, server, policy)


async def test_a_report_is_saved_with_its_state_and_published_after_that(stage: Stage) -> None:
    await stage.probe(is_well=True)
    assert await stage.store.sql("select verdict, location, missed from report") == [("up", "test", 0)]
    assert await stage.store.sql("select verdict, era from endpoint_state") == [("up", "stateless")]
    assert [report.verdict for report in stage.published] == ["up"]
    assert not await stage.is_leased()


async def test_three_bad_reports_open_an_incident_and_two_good_ones_close_it(stage: Stage) -> None:
    for is_well, transitions in ((False, 0), (False, 0), (False, 1), (True, 1), (False, 1), (True, 1), (True, 2)):
        await stage.probe(is_well=is_well)
        assert await stage.count("transition") == transitions
    assert await stage.store.sql("select kind, cause from transition order by at") == [
        ("opened", "adapter-missing"),
        ("closed", "adapter-missing"),
    ]
    assert await stage.store.sql("select ended_at is not null from incident") == [(True,)]
    told = await stage.store.sql("select channel, payload->>'kind' from notice order by number")
    assert told == [("slack", "opened"), ("pager", "opened"), ("slack", "closed"), ("pager", "closed")]


async def test_report_state_transition_and_notices_are_one_transaction(stage: Stage) -> None:
    for _ in range(3):
        await stage.probe(is_well=False)
    written: set[Any] = set()
    for query in (
        "select xmin::text from report order by slot desc limit 1",
        "select xmin::text from endpoint_state",
        "select xmin::text from endpoint",
        "select xmin::text from incident",
        "select xmin::text from transition",
        "select distinct xmin::text from notice",
    ):
        written |= set(await stage.store.sql(query))
    assert len(written) == 1


async def test_when_the_notice_cannot_be_written_nothing_is(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        await stage.probe(is_well=False)
    before = await stage.store.sql("select report_id, incident, marks from endpoint_state")
    claim = await stage.store.claim_one()
    await stage.store.sql("alter table notice rename to notice_away")
    await stage.cycle(0.0).run(claim)
    assert await stage.store.sql("select report_id, incident, marks from endpoint_state") == before
    assert await stage.count("report") == 2
    assert await stage.count("incident") == 0
    assert await stage.is_leased(), "the slot must not look as if it had been probed"
    assert len(stage.published) == 2
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.WARNING, logging.ERROR]
    assert "Hello from Lambda" not in caplog.text


async def test_a_lost_report_leaves_a_slot_that_is_recorded_as_interrupted(stage: Stage) -> None:
    claim = await stage.store.claim_one()
    await stage.store.sql("alter table notice rename to notice_away")
    await stage.store.sql("alter table endpoint_state rename to endpoint_state_away")
    await stage.cycle().run(claim)
    await stage.store.sql("alter table endpoint_state_away rename to endpoint_state")
    await stage.store.sql("update endpoint set lease_until = now()")
    await stage.store.claim_one()
    assert await stage.store.sql("select slot, missed, unknown_reason from report") == [(claim.slot, 1, "interrupted")]


async def test_a_claim_that_another_worker_has_taken_over_writes_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    claim = await stage.store.claim_one()
    await stage.store.sql("update endpoint set fence = fence + 1, lease_owner = 'another'")
    await stage.cycle(*PATIENT).run(claim)
    assert await stage.count("report") == 0
    assert await stage.count("endpoint_state") == 0
    assert await stage.store.sql("select lease_owner from endpoint") == [("another",)]
    assert stage.published == []
    assert "shop was edited, removed or taken over by another worker" in caplog.text


async def test_a_report_whose_commit_was_not_heard_of_counts_once(stage: Stage) -> None:
    stage.server.is_well = False
    claim = await stage.store.claim_one()
    for _ in range(3):
        await stage.cycle().run(claim)
    assert await stage.count("report") == 1
    assert await stage.store.sql("select incident->'streak'->'length', marks from endpoint_state") == [(1, "d")]


async def test_an_edited_policy_counts_for_the_next_probe(stage: Stage) -> None:
    stage.policy = replace(stage.policy, location="elsewhere", rules=Rules(fail_after=1), channels=("mail",))
    await stage.probe(is_well=False)
    assert await stage.store.sql("select location from report") == [("elsewhere",)]
    assert await stage.store.sql("select channel from notice") == [("mail",)]


async def test_a_report_waits_for_a_database_that_is_away_for_a_moment(
    stage: Stage, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    claim = await stage.store.claim_one()
    name = stage.store.db.url.database
    plain = make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute(f'alter database "{name}" with allow_connections false')
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        saving = asyncio.create_task(stage.cycle(*PATIENT).run(claim))
        async with asyncio.timeout(10):
            while "could not be saved" not in caplog.text:  # noqa: ASYNC110 - a log line sets no event
                await asyncio.sleep(0.02)
        assert stage.published == []
        admin.execute(f'alter database "{name}" with allow_connections true')
        async with asyncio.timeout(10):
            await saving
    assert await stage.store.sql("select slot, verdict, missed from report") == [(claim.slot, "up", 0)]
    assert [report.verdict for report in stage.published] == ["up"]


async def test_what_was_learnt_is_remembered_for_the_next_probe(stage: Stage) -> None:
    await stage.probe(is_well=True)
    claim = await stage.store.claim_one()
    assert claim.remembered is not None
    assert claim.remembered.era == "stateless"
    assert len(claim.history.warm_wait_ms) == 1
