"""Runs of slots without a report, and what is left of them once some have one."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from prober.storage.missed import Missed, MissedReason

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def slots(run: Missed, step: timedelta) -> list[datetime]:
    return [run.first_slot + step * number for number in range(run.count)]


@given(
    count=st.integers(1, 40), first=st.integers(0, 39), length=st.integers(1, 40), seconds=st.sampled_from([1, 7, 60])
)
def test_taking_slots_out_leaves_exactly_the_others(count: int, first: int, length: int, seconds: int) -> None:
    step = timedelta(seconds=seconds)
    first, last = min(first, count - 1), min(first + length - 1, count - 1)
    last = max(first, last)
    run = Missed(first_slot=NOON, last_slot=NOON + step * (count - 1), count=count, reason=MissedReason.MISSED)
    left = run.without(NOON + step * first, NOON + step * last)
    expected = [NOON + step * number for number in range(count) if not first <= number <= last]
    assert [slot for part in left for slot in slots(part, step)] == expected
    assert all(part.last_slot == slots(part, step)[-1] for part in left)
