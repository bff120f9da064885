"""The scheduler against a clock that the test moves: an event loop whose time is a variable."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prober.probing.scheduler import CLAIM_AHEAD_S, LONGEST_LAG_S, Scheduler

DATABASE_IS_AHEAD = timedelta(days=400)
"""The clocks have nothing to do with each other."""


@dataclass(frozen=True)
class Slot:
    key: str
    starts_in_s: float
    made_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def slot(self) -> datetime:
        return database_time(self.made_at + self.starts_in_s)

    def following(self) -> "Slot":
        return replace(self, starts_in_s=self.starts_in_s + EVERY_S)


EVERY_S = 60.0


def database_time(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC) + DATABASE_IS_AHEAD


@dataclass(frozen=True)
class Given:
    now: datetime
    claims: tuple[Slot, ...]


@dataclass
class Stage:
    """A scheduler over a list of slots, with a record of what became of each."""

    due: list[Slot]
    capacity: int = 10
    ahead: int = 10
    ran: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    asked_for: list[int] = field(default_factory=list)
    left_out: list[set[Any]] = field(default_factory=list)
    unsaved: set[str] = field(default_factory=set)
    late_s: list[float | None] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def build(self, **changes: Any) -> Scheduler[Slot]:
        parts = {"claim": self._claim, "run": self._run, "release": self._release, "capacity": self.capacity}
        parts["ahead"] = self.ahead
        return Scheduler(**{**parts, "unsaved": lambda: self.unsaved, **changes})

    async def _claim(self, limit: int, *, busy: Collection[Any], late_s: float | None) -> Given:
        self.asked_for.append(limit)
        self.left_out.append(set(busy))
        self.late_s.append(late_s)
        taken, self.due = self.due[:limit], self.due[limit:]
        return Given(database_time(asyncio.get_running_loop().time()), tuple(taken))

    async def _run(self, slot: Slot) -> Slot | None:
        self.ran.append(slot.key)
        await self.gate.wait()
        return slot.following()

    async def _release(self, slot: Slot) -> None:
        self.released.append(slot.key)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_slot_that_is_due_starts_and_one_that_is_not_waits() -> None:
    stage = Stage([Slot("now", 0.0), Slot("later", 3600.0)])
    scheduler = stage.build()
    await scheduler.tick()
    await settle()
    assert stage.ran == ["now"]
    assert scheduler.load == 2
    stage.gate.set()
    await scheduler.stop(grace_s=1)


async def test_more_are_held_ahead_than_run_at_once_and_each_begins_when_there_is_a_place() -> None:
    stage = Stage([Slot(str(number), 0.0) for number in range(5)], capacity=2, ahead=4)
    scheduler = stage.build()
    await scheduler.tick()
    await settle()
    await scheduler.tick()
    assert stage.asked_for == [4]
    assert (stage.ran, scheduler.load) == (["0", "1"], 4)
    stage.gate.set()
    await settle()
    assert stage.ran == ["0", "1", "2", "3"], "places that become free are taken at once"
    await scheduler.stop(grace_s=1)


async def test_what_waits_for_a_place_is_handed_back_at_the_end() -> None:
    stage = Stage([Slot(name, 0.0) for name in ("first", "second")], capacity=1)
    scheduler = stage.build()
    await scheduler.tick()
    await settle()
    stage.gate.set()
    await scheduler.stop(grace_s=1)
    assert (stage.ran, stage.released) == (["first"], ["second"])


async def test_no_more_is_claimed_than_there_is_room_for() -> None:
    stage = Stage([Slot(str(number), 0.0) for number in range(5)], capacity=2, ahead=2)
    scheduler = stage.build()
    await scheduler.tick()
    await settle()
    await scheduler.tick()
    assert stage.asked_for == [2], "a full scheduler asks for nothing"
    assert stage.ran == ["0", "1"]
    stage.gate.set()
    await settle()
    await scheduler.tick()
    await settle()
    assert stage.ran == ["0", "1", "2", "3"], "room that became free is used by the next tick"
    await scheduler.stop(grace_s=1)


async def test_stopping_hands_back_what_has_not_begun_and_waits_for_what_has() -> None:
    stage = Stage([Slot("running", 0.0), Slot("waiting", 3600.0)])
    scheduler = stage.build()
    await scheduler.tick()
    await settle()
    stopping = asyncio.create_task(scheduler.stop(grace_s=60))
    await settle()
    assert stage.released == ["waiting"]
    assert not stopping.done()
    stage.gate.set()
    await stopping
    assert scheduler.load == 0


async def test_a_probe_that_outlasts_the_grace_is_cancelled() -> None:
    stage = Stage([Slot("stuck", 0.0)])
    scheduler = stage.build()
    await scheduler.tick()
    await settle()
    await scheduler.stop(grace_s=0)
    assert scheduler.load == 0


async def test_nothing_is_claimed_after_stopping() -> None:
    stage = Stage([Slot("late", 0.0)])
    scheduler = stage.build()
    await scheduler.stop(grace_s=0)
    await scheduler.tick()
    assert stage.asked_for == []


async def test_a_slot_claimed_while_stopping_is_handed_back_before_the_stop_is_over() -> None:
    stage = Stage([Slot("caught", 0.0)])
    answered = asyncio.Event()

    async def claim_slowly(limit: int, **asked: Any) -> Given:
        await answered.wait()
        return await stage._claim(limit, **asked)

    scheduler = stage.build(claim=claim_slowly)
    ticking = asyncio.create_task(scheduler.tick())
    await settle()
    stopping = asyncio.create_task(scheduler.stop(grace_s=60))
    await settle()
    assert not stopping.done(), "a claim on its way would be left behind"
    answered.set()
    await stopping
    assert stage.released == ["caught"]
    assert stage.ran == []
    await ticking


async def test_a_claim_that_hangs_does_not_hold_up_the_stop() -> None:
    stage = Stage([])

    async def hang(limit: int, **asked: Any) -> Given:
        await asyncio.Event().wait()
        return Given(database_time(0), ())

    scheduler = stage.build(claim=hang)
    ticking = asyncio.create_task(scheduler.tick())
    await settle()
    await scheduler.stop(grace_s=0)
    ticking.cancel()


async def test_a_probe_that_was_cut_off_is_handed_back() -> None:
    stage = Stage([Slot("stuck", 0.0)])
    scheduler = stage.build()
    await scheduler.tick()
    await settle()
    await scheduler.stop(grace_s=0)
    assert stage.released == ["stuck"]


async def test_a_slot_that_cannot_be_handed_back_keeps_nobody_else_from_it(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage([Slot("running", 0.0), Slot("lost", 3600.0), Slot("waiting", 3600.0)])

    async def release(slot: Slot) -> None:
        if slot.key == "lost":
            raise OSError("the database is away")
        await stage._release(slot)

    scheduler = stage.build(release=release)
    await scheduler.tick()
    await settle()
    stage.gate.set()
    await scheduler.stop(grace_s=60)
    assert stage.released == ["waiting"]
    assert scheduler.load == 0
    assert "could not be handed back: OSError" in caplog.text


async def test_handing_back_to_a_database_that_hangs_is_given_up_after_the_grace() -> None:
    stage = Stage([Slot("waiting", 3600.0)])

    async def hang(slot: Slot) -> None:
        await asyncio.Event().wait()

    scheduler = stage.build(release=hang)
    await scheduler.tick()
    await scheduler.stop(grace_s=0)
    assert scheduler.load == 0


async def test_slots_whose_leases_are_nearly_over_are_handed_back_instead_of_probed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A process that was held up for long would probe beside the worker that has taken over."""
    stage = Stage([Slot("overtaken", 0.0), Slot("too", 0.0)])
    scheduler = stage.build(longest_lag_s=-1.0)
    await scheduler.tick()
    await settle()
    assert stage.ran == []
    assert stage.released == ["overtaken", "too"]
    assert scheduler.load == 0
    assert caplog.text.count("held up for too long") == 1, "one delay holds up many"


async def test_a_bug_in_a_probe_is_logged_and_frees_its_place(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage([Slot("buggy", 0.0)])

    async def run(slot: Slot) -> None:
        raise ValueError("a bug")

    scheduler = stage.build(run=run)
    await scheduler.tick()
    await settle()
    assert scheduler.load == 0
    assert "a probe ended with a bug of the prober" in caplog.text


class Moved:
    """The time of the running event loop, moved by the test, with the timers that are due on the way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        loop = asyncio.get_running_loop()
        self._timers: list[tuple[float, int, Timer]] = []
        monkeypatch.setattr(loop, "time", lambda: self.now)
        monkeypatch.setattr(loop, "call_at", self._call_at)

    def _call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> "Timer":
        timer = Timer(callback, args)
        heapq.heappush(self._timers, (when, len(self._timers) + next(_COUNT), timer))
        return timer

    async def to(self, seconds: float, *, frozen: bool = False) -> None:
        """Let that much time pass; `frozen`: as for a process that is stopped, whose timers all come at the end."""
        until = self.now + seconds
        self.now = until if frozen else self.now
        while self._timers and self._timers[0][0] <= until:
            when, _, timer = heapq.heappop(self._timers)
            self.now = max(self.now, when)
            timer.fire()
            await settle()
        self.now = until


class Timer:
    def __init__(self, callback: Any, args: tuple[Any, ...]) -> None:
        self._callback: Any = callback
        self._args = args

    def cancel(self) -> None:
        self._callback = None

    def fire(self) -> None:
        if self._callback is not None:
            self._callback(*self._args)


_COUNT = itertools.count()


@pytest.fixture
async def time(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Moved]:
    with monkeypatch.context() as patched:
        yield Moved(patched)


async def probed(stage: Stage, scheduler: Scheduler[Slot]) -> None:
    """One probe is done, and its endpoint remembered."""
    stage.gate.set()
    await scheduler.tick()


def broken(stage: Stage) -> Any:
    """A database that answered once, and then no more."""

    async def claim(limit: int, **asked: Any) -> Given:
        if stage.asked_for:
            stage.asked_for.append(limit)
            raise OSError("the database is away")
        return await stage._claim(limit, **asked)

    return claim


async def test_without_an_answer_the_next_slots_are_probed_on_time_from_memory(time: Moved) -> None:
    stage = Stage([Slot("shop", 0.5)])
    scheduler = stage.build(claim=broken(stage))
    await probed(stage, scheduler)
    await time.to(0.6)
    assert stage.ran == ["shop"]
    await time.to(59.85)
    assert stage.ran == ["shop"]
    assert stage.asked_for == [10, 10], "the database is asked once more before"
    await time.to(0.2)
    assert stage.ran == ["shop"] * 2
    await time.to(3 * EVERY_S)
    assert stage.ran == ["shop"] * 5
    assert stage.released == []


async def test_a_database_that_let_the_last_question_fail_is_not_waited_for_at_the_slot(time: Moved) -> None:
    stage = Stage([Slot("shop", 0.5)])
    scheduler = stage.build(claim=broken(stage))
    await probed(stage, scheduler)
    await time.to(30)
    with pytest.raises(OSError, match="away"):
        await scheduler.tick()
    await time.to(30.45)
    assert stage.ran == ["shop"]
    await time.to(0.06)
    assert stage.ran == ["shop"] * 2


async def test_a_slot_that_the_answer_gave_to_nobody_here_belongs_to_another_worker(time: Moved) -> None:
    stage = Stage([Slot("shop", 0.5)])
    scheduler = stage.build()
    await probed(stage, scheduler)
    await time.to(EVERY_S + 0.5 - CLAIM_AHEAD_S + 0.1)
    await scheduler.tick()
    await time.to(2 * EVERY_S)
    assert stage.ran == ["shop"]
    assert len(stage.asked_for) == 2, "nor is it asked for again"


async def test_an_answer_that_left_the_endpoint_out_says_nothing_of_it(time: Moved) -> None:
    stage = Stage([Slot("shop", 0.5)], unsaved={"shop"})
    scheduler = stage.build()
    await probed(stage, scheduler)
    await time.to(EVERY_S)
    await scheduler.tick()
    assert stage.left_out[-1] == {"shop"}
    await time.to(1)
    assert stage.ran == ["shop"] * 2


async def test_an_answer_that_comes_after_the_slot_was_probed_from_memory_changes_nothing(time: Moved) -> None:
    stage = Stage([Slot("shop", 0.5)])
    answers: list[asyncio.Event] = []

    async def slow(limit: int, **asked: Any) -> Given:
        if stage.asked_for:
            answers.append(asyncio.Event())
            await answers[-1].wait()
            stage.due = [Slot("shop", EVERY_S + 0.5, made_at=1000.0)]
        return await stage._claim(limit, **asked)

    scheduler = stage.build(claim=slow)
    await probed(stage, scheduler)
    await time.to(EVERY_S + 0.7)
    assert stage.ran == ["shop"] * 2
    answers[0].set()
    await settle()
    assert stage.ran == ["shop"] * 2
    assert stage.released == [], "the report ends the lease"
    assert scheduler.load == 0


async def test_a_process_that_was_frozen_makes_up_for_nothing(time: Moved) -> None:
    stage = Stage([Slot("shop", 0.5)])
    scheduler = stage.build(claim=broken(stage))
    await probed(stage, scheduler)
    await time.to(1)
    await time.to(600, frozen=True)
    assert stage.ran == ["shop"]
    await time.to(EVERY_S)
    assert stage.ran == ["shop"] * 2


async def test_after_a_process_was_frozen_slots_that_are_past_count_as_missed(time: Moved) -> None:
    stage = Stage([])
    scheduler = stage.build()
    await scheduler.tick()
    await time.to(600, frozen=True)
    await scheduler.tick()
    await time.to(1)
    await scheduler.tick()
    await time.to(1)
    for _ in range(5):
        await time.to(1)
        await scheduler.tick()
    assert stage.late_s[:3] == [None, 0.0, 1.0]
    assert stage.late_s[-1] is None


async def test_a_probe_that_rests_leaves_its_place_to_others(time: Moved) -> None:
    stage = Stage([Slot("bad", 0.0), Slot("other", 0.0)], capacity=1)

    async def run(slot: Slot) -> None:
        stage.ran.append(slot.key)
        if slot.key == "bad":
            await scheduler.rest(30)
            stage.ran.append("bad again")

    scheduler = stage.build(run=run)
    await scheduler.tick()
    await time.to(0.1)
    assert scheduler.load == 0
    await scheduler.tick()
    await time.to(0.1)
    assert stage.ran == ["bad", "other"]
    await time.to(30)
    assert stage.ran == ["bad", "other", "bad again"]


async def test_a_worker_that_stops_wakes_a_probe_that_rests() -> None:
    stage, answers = Stage([Slot("bad", 0.0)]), []

    async def run(slot: Slot) -> None:
        answers.append(await scheduler.rest(30))

    scheduler = stage.build(run=run)
    await scheduler.tick()
    await settle()
    await scheduler.stop(grace_s=1)
    assert answers == [False]


async def test_before_it_may_nothing_is_claimed() -> None:
    stage = Stage([Slot("shop", 0.0)])
    scheduler = stage.build(may_claim=lambda: False)
    await scheduler.tick()
    assert stage.asked_for == []


async def test_a_slot_that_found_no_place_in_time_is_handed_back(time: Moved) -> None:
    stage = Stage([Slot(name, 0.0) for name in ("first", "second")], capacity=1)
    scheduler = stage.build()
    await scheduler.tick()
    await time.to(LONGEST_LAG_S + 1)
    assert (stage.ran, stage.released) == (["first"], [])
    stage.gate.set()
    await settle()
    assert (stage.ran, stage.released) == (["first"], ["second"])
