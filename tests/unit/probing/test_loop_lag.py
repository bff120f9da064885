"""How late the event loop was while something ran."""

import asyncio
from datetime import UTC, datetime

import pytest

from prober.probing.loop_lag import STEP_S, LoopLag
from prober.vitals import Vitals


class Naps:
    """A clock that a sleep moves on, by as much as the script says beyond what was wanted."""

    def __init__(self, *late_s: float) -> None:
        self.at = 100.0
        self._late = list(late_s)

    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        if not self._late:
            raise asyncio.CancelledError
        self.at += seconds + self._late.pop(0)


async def measured(naps: Naps, vitals: Vitals | None = None) -> LoopLag:
    lag = LoopLag(naps, vitals or Vitals(), sleep=naps.sleep)
    with pytest.raises(asyncio.CancelledError):
        await lag.keep_measuring()
    return lag


async def test_the_worst_delay_of_a_window_is_told() -> None:
    naps = Naps(0.0, 2.0, 0.3, 0.0, 0.1)
    lag = await measured(naps)
    assert lag.worst_ms(100.0) == pytest.approx(2000)
    held_up_until = 100.0 + 2 * STEP_S + 2.0
    assert lag.worst_ms(held_up_until) == pytest.approx(2000)
    assert lag.worst_ms(held_up_until + 0.01) == pytest.approx(300)
    assert lag.worst_ms(naps.at) == pytest.approx(100)
    assert lag.worst_ms(naps.at + 1) == 0


async def test_delays_that_nobody_feels_are_not_kept() -> None:
    assert (await measured(Naps(*[0.001] * 20))).worst_ms(0.0) == 0


async def test_the_delay_that_lasts_is_told_before_its_end() -> None:
    naps = Naps()
    asleep = asyncio.Event()

    async def sleep(seconds: float) -> None:
        del seconds
        await asleep.wait()

    lag = LoopLag(naps, Vitals(), sleep=sleep)
    measuring = asyncio.create_task(lag.keep_measuring())
    await asyncio.sleep(0)
    naps.at += STEP_S + 1.5
    assert lag.worst_ms(100.0) == pytest.approx(1500)
    measuring.cancel()
    await asyncio.gather(measuring, return_exceptions=True)
    assert lag.worst_ms(100.0) == 0


async def test_a_loop_that_turns_leaves_a_sign_of_life() -> None:
    vitals, naps = Vitals(), Naps(0.0, 0.2)
    await measured(naps, vitals)
    assert vitals.last("loop") == pytest.approx(naps.at)
    assert vitals.gauges["loop_lag"] == pytest.approx(0.2)
