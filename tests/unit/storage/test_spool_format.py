"""The format of spool files: what was written is read again, and damage costs only what it touches."""

import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.storage.spool_format import (
    FRAME,
    FRAME_MAGIC,
    HEADER,
    HEADER_BYTES,
    HEADER_MAGIC,
    MOST_BODY_BYTES,
    NUMBER,
    VERSION,
    Record,
    UnknownVersion,
    Weight,
    frame,
    header,
    read,
)

SALT = 0xC0FFEE
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def record(number: int, payload: bytes = b"{}", *, count: int = 1) -> Record:
    return Record(
        key=f"endpoint-{number}",
        tone="down/timeout",
        weight=Weight.CHANGE,
        payload=payload,
        first_slot=NOON + timedelta(microseconds=number),
        last_slot=NOON + timedelta(seconds=count, microseconds=number),
        count=count,
    )


def segment(*records: Record, salt: int = SALT) -> bytes:
    return header(salt) + b"".join(frame(each, salt) for each in records)


SOME = tuple(record(number, bytes([number]) * (number * 37 % 200), count=number % 3 + 1) for number in range(12))
WHOLE = segment(*SOME)

instants = st.datetimes(timezones=st.just(UTC))
records = st.builds(
    Record,
    key=st.text(),
    tone=st.text(),
    weight=st.sampled_from(Weight),
    payload=st.binary(),
    first_slot=instants,
    last_slot=instants,
    count=st.integers(1, 10**9),
)


@given(st.lists(records), st.integers(0, 2**32 - 1))
def test_what_was_written_is_read_again(written: list[Record], salt: int) -> None:
    reading = read(segment(*written, salt=salt), salt)
    assert reading.records == tuple(written)
    assert not reading.damaged


def test_every_cut_of_the_last_three_records_costs_only_what_it_touches() -> None:
    ends = [len(segment(*SOME[:number])) for number in range(len(SOME) + 1)]
    for cut in range(ends[-4], ends[-1]):
        whole = sum(end <= cut for end in ends[1:])
        reading = read(WHOLE[:cut], SALT)
        assert reading.records == SOME[:whole]
        assert not reading.damaged, "an end that was torn off is no damage: nobody was told that it was kept"


@given(st.lists(st.integers(0, len(WHOLE) * 8 - 1), min_size=1, max_size=6, unique=True))
def test_flipped_bits_cost_only_the_records_they_touch(flips: list[int]) -> None:
    damaged = bytearray(WHOLE)
    for flip in flips:
        damaged[flip // 8] ^= 1 << flip % 8
    ends = [len(segment(*SOME[:number])) for number in range(len(SOME) + 1)]
    touched = {number for number in range(len(SOME)) for flip in flips if ends[number] <= flip // 8 < ends[number + 1]}
    assert read(bytes(damaged), SALT).records == tuple(
        each for number, each in enumerate(SOME) if number not in touched
    )


@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.binary(max_size=300))
def test_no_stretch_of_rubbish_makes_a_record_that_was_never_written(start: int, length: int, rubbish: bytes) -> None:
    found = read(WHOLE[:start] + rubbish + WHOLE[start + length :], SALT).records
    assert [each for each in SOME if each in found] == list(found)
    shortest = min(len(frame(each, SALT)) for each in SOME)
    assert len(found) >= len(SOME) - length // shortest - 2


@given(st.binary(max_size=2000))
def test_rubbish_is_read_as_nothing(rubbish: bytes) -> None:
    assert read(rubbish, SALT).records == ()
    assert read(FRAME_MAGIC + rubbish, SALT).records == ()


def test_a_stretch_that_is_damaged_is_counted() -> None:
    parts = [header(SALT), *(frame(each, SALT) for each in SOME[:5])]
    parts[2] = parts[2][:-1]
    parts[4] = bytes(len(parts[4]))
    reading = read(b"".join(parts), SALT)
    assert reading.records == (SOME[0], SOME[2], SOME[4])
    assert reading.damaged == 2


def test_frames_that_a_server_sent_are_never_taken_for_ours() -> None:
    """It cannot know the salt; with damage in the frame around them, they are what a reader finds next."""
    forged = segment(record(66), record(67), salt=0) + segment(record(68), salt=SALT + 1)
    data = bytearray(segment(SOME[0], record(1, forged), SOME[2]))
    assert read(bytes(data), SALT).records == (SOME[0], record(1, forged), SOME[2])
    data[len(segment(SOME[0])) + 9] ^= 1
    assert read(bytes(data), SALT).records == (SOME[0], SOME[2])


def test_a_damaged_header_costs_nothing_because_the_name_has_the_salt_too() -> None:
    for at in range(HEADER_BYTES):
        damaged = bytearray(WHOLE)
        damaged[at] ^= 0x80
        assert read(bytes(damaged), SALT).records == SOME


def test_a_file_under_another_name_is_read_by_its_header() -> None:
    assert read(WHOLE, SALT + 1).records == SOME


def test_a_segment_of_a_later_release_is_refused_and_not_misread() -> None:
    start = HEADER.pack(HEADER_MAGIC, VERSION + 1, 0, SALT)
    with pytest.raises(UnknownVersion, match=f"format {VERSION + 1}"):
        read(start + NUMBER.pack(zlib.crc32(start)) + WHOLE[HEADER_BYTES:], SALT)


def test_a_segment_that_the_first_release_wrote_is_read_for_ever() -> None:
    written = bytes.fromhex(GOLDEN)
    reading = read(written, 0)
    assert reading.records == (record(7, b'{"v":1}', count=3),)
    assert segment(record(7, b'{"v":1}', count=3)) == written


def test_a_whole_frame_that_says_nothing_of_ours_is_damage() -> None:
    body = NUMBER.pack(9) + b'["a","b"]'
    start = FRAME.pack(FRAME_MAGIC, len(body))
    check = zlib.crc32(start, SALT)
    strange = start + NUMBER.pack(check) + NUMBER.pack(zlib.crc32(body, check)) + body
    reading = read(segment(SOME[0]) + strange + frame(SOME[1], SALT), SALT)
    assert reading.records == SOME[:2]
    assert reading.damaged == 1


def test_a_record_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        frame(record(1, bytes(MOST_BODY_BYTES)), SALT)


GOLDEN = (
    "894d435053504c0a01000000eeffc0000ba901c2fffe52fd4e000000c2e985e89f245da0430000005b22656e64706f696e74"
    "2d37222c22646f776e2f74696d656f7574222c332c313736393836303830303030303030372c313736393836303830333030"
    "303030372c335d7b2276223a317d"
)
