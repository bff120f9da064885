"""Instances that run inside the lab's own process: a plain handler, or a web application behind an adapter."""

import base64
import email.utils
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from prober.clock import Clock, SystemClock
from prober.lab.http import Handler, Response, close_body, read_body
from prober.lab.runtime.function import HTTP_INTEGRATION, Answer, Buffered, Context, FunctionFailed, Streamed
from prober.lab.runtime.http_events import head_of, request_of

TEXT_TYPES: Final = ("text/", "json", "javascript", "xml", "yaml")

Returns = Callable[[Mapping[str, Any], Context], Any | Awaitable[Any]]


class AdapterMode(StrEnum):
    """How an adapter answers: the counterpart of the URL's invoke mode, set elsewhere and easily forgotten."""

    BUFFERED = "buffered"
    RESPONSE_STREAM = "response_stream"


class HandlerInstance:
    """A function in the plain form: an event goes in, a JSON value comes out."""

    def __init__(self, handler: Returns) -> None:
        self._handler = handler

    async def start(self) -> None:
        """Nothing to prepare."""

    async def invoke(self, event: Mapping[str, Any], context: Context) -> Answer:
        try:
            value = self._handler(event, context)
            if inspect.isawaitable(value):
                value = await value
        except Exception as error:  # whatever a function raises is one thing to Lambda: a failed invocation
            raise FunctionFailed(type(error).__name__, str(error)) from error
        return Buffered(json.dumps(value, separators=(",", ":")).encode())

    async def freeze(self) -> None:
        """Nothing runs between events."""

    async def stop(self) -> None:
        """Nothing to stop."""


class AppInstance:
    """A web application, with what turns events into requests to it and its answers into return values.

    As with a real one, the application's `Date` stands still while the instance is frozen: web servers refresh it
    from a timer, and no timer runs between events.
    """

    def __init__(self, app: Handler, mode: AdapterMode, *, clock: Clock | None = None) -> None:
        self._app = app
        self._mode = mode
        self._clock = clock or SystemClock()
        self._frozen_date: str | None = None

    async def start(self) -> None:
        """The application is an object already."""

    async def invoke(self, event: Mapping[str, Any], context: Context) -> Answer:
        date = self._frozen_date or self._date()
        response = await self._app(request_of(event))
        head = head_of(event, response.status, *_headers_of(response, date))
        if self._mode is AdapterMode.RESPONSE_STREAM:
            return Streamed(HTTP_INTEGRATION, _with_prelude(head, response.body))
        body = await read_body(response.body)
        return Buffered(json.dumps({**head, **_body_of(response, body)}, separators=(",", ":")).encode())

    async def freeze(self) -> None:
        self._frozen_date = self._date()

    async def stop(self) -> None:
        """The application holds nothing that outlives it."""

    def _date(self) -> str:
        return email.utils.format_datetime(self._clock.now(), usegmt=True)


def _headers_of(response: Response, date: str) -> tuple[dict[str, str], list[str]]:
    """The headers of an answer, and its cookies, which may be several."""
    headers = {"server": "lab-app", "date": date}
    headers |= {name: value for name, value in response.headers if name.lower() != "set-cookie"}
    if isinstance(response.body, bytes):
        headers.setdefault("content-length", str(len(response.body)))
    cookies = [value for name, value in response.headers if name.lower() == "set-cookie"]
    return headers, cookies


def _body_of(response: Response, body: bytes) -> dict[str, Any]:
    media_type = (response.header("content-type") or "text/plain").lower()
    if response.header("content-encoding") is None and any(kind in media_type for kind in TEXT_TYPES):
        return {"body": body.decode("utf-8"), "isBase64Encoded": False}
    return {"body": base64.b64encode(body).decode("ascii"), "isBase64Encoded": True}


async def _with_prelude(head: Mapping[str, Any], body: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        yield json.dumps(head, separators=(",", ":")).encode() + b"\0" * 8
        if isinstance(body, bytes):
            yield body
            return
        async for chunk in body:
            yield chunk
    finally:
        if not isinstance(body, bytes):
            await close_body(body)
