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
"""Bytes that tell whether deflate has its frame, and whether another member of gzip follows."""
_MAGIC: Final = b"\x1f\x8b"
_TAKEN: Final = 16 * KIB
"""Bytes that are handed over at once: what follows a member is copied with each."""
_MEMBERS: Final = 1000
"""Each costs its time, however little is in it: nobody else would run meanwhile."""
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
        self._members = 0
        self._is_within = False
        """A member has begun and not ended."""
        self._inner = zlib.decompressobj()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes unpack to, piece by piece. Raises NetError beyond the limits, and for what is not packed."""
        for at in range(0, len(data), _TAKEN):
            rest, self._held = self._held + data[at : at + _TAKEN], b""
            is_more = True
            while is_more and (self._is_within or self._begins(rest)):
                piece = self._unpack(rest)
                if piece:
                    yield piece
                self._is_within = not self._inner.eof
                rest = self._inner.unconsumed_tail if self._is_within else self._inner.unused_data
                is_more = bool(rest) or (self._is_within and len(piece) == _PIECE)

    def end(self) -> None:
        """The body is over. Raises NetError where it was cut short."""
        if self._is_within or (self._held and not self._members):
            raise NetError(Failure.PROTOCOL, "broken-encoding", f"the {self._encoding} of the body ends too early")

    def _begins(self, data: bytes) -> bool:
        """Whether a member begins here. One body of gzip may hold several (RFC 1952, section 2.2); what else trails
        the first is padding, which clients do not read either."""
        if len(data) < _HEADER:
            self._held = data
            return False
        if self._members and (self._encoding == "deflate" or not data.startswith(_MAGIC)):
            return False
        self._members += 1
        if self._members > _MEMBERS:
            raise NetError(Failure.LIMIT, "body-too-large", f"the body is packed in more than {_MEMBERS:,} members")
        is_bare = self._encoding == "deflate" and not _is_framed(data)
        self._inner = zlib.decompressobj(_BARE if is_bare else _WINDOW[self._encoding])
        return True

    def _unpack(self, data: bytes) -> bytes:
        try:
            piece = self._inner.decompress(data, _PIECE)
        except zlib.error:
            detail = f"the body is not the {self._encoding} that it is declared as"
            raise NetError(Failure.PROTOCOL, "broken-encoding", detail) from None
        self._unpacked += len(piece)
        if self._unpacked > self._limit:
            raise NetError(Failure.LIMIT, "body-too-large", f"the body unpacks to more than {self._limit:,} bytes")
        return piece


def _is_framed(data: bytes) -> bool:
    """Whether deflate begins with a header of its own (RFC 1950, section 2.2)."""
    return data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:_HEADER], "big") % 31 == 0
