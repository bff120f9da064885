"""One HTTP/1.1 connection: bytes in, bounded and stamped pieces of an answer out. Parsing is llhttp's."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Final, cast

import httptools

from checks.model import Failure
from checks.text import clean_bytes
from prober.limits import Limits
from prober.net.failures import NetError
from prober.net.phases import Phases, Step

Chunk = tuple[float, bytes]
"""When a piece of a body arrived, on the monotonic clock, and the piece."""

_CHUNK_FRAMING: Final = b"chunked"


class Connection(asyncio.Protocol):
    """A TCP or TLS connection that carries one request at a time."""

    def __init__(self, limits: Limits) -> None:
        loop = asyncio.get_running_loop()
        self._limits = limits
        self._closed: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._paused = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.complete:
            self.abort()  # bytes that nobody asked for: whatever follows could be taken for the next answer
            if self._answer is not None:
                self._answer.followed = True
            return
        self._answer.feed(data, monotonic())
        if self._answer.failure is not None:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None:
            self._answer.end(exc)
        if not self._closed.done():
            self._closed.set_result(None)

    # for the transport

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing() and not self._closed.done()

    @property
    def tls(self) -> ssl.SSLObject | None:
        return self._transport.get_extra_info("ssl_object") if self._transport is not None else None

    def send(self, payload: bytes, phases: Phases) -> "Answer":
        """Write a whole request. Its answer fills itself as it arrives."""
        assert self._transport is not None
        self._answer = Answer(self, self._limits, phases)
        phases.step = Step.ANSWER
        peer = self._transport.get_extra_info("peername")
        phases.remote_address = str(peer[0]) if peer else None
        # Before the bytes go: the kernel may wake the server first, and us when it has answered.
        phases.sent_at = monotonic()
        self._transport.write(payload)
        return self._answer

    def flow(self, *, paused: bool) -> None:
        """Stop or go on reading from the socket, so that a fast sender cannot fill our memory."""
        if paused is not self._paused and self.is_open:
            assert self._transport is not None
            self._paused = paused
            (self._transport.pause_reading if paused else self._transport.resume_reading)()

    def abort(self) -> None:
        """Close at once, without a goodbye."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Close in order: a TLS goodbye is sent, but not waited for (RFC 8446 section 6.1 allows it)."""
        if self._transport is None:
            return
        if self.is_open:
            self._transport.close()
            await asyncio.sleep(0)
        if not self._closed.done():
            self._transport.abort()
        await self._closed


class Answer:
    """What came back to one request: head, then body pieces in the order of their arrival."""

    def __init__(self, connection: Connection, limits: Limits, phases: Phases) -> None:
        self._connection = connection
        self._limits = limits
        self._phases = phases
        self._parser = httptools.HttpResponseParser(self)
        self._chunks: deque[Chunk] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._now = 0.0
        self._received = 0
        self._head_bytes = 0
        self._header_bytes = 0
        self._informational = 0
        self._buffered = 0
        self._head_done = False
        self._keep_alive = False
        self._ends_with_connection = True
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body_bytes = 0
        self.complete = False
        self.followed = False
        """Bytes came after its end that no request asked for."""
        self.failure: NetError | None = None

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request once this answer is over."""
        return self.complete and self._keep_alive and self.failure is None

    @property
    def untouched(self) -> bool:
        """Whether not a single byte has come."""
        return self._received == 0

    async def head(self) -> None:
        """Wait for status and headers. Raises `NetError`."""
        while not self._head_done:
            if self.failure is not None:
                raise self.failure
            await self._wait()
        self._phases.step = Step.BODY

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """The body, piece by piece, as it arrives. Raises `NetError` after the last piece that came."""
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                self._buffered -= len(chunk[1])
                if self._buffered <= self._limits.buffered // 4:
                    self._connection.flow(paused=False)
                yield chunk
            if self.failure is not None:
                raise self.failure
            if self.complete:
                return
            await self._wait()

    def feed(self, data: bytes, now: float) -> None:
        """Take in bytes from the socket."""
        self._now = now
        self._received += len(data)
        if not self._head_done:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(Failure.PROTOCOL, "switching-protocols", "the server switched to another protocol unasked")
        except httptools.HttpParserError as cause:
            self._keep_alive = False
            self.followed = self.complete
            if not self.complete:
                begins = clean_bytes(data, 60)
                self._fail(Failure.PROTOCOL, "malformed-http", f"not HTTP/1.1 ({cause}), at “{begins}”")
        if not self._head_done and self._head_bytes > self._limits.header_bytes:
            self._fail_on_headers()
        if self._received > self._limits.received:
            self._fail(Failure.LIMIT, "answer-too-large", f"more than {self._limits.received:,} bytes came")
        self._wake()

    def end(self, cause: Exception | None) -> None:
        """The connection is gone."""
        if not self.complete and self.failure is None:
            if self._head_done and self._ends_with_connection and cause is None:
                self.complete = True
            else:
                self._lose(cause)
        self._wake()

    # callbacks of the parser

    def on_message_begin(self) -> None:
        if self.complete:
            self._keep_alive = False
            self.followed = True
        elif self._phases.first_byte_at is None or self.status:
            self._phases.first_byte_at = self._now

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.complete or self.failure is not None:
            return
        self._header_bytes += len(name) + len(value) + 4
        if len(self.headers) >= self._limits.headers:
            self._fail(Failure.LIMIT, "too-many-headers", f"more than {self._limits.headers} headers")
        elif self._header_bytes > self._limits.header_bytes:
            self._fail_on_headers()
        elif not self._head_done:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self._informational += 1
            if self._informational > self._limits.informational:
                detail = f"more than {self._limits.informational} interim answers"
                self._fail(Failure.LIMIT, "too-many-informational", detail)
            return
        self._head_done = True
        for name, value in self.headers:
            self._note_framing(name.lower(), value)

    def on_body(self, data: bytes) -> None:
        if self.complete or self.failure is not None:
            return
        self.body_bytes += len(data)
        if self.body_bytes > self._limits.body:
            self._fail(Failure.LIMIT, "body-too-large", f"the body is larger than {self._limits.body:,} bytes")
            return
        self._chunks.append((self._now, data))
        self._buffered += len(data)
        if self._buffered > self._limits.buffered:
            self._connection.flow(paused=True)

    def on_message_complete(self) -> None:
        if not self._head_done:
            self.headers.clear()  # of an interim answer
        elif not self.complete:
            self._keep_alive = self._parser.should_keep_alive()
            self.complete = True

    def _note_framing(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            self._ends_with_connection = False
            if int(value) > self._limits.body:
                detail = f"a body of {int(value):,} bytes is announced, {self._limits.body:,} are read"
                self._fail(Failure.LIMIT, "body-too-large", detail)
        elif name == b"transfer-encoding" and value.strip().lower().endswith(_CHUNK_FRAMING):
            self._ends_with_connection = False

    def _fail_on_headers(self) -> None:
        detail = f"the headers are larger than {self._limits.header_bytes:,} bytes"
        self._fail(Failure.LIMIT, "headers-too-large", detail)

    def _fail(self, failure: Failure, reason: str, detail: str) -> None:
        if self.failure is None:
            self.failure = NetError(failure, reason, detail)

    def _lose(self, cause: Exception | None) -> None:
        how = "was reset" if isinstance(cause, ConnectionResetError) else "was closed"
        if self.untouched:
            self._fail(Failure.CONNECTION_LOST, "before-answer", f"the connection {how} before any answer came")
        elif not self._head_done:
            detail = f"the connection {how} within the headers, after {self._received:,} bytes"
            self._fail(Failure.CONNECTION_LOST, "in-headers", detail)
        else:
            detail = f"the connection {how} within the body, after {self.body_bytes:,} bytes of it"
            self._fail(Failure.CONNECTION_LOST, "in-body", detail)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
