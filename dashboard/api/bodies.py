"""What stands in front of the API: how large a body may be and of which type, and answers that have not changed."""

import hashlib
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.api import problems

MOST_BYTES: Final = 64 * 1024
"""Of the body of a request, to pages as well."""

_PREFIX: Final = "/api/"
_TAGGED: Final = (_PREFIX, "/status", "/badges/")
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class BoundedBody:
    """Reads the body of a request, refuses one that is too large, and from programs one that is not JSON."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _WITHOUT_BODY:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        try:
            body = None if length.isdecimal() and int(length) > MOST_BYTES else await _whole(receive)
        except ClientDisconnect:
            return  # half a form may well read as another change
        if body is None:
            refusal = problems.answer(413, f"A body has up to {MOST_BYTES // 1024} KiB here.")
            await refusal(scope, receive, send)
            return
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if body and scope["path"].startswith(_PREFIX) and kind != "application/json":
            await problems.answer(415, "Send JSON, with Content-Type: application/json.")(scope, receive, send)
            return
        await self._app(scope, _again(body, receive), send)


async def _whole(receive: Receive) -> bytes | None:
    """The body, or None as soon as it is too large. Raises ClientDisconnect where its sender leaves before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """The same body for whoever comes after; then whatever the server says."""
    told = False

    async def receive_again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


class EntityTags:
    """Gives what the API and the public page answer a tag of its content (RFC 9110 section 8.8.3), and 304 to whoever
    has it already.

    The tag is a weak one: compression may follow.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or not scope["path"].startswith(_TAGGED):
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Tagged(send, Headers(scope=scope).get("if-none-match", "")))


class _Tagged:
    """Holds an answer back until its content is known."""

    def __init__(self, send: Send, known: str) -> None:
        self._send = send
        self._known = known
        self._start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            self._start = message
            return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._end(self._start)

    async def _end(self, start: Message) -> None:
        headers = MutableHeaders(scope=start)
        tag = headers.setdefault("etag", f'W/"{hashlib.sha256(self._body).hexdigest()[:32]}"')
        body = bytes(self._body)
        if names(self._known, tag):
            start["status"], body = 304, b""
            for name in ("content-length", "content-type"):
                del headers[name]
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def names(condition: str, tag: str) -> bool:
    """Whether `If-None-Match` names this tag, by weak comparison (RFC 9110 section 13.1.2)."""
    if condition.strip() == "*":
        return True
    wanted = tag.removeprefix("W/")
    return any(each.strip().removeprefix("W/") == wanted for each in condition.split(","))
