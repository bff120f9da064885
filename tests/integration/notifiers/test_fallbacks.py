"""What one channel cannot tell, another tells: promptly, once, in order, and never in a circle."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.incidents.notice import NoticeKind
from prober.storage.channels import ChannelState
from tests.integration.notifiers.stage import BUSY, GONE, UNFIT, Stages, staged, tell, watch

OPENED, CLOSED = NoticeKind.OPENED, NoticeKind.CLOSED


@pytest.fixture
async def ab(db: AsyncEngine) -> Stages:
    """b takes over what a cannot tell."""
    return await staged(db, "a", "b", a="b")


async def handed(stages: Stages) -> list[tuple[str, str, str | None, bool]]:
    """Channel, kind, who took it over, and whether it was sent, of every notice in the order of writing."""
    rows = await stages.sql(
        "select channel, payload ->> 'kind', handed_to, sent_at is not null from notice order by number"
    )
    return [tuple(row) for row in rows]


async def test_what_waits_for_a_broken_channel_goes_out_on_its_fallback_at_once_and_in_order(ab: Stages) -> None:
    await watch(ab.db, "orders")
    ab.stages["a"].fails = GONE
    thread = await tell(ab.db, OPENED, to="a", watched=True)
    await tell(ab.db, OPENED, to="a", about="billing")
    await ab.work()
    assert ab.stages["a"].tries == 1
    assert ab.stages["b"].titles == ["orders opened", "billing opened"]
    await tell(ab.db, CLOSED, to="a", thread=thread, watched=True)
    await ab.work()
    assert ab.stages["a"].tries == 1, "it is left alone until its next try"
    assert ab.stages["b"].titles == ["orders opened", "billing opened", "orders closed"]
    assert [row[:3] for row in await handed(ab) if row[0] == "a"] == [
        ("a", "opened", "b"),
        ("a", "opened", "b"),
        ("a", "closed", "b"),
    ]
    assert (await ab.row("a")).state is ChannelState.BROKEN
    await ab.sender().tidy()
    assert ab.vitals.gauges["channels_broken"] == 1


async def test_the_broken_channel_is_tried_with_a_real_notice_every_five_minutes(ab: Stages) -> None:
    ab.stages["a"].failures = [GONE, GONE]
    for number in range(2):
        await tell(ab.db, OPENED, to="a", about=f"endpoint-{number}")
        await ab.work()
        await ab.time_passes(300)
    assert ab.stages["b"].titles == ["endpoint-0 opened", "endpoint-1 opened"]
    await tell(ab.db, OPENED, to="a", about="endpoint-2")
    await ab.work()
    assert ab.stages["a"].titles == ["endpoint-2 opened"]
    assert len(ab.stages["b"].took) == 2
    assert (await ab.row("a")).state is ChannelState.WORKS


async def test_who_heard_of_a_beginning_in_place_of_another_hears_of_the_end(ab: Stages) -> None:
    ab.stages["a"].failures = [GONE]
    thread = await tell(ab.db, OPENED, to="a")
    await ab.work()
    await ab.time_passes(300)
    await tell(ab.db, CLOSED, to="a", thread=thread)
    await ab.work()
    assert ab.stages["a"].titles == ["orders closed"]
    assert ab.stages["b"].titles == ["orders opened", "orders closed"]


async def test_a_channel_that_is_only_busy_keeps_its_notices(ab: Stages) -> None:
    ab.stages["a"].failures = [BUSY]
    await tell(ab.db, OPENED, to="a")
    await ab.work()
    assert ab.stages["b"].titles == []
    assert (await ab.row("a")).waiting == 1


async def test_what_a_channel_refuses_for_its_content_goes_to_the_fallback(ab: Stages) -> None:
    ab.stages["a"].failures = [UNFIT]
    await tell(ab.db, OPENED, to="a")
    await tell(ab.db, OPENED, to="a", about="billing")
    await ab.work()
    assert (ab.stages["a"].titles, ab.stages["b"].titles) == (["billing opened"], ["orders opened"])
    assert (await ab.row("a")).refused == 0


async def test_a_notice_for_both_channels_is_told_once_on_each(ab: Stages) -> None:
    ab.stages["a"].fails = GONE
    await tell(ab.db, OPENED, to=("a", "b"))
    await ab.work()
    assert ab.stages["b"].titles == ["orders opened"]
    assert await handed(ab) == [("a", "opened", "b", False), ("b", "opened", None, True)]


async def test_a_broken_fallback_is_passed_over_for_its_own(db: AsyncEngine) -> None:
    stages = await staged(db, "a", "b", "c", a="b", b="c")
    stages.stages["a"].fails = stages.stages["b"].fails = GONE
    await tell(db, OPENED, to=("a", "b"))
    await stages.work()
    assert stages.stages["c"].titles == ["orders opened"]
    await tell(db, OPENED, to="a", about="billing")
    await stages.work()
    assert stages.stages["c"].titles == ["orders opened", "billing opened"]
    assert stages.stages["b"].tries == 1


async def test_with_every_channel_broken_notices_wait_for_the_first_that_is_mended(ab: Stages) -> None:
    ab.stages["a"].fails = ab.stages["b"].fails = GONE
    await tell(ab.db, OPENED, to="a")
    await tell(ab.db, OPENED, to="b", about="billing")
    await ab.turn("b")
    await ab.work()
    assert [row.waiting for row in (await ab.row("a"), await ab.row("b"))] == [1, 1]
    ab.stages["b"].fails = None
    await ab.time_passes(290)
    await ab.sql("update channel set resting_until = null where name = 'b'")
    await ab.work()
    assert sorted(ab.stages["b"].titles) == ["billing opened", "orders opened"]


async def test_a_circle_of_fallbacks_loses_nothing_and_ends(db: AsyncEngine) -> None:
    """The configuration refuses one; two workers with different files can still write one."""
    stages = await staged(db, "a", "b", a="b", b="a")
    stages.stages["a"].fails = stages.stages["b"].fails = GONE
    await tell(db, OPENED, to="a")
    await stages.work()
    assert sum(stage.tries for stage in stages.stages.values()) == 2
    assert [(await stages.row(name)).waiting for name in "ab"] == [0, 1], "it waits where it was last"
    stages.stages["b"].fails = None
    await stages.time_passes(300)
    await stages.work()
    assert stages.stages["b"].titles == ["orders opened"]


async def test_two_channels_that_refuse_the_same_notice_give_it_up_and_show_it(db: AsyncEngine) -> None:
    stages = await staged(db, "a", "b", a="b")
    stages.stages["a"].fails = stages.stages["b"].fails = UNFIT
    await tell(db, OPENED, to="a")
    await stages.work()
    assert [(await stages.row(name)).refused for name in "ab"] == [0, 1]
