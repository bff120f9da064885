"""The scheduler against a clock that the test moves: an event loop whose time is a variable."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from prober.probing.scheduler import Scheduler


@dataclass(frozen=True)
class Slot:
    name: str
    starts_in_s: float


@dataclass
class Stage:
    """A scheduler over a list of slots, with a record of what became of each."""

    due: list[Slot]
    capacity: int = 10
    ran: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    asked_for: list[int] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def build(self) -> Scheduler[Slot]:
        return Scheduler(claim=self._claim, run=self._run, release=self._release, capacity=self.capacity)

    async def _claim(self, limit: int) -> Sequence[Slot]:
        self.asked_for.append(limit)
        taken, self.due = self.due[:limit], self.due[limit:]
        return taken

    async def _run(self, slot: Slot) -> None:
        self.ran.append(slot.name)
        await self.gate.wait()

    async def _release(self, slot: Slot) -> None:
        self.released.append(slot.name)


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


async def test_no_more_is_claimed_than_there_is_room_for() -> None:
    stage = Stage([Slot(str(number), 0.0) for number in range(5)], capacity=2)
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

    async def claim_slowly(limit: int) -> Sequence[Slot]:
        await answered.wait()
        return await stage._claim(limit)

    scheduler = Scheduler(claim=claim_slowly, run=stage._run, release=stage._release, capacity=10)
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

    async def hang(limit: int) -> Sequence[Slot]:
        await asyncio.Event().wait()
        return ()

    scheduler = Scheduler(claim=hang, run=stage._run, release=stage._release, capacity=10)
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
        if slot.name == "lost":
            raise OSError("the database is away")
        await stage._release(slot)

    scheduler = Scheduler(claim=stage._claim, run=stage._run, release=release, capacity=10)
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

    scheduler = Scheduler(claim=stage._claim, run=stage._run, release=hang, capacity=10)
    await scheduler.tick()
    await scheduler.stop(grace_s=0)
    assert scheduler.load == 0


async def test_a_slot_whose_lease_is_nearly_over_is_handed_back_instead_of_probed() -> None:
    """A process that was held up for long would probe beside the worker that has taken over."""
    stage = Stage([Slot("overtaken", 0.0)])
    scheduler = Scheduler(claim=stage._claim, run=stage._run, release=stage._release, capacity=10, longest_lag_s=-1.0)
    await scheduler.tick()
    await settle()
    assert stage.ran == []
    assert stage.released == ["overtaken"]
    assert scheduler.load == 0


async def test_a_bug_in_a_probe_is_logged_and_frees_its_place(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage([Slot("buggy", 0.0)])

    async def run(slot: Slot) -> None:
        raise ValueError("a bug")

    scheduler = Scheduler(claim=stage._claim, run=run, release=stage._release, capacity=10)
    await scheduler.tick()
    await settle()
    assert scheduler.load == 0
    assert "a probe ended with a bug of the prober" in caplog.text
