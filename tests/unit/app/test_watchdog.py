"""The watchdog hears of full cycles alone, and of each stretch of time once."""

from datetime import UTC, datetime, timedelta

import pytest

from checks.model import Failure, TransportError
from prober.app.own_clock import ClockWatch
from prober.app.watchdog import FullCycle, Watchdog
from prober.net.client import Net, PostOutcome
from prober.secrets.references import SecretError
from prober.settings import WatchdogSettings
from prober.vitals import Vitals


class HandClock:
    """Both clocks move by `at`; `jump` moves the wall clock alone."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.jump = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=self.at + self.jump)

    def monotonic(self) -> float:
        return self.at


class Outside(Net):
    """Takes the calls instead of sending them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.outcome = PostOutcome(status=200)

    async def get(self, url: str, *, timeout_s: float) -> PostOutcome:
        del timeout_s
        self.calls.append(url)
        return self.outcome


class World:
    def __init__(self, url: str | None = "env:WATCHDOG") -> None:
        self.clock, self.vitals, self.outside = HandClock(), Vitals(), Outside()
        self.secrets = {"env:WATCHDOG": "https://watchdog.example/abc\n"}
        self.watchdog = Watchdog(
            settings=lambda: WatchdogSettings(url=url, every_s=60.0),
            net=lambda: self.outside,
            secret=self.secret,
            cycle=FullCycle(self.vitals, self.clock),
            clock=self.clock,
        )

    async def secret(self, reference: str) -> str:
        if reference not in self.secrets:
            raise SecretError(f"{reference} is not set")
        return self.secrets[reference]

    async def passes(self, seconds: int, *parts: str) -> None:
        """So many seconds, in each of which these parts work."""
        for _ in range(seconds):
            self.clock.at += 1.0
            for part in parts:
                self.vitals.happened(part, self.clock.at)
            await self.watchdog.keep()


async def test_full_cycles_are_told_once_a_minute() -> None:
    world = World()
    await world.passes(180, "probe", "commit", "outbox")
    assert world.outside.calls == ["https://watchdog.example/abc"] * 3


@pytest.mark.parametrize("broken", ["probe", "commit", "outbox"])
async def test_without_one_of_its_parts_a_cycle_is_not_full(broken: str) -> None:
    world = World()
    await world.passes(300, *({"probe", "commit", "outbox"} - {broken}))
    assert world.outside.calls == []


async def test_time_alone_tells_nothing() -> None:
    world = World()
    await world.passes(1, "probe", "commit", "outbox")
    await world.passes(600)
    assert len(world.outside.calls) == 1


async def test_a_database_that_says_that_nothing_is_due_stands_for_probes() -> None:
    world = World()
    await world.passes(120, "idle", "outbox")
    assert len(world.outside.calls) == 2


async def test_a_probe_that_is_not_committed_is_not_made_up_for_by_idleness() -> None:
    world = World()
    await world.passes(120, "idle", "outbox", "probe")
    assert world.outside.calls == []


async def test_without_an_address_nobody_is_called() -> None:
    world = World(url=None)
    await world.passes(120, "probe", "commit", "outbox")
    assert world.outside.calls == []


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (PostOutcome(status=500), "HTTP 500"),
        (PostOutcome(error=TransportError(failure=Failure.DNS, reason="timeout", detail="abc")), "dns (timeout)"),
    ],
)
async def test_a_failure_is_logged_once_and_never_with_the_address(
    outcome: PostOutcome, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.outside.outcome = outcome
    await world.passes(300, "probe", "commit", "outbox")
    assert len(world.outside.calls) == 5
    assert [each.levelname for each in caplog.records] == ["ERROR"]
    assert said in caplog.text
    assert "abc" not in caplog.text
    world.outside.outcome = PostOutcome(status=200)
    await world.passes(120, "probe", "commit", "outbox")
    assert [each.levelname for each in caplog.records] == ["ERROR", "WARNING"]


async def test_an_address_that_is_not_to_be_had_is_said_by_its_reference(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.secrets.clear()
    await world.passes(120, "probe", "commit", "outbox")
    assert world.outside.calls == []
    assert "env:WATCHDOG is not set" in caplog.text


@pytest.mark.parametrize("jump", [-300.0, 3600.0, -3600.0, 365 * 86400.0])
def test_a_jump_of_the_wall_clock_is_counted_once(jump: float) -> None:
    clock, vitals = HandClock(), Vitals()
    watch = ClockWatch(clock, vitals)
    clock.at += 60.0
    assert watch.look() == 0.0
    clock.jump += jump
    assert watch.look() == pytest.approx(jump)
    clock.at += 60.0
    assert watch.look() == 0.0
    assert vitals.counters == {("clock_jumps", ""): 1}


def test_a_clock_that_is_set_right_a_little_at_a_time_has_not_jumped() -> None:
    clock, vitals = HandClock(), Vitals()
    watch = ClockWatch(clock, vitals)
    for _ in range(100):
        clock.at += 1.0
        clock.jump += 0.5
        assert watch.look() == 0.0
    assert vitals.counters == {}
