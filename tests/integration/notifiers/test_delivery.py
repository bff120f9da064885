"""From the outbox to the channels: nothing lost, nothing out of order, nobody delayed by somebody else."""

import asyncio
import logging
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.clock import SystemClock
from prober.incidents.notice import NoticeKind
from prober.notifiers.contract import NotifyError
from prober.notifiers.delivery import Channel, Pace, Sender, keep_delivering
from prober.storage import channels, outbox
from prober.storage.channels import ChannelSpec, ChannelState
from prober.storage.database import open_engine
from prober.vitals import Vitals
from tests.integration.notifiers.stage import BUSY, GONE, UNFIT, Stage, Stages, notice, rehearse, staged, tell, watch

OPENED, WORSENED, CLOSED, REMINDER = NoticeKind.OPENED, NoticeKind.WORSENED, NoticeKind.CLOSED, NoticeKind.REMINDER
QUICK = Pace(send_timeout=0.2, lease=0.3, poll=0.02)


@pytest.fixture
async def a(db: AsyncEngine) -> Stages:
    """One channel."""
    return await staged(db, "a")


@pytest.fixture
async def ab(db: AsyncEngine) -> Stages:
    return await staged(db, "a", "b")


async def test_every_channel_gets_every_notice_once(ab: Stages) -> None:
    await tell(ab.db, OPENED, to=("a", "b"))
    await ab.work()
    assert ab.stages["a"].titles == ab.stages["b"].titles == ["orders opened"]
    assert ab.stages["a"].took[0].id == ab.stages["b"].took[0].id, "one notice has one id on every channel"
    assert not await ab.turn("a")
    assert (await ab.row("a")).state is ChannelState.WORKS
    assert ab.vitals.counters["outbox_attempts", "stage sent"] == 2


async def test_a_notice_that_is_written_twice_goes_out_once(a: Stages) -> None:
    thread = await tell(a.db, OPENED, to="a")
    await tell(a.db, OPENED, to="a", thread=thread)
    await a.work()
    await tell(a.db, OPENED, to="a", thread=thread)
    await a.work()
    assert a.stages["a"].titles == ["orders opened"]


async def test_a_notice_is_held_from_when_it_is_written_however_long_its_transaction_lasts(a: Stages) -> None:
    async with a.db.begin() as connection:
        await connection.execute(text("select pg_sleep(0.2)"))
        await outbox.put(connection, notice(uuid4(), OPENED), channel="a", held_s=2.0)
        held = await connection.scalar(text("select next_attempt_at - now() from notice"))
    assert held >= timedelta(seconds=2.2)


async def test_of_a_thread_that_waits_only_the_newest_goes_out_and_the_others_name_it(a: Stages) -> None:
    stage = a.stages["a"]
    stage.failures = [BUSY, BUSY]
    thread = await tell(a.db, OPENED, to="a")
    await a.turn("a")
    await a.time_passes(60)
    await tell(a.db, WORSENED, to="a", thread=thread)
    await a.turn("a")
    await a.time_passes(60)
    await tell(a.db, REMINDER, CLOSED, to="a", thread=thread)
    await a.work()
    assert stage.titles == ["orders closed"], "an incident that ended before anybody was told is one message"
    rows = await a.sql(
        "select before.payload ->> 'kind', after.payload ->> 'kind'"
        " from notice before left join notice after on after.id = before.superseded_by order by before.number"
    )
    assert [tuple(row) for row in rows] == [
        ("opened", "worsened"),
        ("worsened", "closed"),
        ("reminder", "closed"),
        ("closed", None),
    ]


async def test_a_later_incident_of_an_endpoint_waits_behind_the_end_of_the_one_before(a: Stages) -> None:
    await watch(a.db, "orders", "billing")
    stage = a.stages["a"]
    first = await tell(a.db, OPENED, to="a", watched=True)
    await a.work()
    stage.failures = [BUSY]
    await tell(a.db, CLOSED, to="a", thread=first, watched=True)
    await a.turn("a")
    await tell(a.db, OPENED, to="a", watched=True)
    await tell(a.db, OPENED, to="a", about="billing", watched=True)
    await a.sql("update channel set resting_until = null")
    await a.work()
    assert stage.titles == ["orders opened", "billing opened"], "others do not wait for the notice that failed"
    await a.time_passes(60)
    await a.work()
    assert stage.titles == ["orders opened", "billing opened", "orders closed", "orders opened"]


async def test_waits_double_up_to_less_than_a_minute_and_begin_anew_after_a_success(a: Stages) -> None:
    stage = a.stages["a"]
    stage.failures = [BUSY] * 8
    await tell(a.db, OPENED, to="a")
    waits = []
    while not stage.took:
        await a.turn("a")
        waits.append(await a.rest_of("a"))
        assert not await a.turn("a", worker="w2"), "the channel rests for every worker"
        await a.time_passes(waits[-1])
    assert waits == [2, 4, 8, 16, 32, 45, 45, 45, 0]
    assert await a.attempts() == [*[("a", "failed", "come back later")] * 8, ("a", "sent", "")]
    row = await a.row("a")
    assert (row.failing_since, row.last_error, row.state) == (None, None, ChannelState.WORKS)


async def test_an_incident_that_came_and_went_while_a_channel_was_away_is_one_message_within_a_minute_of_its_return(
    a: Stages,
) -> None:
    stage = a.stages["a"]
    stage.fails = NotifyError("HTTP 500", permanent=False)
    thread = await tell(a.db, OPENED, to="a")
    for minute in range(30):
        if minute == 15:
            await tell(a.db, CLOSED, to="a", thread=thread)
        for _ in range(4):
            await a.turn("a")
            await a.time_passes(15)
    stage.fails, waited = None, 0
    while not stage.took:
        await a.time_passes(5)
        waited += 5
        await a.turn("a")
    assert waited <= 45
    assert stage.titles == ["orders closed"]
    assert stage.tries < 60, "it was not hammered meanwhile"
    assert not await a.turn("a")


async def test_a_channel_that_asks_for_patience_is_tried_once_in_that_time_by_all_workers(ab: Stages) -> None:
    for name in ("orders", "billing", "search"):
        await tell(ab.db, OPENED, to=("a", "b"), about=name)
    busy, healthy = ab.stages["a"], ab.stages["b"]
    busy.failures = [NotifyError("HTTP 429", permanent=False, retry_after_s=30.0)]
    for _ in range(3):
        await asyncio.gather(*(ab.turn(name, worker) for name in ("a", "b") for worker in ("w1", "w2")))
        await ab.time_passes(9)
    assert busy.tries == 1
    assert len(healthy.took) == 3
    await rehearse(ab.db, "a")
    assert not await ab.turn("a"), "not even for a test"
    await ab.time_passes(5)
    await ab.work("a")
    assert sorted(busy.titles) == ["Test of the channel a", "billing opened", "orders opened", "search opened"]


async def test_one_notice_that_always_fails_holds_up_no_other(a: Stages) -> None:
    poison = await tell(a.db, OPENED, to="a", about="poison")
    names = [f"endpoint-{number}" for number in range(4)]
    for name in names:
        await tell(a.db, OPENED, to="a", about=name)
    stage = a.stages["a"]

    async def send(notice: object, take: object = stage.send) -> None:
        if getattr(notice, "thread", None) == poison:
            raise BUSY
        await take(notice)  # type: ignore[operator] # the stage's own

    stage.send = send  # type: ignore[assignment, method-assign] # a channel that fails by content without saying so
    for _ in range(8):
        await a.work()
        await a.time_passes(2)
    assert stage.titles == [f"{name} opened" for name in names]


async def test_what_is_refused_for_good_is_marked_and_blocks_nothing(
    a: Stages, caplog: pytest.LogCaptureFixture
) -> None:
    await tell(a.db, OPENED, to="a")
    await tell(a.db, OPENED, to="a", about="billing")
    a.stages["a"].failures = [UNFIT]
    await a.work()
    assert a.stages["a"].titles == ["billing opened"]
    assert await a.attempts() == [("a", "refused", "HTTP 400: no_text"), ("a", "sent", "")]
    assert "refused notice" in caplog.text
    assert (await a.row("a")).refused == 1


async def test_a_channel_without_a_fallback_that_a_person_has_to_mend_is_asked_every_five_minutes_and_logged_once(
    a: Stages, caplog: pytest.LogCaptureFixture
) -> None:
    stage, channel, sender = a.stages["a"], a.channel("a"), a.sender()
    stage.failures = [GONE, GONE, GONE, BUSY]
    thread = await tell(a.db, OPENED, to="a")
    await tell(a.db, OPENED, to="a", about="billing")
    waits = []
    for _ in range(3):
        assert await sender.turn(channel)
        assert not await sender.turn(channel)
        waits.append(await a.rest_of("a"))
        assert (await a.row("a")).state is ChannelState.BROKEN
        await a.time_passes(300)
    assert waits == [300, 300, 300]
    assert await sender.turn(channel)
    assert (await a.row("a")).state is ChannelState.BROKEN, "nobody knows until it takes one"
    await tell(a.db, CLOSED, to="a", thread=thread)
    await a.time_passes(60)
    while await sender.turn(channel):
        pass
    assert sorted(stage.titles) == ["billing opened", "orders closed"]
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 1
    assert "until it is mended" in said[0]
    assert "channel a takes notices again" in caplog.text


async def test_a_test_notice_is_tried_at_once_and_only_once(a: Stages) -> None:
    stage = a.stages["a"]
    stage.failures = [GONE, GONE]
    await tell(a.db, OPENED, to="a")
    await a.turn("a")
    first = await rehearse(a.db, "a")
    await a.turn("a")
    fate = await channels.fate(a.db, first)
    assert fate is not None
    assert (fate.attempts, fate.sent_at, fate.last_error) == (1, None, "HTTP 404: no_service")
    assert fate.failed_at is not None
    second = await rehearse(a.db, "a")
    await a.turn("a")
    fate = await channels.fate(a.db, second)
    assert fate is not None
    assert fate.sent_at is not None
    await a.time_passes(60)
    await a.work()
    assert stage.titles == ["Test of the channel a", "orders opened"], "the test showed that it is mended"


async def test_a_test_that_nobody_sends_is_taken_back(a: Stages) -> None:
    early, late = [await rehearse(a.db, "a") for _ in range(2)]
    assert await outbox.withdraw(a.db, early)
    assert not await outbox.withdraw(a.db, early)
    await a.sql("update notice set created_at = now() - interval '11 min'")
    await outbox.tidy(a.db)
    fate = await channels.fate(a.db, late)
    assert fate is not None
    assert fate.failed_at is not None
    assert not await a.turn("a")
    with pytest.raises(channels.NoSuchChannel, match="pigeon"):
        await rehearse(a.db, "pigeon")


async def test_notices_of_a_channel_that_was_taken_out_end_with_a_word(ab: Stages) -> None:
    await tell(ab.db, OPENED, to=("a", "b", "never-known"))
    await channels.register(ab.db, [ChannelSpec(name="b", kind="stage")], owns=False)
    assert len(await channels.overview(ab.db)) == 2, "only the owner of the configuration takes channels out"
    await channels.register(ab.db, [ChannelSpec(name="b", kind="stage")], owns=True)
    await tell(ab.db, OPENED, to="a", about="late")
    await ab.sender().tidy()
    await ab.work()
    assert ab.stages["a"].titles == []
    assert ab.stages["b"].titles == ["orders opened"]
    rows = await ab.sql("select channel, last_error from notice where failed_at is not null order by channel")
    assert [tuple(row) for row in rows] == [
        ("a", channels.TAKEN_OUT),
        ("a", channels.TAKEN_OUT),
        ("never-known", channels.TAKEN_OUT),
    ]
    await channels.register(ab.db, [ChannelSpec(name=name, kind="stage") for name in "ab"], owns=True)
    await tell(ab.db, OPENED, to="a", about="search")
    await ab.work()
    assert ab.stages["a"].titles == ["search opened"], "a channel that is back takes notices again"


async def test_a_sender_that_dies_before_it_marks_leads_to_the_same_notice_again(a: Stages) -> None:
    await tell(a.db, OPENED, to="a")
    stage = a.stages["a"]
    stage.held = asyncio.Event()
    sender = asyncio.create_task(a.turn("a"))
    await stage.begun.wait()
    sender.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sender
    stage.held = None
    assert not await a.turn("a", worker="w2"), "the lease still holds"
    await a.time_passes(Pace().lease + 1)
    assert await a.turn("a", worker="w2")
    assert stage.tries == 2
    assert [outcome for _, outcome, _ in await a.attempts()] == ["lost", "sent"]


async def test_a_sender_that_lives_keeps_its_lease_for_as_long_as_it_sends(a: Stages) -> None:
    await tell(a.db, OPENED, to="a")
    stage = a.stages["a"]
    stage.held = asyncio.Event()
    pace = Pace(send_timeout=20, lease=1.0)
    sender = asyncio.create_task(a.turn("a", pace=pace))
    await stage.begun.wait()
    for _ in range(6):
        await asyncio.sleep(0.25)
        assert not await a.turn("a", worker="w2", pace=pace)
    stage.held.set()
    assert await sender
    assert stage.tries == 1


async def test_a_sender_that_was_taken_over_stops_sending_and_decides_nothing(a: Stages) -> None:
    thread = await tell(a.db, OPENED, to="a")
    stage = a.stages["a"]
    stage.held = asyncio.Event()
    late = asyncio.create_task(a.turn("a", pace=Pace(send_timeout=5, lease=0.3)))
    await stage.begun.wait()
    await a.time_passes(10)
    await tell(a.db, CLOSED, to="a", thread=thread)
    quick = Stage()
    assert await a.sender("w2").turn(Channel("a", quick))
    assert quick.titles == ["orders closed"]
    async with asyncio.timeout(20):
        assert await late
    assert stage.titles == []
    row = await a.row("a")
    assert (row.state, row.last_error) == (ChannelState.WORKS, None), "what came too late is no failure of the channel"


async def test_two_workers_share_the_work_without_a_duplicate(a: Stages) -> None:
    names = [f"endpoint-{number}" for number in range(20)]
    for name in names:
        await tell(a.db, OPENED, to="a", about=name)
    while len(a.stages["a"].took) < len(names):
        await asyncio.gather(*(a.turn("a", worker) for worker in ("w1", "w2")))
    assert a.stages["a"].titles == [f"{name} opened" for name in names], "and in order"


@pytest.mark.parametrize("failure", [OperationalError, InternalError], ids=["away", "a standby, which is read-only"])
async def test_what_was_sent_is_marked_even_when_the_database_was_away_just_then(
    a: Stages, failure: type[DBAPIError]
) -> None:
    await tell(a.db, OPENED, to="a")
    failures = 2

    def away(_c: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal failures
        if failures and statement.startswith("INSERT INTO attempt"):
            failures -= 1
            raise failure(statement, {}, Exception("the server closed the connection"))

    event.listen(a.db.sync_engine, "before_cursor_execute", away)
    try:
        assert await a.turn("a")
    finally:
        event.remove(a.db.sync_engine, "before_cursor_execute", away)
    assert failures == 0
    await a.time_passes(60)
    assert not await a.turn("a")
    assert a.stages["a"].tries == 1


async def test_a_bug_in_a_channel_is_logged_without_its_text_and_loses_nothing(
    a: Stages, caplog: pytest.LogCaptureFixture
) -> None:
    await tell(a.db, OPENED, to="a")
    a.stages["a"].failures = [KeyError("s3cr3t")]
    await a.turn("a")
    await a.time_passes(6)
    await a.turn("a")
    assert a.stages["a"].titles == ["orders opened"]
    assert "KeyError: please report this" in caplog.text
    assert "s3cr3t" not in caplog.text


async def test_a_channel_that_hangs_delays_no_other_and_stopping_lets_it_end(ab: Stages) -> None:
    await tell(ab.db, OPENED, to=("a", "b"))
    hanging, working, stop = ab.stages["a"], ab.stages["b"], asyncio.Event()
    hanging.held = asyncio.Event()
    loop = asyncio.create_task(keep_delivering(ab.sender(), [ab.channel("a"), ab.channel("b")], stop))
    async with asyncio.timeout(20):
        await working.arrived.wait()
        stop.set()
        hanging.held.set()
        await loop
    assert hanging.titles == ["orders opened"]
    assert ab.vitals.last("outbox") is not None


async def test_a_new_notice_wakes_its_channel(a: Stages) -> None:
    stop = asyncio.Event()
    sender = a.sender(pace=Pace(poll=60.0))
    loop = asyncio.create_task(keep_delivering(sender, [a.channel("a")], stop))
    async with asyncio.timeout(20):
        for number in range(3):
            await tell(a.db, OPENED, to="a", about=f"endpoint-{number}")
            await a.stages["a"].arrived.wait()
            a.stages["a"].arrived.clear()
        stop.set()
        await loop


async def test_polling_finds_what_nobody_announces(a: Stages) -> None:
    stop = asyncio.Event()
    loop = asyncio.create_task(keep_delivering(a.sender(pace=QUICK), [a.channel("a")], stop))
    async with asyncio.timeout(20):
        await tell(a.db, OPENED, to="a")
        await a.stages["a"].arrived.wait()
        a.stages["a"].failures = [BUSY]
        a.stages["a"].arrived.clear()
        await tell(a.db, OPENED, to="a", about="billing")
        while [outcome for _, outcome, _ in await a.attempts()][-1:] != ["failed"]:  # noqa: ASYNC110 - a row, no event
            await asyncio.sleep(0.01)
        await a.time_passes(60)
        await a.stages["a"].arrived.wait()
        stop.set()
        await loop


async def test_a_send_without_an_answer_ends_and_is_tried_again(a: Stages) -> None:
    await tell(a.db, OPENED, to="a")
    a.stages["a"].held = asyncio.Event()
    await a.turn("a", pace=Pace(send_timeout=0.01))
    assert await a.attempts() == [("a", "failed", "no answer within 0.01 s")]
    assert (await a.row("a")).waiting == 1


async def test_the_backlog_is_known(a: Stages) -> None:
    await tell(a.db, OPENED, to="a")
    await a.sql("update notice set created_at = created_at - interval '90 s'")
    await a.sender().tidy()
    assert a.vitals.gauges["outbox_waiting"] == 1
    assert 89 < a.vitals.gauges["outbox_oldest"] < 100
    assert a.vitals.last("outbox") is None, "the delivery does not do its work"
    await a.work()
    await a.sender().tidy()
    assert a.vitals.gauges["outbox_oldest"] == 0
    assert a.vitals.last("outbox") is not None


async def test_a_notice_that_this_release_cannot_read_is_given_up_and_holds_up_no_other(a: Stages) -> None:
    await tell(a.db, OPENED, to="a")
    await a.sql("""update notice set payload = '{"title": "of another release"}'""")
    await tell(a.db, OPENED, to="a", about="billing")
    await a.work()
    assert a.stages["a"].titles == ["billing opened"]
    ((error,),) = await a.sql("select last_error from notice where failed_at is not null")
    assert "cannot read" in error


async def test_a_database_that_is_away_is_waited_for_and_mentioned_once(caplog: pytest.LogCaptureFixture) -> None:
    db, stop = open_engine("postgresql://nobody@127.0.0.1:9/none"), asyncio.Event()
    sender = Sender(db, worker="w1", clock=SystemClock(), vitals=Vitals(), pace=Pace(poll=0.001))
    tries = 0
    turn = sender.turn

    async def counted(channel: Channel) -> bool:
        nonlocal tries
        tries += 1
        if tries == 4:
            stop.set()
        return await turn(channel)

    sender.turn = counted  # type: ignore[method-assign] # the same, counted
    async with asyncio.timeout(20):
        await keep_delivering(sender, [Channel("a", Stage())], stop)
    await db.dispose()
    assert caplog.text.count("wait for the database") == 1
