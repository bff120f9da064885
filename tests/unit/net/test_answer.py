"""Bytes of an HTTP answer in, bounded pieces out: fed without a socket, whole and at every split."""

import asyncio
from typing import cast

import pytest

from checks.model import Failure
from prober.limits import Limits
from prober.net.failures import NetError
from prober.net.http1 import Answer, Connection
from prober.net.phases import Phases

CHUNKED = (
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: y\r\n\r\n"
)


class Flow:
    """Stands in for the connection: remembers whether reading is paused."""

    def __init__(self) -> None:
        self.paused: list[bool] = []

    def flow(self, *, paused: bool) -> None:
        self.paused.append(paused)


def answer(limits: Limits | None = None, flow: Flow | None = None) -> Answer:
    return Answer(cast("Connection", flow or Flow()), limits or Limits(), Phases(started=0.0))


async def body_of(got: Answer) -> bytes:
    await got.head()
    return b"".join([data async for _, data in got.chunks()])


def failure_of(got: Answer) -> tuple[Failure, str]:
    assert got.failure is not None
    return got.failure.error.failure, got.failure.error.reason


async def test_an_answer_reads_the_same_at_every_split() -> None:
    for cut in range(1, len(CHUNKED)):
        got = answer()
        got.feed(CHUNKED[:cut], 1.0)
        got.feed(CHUNKED[cut:], 2.0)
        assert got.status == 200
        assert got.headers == [(b"Content-Type", b"text/event-stream"), (b"Transfer-Encoding", b"chunked")]
        assert await body_of(got) == b"hello world"
        assert got.reusable


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\n", b"junk", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("connection", [b"", b"Connection: close\r\n"])
async def test_bytes_after_the_answer_are_noticed_and_the_connection_is_not_used_again(
    more: bytes, connection: bytes
) -> None:
    got = answer()
    got.feed(b"HTTP/1.1 200 OK\r\n" + connection + b"Content-Length: 2\r\n\r\nok" + more, 1.0)
    assert await body_of(got) == b"ok"
    assert got.followed
    assert not got.reusable


async def test_a_line_end_after_the_answer_is_nothing() -> None:
    got = answer()
    got.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n", 1.0)
    assert await body_of(got) == b"ok"
    assert not got.followed


async def test_each_piece_bears_the_time_of_its_arrival() -> None:
    got = answer()
    got.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 1.0)
    got.feed(b"a", 2.0)
    got.feed(b"b", 3.0)
    assert [chunk async for chunk in got.chunks()] == [(2.0, b"a"), (3.0, b"b")]


async def test_the_first_byte_is_that_of_the_final_answer() -> None:
    phases = Phases(started=0.0)
    got = Answer(cast("Connection", Flow()), Limits(), phases)
    got.feed(b"HTTP/1.1 103 Early Hints\r\n\r\n", 1.0)
    got.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 5.0)
    assert phases.first_byte_at == 5.0


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    got = answer()
    got.feed(b"HTTP/1.1 200 OK\r\n\r\nall of it", 1.0)
    got.end(None)
    assert await body_of(got) == b"all of it"
    assert not got.reusable


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "before-answer"),
        (b"HTTP/1.1 200 OK\r\nContent-", "in-headers"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "in-body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "in-body"),
    ],
)
async def test_a_connection_that_ends_too_early_is_lost(sent: bytes, reason: str) -> None:
    got = answer()
    if sent:
        got.feed(sent, 1.0)
    got.end(None)
    assert failure_of(got) == (Failure.CONNECTION_LOST, reason)


async def test_what_came_before_the_loss_is_handed_out_first() -> None:
    got = answer()
    got.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", 1.0)
    got.end(ConnectionResetError())
    chunks = got.chunks()
    assert await anext(chunks) == (1.0, b"short")
    with pytest.raises(NetError, match="reset"):
        await anext(chunks)


@pytest.mark.parametrize(
    ("limits", "sent", "reason"),
    [
        (Limits(headers=3), b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 4 + b"\r\n", "too-many-headers"),
        (Limits(header_bytes=64), b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100, "headers-too-large"),
        (Limits(header_bytes=64), b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100 + b"\r\n\r\n", "headers-too-large"),
        (Limits(informational=2), b"HTTP/1.1 100 Continue\r\n\r\n" * 3, "too-many-informational"),
        (Limits(body=4), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "body-too-large"),
        (Limits(body=4), b"HTTP/1.1 200 OK\r\n\r\n12345", "body-too-large"),
        (
            Limits(received=99),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 99,
            "answer-too-large",
        ),
    ],
)
async def test_an_answer_beyond_a_limit_fails_with_its_name(limits: Limits, sent: bytes, reason: str) -> None:
    got = answer(limits)
    got.feed(sent, 1.0)
    assert failure_of(got) == (Failure.LIMIT, reason)


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
    ],
)
async def test_what_is_not_http_is_a_protocol_failure(sent: bytes) -> None:
    got = answer()
    got.feed(sent, 1.0)
    assert failure_of(got) == (Failure.PROTOCOL, "malformed-http")


async def test_a_switch_of_protocols_is_refused() -> None:
    got = answer()
    got.feed(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n\0\0", 1.0)
    assert failure_of(got) == (Failure.PROTOCOL, "switching-protocols")


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\ngarbage",
    ],
)
async def test_a_connection_is_not_used_again_after_a_goodbye_or_surplus_bytes(sent: bytes) -> None:
    got = answer()
    got.feed(sent, 1.0)
    assert got.complete
    assert got.failure is None
    assert not got.reusable


async def test_reading_pauses_while_nobody_takes_the_body_and_goes_on_afterwards() -> None:
    flow = Flow()
    got = answer(Limits(buffered=10), flow)
    got.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + b"x" * 11, 1.0)
    assert flow.paused == [True]
    async for _ in got.chunks():
        break
    assert flow.paused[-1] is False


async def test_what_happens_while_a_request_is_handed_over_belongs_to_the_wait() -> None:
    phases, seen = Phases(started=0.0), []

    class Wire(asyncio.Transport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            seen.append((bytes(data), phases.sent_at is not None))

    connection = Connection(Limits())
    connection.connection_made(Wire())
    connection.send(b"POST / HTTP/1.1\r\n\r\n", phases)
    assert seen == [(b"POST / HTTP/1.1\r\n\r\n", True)]
