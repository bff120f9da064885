"""What holds of the readers for whatever bytes come, however they are cut."""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Iterable
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from checks.irregularities import Irregular
from checks.model import Failure
from checks.text import storable
from prober.limits import Limits
from prober.net.failures import NetError
from prober.net.http1 import Answer, Chunk, Connection
from prober.net.phases import Phases
from prober.wire import jsonrpc
from prober.wire.sse import EventStream

# event streams, against the standard's own words


def standard(text: bytes) -> list[tuple[str, str, str]]:
    """The events with data that the WHATWG HTML standard, section 9.2.6, dispatches, step by step as it is written."""
    lines = text.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    events: list[tuple[str, str, str]] = []
    data, kind, last_id = "", "", ""
    for line in lines[:-1]:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data.removesuffix("\n"):
                events.append((kind or "message", data.removesuffix("\n"), last_id))
            data, kind = "", ""
        elif name == "event":
            kind = value
        elif name == "data":
            data += value + "\n"
        elif name == "id" and "\0" not in value:
            last_id = value
    return events


async def chunked(pieces: Iterable[bytes]) -> AsyncGenerator[Chunk, None]:
    for piece in pieces:
        yield 0.0, piece


async def events_of(pieces: Iterable[bytes]) -> list[tuple[str, str, str]]:
    stream = EventStream(chunked(piece for piece in pieces if piece), Limits())
    return [(event.name, event.data, event.id or "") async for event in stream.events() if event.data]


ends = st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n"])
names = st.sampled_from([b"data", b"event", b"id", b"retry", b"", b"dat", b"Data", b"\xef\xbb\xbfdata", b"comment"])
values = st.sampled_from(
    [b"", b" ", b"x", b" x", b"  x", b"1500", b"\0", b"-5", b"\xff", "é\u2028\u0085\x0b\x0c".encode()]
)
lines = st.builds(
    lambda name, colon, value, end: name + colon + value + end, names, st.sampled_from([b":", b""]), values, ends
)
streams = st.builds(
    lambda start, parts: start + b"".join(parts), st.sampled_from([b"", b"\xef\xbb\xbf"]), st.lists(lines, max_size=12)
)


@settings(max_examples=150)
@given(streams)
@example(b"\xef\xbb\xbf: c\r\nid: 1\rdata:\r\n\r\ndata: a\n\n")
def test_a_stream_means_what_the_standard_says_at_every_split(text: bytes) -> None:
    expected = standard(text)

    async def at_every_split() -> None:
        for cut in range(len(text) + 1):
            assert await events_of((text[:cut], text[cut:])) == expected, cut
        assert await events_of(bytes([byte]) for byte in text) == expected

    asyncio.run(at_every_split())


@settings(max_examples=150)
@given(st.binary(max_size=2000), st.integers(1, 64))
def test_any_bytes_are_a_stream_that_ends_or_is_refused_by_a_limit(text: bytes, size: int) -> None:
    async def read() -> None:
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        stream = EventStream(chunked(pieces), Limits(event=200, events=5, comments=5))
        try:
            async for event in stream.events():
                assert len(event.data.encode()) <= 3 * 200  # each undecodable byte becomes three
        except NetError as refused:
            reasons.append(refused.error.failure)

    reasons: list[Failure] = []
    asyncio.run(asyncio.wait_for(read(), 30))
    assert set(reasons) <= {Failure.LIMIT}


# JSON

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def decode(text: bytes) -> jsonrpc.Decoded:
    return jsonrpc.decode(text, depth=64, values=1000)


@given(json_values, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_what_json_can_write_is_read_back_whatever_its_layout(value: Any, ascii_only: bool, indent: Any) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert decode(text).value == value


@given(json_values.filter(lambda value: "\0" not in json.dumps(value, ensure_ascii=False)))
def test_ordinary_json_has_nothing_odd_about_it(value: Any) -> None:
    noticed = {each.code for each in decode(json.dumps(value, ensure_ascii=False).encode()).noticed}
    assert noticed <= {Irregular.NUL}


jsonish = st.lists(
    st.sampled_from(
        [
            b"{",
            b"}",
            b"[",
            b"]",
            b":",
            b",",
            b'"',
            b"\\",
            b"\\u0000",
            b"\\ud800",
            b"1",
            b"1e999",
            b"NaN",
            b" ",
            b'"a"',
            b"\xff",
            b"null",
            b"-",
            b"\0",
            b"\xef\xbb\xbf",
        ]
    ),
    max_size=60,
).map(b"".join)


@settings(max_examples=400)
@given(st.binary(max_size=300) | jsonish)
def test_reading_json_raises_nothing_but_what_it_says_and_what_it_gives_can_be_stored(text: bytes) -> None:
    code, value = refusal_or_value(text, depth=64, values=1000)
    assert code in {None, "json-too-deep", "json-too-many-values", *Irregular}
    json.dumps(storable(value), allow_nan=False, ensure_ascii=False).encode("utf-8")


def refusal_or_value(text: bytes, *, depth: int, values: int) -> tuple[str | None, Any]:
    try:
        return None, jsonrpc.decode(text, depth=depth, values=values).value
    except jsonrpc.Unreadable as refused:
        return refused.code, None


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


def parts_of(value: Any) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return len(inner) + sum(map(parts_of, inner))


@settings(max_examples=250)
@given(json_values, st.integers(0, 5), st.integers(0, 20), st.sampled_from([None, 2]))
def test_the_scan_before_the_parser_counts_what_the_parser_would_find(
    value: Any, depth: int, parts: int, indent: int | None
) -> None:
    text = json.dumps(value, indent=indent).encode()
    code, _ = refusal_or_value(text, depth=depth, values=parts)
    too_deep = {"json-too-deep"} if depth_of(value) > depth else set()
    too_many = {"json-too-many-values"} if parts_of(value) > parts else set()
    assert code in (too_deep | too_many or {None})


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_survives(number: float) -> None:
    read = decode(json.dumps([number]).encode()).value
    assert math.isclose(read[0], number, rel_tol=0.0)


# HTTP


class Flow:
    def flow(self, *, paused: bool) -> None: ...


heads = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 200\r\n",
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/2 200\r\n",
        b"",
    ]
)
headers = st.lists(
    st.sampled_from(
        [
            b"Content-Length: 5\r\n",
            b"Content-Length: 99999999999\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: gzip\r\n",
            b"Connection: close\r\n",
            b"Connection: Upgrade\r\nUpgrade: x\r\n",
            b"A" * 60 + b": b\r\n",
            b" folded\r\n",
            b"X\0: y\r\n",
        ]
    ),
    max_size=4,
).map(b"".join)
answers = st.builds(
    lambda head, fields, body: head + fields + b"\r\n" + body,
    heads,
    headers,
    st.binary(max_size=80) | st.just(b"5\r\nhello\r\n0\r\n\r\n") | st.just(b"hello" + b"HTTP/1.1 200 OK\r\n"),
)


@settings(max_examples=250)
@given(st.binary(max_size=400) | answers, st.integers(1, 50), st.sampled_from([None, ConnectionResetError()]))
def test_any_bytes_are_an_answer_or_a_reason_and_never_a_wait(text: bytes, size: int, cause: Exception | None) -> None:
    async def read() -> bytes:
        limits = Limits(headers=4, header_bytes=300, body=200, received=600, buffered=64)
        got = Answer(cast("Connection", Flow()), limits, Phases(started=0.0))
        for start in range(0, len(text), size):
            if got.complete or got.failure is not None:
                break
            got.feed(text[start : start + size], 1.0)
        got.end(cause)
        await got.head()
        assert 200 <= got.status <= 999
        return b"".join([data async for _, data in got.chunks()])

    try:
        body, failure = asyncio.run(asyncio.wait_for(read(), 30)), None
    except NetError as refused:
        body, failure = b"", refused.error.failure
    assert failure in (None, Failure.PROTOCOL, Failure.LIMIT, Failure.CONNECTION_LOST)
    assert len(body) <= 200


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_an_answer_reads_the_same_in_pieces_of_every_size(size: int) -> None:
    text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"5\r\nhello\r\n" * 40 + b"0\r\n\r\n"
    got = Answer(cast("Connection", Flow()), Limits(), Phases(started=0.0))
    for start in range(0, len(text), size):
        got.feed(text[start : start + size], 1.0)
    await got.head()
    assert b"".join([data async for _, data in got.chunks()]) == b"hello" * 40
