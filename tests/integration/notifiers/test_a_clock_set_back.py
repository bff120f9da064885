"""The outbox after the clock of the database was set back: what waits goes out in time, and nothing goes out twice."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.incidents.notice import NoticeKind
from prober.notifiers.contract import NotifyError
from prober.storage import mutes, set_back
from prober.storage.identity import endpoint_id
from tests.integration.notifiers.stage import BUSY, Stages, staged, tell, watch

OPENED = NoticeKind.OPENED
HOUR = 3600.0
OF_THE_OUTBOX = {
    "notice": ("created_at", "next_attempt_at", "lease_until", "sent_at", "failed_at"),
    "attempt": ("at",),
    "channel": ("sent_at", "failing_since", "broken_since", "resting_until"),
    "housekeeping": ("begun_at",),
}


@pytest.fixture
async def a(db: AsyncEngine) -> Stages:
    """One channel, and a clock that was looked at."""
    stages = await staged(db, "a")
    assert await set_back.realign(db) is None
    return stages


async def show_less(stages: Stages, seconds: float) -> None:
    """As if the clock of the database had been set back: everything that it wrote is of a later time."""
    for table, columns in OF_THE_OUTBOX.items():
        later = ", ".join(f"{each} = {each} + make_interval(secs => :s)" for each in columns)
        await stages.sql(f"update {table} set {later}", s=seconds)


async def test_a_notice_and_a_channel_that_wait_for_another_try_wait_as_long_as_they_would_have(a: Stages) -> None:
    a.stages["a"].failures = [BUSY]
    await tell(a.db, OPENED, to="a")
    await a.turn("a")
    await show_less(a, HOUR)
    assert await set_back.realign(a.db) == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=5))
    assert 0 < await a.rest_of("a") <= 5
    assert not await a.turn("a")
    await a.time_passes(5)
    await a.work()
    assert a.stages["a"].titles == ["orders opened"]
    await a.work()
    assert a.stages["a"].tries == 2, "it went out once"


async def test_a_channel_that_asked_for_patience_still_has_it(a: Stages) -> None:
    a.stages["a"].failures = [NotifyError("HTTP 429", permanent=False, retry_after_s=600.0)]
    await tell(a.db, OPENED, to="a")
    await a.turn("a")
    await show_less(a, 86_400)
    await set_back.realign(a.db)
    assert 590 <= await a.rest_of("a") <= 605
    assert not await a.turn("a")


async def test_what_a_dead_sender_held_goes_out_once_and_what_a_living_one_holds_stays_its_own(a: Stages) -> None:
    a.stages["a"].held = asyncio.Event()
    await tell(a.db, OPENED, to="a")
    sending = asyncio.create_task(a.turn("a", "living"))
    await a.stages["a"].begun.wait()
    await show_less(a, HOUR)
    await a.sql("update notice set lease_until = now() + interval '6 seconds'")  # it was renewed by the new clock
    await set_back.realign(a.db)
    assert not await a.turn("a", "other")
    a.stages["a"].held.set()
    await sending
    assert (a.stages["a"].tries, len(a.stages["a"].took)) == (1, 1)
    await tell(a.db, OPENED, to="a", about="billing")
    await a.sql("update notice set lease_owner = 'dead', lease_until = now() + interval '6 s', attempts = 1"
                " where sent_at is null")  # fmt: skip
    await show_less(a, HOUR)
    await set_back.realign(a.db)
    assert not await a.turn("a"), "its lease is over when it would have been"
    await a.time_passes(12)
    await a.work()
    assert a.stages["a"].titles == ["orders opened", "billing opened"]


async def test_one_of_several_workers_realigns_and_a_clock_that_goes_on_moves_nothing(a: Stages) -> None:
    a.stages["a"].failures = [BUSY]
    await tell(a.db, OPENED, to="a")
    await a.turn("a")
    waits = "select next_attempt_at, resting_until from notice, channel"
    before = await a.sql(waits)
    assert await set_back.realign(a.db) is None
    await a.sql("update housekeeping set begun_at = begun_at + interval '2 seconds'")
    assert await set_back.realign(a.db) is None, "by so little, clocks are set right all the time"
    assert await a.sql(waits) == before
    await show_less(a, HOUR)
    found = await asyncio.gather(*(set_back.realign(a.db) for _ in range(4)))
    assert sum(each is not None for each in found) == 1


async def test_an_incident_that_waits_for_its_reminder_is_looked_at_again(a: Stages) -> None:
    await watch(a.db, "orders")
    await a.sql(
        "insert into incident (id, endpoint_id, verdict, severity, since, opened_at, cause_summary, fix, report_id,"
        " reconsider_at) values (:id, :endpoint, 'down', 'critical', now(), now(), '', '', :id,"
        " now() + interval '3 hours')",
        id=uuid4(),
        endpoint=endpoint_id("orders"),
    )
    await show_less(a, HOUR)
    await set_back.realign(a.db)
    assert await a.sql("select reconsider_at <= now() from incident") == [(True,)]


async def test_a_deploy_mutes_as_long_as_it_would_have_and_maintenance_until_the_time_that_was_said(a: Stages) -> None:
    for kind in (mutes.DEPLOY, mutes.MAINTENANCE):
        await a.sql(
            "insert into mute (id, kind, starts_at, ends_at, created_by, created_at)"
            " values (:id, :kind, now(), now() + interval '10 minutes', 'ana', now())",
            id=uuid4(),
            kind=kind,
        )
    await a.sql("update mute set starts_at = starts_at + interval '1 hour', ends_at = ends_at + interval '1 hour',"
                " created_at = created_at + interval '1 hour'")  # fmt: skip
    await show_less(a, HOUR)
    await set_back.realign(a.db)
    left = await a.sql("select starts_at <= now() + interval '5 s', round(extract(epoch from ends_at - now()) / 60)"
                       " from mute order by kind")  # fmt: skip
    assert left == [(True, 10), (False, 70)]


async def test_no_full_probe_waits_for_the_former_time(a: Stages) -> None:
    await watch(a.db, "orders")
    await a.sql(
        "insert into endpoint_state (endpoint_id, verdict, slot, since, cause_summary, full_at)"
        " values (:id, 'up', now(), now(), '', now() + interval '1 hour')",
        id=endpoint_id("orders"),
    )
    await show_less(a, HOUR)
    await set_back.realign(a.db)
    assert await a.sql("select full_at <= now() from endpoint_state") == [(True,)]


async def test_an_outage_a_wish_for_a_probe_and_a_worker_are_of_no_time_to_come(a: Stages) -> None:
    await watch(a.db, "orders")
    await a.sql(
        "insert into outage (id, group_key, severity, since, opened_at, facts, reconsider_at)"
        " values (:id, '', 'critical', now(), now(), '{}', now() + interval '2 hours')",
        id=uuid4(),
    )
    await a.sql(
        "insert into probe_request (id, endpoint_id, profile, asked_by, asked_at)"
        " values (:id, :endpoint, 'full', 'ana', now() + interval '1 hour')",
        id=uuid4(),
        endpoint=endpoint_id("orders"),
    )
    await a.sql(
        "insert into worker (name, location, version, started_at, seen_at, vitals)"
        " values ('dead', '', '', now(), now() + interval '1 hour', '{}')"
    )
    await show_less(a, HOUR)
    await set_back.realign(a.db)
    for moment in ("reconsider_at from outage", "asked_at from probe_request", "seen_at from worker"):
        assert await a.sql(f"select now() >= {moment}") == [(True,)], moment
