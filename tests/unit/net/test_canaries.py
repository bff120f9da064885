"""Whether our own network works: asked once for all who want to know, and only as often as they need."""

import asyncio
from datetime import UTC, datetime

import pytest

from checks.model import Failure
from prober.net.canaries import Canaries, Place
from prober.net.failures import NetError

PLACES = (Place("one.example", 443), Place("two.example", 443))


class HandClock:
    """Time goes on when the test says so."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at


class Network:
    """Answers for the places in `up`, and counts who was asked."""

    def __init__(self, *up: str) -> None:
        self.up = set(up)
        self.refused: set[str] = set()
        self.asked: list[str] = []

    async def reach(self, host: str, port: int) -> None:
        self.asked.append(f"{host}:{port}")
        await asyncio.sleep(0)
        if host in self.refused:
            raise NetError(Failure.BLOCKED, "private", "it is a private address")
        if host not in self.up:
            raise NetError(Failure.CONNECT, "timeout", "no answer")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("example.com:443", Place("example.com", 443)),
        ("192.0.2.7:53", Place("192.0.2.7", 53)),
        ("[2001:db8::1]:80", Place("2001:db8::1", 80)),
    ],
)
def test_a_place_is_read_and_written_alike(text: str, place: Place) -> None:
    assert Place.of(text) == place
    assert str(place) == text


async def test_one_canary_that_answers_is_enough() -> None:
    network = Network("two.example")
    assert not (await Canaries(PLACES, network.reach, HandClock()).look(0)).is_cut_off
    assert network.asked == ["one.example:443", "two.example:443"]


async def test_without_any_answer_the_network_is_cut_off() -> None:
    assert (await Canaries(PLACES, Network().reach, HandClock()).look(0)).is_cut_off


async def test_a_canary_that_the_guard_refuses_is_no_witness(caplog: pytest.LogCaptureFixture) -> None:
    network = Network()
    network.refused = {"one.example", "two.example"}
    assert not (await Canaries(PLACES, network.reach, HandClock()).look(0)).is_cut_off
    assert "the canary one.example:443 is of no use" in caplog.text

    network.refused = {"one.example"}
    assert (await Canaries(PLACES, network.reach, HandClock()).look(0)).is_cut_off


async def test_many_who_ask_at_once_are_told_by_one_question() -> None:
    network = Network("one.example")
    canaries = Canaries(PLACES, network.reach, HandClock())
    looks = await asyncio.gather(*(canaries.look(1.0) for _ in range(50)))
    assert len(network.asked) == 2
    assert len(set(looks)) == 1


async def test_an_answer_is_good_for_as_long_as_the_asker_says() -> None:
    clock, network = HandClock(), Network("one.example")
    canaries = Canaries(PLACES, network.reach, clock)
    first = await canaries.look(1.0)
    clock.at += 4.0
    assert await canaries.look(5.0) is first
    second = await canaries.look(1.0)
    assert second.asked_at == clock.at


async def test_whoever_is_cancelled_takes_the_answer_from_nobody_else() -> None:
    network = Network("one.example")
    canaries = Canaries(PLACES, network.reach, HandClock())
    impatient = asyncio.create_task(canaries.look(1.0))
    patient = asyncio.create_task(canaries.look(1.0))
    await asyncio.sleep(0)
    impatient.cancel()
    assert not (await patient).is_cut_off
    assert impatient.cancelled()


async def test_a_question_that_was_put_too_early_is_waited_for_and_put_again() -> None:
    clock, network = HandClock(), Network()
    canaries = Canaries(PLACES, network.reach, clock)
    early = asyncio.create_task(canaries.look(0.0))
    await asyncio.sleep(0)
    clock.at += 3.0
    network.up = {"one.example"}
    late = await canaries.look(0.0)
    assert late.asked_at == clock.at
    assert not late.is_cut_off
    await early
