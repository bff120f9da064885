"""Who is told where several things come together: outages, mutes, people, parents and reports that come late."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from prober.incidents.notice import Route
from prober.incidents.rules import Rules
from prober.settings.model import EndpointOptions
from prober.storage import endpoints, incidents
from prober.storage.identity import endpoint_id
from prober.storage.incidents import Observed
from tests.integration.storage.builders import Store, endpoint
from tests.integration.storage.test_telling import CHAT, DOWN, UP, Desk, mute

FLEET = tuple(f"shop-{number}" for number in range(6))


@pytest.fixture
async def desk(store: Store) -> Desk:
    return Desk(store)


@pytest.mark.parametrize("how", ["maintenance", "snooze"])
async def test_nobody_is_reminded_of_an_outage_whose_endpoints_are_all_muted(desk: Desk, how: str) -> None:
    desk.policy = replace(desk.policy, routes=(replace(CHAT, remind_every_s=600.0),))
    await desk.watch(*FLEET)
    await desk.see(DOWN, *FLEET)
    assert await desk.told() == [("chat", "outage-opened", "all endpoints")]
    if how == "snooze":
        await desk.snooze(FLEET, timedelta(days=10_000))
    else:
        await mute(desk, minutes=60)
    await desk.passes(50)
    assert await desk.told() == []
    await desk.see(UP, *FLEET)
    await desk.passes(1)
    assert await desk.told() == [("chat", "outage-closed", "all endpoints")]


async def test_an_outage_that_outlasts_the_maintenance_is_heard_of_again(desk: Desk) -> None:
    desk.policy = replace(desk.policy, routes=(replace(CHAT, remind_every_s=600.0),))
    await desk.watch(*FLEET)
    await desk.see(DOWN, *FLEET)
    await mute(desk, minutes=60)
    await desk.told()
    await desk.passes(61)
    assert await desk.told() == [("chat", "reminder", "all endpoints")]


async def test_who_joins_an_outage_that_somebody_has_in_hand_escalates_nothing(desk: Desk) -> None:
    desk.policy = replace(desk.policy, routes=(CHAT, Route(channel="boss", after_s=900.0)))
    late = [f"late-{each}" for each in range(6)]
    await desk.watch(*FLEET, *late)
    await desk.see(DOWN, *FLEET)
    await desk.acknowledge(FLEET, by="ada")
    await desk.passes(30)
    assert await desk.told() == [("chat", "outage-opened", "all endpoints")]
    await desk.see(DOWN, *late)
    assert await desk.told() == [("chat", "outage-changed", "all endpoints")]


async def test_a_channel_whose_own_endpoints_are_muted_hears_of_no_outage(desk: Desk) -> None:
    desk.policy = replace(desk.policy, routes=(CHAT, Route(channel="pay", labels={"team": "pay"})))
    mine = endpoint("mine", labels={"team": "pay"})
    await endpoints.sync(desk.db, [*(endpoint(name) for name in FLEET), mine])
    await mute(desk, "mine")
    await desk.see(DOWN, "mine", *FLEET)
    await desk.passes(1)
    assert await desk.told() == [("chat", "outage-opened", "all endpoints")]


async def test_what_recovers_already_when_the_mute_ends_is_told_to_nobody(desk: Desk) -> None:
    desk.policy = replace(desk.policy, rules=Rules(fail_after=1, recover_after=3, flaky=None))
    await desk.watch("shop")
    await mute(desk, "shop", minutes=10)
    await desk.see(DOWN, "shop")
    await desk.passes(9)
    for _ in range(3):
        await desk.see(UP, "shop")
        await desk.passes(1)
    assert await desk.told() == []
    assert (await desk.incident("shop")).ended_at is not None


async def test_what_fails_again_instead_is_told(desk: Desk) -> None:
    desk.policy = replace(desk.policy, rules=Rules(fail_after=1, recover_after=3, flaky=None))
    await desk.watch("shop")
    await mute(desk, "shop", minutes=10)
    await desk.see(DOWN, "shop")
    await desk.see(UP, "shop")
    await desk.passes(11)
    assert (await desk.incident("shop")).muted == "its newest probe found nothing wrong"
    await desk.see(DOWN, "shop")
    await desk.passes(1)
    assert await desk.told() == [("chat", "opened", "shop")]


async def test_nobody_is_reminded_of_what_recovers(desk: Desk) -> None:
    desk.policy = replace(
        desk.policy,
        rules=Rules(fail_after=1, recover_after=3, flaky=None),
        routes=(replace(CHAT, remind_every_s=600.0), Route(channel="boss", after_s=600.0)),
    )
    await desk.watch("shop")
    await desk.see(DOWN, "shop")
    await desk.see(UP, "shop")
    await desk.passes(11)
    assert await desk.told() == [("chat", "opened", "shop")]
    await desk.see(UP, "shop")
    await desk.see(UP, "shop")
    assert await desk.told() == [("chat", "closed", "shop")]


async def test_a_child_is_not_told_by_what_was_seen_of_it_before_its_parent_was_well(desk: Desk) -> None:
    await desk.watch("gateway", "shop", shop=EndpointOptions(depends_on=("gateway",)))
    await desk.see(DOWN, "gateway", "shop")
    await desk.passes(10)
    await desk.see(UP, "gateway")
    await desk.passes(50)
    assert [each for each in await desk.told() if "shop" in each] == []
    await desk.see(DOWN, "shop")
    await desk.passes(1)
    assert await desk.told() == [("chat", "opened", "shop")]


async def test_what_is_stored_of_one_incident_and_cannot_be_read_keeps_no_other_from_being_told(desk: Desk) -> None:
    desk.policy = replace(desk.policy, routes=(Route(channel="boss", after_s=900.0),))
    await desk.watch("find", "shop")
    await desk.see(DOWN, "find", "shop")
    odd = """update incident set telling = '{"told": 7}' where endpoint_id = :id"""
    await desk.store.sql(odd, id=endpoint_id("find"))
    await desk.passes(16)
    assert await desk.told() == [("boss", "escalated", "shop")]
    await desk.passes(16)
    assert await desk.told() == [("boss", "escalated", "find")]


async def test_incidents_are_locked_in_one_order_by_whoever_decides_about_several(desk: Desk) -> None:
    await desk.watch(*FLEET)
    await desk.see(DOWN, *FLEET)
    first, *others = sorted(FLEET, key=endpoint_id)
    one = "select 1 from incident join endpoint on endpoint.id = endpoint_id where name = :name for update of incident"
    async with desk.db.connect() as recorder, desk.db.connect() as observer:
        await recorder.execute(text(one), {"name": first})
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(desk.acknowledge(FLEET, by="ada"))
            await waits_for_a_lock(observer)
            for each in others:
                assert (await observer.execute(text(f"{one} skip locked"), {"name": each})).first() is not None, each
            await observer.rollback()
            await recorder.rollback()
    assert all([(await desk.incident(each)).acknowledged_by == "ada" for each in FLEET])


async def test_incidents_of_one_batch_are_locked_in_that_order_whether_there_is_news_of_them_or_not(desk: Desk) -> None:
    first, second = sorted(["shop", "find"], key=endpoint_id)
    await desk.watch(first, second)
    for cause in ("not-mcp", "function-crash"):
        await desk.see(DOWN, first, second, cause=cause)
        await desk.passes(1)
    desk.probes += 1
    seen = [desk.seen(first, DOWN, "not-mcp"), desk.seen(second, UP, "")]
    batch = [
        Observed(endpoint_id=endpoint_id(name), seen=each) for name, each in zip((first, second), seen, strict=True)
    ]

    async def save() -> list[str]:
        async with desk.db.begin() as connection:
            changes = await incidents.record(connection, batch, desk.policy, desk.now)
        return [each.endpoint for each in changes]

    one = "select 1 from incident join endpoint on endpoint.id = endpoint_id where name = :name for update of incident"
    async with desk.db.connect() as decider, desk.db.connect() as observer:
        await decider.execute(text(one), {"name": first})
        async with asyncio.TaskGroup() as tasks:
            saving = tasks.create_task(save())
            await waits_for_a_lock(observer)
            free = (await observer.execute(text(f"{one} skip locked"), {"name": second})).first()
            await observer.rollback()
            await decider.rollback()
    assert saving.result() == [second], "of the first there is no news"
    assert free is not None
    assert (await desk.incident(first)).cause == "not-mcp"


async def waits_for_a_lock(connection: AsyncConnection) -> None:
    waiting = text("select count(*) from pg_locks where not granted and pid <> pg_backend_pid()")
    async with asyncio.timeout(10):
        while not await connection.scalar(waiting):  # noqa: ASYNC110 - the server tells nobody who waits
            await asyncio.sleep(0.01)
