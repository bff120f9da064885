"""A connection that waits for no answer longer than it has to: its server gives up a statement before it does.

A network that acknowledges what is sent and never brings the answer lets no keepalive and no limit of the server end
the wait. Here the wait ends by shutting the socket down, so that the driver meets a connection that is closed: what
ran on it fails as with any database that goes away, and the pool opens another one.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final

import psycopg

log = logging.getLogger(__name__)

ANSWER_WITHIN_S: Final = 8.0
"""How long the answer to anything may take; a statement that its server has given up is answered before."""

_EXTENDED_S: Final[ContextVar[float | None]] = ContextVar("extended_s", default=None)


@contextmanager
def waiting_up_to(seconds: float) -> Iterator[None]:
    """Let answers take so long inside this context, whatever the connection would wait otherwise."""
    token = _EXTENDED_S.set(seconds)
    try:
        yield
    finally:
        _EXTENDED_S.reset(token)


class BoundedConnection(psycopg.AsyncConnection[Any]):
    """Every single operation ends within `answer_within_s` seconds: with psycopg.OperationalError where nothing came.

    That holds for what is cancelled meanwhile as well, which psycopg lets the server end first.
    """

    answer_within_s: float = ANSWER_WITHIN_S

    async def wait(self, *positional: Any, **named: Any) -> Any:
        """As psycopg waits, with an end. `positional` and `named` are its own."""
        seconds = _EXTENDED_S.get() or self.answer_within_s
        end = asyncio.get_running_loop().call_later(seconds, self._hang_up, seconds)
        try:
            return await super().wait(*positional, **named)
        finally:
            end.cancel()

    def _hang_up(self, seconds: float) -> None:
        if self.closed:
            return
        log.warning("the database has not answered within %.0f s: the connection is given up", seconds)
        with suppress(OSError), socket.socket(fileno=os.dup(self.fileno())) as twin:
            twin.shutdown(socket.SHUT_RDWR)
