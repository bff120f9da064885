"""Our own transport under the httpx API: one kept connection per origin, bounds and phase times built in."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from time import monotonic
from typing import Final

import httpx

from checks.model import Failure
from prober.net.dial import Dialer, Origin
from prober.net.failures import NetError
from prober.net.http1 import Answer, Chunk, Connection
from prober.net.phases import Phases
from prober.net.tls import not_after

PHASES: Final = "timings"
"""Extension of request and response: a `Phases`, which the caller may give to have it even when no answer comes."""

REPEATABLE: Final = "repeatable"
"""Extension of the request: False where a second sending could do harm."""

FRESH: Final = "fresh"
"""Extension of the request: True where it must go over a connection of its own, which nothing else uses later."""

BODY: Final = "body"
"""Extension of the response: its `Body`."""


class Body(httpx.AsyncByteStream):
    """An answer's body, undecoded."""

    def __init__(
        self, answer: Answer, connection: Connection, pool: "Transport", origin: Origin, *, keep: bool
    ) -> None:
        self._answer = answer
        self._connection = connection
        self._pool = pool
        self._origin = origin
        self._keep = keep

    @property
    def is_followed(self) -> bool:
        """Whether the server has sent more than the answer that it announced."""
        return self._answer.followed

    def stamped(self) -> AsyncGenerator[Chunk, None]:
        """Each piece with the moment of its arrival at our socket. Raises `NetError` where the answer breaks off."""
        return self._answer.chunks()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for _, data in self._answer.chunks():
            yield data

    async def aclose(self) -> None:
        """Keep the connection for the next request where the answer is over, or close it."""
        if self._keep and self._answer.reusable and self._connection.is_open:
            self._pool.keep(self._origin, self._connection)
        else:
            await self._connection.close()
            self._pool.forget(self._connection)


class Transport(httpx.AsyncBaseTransport):
    """The connections of one probe. Nothing is shared between probes, so that each sees name, network and TLS anew."""

    def __init__(self, dialer: Dialer, *, verify: bool, confidential: bool) -> None:
        """`confidential`: requests may carry what nobody must read on the way."""
        self._dialer = dialer
        self._verify = verify
        self._confidential = confidential
        self._kept: dict[Origin, Connection] = {}
        self._open: set[Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        phases = request.extensions.get(PHASES) or Phases(started=monotonic())
        origin = Origin.of(request.url)
        payload = _head(request) + await request.aread()
        keep = not request.extensions.get(FRESH, False)
        kept = await self._take(origin) if keep else None
        if kept is not None:
            phases.reused = True
            try:
                return await self._exchange(kept, payload, phases, origin, keep=keep)
            except _StaleConnection as stale:
                if not request.extensions.get(REPEATABLE, True):
                    raise stale.cause from None
                phases.reused, phases.sent_at = False, None
        connection = await self._dialer.dial(
            origin, verify=self._verify, confidential=self._confidential, phases=phases
        )
        self._open.add(connection)
        return await self._exchange(connection, payload, phases, origin, keep=keep)

    def keep(self, origin: Origin, connection: Connection) -> None:
        """Have `connection` ready for the next request to its origin; an older one that waits there is closed."""
        older = self._kept.get(origin)
        if older is not None and older is not connection:
            older.abort()
            self._open.discard(older)
        self._kept[origin] = connection

    def forget(self, connection: Connection) -> None:
        """`connection` is closed."""
        self._open.discard(connection)

    async def aclose(self) -> None:
        self._kept.clear()
        connections, self._open = self._open, set()
        for connection in connections:
            await connection.close()

    async def _take(self, origin: Origin) -> Connection | None:
        kept = self._kept.pop(origin, None)
        if kept is None:
            return None
        await asyncio.sleep(0)  # lets the loop hear that the server has closed it meanwhile
        if kept.is_open:
            return kept
        self._open.discard(kept)
        return None

    async def _exchange(
        self, connection: Connection, payload: bytes, phases: Phases, origin: Origin, *, keep: bool
    ) -> httpx.Response:
        answer = connection.send(payload, phases)
        try:
            await answer.head()
        except BaseException as cause:  # cancellation too: the answer to a dropped request must not stay on the line
            connection.abort()
            self._open.discard(connection)
            if isinstance(cause, NetError) and phases.reused and answer.untouched:
                raise _StaleConnection(cause) from cause
            raise
        body = Body(answer, connection, self, origin, keep=keep)
        extensions = {PHASES: phases, BODY: body, "not_after": not_after(connection.tls)}
        return httpx.Response(answer.status, headers=answer.headers, stream=body, extensions=extensions)


class _StaleConnection(Exception):
    """A kept connection turned out to be closed already when the request reached the server."""

    def __init__(self, cause: NetError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _head(request: httpx.Request) -> bytes:
    """The request line and headers. httpx hands header values through unread, so they are checked here."""
    lines = [request.method.encode("ascii") + b" " + request.url.raw_path + b" HTTP/1.1"]
    for name, value in request.headers.raw:
        if any(byte in value for byte in (b"\r", b"\n", b"\0")):
            shown = name.decode("ascii", "backslashreplace")
            raise NetError(Failure.OBSERVER, "invalid-header", f"the value of {shown} has a line break or NUL in it")
        lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"
