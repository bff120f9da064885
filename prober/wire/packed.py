"""Unpacks a body that is compressed although nobody asked for that: clients do, and so the server serves them.

Source: RFC 9110, section 8.4.1 "Content Codings"; RFC 1950 and RFC 1951 for the two things that `deflate` means in use.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from checks.model import Failure
from prober.limits import KIB
from prober.net.failures import NetError

_PIECE: Final = 64 * KIB
_WINDOW: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""How zlib is told of each: the size of its window, and 16 more for gzip's frame."""
_HEADER: Final = 2
"""Bytes that tell whether deflate has its frame."""
_BARE: Final = -15
"""Deflate without a frame."""


def unpacks(encoding: str) -> bool:
    """Whether a content coding, in lower case, is one that is unpacked here."""
    return encoding in _WINDOW


class Unpacker:
    """One body as it comes. What it unpacks to is bounded, however small it was packed."""

    def __init__(self, encoding: str, limit: int) -> None:
        """`encoding` is one that `unpacks`; `limit` bounds all that comes out, in bytes."""
        self._encoding = encoding
        self._limit = limit
        self._unpacked = 0
        self._held = b""
        self._begun = False
        self._inner = zlib.decompressobj(_WINDOW[encoding])

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes unpack to, piece by piece. Raises NetError beyond the limit, and for what is not packed."""
        data, self._held = self._held + data, b""
        if len(data) < _HEADER and not self._begun:
            self._held, data = data, b""
        while data:
            piece = self._step(data)
            self._begun = True
            self._unpacked += len(piece)
            if self._unpacked > self._limit:
                raise NetError(Failure.LIMIT, "body-too-large", f"the body unpacks to more than {self._limit:,} bytes")
            data = self._inner.unconsumed_tail
            if self._inner.eof and self._inner.unused_data:
                # One body may hold several members (RFC 1952, section 2.2).
                data, self._inner = self._inner.unused_data, zlib.decompressobj(_WINDOW[self._encoding])
            if piece:
                yield piece

    def end(self) -> None:
        """The body is over. Raises NetError where it was cut short."""
        if self._held or (self._begun and not self._inner.eof):
            raise NetError(Failure.PROTOCOL, "broken-encoding", f"the {self._encoding} of the body ends too early")

    def _step(self, data: bytes) -> bytes:
        try:
            return self._inner.decompress(data, _PIECE)
        except zlib.error:
            if self._begun or self._encoding != "deflate":
                detail = f"the body is not the {self._encoding} that it is declared as"
                raise NetError(Failure.PROTOCOL, "broken-encoding", detail) from None
        self._begun, self._inner = True, zlib.decompressobj(_BARE)
        return self._step(data)
