"""Turns one HTTP request and all that comes back into an `Exchange`, and never raises for what comes back.

Reasons that the wire adds to those of `prober.net.failures`:
    deadline         exhausted (nothing was sent), no-answer, incomplete, no-event, resume-delay
    connection-lost  stream-ended
    protocol         unexpected-encoding, broken-encoding, no-endpoint-event, foreign-endpoint
    limit            body-too-large (of what was unpacked), json-too-large, json-too-deep, json-too-many-values,
                     event-too-large, too-many-events, too-many-comments
    blocked          foreign-origin
    observer         not-open, invalid-request

What came but cannot be seen in the messages goes into `irregularities`, whose codes `checks.irregularities` has.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final

import httpx

from checks.irregularities import Irregular
from checks.model import Exchange, Failure, Irregularity, Message, Timings, TransportError
from checks.spec import EVENT_STREAM_TYPE, JSON_TYPE
from checks.text import clean
from prober.clock import Clock
from prober.limits import Limits
from prober.net.failures import NetError
from prober.net.http1 import Chunk
from prober.net.phases import Phases, Step
from prober.net.transport import BODY, Body
from prober.wire import jsonrpc
from prober.wire.outgoing import Composer, Headers, Outgoing, Signer
from prober.wire.packed import Unpacker, unpacks
from prober.wire.redact import Redactor, SentHeader
from prober.wire.sse import Event, EventStream
from prober.wire.tracing import Trace

_DETAIL: Final = 300
_BLAMES_PHASE_S: Final = 1.0
"""A phase that used up at least this much is to blame for a missed deadline; with less left, the deadline is."""

OVERTIME_S: Final = 0.3
"""For taking leave of a server that has used up the probe's time: enough to connect across an ocean and ask."""

_NOT_AFTER: Final = "not_after"
_ENDLESS: Final = frozenset({"too-many-events", "too-many-comments"})
_NO_AUTH: Final = httpx.Auth()
"""Keeps httpx from making credentials out of a user in a URL, which a server may have named."""

_PHASE_FAILURES: Final = {Step.DNS: Failure.DNS, Step.CONNECT: Failure.CONNECT, Step.TLS: Failure.TLS}


class Recorder:
    """Makes the exchanges of one probe: numbers them, counts their time from its start, keeps its secrets out."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        clock: Clock,
        limits: Limits,
        headers: Sequence[SentHeader],
        url: str,
        deadline: float,
        signer: Signer | None = None,
        trace: Trace | None = None,
    ) -> None:
        """`url` is the endpoint's, whose query is kept out of what is shown. `trace`: None for a new one."""
        self.client = client
        self.clock = clock
        self.limits = limits
        self.trace = trace or Trace()
        self.composer = Composer(client.headers, headers, signer, self.trace)
        self.redactor = Redactor(headers, url)
        self.deadline = deadline
        """When the probe is over, on the event loop's clock."""
        self._began = clock.monotonic()
        self._count = 0

    def leave_by(self) -> float:
        """When a leave that begins now must be over, on the event loop's clock: after `Limits.close_s`, and no later
        than `OVERTIME_S` after the end of the probe."""
        return min(asyncio.get_running_loop().time() + self.limits.close_s, self.deadline + OVERTIME_S)

    def record(self, outgoing: Outgoing) -> "Recording":
        """Begin an exchange; nothing is sent yet."""
        self._count += 1
        return Recording(self, outgoing, exchange_id=f"x{self._count}", offset_s=self.clock.monotonic() - self._began)

    async def exchange(self, outgoing: Outgoing, *, deadline: float | None = None) -> Exchange:
        """Send one request and read its answer, under the probe's deadline or the given one."""
        recording = self.record(outgoing)
        await recording.run(deadline=deadline)
        return recording.finish()


class Recording:
    """One exchange while it happens. `run` fills it, `finish` freezes it."""

    def __init__(self, recorder: Recorder, outgoing: Outgoing, *, exchange_id: str, offset_s: float) -> None:
        self._recorder = recorder
        self._limits = recorder.limits
        self._outgoing = outgoing
        self._redactor = recorder.redactor
        self._id = exchange_id
        self._offset_s = offset_s
        self._started_at: datetime = recorder.clock.now()
        self._now = recorder.clock.monotonic
        self._phases = Phases(started=self._now())
        self._request_headers: Headers = ()
        self._request_body = ""
        self._body = bytearray()
        self._messages: list[Message] = []
        self._first_event_at: float | None = None
        self._last_event_at: float | None = None
        self._last_byte_at: float | None = None
        self._ended_at: float | None = None
        self._stayed_open = False
        """The stream did not end with the answer: the pause after it is ours and counts as no time of the server's."""
        self._unterminated = False
        self._comments = 0
        self._irregularities: dict[str, Irregularity] = {}
        """By code: of each kind the first is kept."""
        self._unpacker: Unpacker | None = None
        self._certificate_expires_at: datetime | None = None
        self.status: int | None = None
        self.answer_headers: Headers = ()
        """As they came, with secrets."""
        self.body_size = 0
        self.error: TransportError | None = None
        self.answered = False
        self.last_event_id: str | None = None
        self.retry_ms: int | None = None

    @property
    def media_type(self) -> str:
        value = self.header("content-type") or ""
        return value.split(";", 1)[0].strip().lower()

    @property
    def is_over(self) -> bool:
        """Whether nothing more is waited for: the answer has come or is refused, none can come, or any message is
        enough."""
        enough = self._outgoing.until_first and bool(self._messages)
        return self.answered or self.error is not None or enough or self._outgoing.rpc_id is None

    @property
    def broke_off(self) -> bool:
        """Whether an event stream ended before the answer, but can be taken up again after its last event."""
        lost = self.error is None or self.error.failure is Failure.CONNECTION_LOST
        streamed = self.media_type == EVENT_STREAM_TYPE and self.last_event_id is not None
        return lost and streamed and self._outgoing.rpc_id is not None and not self.answered

    @property
    def is_sent(self) -> bool:
        """Whether the whole request has gone out."""
        return self._phases.sent_at is not None

    @property
    def gave_up(self) -> bool:
        """Whether we stopped waiting while the server may still work on its answer."""
        if self.error is None:
            return False
        return self.error.failure is Failure.DEADLINE or self.error.reason in _ENDLESS

    @property
    def with_credentials(self) -> bool:
        return self._outgoing.with_credentials

    def header(self, name: str) -> str | None:
        """The first answer header of that name, as it came."""
        return next((value for key, value in self.answer_headers if key.lower() == name.lower()), None)

    async def run(self, *, deadline: float | None = None, on_event: Callable[[Event], None] | None = None) -> None:
        """Send the request and read what comes back, until the answer, the end or the deadline.

        `on_event` takes the events of a stream that outlives its request; it is then read to its end.
        """
        await self._guarded(self._converse(self._outgoing, on_event), deadline)

    async def resume(self, outgoing: Outgoing) -> bool:
        """Take the broken-off stream up again by another request, whose events become part of this exchange.

        False where the server does not answer it with an event stream: then what was known before still holds.
        """
        before, self.error = self.error, None
        resumed = False

        async def take_up() -> None:
            nonlocal resumed
            response = await self._send(outgoing, Phases(started=self._now()))
            try:
                kind = response.headers.get("content-type", "").split(";", 1)[0].strip().lower()
                is_stream = response.status_code == 200 and kind == EVENT_STREAM_TYPE
                resumed = is_stream and self._is_readable(response)
                if resumed:
                    await self._read_events(response.extensions[BODY], self.note)
            finally:
                await response.aclose()

        await self._guarded(take_up(), None)
        if not resumed and self.error is None:
            self.error = before
        return resumed

    def note(self, event: Event) -> None:
        """An event that belongs to this exchange has arrived."""
        self._first_event_at = event.at if self._first_event_at is None else self._first_event_at
        self._last_event_at = event.at
        self.last_event_id = event.id or self.last_event_id
        self.retry_ms = event.retry_ms if event.retry_ms is not None else self.retry_ms
        if event.name != "message" or not event.data:
            return
        data = self._decoded(event.data.encode("utf-8", "surrogatepass"))
        if data is not None:
            self._note_message(data, event.at, event_id=event.id)

    def end(self) -> None:
        """What was waited for elsewhere is over."""
        self._ended_at = self._now()

    def fail(self, failure: Failure, reason: str, detail: str) -> None:
        """The exchange did not end with an answer."""
        self.error = TransportError(failure=failure, reason=reason, detail=detail)

    def finish(self) -> Exchange:
        """The exchange as it stands now, with all secrets taken out."""
        redactor, limit = self._redactor, self._limits.evidence_body
        error = self.error
        if error is not None and redactor.longest:
            error = TransportError(failure=error.failure, reason=error.reason, detail=redactor.text(error.detail))
        return Exchange(
            id=self._id,
            method=self._outgoing.method,
            url=redactor.text(self._outgoing.url),
            request_headers=self._request_headers,
            request_body=redactor.text(self._request_body),
            rpc_method=self._outgoing.rpc_method,
            rpc_id=self._outgoing.rpc_id,
            started_at=self._started_at,
            offset_ms=round(self._offset_s * 1000, 3),
            status=self.status,
            headers=tuple((name, redactor.text(value)) for name, value in self.answer_headers),
            body=redactor.body(bytes(self._body))[:limit],
            body_size=self.body_size,
            messages=tuple(self._messages),
            comments=self._comments,
            unterminated=self._unterminated,
            irregularities=tuple(self._shown_irregularities()),
            certificate_expires_at=self._certificate_expires_at,
            timings=self._timings(),
            transport_error=error,
            remote_address=self._phases.remote_address,
            reused_connection=self._phases.reused,
        )

    # asking

    async def _guarded(self, conversation: Awaitable[None], deadline: float | None) -> None:
        """Await `conversation`; whatever the network does becomes `error`."""
        limit = self._recorder.deadline if deadline is None else deadline
        try:
            async with asyncio.timeout_at(limit):
                await conversation
        except TimeoutError:
            if not self.answered and self.error is None:
                self.error = self._late()
        except NetError as failed:
            if not self.answered and self.error is None:
                self.error = failed.error
        except (httpx.InvalidURL, UnicodeEncodeError) as invalid:
            self.fail(Failure.OBSERVER, "invalid-request", f"the request cannot be sent: {invalid}")
        self._ended_at = self._last_byte_at if self._stayed_open else self._now()

    async def _converse(self, outgoing: Outgoing, on_event: Callable[[Event], None] | None) -> None:
        response = await self._send(outgoing, self._phases)
        try:
            self.status = response.status_code
            self._certificate_expires_at = response.extensions.get(_NOT_AFTER)
            self.answer_headers = tuple(
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw
            )
            if not self._is_readable(response):
                return
            body: Body = response.extensions[BODY]
            if self.media_type == EVENT_STREAM_TYPE:
                await self._read_events(body, on_event or self.note, endless=on_event is not None)
            else:
                await self._read_body(body)
            if body.is_followed:
                self._notice(Irregular.TRAILING_BYTES, "more bytes followed the answer on its connection")
        finally:
            await response.aclose()

    async def _send(self, outgoing: Outgoing, phases: Phases) -> httpx.Response:
        composed = self._recorder.composer.compose(outgoing, phases)
        if composed.signature:
            self._redactor = self._redactor.beside(composed.signature)
        if outgoing is self._outgoing:
            self._request_headers = composed.shown(self._redactor)
            self._request_body = composed.body
        return await self._recorder.client.send(composed.request, stream=True, auth=_NO_AUTH)

    # reading

    def _is_readable(self, response: httpx.Response) -> bool:
        """Whether its body is plain, as we asked for it, or at least of a kind that is unpacked within bounds."""
        self._unpacker = None
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding in ("", "identity"):
            return True
        if not unpacks(encoding):
            detail = f"the body is encoded as {encoding[:40]} although the request asks for identity"
            self.fail(Failure.PROTOCOL, "unexpected-encoding", detail)
            return False
        self._notice(Irregular.COMPRESSED, f"the body is compressed ({encoding}), and the request asks for it plain")
        self._unpacker = Unpacker(encoding, self._limits.body)
        return True

    async def _read_body(self, body: Body) -> None:
        """A JSON body as a whole; of anything else as much as an `Exchange` keeps."""
        is_json = self.media_type == JSON_TYPE
        text = bytearray()
        async with aclosing(self._pieces(body)) as pieces:
            async for _, piece in pieces:
                if is_json:
                    text += piece
                elif self.body_size >= self._limits.evidence_body:
                    return
                if len(text) > self._limits.json:
                    detail = f"the JSON body is larger than {self._limits.json:,} bytes"
                    self.fail(Failure.LIMIT, "json-too-large", detail)
                    return
        data = self._decoded(bytes(text)) if text else None
        if data is not None and self._last_byte_at is not None:
            self._note_message(data, self._last_byte_at)

    async def _read_events(self, body: Body, take: Callable[[Event], None], *, endless: bool = False) -> None:
        """Hand on every event until the answer has come, and a moment longer, so that the stream's end is seen."""
        stream = EventStream(self._pieces(body), self._limits)
        comments, ended, self._stayed_open = self._comments, False, False
        try:
            async with aclosing(stream.events()) as events, asyncio.timeout(None) as drain:
                while not ended:
                    if not endless and self.is_over and drain.when() is None:
                        drain.reschedule(asyncio.get_running_loop().time() + self._limits.drain_s)
                    event = await anext(events, None)
                    if event is None:
                        ended = True
                    else:
                        take(event)
        except TimeoutError:
            self._stayed_open = True
        except NetError as failed:
            ended = failed.error.failure is Failure.CONNECTION_LOST
            raise
        finally:
            self._comments = comments + stream.comments
            self._unterminated = ended and stream.within_event
            if stream.is_garbled:
                self._notice(Irregular.BAD_ENCODING, "the event stream has bytes that are not UTF-8")

    async def _pieces(self, body: Body) -> AsyncGenerator[Chunk, None]:
        """The body's pieces, while what an `Exchange` keeps of them is put aside."""
        keep = self._limits.evidence_body + self._redactor.longest
        async with aclosing(body.stamped()) as chunks:
            async for at, data in chunks:
                self._last_byte_at = at
                for piece in (data,) if self._unpacker is None else self._unpacker.feed(data):
                    self.body_size += len(piece)
                    if len(self._body) < keep:
                        self._body += piece[: keep - len(self._body)]
                    yield at, piece
            if self._unpacker is not None:
                self._unpacker.end()

    def _decoded(self, text: bytes) -> Any:
        """The JSON value, or None where it is none that we keep: the body beside it shows what it was."""
        try:
            read = jsonrpc.decode(text, depth=self._limits.json_depth, values=self._limits.json_values)
        except jsonrpc.TooMuch as too_much:
            self.fail(Failure.LIMIT, too_much.code, too_much.detail)
        except jsonrpc.Unreadable as unreadable:
            self._notice(unreadable.code, unreadable.detail)
        else:
            for each in read.noticed:
                self._notice(each.code, each.detail)
            return read.value
        return None

    def _notice(self, code: str, detail: str) -> None:
        self._irregularities.setdefault(code, Irregularity(code=code, detail=detail))

    def _shown_irregularities(self) -> Iterator[Irregularity]:
        redactor = self._redactor
        for each in self._irregularities.values():
            yield Irregularity(code=each.code, detail=clean(redactor.text(each.detail), _DETAIL))
        ignored = self._phases.ignored_addresses
        if ignored:
            detail = f"the name has {ignored} more addresses than are looked at"
            yield Irregularity(code=Irregular.TOO_MANY_ADDRESSES, detail=detail)

    def _note_message(self, data: Any, at: float, event_id: str | None = None) -> None:
        self.answered = self.answered or (self._outgoing.rpc_id is not None and jsonrpc.is_response(data))
        shown, shown_id = self._redactor.value(data), self._redactor.value(event_id)
        self._messages.append(Message(data=shown, at_ms=self._since_start(at), event_id=shown_id))

    # times

    def _late(self) -> TransportError:
        """What the deadline cut short."""
        phases, took = self._phases, self._now() - self._phases.started
        if phases.sent_at is None:
            failure = _PHASE_FAILURES.get(phases.step)
            if failure is not None and took >= _BLAMES_PHASE_S:
                detail = (
                    f"the {phases.step.value} phase had not ended when the probe's deadline came, after {took:.1f} s"
                )
                return TransportError(failure=failure, reason="timeout", detail=detail)
            detail = "the probe's deadline came before the request was sent"
            return TransportError(failure=Failure.DEADLINE, reason="exhausted", detail=detail)
        if phases.first_byte_at is None:
            detail = f"no answer within {took:.1f} s"
            return TransportError(failure=Failure.DEADLINE, reason="no-answer", detail=detail)
        detail = f"the answer had begun, but was not over after {took:.1f} s"
        return TransportError(failure=Failure.DEADLINE, reason="incomplete", detail=detail)

    def _timings(self) -> Timings:
        phases = self._phases
        ended = self._ended_at or self._last_byte_at or self._now()
        return Timings(
            dns_ms=_ms(phases.dns_s),
            connect_ms=_ms(phases.connect_s),
            tls_ms=_ms(phases.tls_s),
            sent_ms=self._offset_of(phases.sent_at),
            first_byte_ms=self._offset_of(phases.first_byte_at),
            first_event_ms=self._offset_of(self._first_event_at),
            last_event_ms=self._offset_of(self._last_event_at),
            total_ms=self._since_start(ended),
        )

    def _since_start(self, moment: float) -> float:
        return round((moment - self._phases.started) * 1000, 3)

    def _offset_of(self, moment: float | None) -> float | None:
        return None if moment is None else self._since_start(moment)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
