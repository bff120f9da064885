"""What the bytes of a body look like, whatever type and encoding it is declared as."""

import base64
import binascii
import re
from typing import Final

from checks.model import Exchange

DATA_LINE: Final = re.compile(rb"^data:[ \t]*\S", re.MULTILINE)
"""A line of an event that holds something."""

_GZIP: Final = b"\x1f\x8b\x08"
"""How what gzip has packed begins (RFC 1952, section 2.3.1)."""
_START: Final = 2048


def is_like_json(exchange: Exchange) -> bool:
    """Whether the body begins as a JSON-RPC message does, whatever type it is declared as."""
    start = _start_of(exchange)
    return start[:1] in (b"{", b"[") and b'"jsonrpc"' in start


def is_like_events(exchange: Exchange) -> bool:
    """Whether the body begins as an event stream of JSON-RPC does, whatever type it is declared as."""
    start = _start_of(exchange)
    return DATA_LINE.search(start) is not None and b'"jsonrpc"' in start


def is_packed(exchange: Exchange) -> bool:
    """Whether the body is compressed by gzip, and no header says so."""
    return exchange.body.startswith(_GZIP)


def is_encoded_twice(exchange: Exchange) -> bool:
    """Whether the body is a JSON text within a JSON string."""
    return exchange.body[:_START].lstrip().startswith(b'"{') and rb"\"jsonrpc\"" in exchange.body[:_START]


def is_in_base64(exchange: Exchange) -> bool:
    """Whether the body is JSON-RPC that a front door left in base64."""
    start = _start_of(exchange)
    whole = start[: len(start) // 4 * 4].strip(b'"')
    try:
        return b'"jsonrpc"' in base64.b64decode(whole[: len(whole) // 4 * 4], validate=True)
    except binascii.Error:
        return False


def _start_of(exchange: Exchange) -> bytes:
    return exchange.body[:_START].lstrip(b"\xef\xbb\xbf \t\r\n")
