"""Tells open pages that something new is stored: PostgreSQL notifies, one connection listens, every client hears."""

import asyncio
import logging
import re
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import psycopg

from checks.text import clean
from prober.storage.database import listening
from prober.storage.reports import CHANNEL

log = logging.getLogger(__name__)

MAX_CLIENTS: Final = 512
QUEUE_LENGTH: Final = 64
KEEP_ALIVE_S: Final = 15.0
"""Proxies close a silent stream; AWS load balancers do so after 60 s."""
LASTS_S: Final = 600.0
"""Then the browser asks anew, and is asked anew who it is: a login that has ended must hear no more news."""

_RECONNECT_FIRST_S: Final = 0.5
_RECONNECT_MOST_S: Final = 15.0
_ENDPOINT_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")

_EVERYTHING: Final = ""
"""The message that does not name an endpoint: read all again."""


class Hub:
    """Hands each message to every subscriber. A subscriber that does not keep up gets one `read all again` instead."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[str | None]] = set()
        self._closed = False

    @property
    def is_full(self) -> bool:
        return len(self._queues) >= MAX_CLIENTS

    @property
    def clients(self) -> int:
        return len(self._queues)

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Queue[str | None]]:
        """A queue of messages for one client; None is the end."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_LENGTH)
        if self._closed:
            queue.put_nowait(None)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

    def publish(self, endpoint_id: str = _EVERYTHING) -> None:
        """Tell all clients that a report of this endpoint is stored; without an id, that anything may be new."""
        if self._closed:
            return  # what a slow reader has yet to read is the end
        for queue in self._queues:
            overrun = queue.full()
            if overrun:
                _empty(queue)
            queue.put_nowait(_EVERYTHING if overrun else endpoint_id)

    def close(self) -> None:
        """Ends every stream, so that the server can stop."""
        self._closed = True
        for queue in self._queues:
            _empty(queue)
            queue.put_nowait(None)


async def stream(hub: Hub, keep_alive_s: float = KEEP_ALIVE_S, lasts_s: float = LASTS_S) -> AsyncIterator[bytes]:
    """Server-sent events for one client: `report` with the id of the endpoint, and comments while nothing happens."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + lasts_s
    with hub.subscribe() as queue:
        yield b"retry: 2000\n\n"
        while loop.time() < ends:
            try:
                async with asyncio.timeout(keep_alive_s):
                    endpoint_id = await queue.get()
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if endpoint_id is None:
                return
            yield f"event: report\ndata: {endpoint_id}\n\n".encode()


async def listen(database_url: str, hub: Hub) -> None:
    """Pass notifications of `CHANNEL` to the hub, for ever; a lost connection is made again.

    Clients are told to read all again after each (re)connection, since nobody knows what was missed in between.
    """
    delay = _RECONNECT_FIRST_S
    while True:
        try:
            async with listening(database_url, CHANNEL) as payloads:
                hub.publish()
                delay = _RECONNECT_FIRST_S
                async for payload in payloads:
                    hub.publish(payload if _ENDPOINT_ID.fullmatch(payload) else _EVERYTHING)
        except (psycopg.Error, OSError) as lost:
            log.warning("no news from the database, trying again in %.1f s: %s", delay, clean(str(lost)))
            hub.publish()
        await asyncio.sleep(delay)
        delay = min(delay * 2, _RECONNECT_MOST_S)


@contextmanager
def ended_by_signals(hub: Hub) -> Iterator[None]:
    """Close the hub on SIGINT and SIGTERM, before the server's own handler runs.

    The server waits for open responses before it ends the application, so its shutdown hook would come too late for
    streams that have no end of their own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    earlier = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def close_first(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(hub.close)
        handler: Callable[[int, FrameType | None], object] | int | None = earlier[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number, handler in earlier.items():
        if callable(handler):
            signal.signal(number, close_first)
    try:
        yield
    finally:
        for number, handler in earlier.items():
            if callable(handler):
                signal.signal(number, handler)


def _empty(queue: asyncio.Queue[str | None]) -> None:
    while not queue.empty():
        queue.get_nowait()
