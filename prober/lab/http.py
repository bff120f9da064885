"""The lab's HTTP/1.1 server: asyncio for the sockets, h11 for the rules, one handler per listening port."""

import asyncio
import email.utils
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self, cast
from urllib.parse import parse_qsl

import h11

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 6 * 1024 * 1024
"""Lambda's own limit for a synchronous request."""
READ_BYTES: Final = 64 * 1024
MAX_HEAD_BYTES: Final = 64 * 1024

BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

Headers = tuple[tuple[str, str], ...]


class CutShort(Exception):
    """Raised by a body to end the connection in the middle of the answer, as a crashed process would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as a handler sees it. Header names keep the client's spelling."""

    method: str
    target: str
    """Path and query, undecoded."""
    headers: Headers = ()
    body: bytes = b""
    client: str = "127.0.0.1"
    incoming: "Incoming | None" = None
    """The body of a request that the server does not read ahead; `body` is then empty."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def raw_query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its spelling."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer. Bytes go out with a Content-Length, an iterator goes out chunk by chunk as it yields."""

    status: int = 200
    headers: Headers = ()
    body: bytes | AsyncIterator[bytes] = b""

    def header(self, name: str) -> str | None:
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


Handler = Callable[[Request], Awaitable[Response]]


def text(status: int, body: str, *headers: tuple[str, str]) -> Response:
    return Response(
        status=status, headers=(("Content-Type", "text/plain; charset=utf-8"), *headers), body=body.encode()
    )


async def close_body(chunks: AsyncIterator[bytes]) -> None:
    """Release what an iterator of chunks holds, whether or not it was read to its end."""
    aclose = getattr(chunks, "aclose", None)
    if aclose is not None:
        await aclose()


async def read_body(body: bytes | AsyncIterator[bytes]) -> bytes:
    """The whole body of an answer."""
    if isinstance(body, bytes):
        return body
    try:
        return b"".join([chunk async for chunk in body])
    finally:
        await close_body(body)


class Incoming:
    """The body of a request as it arrives. Raises h11.RemoteProtocolError where the client leaves before its end."""

    def __init__(self, next_event: Callable[[], Awaitable[h11.Event | type[h11.PAUSED]]]) -> None:
        self._next_event = next_event
        self.trailers: Headers = ()
        """What came behind the last chunk; known at the end."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        event = await self._next_event()
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if isinstance(event, h11.EndOfMessage):
            self.trailers = _decoded(event.headers.raw_items())
        raise StopAsyncIteration


class HttpServer:
    """Serves one handler on one port until it is closed; a client that leaves cancels its handler.

    With `chunked_as_it_comes`, a body of unknown length is for the handler to read, to its end.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        tls: ssl.SSLContext | None = None,
        chunked_as_it_comes: bool = False,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._handler = handler
        self._tls = tls
        self._chunked_as_it_comes = chunked_as_it_comes
        self._max_body_bytes = max_body_bytes
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int = 0) -> int:
        """Listen, and return the port; 0 lets the system choose one. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._accept, host, port, ssl=self._tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and end every connection, in the middle of an answer if need be."""
        if self._server is None:
            return
        self._server.close()
        connections = tuple(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(reader, writer, self._chunked_as_it_comes, self._max_body_bytes)
        try:
            while (request := await connection.request()) is not None:
                await connection.answer(self._handler, request)
                if not connection.can_go_on():
                    break
        except h11.RemoteProtocolError as error:
            await connection.refuse(error)
        except (CutShort, OSError):
            writer.transport.abort()
        finally:
            writer.close()


class _Connection:
    """One client connection: h11 holds the state, this moves the bytes."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        chunked_as_it_comes: bool,
        max_body_bytes: int,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._chunked_as_it_comes = chunked_as_it_comes
        self._max_body_bytes = max_body_bytes
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        peer = writer.get_extra_info("peername")
        self._client = str(peer[0]) if peer else "unknown"

    async def request(self) -> Request | None:
        """The next request, or None when the client has closed."""
        head = await self._event()
        if not isinstance(head, h11.Request):
            return None
        if self._h11.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        headers = _decoded(head.headers.raw_items())
        later = self._chunked_as_it_comes and any(name.lower() == "transfer-encoding" for name, _ in headers)
        return Request(
            method=head.method.decode("ascii"),
            target=head.target.decode("latin-1"),
            headers=headers,
            body=b"" if later else await self._body(),
            client=self._client,
            incoming=Incoming(self._event) if later else None,
        )

    async def _body(self) -> bytes:
        body = bytearray()
        while isinstance(event := await self._event(), h11.Data):
            body += event.data
            if len(body) > self._max_body_bytes:
                raise h11.RemoteProtocolError("the request is too large", error_status_hint=413)
        return bytes(body)

    async def answer(self, handler: Handler, request: Request) -> None:
        """Run the handler and send what it returns, unless the client leaves first."""
        if request.incoming is not None:  # who reads the body notices that the client has left
            await self._respond(handler, request)
            return
        sending = asyncio.ensure_future(self._respond(handler, request))
        leaving = asyncio.ensure_future(self._until_client_leaves())
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise ConnectionResetError("the client left before the answer was complete")
            sending.result()
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    def can_go_on(self) -> bool:
        """Whether the connection may carry another request; prepares for it if so."""
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True

    async def refuse(self, error: h11.RemoteProtocolError) -> None:
        """Tell a client that does not speak HTTP so, where that is still possible."""
        if self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._write(text(error.error_status_hint, f"{error}\n", ("Connection", "close")), head_only=False)

    async def _respond(self, handler: Handler, request: Request) -> None:
        try:
            response = await handler(request)
        except (CutShort, ConnectionError, h11.RemoteProtocolError):
            raise
        except Exception:  # a bug in one scenario must not take the other scenarios of the process down
            log.exception("the lab failed to answer %s %s", request.method, request.path)
            response = text(500, "the lab itself failed; its log says how\n")
        await self._write(response, head_only=request.method == "HEAD")

    async def _write(self, response: Response, *, head_only: bool) -> None:
        body = response.body
        head = h11.Response(status_code=response.status, reason=_reason(response.status), headers=_head(response))
        try:
            await self._send(head)
            if not (head_only or response.status in BODILESS):
                await self._write_body(body)
            await self._send(h11.EndOfMessage())
        finally:
            if not isinstance(body, bytes):
                await close_body(body)

    async def _write_body(self, body: bytes | AsyncIterator[bytes]) -> None:
        if isinstance(body, bytes):
            if body:
                await self._send(h11.Data(data=body))
            return
        async for chunk in body:
            if chunk:
                await self._send(h11.Data(data=chunk))

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._h11.next_event()
            if event is not h11.NEED_DATA:
                return cast("h11.Event | type[h11.PAUSED]", event)
            self._h11.receive_data(await self._reader.read(READ_BYTES))

    async def _until_client_leaves(self) -> None:
        while data := await self._reader.read(READ_BYTES):
            self._h11.receive_data(data)

    async def _send(self, event: h11.Event) -> None:
        data = self._h11.send(event)
        if data:
            self._writer.write(data)
            await self._writer.drain()


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in headers)


def _head(response: Response) -> list[tuple[str, str]]:
    headers = list(response.headers)
    if response.header("date") is None:
        headers.append(("Date", email.utils.formatdate(usegmt=True)))
    if (
        isinstance(response.body, bytes)
        and response.status not in BODILESS
        and response.header("content-length") is None
    ):
        headers.append(("Content-Length", str(len(response.body))))
    return headers


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b""
