"""What becomes of entries when room is short, against plain models."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.storage.spool_format import Entry, Record, Weight
from prober.storage.spool_room import RUN_LONGEST_S, Admission, Thrift, joins, thinned, thrift_at, victims

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
KEEP_RUN = 2


def entry(minute: int, tone: str = "up", key: str = "shop") -> Entry:
    return Entry(
        key=key,
        slot=NOON + timedelta(minutes=minute),
        tone=tone,
        is_up=tone == "up",
        payload=b"whole-%d" % minute,
        slim=b"slim-%d" % minute,
    )


said = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["up", "up", "up", "down", "degraded"]),
        st.sampled_from([Thrift.NONE, Thrift.EVIDENCE, *[Thrift.SUCCESSES, Thrift.REPETITIONS] * 3]),
    ),
    max_size=120,
)


def everything(minutes: Sequence[tuple[str, str, Thrift]]) -> tuple[list[Entry], list[Record], int, int]:
    """What went in, what came out, and how many were coalesced and slimmed by the way."""
    admission = Admission(KEEP_RUN)
    entries, written, coalesced, slimmed = [], [], 0, 0
    for minute, (key, tone, thrift) in enumerate(minutes):
        entries.append(entry(minute, tone, key))
        admitted = admission.admit(entries[-1], thrift, minute * 60.0)
        written += admitted.records
        coalesced += admitted.coalesced
        slimmed += admitted.slimmed
        written += admission.due(thrift, minute * 60.0)
    return entries, [*written, *admission.end()], coalesced, slimmed


def model(entries: Sequence[Entry], key: str) -> list[int]:
    """How many of the entries before each had its tone, in a row."""
    rows: list[int] = []
    before = None
    for each in entries:
        if each.key == key:
            rows.append(rows[-1] + 1 if each.tone == before else 0)
            before = each.tone
    return rows


@given(said)
def test_every_entry_is_written_once_or_counted_once_and_in_the_order_of_its_key(
    minutes: Sequence[tuple[str, str, Thrift]],
) -> None:
    entries, written, coalesced, slimmed = everything(minutes)
    assert sum(each.count for each in written) == len(entries)
    assert coalesced == len(entries) - len(written)
    assert slimmed == sum(each.payload.startswith(b"slim") for each in written)
    for key in "abc":
        of_key = [each for each in written if each.key == key]
        assert all(one.last_slot < other.first_slot for one, other in pairwise(of_key))
        slots = {each.slot: each.tone for each in entries if each.key == key}
        for each in of_key:
            spanned = [tone for slot, tone in slots.items() if each.first_slot <= slot <= each.last_slot]
            assert spanned == [each.tone] * each.count


@given(said)
def test_a_change_and_what_follows_it_are_never_counted_and_successes_go_first(
    minutes: Sequence[tuple[str, str, Thrift]],
) -> None:
    entries, written, _, _ = everything(minutes)
    for key in "abc":
        alone = {each.first_slot for each in written if each.key == key and each.count == 1}
        of_key = [(one, thrift) for one, (_, _, thrift) in zip(entries, minutes, strict=True) if one.key == key]
        for (one, thrift), before in zip(of_key, model(entries, key), strict=True):
            may_be_counted = before > KEEP_RUN and thrift >= (Thrift.SUCCESSES if one.is_up else Thrift.REPETITIONS)
            assert may_be_counted or one.slot in alone


@given(said)
def test_with_room_enough_everything_is_written_whole_at_once(minutes: Sequence[tuple[str, str, Thrift]]) -> None:
    admission = Admission(KEEP_RUN)
    for minute, (key, tone, _) in enumerate(minutes):
        one = entry(minute, tone, key)
        assert [each.payload for each in admission.admit(one, Thrift.NONE, 0.0).records] == [one.payload]


@pytest.mark.parametrize(
    ("filled", "thrift"),
    [
        (0.0, Thrift.NONE),
        (0.7499, Thrift.NONE),
        (0.75, Thrift.EVIDENCE),
        (0.90, Thrift.SUCCESSES),
        (0.95, Thrift.REPETITIONS),
        (3.0, Thrift.REPETITIONS),
    ],
)
def test_the_fuller_the_thriftier(filled: float, thrift: Thrift) -> None:
    assert thrift_at(filled) is thrift


def test_of_too_many_keys_the_one_that_was_silent_for_longest_is_forgotten() -> None:
    admission = Admission(0, voices=2)
    for key in ("one", "two", "one", "three"):
        admission.admit(entry(0, key=key), Thrift.SUCCESSES, 0.0)
    again = {key: admission.admit(entry(1, key=key), Thrift.SUCCESSES, 0.0) for key in ("one", "three", "two")}
    weights = {key: [each.weight for each in admitted.records] for key, admitted in again.items()}
    assert weights["two"] == [Weight.CHANGE]
    assert Weight.CHANGE not in weights["one"] + weights["three"]


def test_a_run_is_written_when_it_is_old_when_it_ends_and_when_there_is_room() -> None:
    admission = Admission(0)
    admission.admit(entry(0), Thrift.SUCCESSES, 0.0)
    for minute in (1, 2, 3):
        assert admission.admit(entry(minute), Thrift.SUCCESSES, 0.0).records == ()
    assert admission.runs == 1
    assert admission.due(Thrift.SUCCESSES, RUN_LONGEST_S - 1) == []
    (run,) = admission.due(Thrift.SUCCESSES, RUN_LONGEST_S)
    assert (run.count, run.payload) == (3, b"slim-1")
    assert (run.first_slot, run.last_slot) == (entry(1).slot, entry(3).slot)

    admission.admit(entry(4), Thrift.SUCCESSES, 0.0)
    down = admission.admit(entry(5, "down"), Thrift.SUCCESSES, 0.0).records
    assert [(each.tone, each.count) for each in down] == [("up", 1), ("down", 1)]

    admission.admit(entry(6), Thrift.SUCCESSES, 0.0)
    admission.admit(entry(7), Thrift.SUCCESSES, 0.0)
    assert len(admission.due(Thrift.EVIDENCE, 0.0)) == 1
    assert admission.runs == 0


def test_a_run_never_crosses_the_hour_and_never_goes_back() -> None:
    def record(minute: int) -> Record:
        slot = NOON + timedelta(minutes=minute)
        return Record(key="a", tone="up", weight=Weight.SUCCESS, payload=b"", first_slot=slot, last_slot=slot)

    assert joins(record(58), record(59))
    assert not joins(record(59), record(60))
    assert not joins(record(5), record(5))
    assert not joins(record(6), record(5))
    assert not joins(record(5), replace(record(6), tone="down"))


records = st.lists(
    st.builds(
        lambda key, tone, weight: (key, tone, weight),
        st.sampled_from("ab"),
        st.sampled_from(["up", "down"]),
        st.sampled_from(Weight),
    ),
    max_size=60,
).map(
    lambda parts: [
        Record(
            key=key,
            tone=tone,
            weight=weight,
            payload=b"%d" % number,
            first_slot=NOON + timedelta(seconds=number),
            last_slot=NOON + timedelta(seconds=number),
        )
        for number, (key, tone, weight) in enumerate(parts)
    ]
)


@given(records, st.sampled_from([Weight.SUCCESS, Weight.REPETITION]), st.sets(st.integers(0, 59)))
def test_thinning_keeps_every_change_the_order_and_the_number(
    written: list[Record], counted: Weight, fixed: set[int]
) -> None:
    kept = thinned(written, counted, fixed)
    assert sum(each.count for _, each in kept) == len(written)
    assert [place for place, _ in kept] == sorted({place for place, _ in kept})
    for place, each in enumerate(written):
        if each.weight > counted or place in fixed:
            assert (place, each) in kept
    for key in "ab":
        of_key = [each for _, each in kept if each.key == key]
        assert all(one.last_slot < other.first_slot for one, other in pairwise(of_key))
    again = thinned([each for _, each in kept], counted, {at for at, (place, _) in enumerate(kept) if place in fixed})
    assert len(again) == len(kept)


@given(records, st.integers(-5, 20_000))
def test_what_tells_least_is_dropped_first_and_no_more_than_must_be(written: list[Record], excess: int) -> None:
    held = dict(enumerate(written))
    gone = victims(held, excess)
    kept = [each for place, each in held.items() if place not in gone]
    assert all(held[place].weight <= each.weight for place in gone for each in kept)
    assert sum(held[place].size for place in gone) >= min(excess, sum(each.size for each in written))
    assert sum(held[place].size for place in gone[:-1]) < max(excess, 1)
