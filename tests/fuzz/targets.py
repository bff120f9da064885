"""What is fuzzed: plain functions that take hostile bytes and assert what must hold for any of them.

The first byte decides how the rest is cut into the pieces that a network would deliver.
"""

import json
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from checks.challenges import CHALLENGE_CAP, PARAMETER_CAP, Challenge, parse
from checks.text import storable
from prober.limits import Limits
from prober.net.failures import NetError
from prober.net.http1 import Answer, Connection
from prober.net.phases import Phases
from prober.storage import spool_format
from prober.wire import jsonrpc
from prober.wire.sse import Event, EventStream

T = TypeVar("T")

SMALL = Limits(
    headers=20, header_bytes=2048, body=4096, received=8192, buffered=256, event=512, events=20, comments=20, json=4096
)
"""Limits that an input of fuzzing size can reach."""

DEPTH = 8
VALUES = 64


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


def json_scan(data: bytes) -> None:
    """What is read stays within its bounds, can be stored, and can be written and read again."""
    try:
        value = jsonrpc.decode(data, depth=DEPTH, values=VALUES).value
    except jsonrpc.Unreadable:
        return
    depth, parts = _measure(value)
    assert depth <= DEPTH
    assert parts <= VALUES
    kept = storable(value)
    written = json.dumps(kept, allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert b"\x00" not in written
    assert json.loads(written) == kept


def challenges(data: bytes) -> None:
    """Challenges come out within their caps, and mean the same when written down and read again."""
    found = parse(data.decode("latin-1"))
    assert len(found) <= CHALLENGE_CAP
    for each in found:
        assert len(each.parameters) <= PARAMETER_CAP
        if each.parameters:
            assert parse(_written(each))[0].parameters == each.parameters


def spool_reader(data: bytes) -> None:
    """Whatever lies in a file, what is read of it can be written and read again, and nothing else is read."""
    salt = int.from_bytes(data[:4], "little")
    try:
        found = spool_format.read(data[4:], salt).records
    except spool_format.UnknownVersion:
        return
    written = spool_format.header(salt) + b"".join(spool_format.frame(each, salt) for each in found)
    again = spool_format.read(written, salt)
    assert again.records == found
    assert again.damaged == 0
    assert sum(len(each.payload) for each in found) <= len(data)


def _measure(value: Any) -> tuple[int, int]:
    """How deep a value is, and of how many parts it is made."""
    level, depth, parts = [value], 0, 0
    while level:
        containers = [each for each in level if isinstance(each, dict | list)]
        depth += bool(containers)
        level = [part for each in containers for part in (each.values() if isinstance(each, dict) else each)]
        parts += len(level)
    return depth, parts


def _written(challenge: Challenge) -> str:
    quoted = {name: re.sub(r'(["\\\\])', r"\\\1", value) for name, value in challenge.parameters.items()}
    return f"{challenge.scheme} " + ", ".join(f'{name}="{value}"' for name, value in quoted.items())


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
    "json": json_scan,
    "challenges": challenges,
    "spool": spool_reader,
}
