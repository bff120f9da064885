"""Whether an answer refuses the session that the request named: SDKs say so in different ways."""

import re
from typing import Final

from checks.front_door import FrontDoor, front_door_of
from checks.messages import RpcError, error_of, result_of
from checks.model import Exchange, Opening
from checks.spec import EVENT_STREAM_TYPE, ErrorCode
from checks.symptoms import error_message

_GONE: Final = re.compile(
    r"(?:no(?:t a)? (?:valid|such)|unknown|invalid|expired|missing|bad|terminated|closed)\W+(?:\w+\W+){0,2}session"
    r"|session\W+(?:\w+\W+){0,3}(?:not found|not valid|unknown|invalid|expired|missing|required|terminated|closed"
    r"|does not exist|doesn't exist|has ended|not initialized)"
    r"|could(?: not|n't) find\W+(?:\w+\W+){0,2}session"
    r"|no transport (?:found )?for session"
    r"|server not initialized",
    re.IGNORECASE,
)
"""How SDKs put it: “Session not found”, “Missing session ID”, “Invalid or expired session”, “No valid session ID
provided”, “Server not initialized”, “Mcp-Session-Id header is required”; of HTTP+SSE “Could not find session”, “No
transport found for sessionId”."""

_NEVER_RECEIVED: Final = re.compile(r"missing|required|no valid|not initialized", re.IGNORECASE)

_CODES: Final = frozenset({ErrorCode.INVALID_REQUEST, -32000, -32001})
"""The codes beside those words in the Python and TypeScript SDKs and in the awslabs handler."""

_READ: Final = 2048


def refuses_session(exchange: Exchange) -> bool:
    """Whether the answer by itself says that there is no such session.

    404 says it by the specification (2025-11-25, basic/transports, "Session Management") to a request with a session
    id, at an address that has just opened that session: except where its JSON-RPC error means something else, or a
    gateway wrote it. Other statuses need words.
    """
    if result_of(exchange) is not None or not _may_be_the_servers(exchange):
        return False
    error = error_of(exchange)
    by_status = exchange.status == 404 and (error is None or error.code in _CODES)
    return by_status or names_session(exchange)


def refuses_session_beside_others(exchange: Exchange) -> bool:
    """The same, where requests of the same kind are answered with a result: then the code alone says it, too."""
    if refuses_session(exchange):
        return True
    error = error_of(exchange)
    return error is not None and exchange.status == 400 and error.code in _CODES


def refused_on_stream(opening: Opening) -> Exchange | None:
    """The first request to the address that an HTTP+SSE stream had just named, where its session is not known there."""
    last = opening.exchanges[-1] if opening.exchanges else None
    if opening.established or last is None or last.rpc_id is None or last.status not in (400, 404):
        return None
    streams = [each for each in opening.exchanges if each.method == "GET" and each.media_type == EVENT_STREAM_TYPE]
    named = any(each.url != last.url for each in streams)
    return last if named and _may_be_the_servers(last) and names_session(last) else None


def names_session(exchange: Exchange) -> bool:
    """Whether the answer says in words that the session is unknown, over, or was not named."""
    return _GONE.search(_words(exchange)) is not None


def says_not_named(exchange: Exchange) -> bool:
    """Whether the answer says that the request named no session at all, although it did."""
    words = _words(exchange)
    return _GONE.search(words) is not None and _NEVER_RECEIVED.search(words) is not None


def _words(exchange: Exchange) -> str:
    error: RpcError | None = error_of(exchange)
    return exchange.body[:_READ].decode("utf-8", "replace") if error is None else error.message[:_READ]


def _may_be_the_servers(exchange: Exchange) -> bool:
    status = exchange.status or 0
    by_gateway = front_door_of(exchange) is FrontDoor.HTTP_API and error_message(exchange) is not None
    return (200 <= status < 300 or status in (400, 404, 409, 410, 422)) and not by_gateway
