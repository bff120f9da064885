"""A TCP proxy that behaves badly when it is told so: it delays, stalls, resets, cuts, and loses replies.

It runs in a thread of its own, so that tests with and without an event loop use it, and processes as well.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import make_url

CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: the connection ends with RST


@dataclass
class Toxic:
    """The proxy. What is set counts at once, also for connections that are open."""

    upstream: tuple[str, int] | str
    """Host and port, or the path of a Unix socket."""
    port: int = 0
    delay_s: float = 0.0
    """Every piece of a reply comes so much later."""
    rate_bytes_s: float | None = None
    """No more bytes of replies per second; None: as fast as they come."""
    accepted: int = 0
    _is_cut: bool = False
    _lose_after: bytes | None = None
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None

    def url_of(self, database_url: str) -> str:
        """The address of that database through the proxy."""
        url = make_url(database_url)
        query = {name: value for name, value in url.query.items() if name != "host"}
        return url.set(host="127.0.0.1", port=self.port, query=query).render_as_string(hide_password=False)

    def stall(self) -> None:
        """Let nothing through in either direction, and keep the connections."""
        self._do(self._flowing.clear)

    def flow(self) -> None:
        """Let through what was held."""
        self._do(self._flowing.set)

    def reset(self) -> None:
        """End all open connections with RST."""
        self._do(self._end_all)

    def cut(self) -> None:
        """End all connections, and every new one at once."""
        self._is_cut = True
        self.reset()

    def mend(self) -> None:
        """End every fault."""
        self._is_cut, self.delay_s, self.rate_bytes_s, self._lose_after = False, 0.0, None, None
        self.flow()

    def lose_reply_to(self, words: bytes) -> None:
        """Pass on the next request that holds these words, and reset its connection before the reply."""
        self._lose_after = words

    @property
    def has_lost(self) -> bool:
        """Whether that has happened."""
        return self._lose_after is None

    def _do(self, what: Callable[[], Any]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(what)

    def _end_all(self) -> None:
        for writer in tuple(self._open):
            self._end(writer)

    def _end(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        sock = writer.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()

    async def serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._flowing.set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await asyncio.Event().wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._open.add(writer)
        if self._is_cut:
            self._end(writer)
            return
        try:
            if isinstance(self.upstream, str):
                far_reader, far_writer = await asyncio.open_unix_connection(self.upstream)
            else:
                far_reader, far_writer = await asyncio.open_connection(*self.upstream)
        except OSError:
            self._end(writer)
            return
        self._open.add(far_writer)
        ways = (self._requests(reader, far_writer, writer), self._replies(far_reader, writer))
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*ways, return_exceptions=True)
        for each in (writer, far_writer):
            self._end(each)

    async def _requests(
        self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, near: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(CHUNK):
            await self._flowing.wait()
            if self._lose_after is not None and self._lose_after in data:
                self._lose_after = None
                self._end(near)  # before the reply can come; what is written now still reaches the server
            far.write(data)
            await far.drain()
        far.close()

    async def _replies(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if self.rate_bytes_s is not None:
                await asyncio.sleep(len(data) / self.rate_bytes_s)
            await self._flowing.wait()
            near.write(data)
            await near.drain()
        near.close()


@contextmanager
def toxic(upstream: tuple[str, int] | str, port: int = 0) -> Iterator[Toxic]:
    """A proxy to that place, healthy at first."""
    proxy, ready, loop = Toxic(upstream, port), threading.Event(), asyncio.new_event_loop()

    def run() -> None:
        asyncio.set_event_loop(loop)
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(main)
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

    main = loop.create_task(proxy.serve(ready))
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(5), "the proxy does not listen"
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(main.cancel)
        thread.join(5)


def upstream_of(database_url: str) -> tuple[str, int] | str:
    """Where the server of a database listens."""
    url = make_url(database_url)
    port = url.port or 5432
    directory = url.query.get("host")
    return f"{directory}/.s.PGSQL.{port}" if isinstance(directory, str) else (url.host or "127.0.0.1", port)
