"""Event streams, fed whole and at every split, well-formed and hostile."""

from collections.abc import AsyncGenerator, Iterable

import pytest

from checks.model import Failure
from prober.limits import Limits
from prober.net.failures import NetError
from prober.net.http1 import Chunk
from prober.wire.sse import Event, EventStream

EVENTS = (
    "\ufeff: hello\r\n\r\n"
    "id: 3_4\ndata:\nretry: 500\n\n"
    ": ping\n\n"
    "event: message\rdata: one\rdata:two é\u2028\u0085\r\r"
    "data: {}\r\n\r\n"
    "event: endpoint\ndata:  /x\nunknown: y\n\n"
).encode()

EXPECTED = [
    ("message", "", "3_4", 500),
    ("message", "one\ntwo é\u2028\u0085", "3_4", None),
    ("message", "{}", "3_4", None),
    ("endpoint", " /x", "3_4", None),
]


async def chunked(pieces: Iterable[bytes]) -> AsyncGenerator[Chunk, None]:
    for number, piece in enumerate(pieces):
        yield float(number), piece


async def read(pieces: Iterable[bytes], limits: Limits | None = None) -> tuple[list[Event], EventStream]:
    stream = EventStream(chunked(pieces), limits or Limits())
    return [event async for event in stream.events()], stream


async def test_a_stream_reads_the_same_at_every_split() -> None:
    for cut in range(len(EVENTS) + 1):
        events, stream = await read([part for part in (EVENTS[:cut], EVENTS[cut:]) if part])
        assert [(event.name, event.data, event.id, event.retry_ms) for event in events] == EXPECTED, cut
        assert stream.comments == 2
        assert not stream.within_event


async def test_a_stream_reads_the_same_byte_by_byte() -> None:
    events, _ = await read([bytes([byte]) for byte in EVENTS])
    assert [(event.name, event.data, event.id, event.retry_ms) for event in events] == EXPECTED


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
async def test_an_event_bears_the_time_of_the_chunk_that_completed_it(end: bytes) -> None:
    events, _ = await read([b"data: a", end, end, b": later" + end, b"data: b" + end + end])
    # the first half of a CRLF ends a line already
    assert [event.at for event in events] == [2.0, 4.0]


@pytest.mark.parametrize("rest", [b"data: cut", b"data: cut\n", b"id: 7\n", b"da"])
async def test_an_event_without_its_blank_line_is_not_delivered_but_noticed(rest: bytes) -> None:
    events, stream = await read([b"data: a\n\n" + rest])
    assert [event.data for event in events] == ["a"]
    assert stream.within_event


async def test_blank_lines_and_comments_after_an_id_make_no_event() -> None:
    events, _ = await read([b"id: 1\ndata: a\n\n\n\n: ping\n\nfoo: bar\n\nretry: -5\n\nid: \0\n\n"])
    assert [event.data for event in events] == ["a"]


async def test_bytes_that_are_not_utf8_are_replaced_and_the_stream_goes_on() -> None:
    events, stream = await read([b"data: \xff\xfe\n\ndata: b\n\n"])
    assert [event.data for event in events] == ["\ufffd\ufffd", "b"]
    assert stream.is_garbled


@pytest.mark.parametrize(
    ("limits", "piece", "reason"),
    [
        (Limits(event=100), b"data: " + b"x" * 50, "event-too-large"),
        (Limits(event=100), b"data: x\n" * 5, "event-too-large"),
        (Limits(event=100), b":" + b"x" * 50, "event-too-large"),
        (Limits(events=5), b"data: x\n\n", "too-many-events"),
        (Limits(comments=5), b": ping\n", "too-many-comments"),
    ],
)
async def test_an_endless_stream_ends_at_a_limit(limits: Limits, piece: bytes, reason: str) -> None:
    with pytest.raises(NetError) as failed:
        await read((piece for _ in range(1000)), limits)
    assert (failed.value.error.failure, failed.value.error.reason) == (Failure.LIMIT, reason)
