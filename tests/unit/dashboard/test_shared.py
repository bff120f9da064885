"""One question for all who ask at once, and for a few seconds."""

import asyncio

import pytest

from dashboard.shared import Shared


class Asked:
    """Answers how often it was asked, once it may."""

    def __init__(self) -> None:
        self.times = 0
        self.now = 100.0
        self.begun, self.may = asyncio.Event(), asyncio.Event()
        self.may.set()
        self.fails = False
        self.shared = Shared(self, lambda: self.now, 5.0)

    async def __call__(self) -> int:
        self.times += 1
        self.begun.set()
        await self.may.wait()
        if self.fails:
            raise OSError("away")
        return self.times


async def test_a_thousand_who_ask_at_once_are_one_question() -> None:
    asked = Asked()
    assert set(await asyncio.gather(*(asked.shared.value() for _ in range(1000)))) == {1}
    asked.now += 4.9
    assert await asked.shared.value() == 1


async def test_nothing_is_given_that_is_older_than_was_said() -> None:
    asked = Asked()
    asked.may.clear()
    first = asyncio.create_task(asked.shared.value())
    await asked.begun.wait()
    asked.now += 5.0
    asked.may.set()
    assert await first == 1
    assert await asked.shared.value() == 2, "the age counts from the question, not from its answer"


async def test_a_failure_is_told_to_those_who_waited_and_kept_for_nobody() -> None:
    asked = Asked()
    asked.fails = True
    waiting = await asyncio.gather(*(asked.shared.value() for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in waiting] == [OSError] * 3
    assert asked.times == 1
    asked.fails = False
    assert await asked.shared.value() == 2


async def test_whoever_goes_away_takes_the_answer_from_nobody() -> None:
    asked = Asked()
    asked.may.clear()
    gone, stays = (asyncio.create_task(asked.shared.value()) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    asked.may.set()
    assert await stays == 1
