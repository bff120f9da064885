"""Jobs are done at their pace, whatever they do and whatever becomes of the wall clock."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from prober.app.timer import Job, Timer


async def test_a_job_is_done_again_and_again_and_its_failures_are_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs, enough = 0, asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 5:
            enough.set()
        if runs < 4:
            raise OSError("the first line\nand a secret")

    timer = Timer()
    timer.add(Job(0.01, "working", work))
    timer.start()
    async with asyncio.timeout(20):
        await enough.wait()
    timer.stop()
    said = [each.getMessage() for each in caplog.records if each.name == "prober.app.timer"]
    assert said == ["working failed and is tried again: OSError: the first line", "working works again"]


class Jumping(datetime):
    """The wall clock as APScheduler sees it."""

    jump = timedelta()

    @classmethod
    def now(cls, tz: object = None) -> datetime:
        del tz
        return datetime.now(UTC) + cls.jump


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Jumping]]:
    import apscheduler.schedulers.base as scheduling

    monkeypatch.setattr(scheduling, "datetime", Jumping)
    yield Jumping
    Jumping.jump = timedelta()


async def test_after_an_hour_back_the_pauses_count_from_then(clock: type[Jumping]) -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    timer = Timer()
    timer.add(Job(0.05, "working", work))
    timer.start()
    async with asyncio.timeout(20):
        await done.wait()
    clock.jump = timedelta(hours=-1)
    await asyncio.sleep(0.1)
    done.clear()
    await asyncio.sleep(0.2)
    assert not done.is_set(), "this is what APScheduler does by itself"
    timer.begin_anew()
    async with asyncio.timeout(20):
        await done.wait()
    timer.stop()


async def test_a_year_forward_is_one_run_and_not_millions(clock: type[Jumping]) -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1

    timer = Timer()
    timer.add(Job(0.05, "working", work))
    timer.start()
    clock.jump = timedelta(days=365)
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(0.3)
    took = asyncio.get_running_loop().time() - began
    timer.stop()
    assert 1 <= runs <= took / 0.05 + 1
    assert took < 20, "the event loop is free"


async def test_a_job_that_begins_at_once_waits_for_nothing() -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    timer = Timer()
    timer.add(Job(60.0, "working", work, begins_at_once=True))
    timer.start()
    async with asyncio.timeout(20):
        await done.wait()
    timer.stop()
