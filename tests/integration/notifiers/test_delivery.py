"""From the outbox to the channels: nothing lost, nothing out of order, nobody delayed by somebody else."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Endpoint, Verdict
from prober.incidents.lifecycle import IncidentState, Seen, step
from prober.incidents.rules import Rules
from prober.incidents.wording import Notice
from prober.notifiers.contract import ChannelSettings, NotifyError
from prober.notifiers.delivery import LEASE_S, LONGEST_DELAY_S, Channel, deliver_once, keep_delivering
from prober.storage import endpoints
from prober.storage.database import open_engine
from prober.storage.identity import endpoint_id
from prober.storage.incidents import save_step

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class Stage:
    """A channel under test: what it took, and what it does instead, one entry per try."""

    took: list[Notice] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    held: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    tries: int = 0
    kind: ClassVar[str] = "stage"
    settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    @classmethod
    def build(cls, settings: Any, tools: Any) -> "Stage":
        raise AssertionError("made by hand")

    async def send(self, notice: Notice) -> None:
        self.tries += 1
        self.begun.set()
        if self.held:
            await self.held.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.took.append(notice)
        self.arrived.set()

    @property
    def titles(self) -> list[str]:
        return [notice.title for notice in self.took]


class HandClock:
    """Moves when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return START

    def monotonic(self) -> float:
        return self.seconds


BUSY = NotifyError("come back later", permanent=False)


async def tell(db: AsyncEngine, name: str, *verdicts: Verdict, channels: tuple[str, ...]) -> None:
    """Let every change of verdict open or close an incident, and so put a notice into the outbox."""
    state, rules = IncidentState(), Rules(fail_after=1, recover_after=1)
    for number, verdict in enumerate(verdicts):
        at = START + timedelta(minutes=number)
        seen = Seen(verdict=verdict, cause_id="not-mcp", cause_summary="", fix="", report_id=uuid4(), at=at)
        state, transitions = step(state, seen, rules, at)
        async with db.begin() as connection:
            await save_step(connection, endpoint_id(name), name, state, transitions, channels=channels)


async def watch(db: AsyncEngine, *names: str) -> None:
    await endpoints.sync(db, [Endpoint(name=name, url="https://example.com/mcp") for name in names])


async def time_passes(db: AsyncEngine, seconds: float) -> None:
    """The outbox counts by the database's clock: instead of waiting, everything in it becomes that much older."""
    async with db.begin() as connection:
        await connection.execute(
            text(
                "update notice set next_attempt_at = next_attempt_at - make_interval(secs => :s),"
                " lease_until = lease_until - make_interval(secs => :s)"
            ),
            {"s": seconds},
        )


async def marks(db: AsyncEngine) -> list[tuple[bool, bool, int, str | None]]:
    """Of every notice, oldest first: sent, failed, attempts, last error."""
    async with db.connect() as connection:
        rows = await connection.execute(
            text("select sent_at is not null, failed_at is not null, attempts, last_error from notice order by number")
        )
        return [tuple(row) for row in rows]


async def test_every_channel_gets_every_notice_once(db: AsyncEngine) -> None:
    await watch(db, "orders")
    await tell(db, "orders", Verdict.DOWN, Verdict.UP, channels=("a", "b"))
    a, b = Stage(), Stage()
    channels = [Channel("a", a), Channel("b", b)]
    delivered = [await deliver_once(db, channels, worker="w1", clock=HandClock()) for _ in range(3)]
    assert delivered == [2, 2, 0]
    assert a.titles == b.titles == ["orders is down", "orders is up again after 1 min"]
    assert [each[:2] for each in await marks(db)] == [(True, False)] * 4
    assert a.took[0].id == b.took[0].id, "one notice has one id on every channel"


async def test_an_end_waits_behind_its_beginning(db: AsyncEngine) -> None:
    await watch(db, "orders")
    await tell(db, "orders", Verdict.DOWN, Verdict.UP, channels=("a",))
    stage, clock = Stage(failures=[BUSY, BUSY]), HandClock()
    channel = Channel("a", stage)
    waits = []
    while len(stage.took) < 2:
        await deliver_once(db, [channel], worker="w1", clock=clock)
        waits.append(channel.resting_until - clock.seconds)
        await deliver_once(db, [Channel("a", stage)], worker="w2", clock=clock)
        await time_passes(db, 10)
        clock.seconds += 10
    assert stage.titles == ["orders is down", "orders is up again after 1 min"]
    assert waits[:2] == [5, 10], "each failure doubles the wait"


async def test_a_channel_that_asks_for_patience_is_tried_once_in_that_time(db: AsyncEngine) -> None:
    await watch(db, "orders", "billing", "search")
    for name in ("orders", "billing", "search"):
        await tell(db, name, Verdict.DOWN, channels=("a", "b"))
    patience = NotifyError("HTTP 429", permanent=False, retry_after_s=30.0)
    busy, healthy, clock = Stage(failures=[patience]), Stage(), HandClock()
    channels = [Channel("a", busy), Channel("b", healthy)]
    for _ in range(3):
        await deliver_once(db, channels, worker="w1", clock=clock)
        clock.seconds += 9
        await time_passes(db, 9)
    assert busy.tries == 1
    assert len(healthy.took) == 3
    clock.seconds += 5
    await time_passes(db, 5)
    await deliver_once(db, channels, worker="w1", clock=clock)
    assert sorted(busy.titles) == ["billing is down", "orders is down", "search is down"]


async def test_what_is_refused_for_good_is_marked_and_blocks_nothing(
    db: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    await watch(db, "orders")
    await tell(db, "orders", Verdict.DOWN, Verdict.UP, channels=("a",))
    stage = Stage(failures=[NotifyError("HTTP 400: no_text", permanent=True)])
    for _ in range(3):
        await deliver_once(db, [Channel("a", stage)], worker="w1", clock=HandClock())
    assert await marks(db) == [(False, True, 1, "HTTP 400: no_text"), (True, False, 1, None)]
    assert "refused notice" in caplog.text


async def test_a_channel_that_a_person_has_to_mend_is_asked_rarely_logged_once_and_gets_its_notices_in_the_end(
    db: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    await watch(db, "orders")
    await tell(db, "orders", Verdict.DOWN, Verdict.UP, channels=("a",))
    gone, forbidden = (NotifyError(reason, permanent=False, needs_mending=True) for reason in ("gone", "forbidden"))
    stage, clock = Stage(failures=[gone, gone, gone, forbidden, BUSY]), HandClock()
    channel = Channel("a", stage)
    waits = []
    while len(stage.took) < 2:
        await deliver_once(db, [channel], worker="w1", clock=clock)
        waits.append(channel.resting_until - clock.seconds)
        clock.seconds += LONGEST_DELAY_S
        await time_passes(db, LONGEST_DELAY_S)
    assert waits[:4] == [LONGEST_DELAY_S] * 4
    assert stage.titles == ["orders is down", "orders is up again after 1 min"]
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 2
    assert all("channel a" in each and reason in each for each, reason in zip(said, ("gone", "forbidden"), strict=True))


async def test_a_channel_that_was_mended_and_breaks_again_is_logged_again(
    db: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    await watch(db, "orders", "billing")
    stage, clock = Stage(), HandClock()
    channel = Channel("a", stage)
    for name in ("orders", "billing"):
        await tell(db, name, Verdict.DOWN, channels=("a",))
        stage.failures.append(NotifyError("gone", permanent=False, needs_mending=True))
        for _ in range(2):
            await deliver_once(db, [channel], worker="w1", clock=clock)
            clock.seconds += LONGEST_DELAY_S
            await time_passes(db, LONGEST_DELAY_S)
    assert stage.titles == ["orders is down", "billing is down"]
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 2


async def test_a_sender_that_dies_before_it_marks_leads_to_the_same_notice_again(db: AsyncEngine) -> None:
    await watch(db, "orders")
    await tell(db, "orders", Verdict.DOWN, channels=("a",))
    stage = Stage(held=asyncio.Event())
    sender = asyncio.create_task(deliver_once(db, [Channel("a", stage)], worker="w1", clock=HandClock()))
    await stage.begun.wait()
    sender.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sender
    stage.held = None
    assert await deliver_once(db, [Channel("a", stage)], worker="w2", clock=HandClock()) == 0, "the lease still holds"
    await time_passes(db, LEASE_S + 1)
    assert await deliver_once(db, [Channel("a", stage)], worker="w2", clock=HandClock()) == 1
    assert stage.tries == 2


async def test_two_senders_share_the_work_without_a_duplicate(db: AsyncEngine) -> None:
    names = [f"endpoint-{number}" for number in range(20)]
    await watch(db, *names)
    for name in names:
        await tell(db, name, Verdict.DOWN, channels=("a",))
    stage = Stage()
    while len(stage.took) < len(names):
        await asyncio.gather(
            *(deliver_once(db, [Channel("a", stage)], worker=worker, clock=HandClock()) for worker in ("w1", "w2"))
        )
    assert sorted(notice.endpoint for notice in stage.took) == sorted(names)


async def test_a_bug_in_a_channel_is_logged_without_its_text_and_loses_nothing(
    db: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    await watch(db, "orders")
    await tell(db, "orders", Verdict.DOWN, channels=("a",))
    stage = Stage(failures=[KeyError("s3cr3t")])
    await deliver_once(db, [Channel("a", stage)], worker="w1", clock=HandClock())
    await time_passes(db, 6)
    assert await deliver_once(db, [Channel("a", stage)], worker="w1", clock=HandClock()) == 1
    assert "KeyError: please report this" in caplog.text
    assert "s3cr3t" not in caplog.text


async def test_a_channel_that_hangs_delays_no_other_and_stopping_lets_it_end(db: AsyncEngine) -> None:
    await watch(db, "orders")
    await tell(db, "orders", Verdict.DOWN, channels=("hangs", "works"))
    hanging, working, stop = Stage(held=asyncio.Event()), Stage(), asyncio.Event()
    loop = asyncio.create_task(
        keep_delivering(
            db, [Channel("hangs", hanging), Channel("works", working)], worker="w1", clock=HandClock(), stop=stop
        )
    )
    async with asyncio.timeout(5):
        await working.arrived.wait()
        stop.set()
        assert hanging.held is not None
        hanging.held.set()
        await loop
    assert hanging.titles == ["orders is down"]


async def test_a_send_without_an_answer_ends_and_is_tried_again(db: AsyncEngine) -> None:
    await watch(db, "orders")
    await tell(db, "orders", Verdict.DOWN, channels=("a",))
    silent = Channel("a", Stage(held=asyncio.Event()))
    assert await deliver_once(db, [silent], worker="w1", clock=HandClock(), send_timeout_s=0.01) == 0
    ((is_sent, is_failed, _, error),) = await marks(db)
    assert (is_sent, is_failed) == (False, False)
    assert error == "no answer within 0.01 s"


async def test_a_database_that_is_away_is_waited_for() -> None:
    db, stop = open_engine("postgresql://nobody@127.0.0.1:9/none"), asyncio.Event()

    class StopAtSecond(logging.Handler):
        seen = 0

        def emit(self, record: logging.LogRecord) -> None:
            self.seen += "wait for the database" in record.getMessage()
            if self.seen == 2:
                stop.set()

    handler, logger = StopAtSecond(), logging.getLogger("prober.notifiers.delivery")
    logger.addHandler(handler)
    try:
        async with asyncio.timeout(10):
            await keep_delivering(db, [Channel("a", Stage())], worker="w1", clock=HandClock(), stop=stop, poll_s=0.001)
    finally:
        logger.removeHandler(handler)
        await db.dispose()
    assert handler.seen == 2
