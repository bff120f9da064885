"""When the first probes of a prober are summed up."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import OperationalError

from checks.model import Verdict
from prober.app.first_look import FirstLook, first_look
from prober.storage.latest import Latest

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Hand:
    """A clock that is moved by whoever sleeps."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.at)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


def of(name: str, slot_s: float | None = None, *, interval_s: float = 60.0) -> Latest:
    slot = None if slot_s is None else NOON + timedelta(seconds=slot_s)
    return Latest(name=name, interval_s=interval_s, verdict=Verdict.UP, cause=None, cause_summary="", slot=slot)


def looked(readings: Iterable[tuple[Latest, ...] | Exception], *expected: str, within_s: float = 90.0) -> FirstLook:
    clock, waiting = Hand(), list(readings)

    async def read() -> tuple[Latest, ...]:
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(found, Exception):
            raise found
        return found

    return asyncio.run(first_look(read, expected, clock, sleep=clock.sleep, within_s=within_s))


def test_it_ends_when_every_endpoint_that_is_expected_has_been_probed() -> None:
    look = looked([(), (of("a"), of("b")), (of("a", 1), of("b")), (of("a", 1), of("b", 2))], "a", "b")
    assert (look.after_s, look.endpoints) == (3.0, (of("a", 1), of("b", 2)))


def test_a_verdict_of_an_earlier_run_is_not_waited_out_but_seen_anew() -> None:
    look = looked([(of("a", -60),), (of("a", -60),), (of("a", 1),)], "a")
    assert (look.after_s, look.endpoints) == (2.0, (of("a", 1),))


def test_what_is_probed_seldom_and_known_is_not_waited_for() -> None:
    look = looked([(of("a", -60, interval_s=3600), of("b")), (of("a", -60, interval_s=3600), of("b", 1))], "a", "b")
    assert look.after_s == 1.0


def test_it_ends_when_the_time_is_up_with_what_there_is() -> None:
    look = looked([(of("a"), of("b", 1))], "a", "b")
    assert (look.after_s, look.endpoints) == (90.0, (of("a"), of("b", 1)))


def test_a_database_that_does_not_answer_is_asked_again() -> None:
    lost = OperationalError("select", {}, OSError("gone"))
    assert looked([(), lost, (of("a", 1),)], "a").after_s == 2.0
    assert looked([lost], "a") == FirstLook(after_s=90.0, endpoints=())
