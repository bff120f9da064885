"""Ports for servers that have to be told theirs before they listen."""

import itertools
import os
import socket
from contextlib import ExitStack, suppress
from typing import Final

_LOWEST: Final = 10_000
_HOW_MANY: Final = 22_000
"""All of them are below those that Linux and macOS give out by themselves (ip_local_port_range begins at 32768): a port
that was given out and closed again may be somebody else's before the server listens."""

_TOGETHER: Final = 10

_offsets: Final = itertools.count(os.getpid() * 101 * _TOGETHER, _TOGETHER)
"""Whoever asks gets other ports than the one before him; tests in other processes begin elsewhere."""


def free_ports(count: int = 1) -> int:
    """The first of so many consecutive ports, 10 at most, on which nobody listens."""
    assert count <= _TOGETHER
    for offset in itertools.islice(_offsets, 200):
        first = _LOWEST + offset % _HOW_MANY
        with ExitStack() as held, suppress(OSError):
            for port in range(first, first + count):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    raise AssertionError("no ports are free")
