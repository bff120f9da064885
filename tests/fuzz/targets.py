"""What is fuzzed: plain functions that take hostile bytes and assert what must hold for any of them.

The first byte decides how the rest is cut into the pieces that a network would deliver.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from prober.limits import Limits
from prober.net.failures import NetError
from prober.net.http1 import Answer, Connection
from prober.net.phases import Phases
from prober.wire.sse import Event, EventStream

T = TypeVar("T")

SMALL = Limits(
    headers=20, header_bytes=2048, body=4096, received=8192, buffered=256, event=512, events=20, comments=20, json=4096
)
"""Limits that an input of fuzzing size can reach."""


def sse_reader(data: bytes) -> None:
    """However the bytes are cut, the same events come out, or the same limit is hit."""
    cut, whole = _events(_pieces(data)), _events(iter([data[1:]]))
    assert cut == whole or "too" in str(cut[1]) + str(whole[1]), (cut, whole)
    assert len(cut[0]) <= SMALL.events
    assert all(len(event.data) <= SMALL.event for event in cut[0])


def response_body(data: bytes) -> None:
    """An answer ends, by itself or as a failure, within its bounds, and what was read of it is what came."""
    first, second = _answer(_pieces(data)), _answer(iter([data[1:]]))
    for answer in (first, second):
        assert answer.complete or answer.failure is not None
        assert len(answer.headers) <= SMALL.headers
    assert _body(first) == _body(second) or first.failure or second.failure


def _pieces(data: bytes) -> Iterator[bytes]:
    size = (data[0] if data else 0) % 16 + 1
    return (data[at : at + size] for at in range(1, len(data), size))


def _events(pieces: Iterator[bytes]) -> tuple[list[Event], str | None]:
    """The events in these pieces, and the reason of the failure that ended them."""

    async def chunks() -> AsyncGenerator[tuple[float, bytes], None]:
        for piece in pieces:
            if piece:
                yield 0.0, piece

    async def read() -> tuple[list[Event], str | None]:
        found: list[Event] = []
        try:
            async with aclosing(EventStream(chunks(), SMALL).events()) as events:
                async for event in events:
                    found.append(event)  # noqa: PERF401 - what came before a failure counts
        except NetError as failed:
            return found, failed.error.reason
        return found, None

    return _run(read())


class _Unplugged(Connection):
    """A connection without a socket."""

    def __init__(self) -> None:
        pass

    def flow(self, *, paused: bool) -> None:
        """Nobody sends, so nobody has to wait."""


def _answer(pieces: Iterator[bytes]) -> Answer:
    answer = Answer(_Unplugged(), SMALL, Phases(started=0.0))
    for piece in pieces:
        answer.feed(piece, 0.0)
        if answer.failure is not None:
            break
    answer.end(None)
    return answer


def _body(answer: Answer) -> bytes:
    async def read() -> bytes:
        found = b""
        try:
            async with aclosing(answer.chunks()) as chunks:
                async for _, data in chunks:
                    found += data
        except NetError:
            pass
        return found

    return _run(read())


def _run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits. An event loop per input would be most of the time."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waits for something that never comes")


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "sse": sse_reader,
    "body": response_body,
}
