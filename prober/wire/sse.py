"""Server-sent events, read by httpx-sse from a stream that is bounded and cleaned before it gets there.

The filter in front settles what the parser leaves open: it strips a byte order mark, ends lines at CR, LF and CRLF at
once and across chunks, counts and drops comments, drops blank lines that end nothing, and bounds every event.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import httpx
from httpx_sse import EventSource

from checks.model import Failure
from checks.spec import EVENT_STREAM_TYPE
from prober.limits import KIB, Limits
from prober.net.failures import NetError
from prober.net.http1 import Chunk

_BOM: Final = b"\xef\xbb\xbf"
_BLANK_LINES: Final = re.compile(rb"\n{3,}")
"""A second blank line ends nothing that the first has not ended."""
_FIELDS: Final = frozenset({b"event", b"data", b"id", b"retry"})
_LONGEST_RETRY: Final = 9
_AT_ONCE: Final = 16 * KIB
"""Bytes that are taken apart before other probes get their turn: lines of one byte cost most."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, stamped with the arrival of the chunk that completed it, on the monotonic clock."""

    name: str
    data: str
    id: str | None
    retry_ms: int | None
    at: float


class EventStream:
    """The events of one answer. Read `events` once; the other attributes tell what came so far."""

    def __init__(self, chunks: AsyncGenerator[Chunk, None], limits: Limits) -> None:
        self._bytes = _FilteredBytes(chunks, LineFilter(limits))

    @property
    def comments(self) -> int:
        """Comment lines seen: keep-alives, which prove that the server lives."""
        return self._bytes.filter.comments

    @property
    def within_event(self) -> bool:
        """Whether what came so far ends in the middle of an event."""
        return self._bytes.filter.within_event

    @property
    def is_garbled(self) -> bool:
        """Whether an event had bytes that are not UTF-8; the parser puts U+FFFD in their place."""
        return self._bytes.filter.garbled

    async def events(self) -> AsyncGenerator[Event, None]:
        """Every event, also those without data: with an id they are the priming events of 2025-11-25.

        Raises `NetError` where the answer breaks off or exceeds a limit.
        """
        headers = {"Content-Type": f"{EVENT_STREAM_TYPE}; charset=utf-8"}  # the parser would believe the server's own
        source = EventSource(httpx.Response(200, headers=headers, stream=self._bytes))
        async with aclosing(source.aiter_sse()) as parsed:
            async for each in parsed:
                yield Event(each.event, each.data, each.id or None, each.retry, self._bytes.at)


class _FilteredBytes(httpx.AsyncByteStream):
    """What the parser reads. It pulls a chunk only when it needs one, so `at` is the stamp of the last that it saw."""

    def __init__(self, chunks: AsyncGenerator[Chunk, None], line_filter: "LineFilter") -> None:
        self._chunks = chunks
        self.filter = line_filter
        self.at = 0.0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with aclosing(self._chunks):
            async for at, data in self._chunks:
                self.at = at
                for start in range(0, len(data), _AT_ONCE):
                    if start:
                        await asyncio.sleep(0)
                    kept = self.filter.feed(data[start : start + _AT_ONCE])
                    if kept:
                        yield kept


class LineFilter:
    """Passes on whole lines that mean something, each ended by LF. Raises `NetError` beyond a limit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rest = bytearray()
        self._after_cr = False
        self._at_start = True
        self._event_bytes = 0
        self._events = 0
        self.comments = 0
        self.garbled = False

    @property
    def within_event(self) -> bool:
        return self._event_bytes > 0 or bool(self._rest)

    def feed(self, data: bytes) -> bytes:
        """The lines that `data` completes."""
        data = self._in_lf(data)
        head, newline, tail = data.rpartition(b"\n")
        lines: list[bytes] = []
        if newline:
            lines = bytes(self._rest + head).split(b"\n")
            self._rest.clear()
        self._rest += tail
        kept = b"".join(self._kept(self._without_bom(line)) for line in lines)
        self.garbled = self.garbled or not _is_utf8(kept)
        if self._event_bytes + len(self._rest) > self._limits.event:
            raise _too_much("event-too-large", f"an event is larger than {self._limits.event:,} bytes")
        return kept

    def _in_lf(self, data: bytes) -> bytes:
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]  # the other half of a CRLF; an empty chunk cannot come here
            self._after_cr = False
        if data:
            self._after_cr = data.endswith(b"\r")
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return _BLANK_LINES.sub(b"\n\n", lines) if b"\n\n\n" in lines else lines

    def _without_bom(self, line: bytes) -> bytes:
        if self._at_start:
            self._at_start = False
            return line.removeprefix(_BOM)
        return line

    def _kept(self, line: bytes) -> bytes:
        if not line:
            return self._end_of_event()
        if line.startswith(b":"):
            self.comments += 1
            if self.comments > self._limits.comments:
                raise _too_much("too-many-comments", f"more than {self._limits.comments:,} comments")
            return b""
        if not _means_something(line):
            return b""
        self._event_bytes += len(line)
        return line + b"\n"

    def _end_of_event(self) -> bytes:
        if not self._event_bytes:
            return b""
        self._event_bytes = 0
        self._events += 1
        if self._events > self._limits.events:
            raise _too_much("too-many-events", f"more than {self._limits.events:,} events")
        return b"\n"


def _means_something(line: bytes) -> bool:
    """Whether a line is a field that the standard knows, with a value that it accepts (WHATWG HTML, section 9.2.6)."""
    field, _, value = line.partition(b":")
    value = value.removeprefix(b" ")
    if field == b"id":
        return b"\0" not in value
    if field == b"retry":
        return value.isdigit() and len(value) <= _LONGEST_RETRY
    return field in _FIELDS


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _too_much(reason: str, detail: str) -> NetError:
    return NetError(Failure.LIMIT, reason, detail)
