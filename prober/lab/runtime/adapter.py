"""A stand-in for the Lambda Web Adapter: waits for a web server, then turns events into requests to it.

Source: the adapter's own guide, "Environment Variables", "Readiness Check", "Response Streaming" and "Error Status
Codes", and how release 1.0 reads what they do not describe.
"""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from prober.clock import Clock, SystemClock
from prober.lab.http import CutShort, Handler, Request, Response, close_body, read_body
from prober.lab.runtime.function import Answer, Context, FunctionFailed
from prober.lab.runtime.in_process import AdapterMode, AppInstance

POLL_S: Final = 0.01
ASYNC_INIT_S: Final = 9.8
"""How long an asynchronous init waits for the server before it leaves that to the first event."""
HEALTHY: Final = frozenset(range(100, 500))
SMALLEST_COMPRESSED: Final = 33
NEVER_COMPRESSED: Final = ("text/event-stream", "image/", "application/grpc")


def stream_error(message: str) -> bytes:
    """What the Rust runtime writes into a streamed body whose source fails: meant as a trailer, sent as text."""
    told = base64.b64encode(message.encode()).decode("ascii")
    kind = "Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n"
    return f"{kind}Lambda-Runtime-Function-Error-Body: {told}\r\n".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSettings:
    """The adapter's settings; the defaults are its own."""

    host: str = "127.0.0.1"
    port: str = "8080"
    readiness_port: str = "8080"
    readiness_path: str = "/"
    readiness_by_tcp: bool = False
    healthy_status: frozenset[int] = HEALTHY
    async_init: bool = False
    base_path: str = ""
    mode: AdapterMode = AdapterMode.BUFFERED
    compresses: bool = False
    authorization_source: str | None = None
    error_status: frozenset[int] = frozenset()


def settings_of(env: Mapping[str, str]) -> AdapterSettings:
    """The settings that the adapter reads from a function's environment. What it cannot read it never complains of."""
    port = env.get("AWS_LWA_PORT", env.get("PORT", "8080"))

    def either(name: str, default: str) -> str:
        return env.get(f"AWS_LWA_{name}", env.get(name, default))

    streams = env.get("AWS_LWA_INVOKE_MODE", "").lower() == AdapterMode.RESPONSE_STREAM
    healthy = env.get("AWS_LWA_READINESS_CHECK_HEALTHY_STATUS")
    return AdapterSettings(
        host=either("HOST", "127.0.0.1"),
        port=port,
        readiness_port=either("READINESS_CHECK_PORT", port),
        readiness_path=either("READINESS_CHECK_PATH", "/"),
        readiness_by_tcp=either("READINESS_CHECK_PROTOCOL", "HTTP").lower() == "tcp",
        healthy_status=HEALTHY if healthy is None else status_codes(healthy),
        async_init=either("ASYNC_INIT", "false") == "true",
        base_path=either("REMOVE_BASE_PATH", ""),
        mode=AdapterMode.RESPONSE_STREAM if streams else AdapterMode.BUFFERED,
        compresses=env.get("AWS_LWA_ENABLE_COMPRESSION") == "true" and not streams,
        authorization_source=env.get("AWS_LWA_AUTHORIZATION_SOURCE"),
        error_status=status_codes(env.get("AWS_LWA_ERROR_STATUS_CODES", "")),
    )


def status_codes(text: str) -> frozenset[int]:
    """Codes and ranges, such as `200-399,404`. A part that is neither stands for no code at all."""
    codes: set[int] = set()
    for part in text.split(","):
        ends = part.strip().split("-")
        if len(ends) <= 2 and all(end.isascii() and end.isdecimal() for end in ends):
            codes.update(range(int(ends[0]), int(ends[-1]) + 1))
    return frozenset(codes)


def without_base_path(path: str, base_path: str) -> str:
    """The path that the server is asked for: the base path is cut off as often as the path begins with its letters."""
    while base_path and path.startswith(base_path):
        path = path.removeprefix(base_path)
    return path if path.startswith("/") else f"/{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The web server beside an adapter: what it answers, where it listens, and how long it takes to."""

    handler: Handler
    host: str = "127.0.0.1"
    port: str = "8080"
    starts_s: float = 0.0


class AdaptedInstance:
    """A web server and the adapter before it, in one sandbox.

    `hangs_on_empty` makes it one of the releases that never end an empty body when streaming.
    """

    def __init__(
        self,
        program: Program,
        settings: AdapterSettings,
        *,
        hangs_on_empty: bool = False,
        async_init_s: float = ASYNC_INIT_S,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._program = program
        self._settings = settings
        self._hangs_on_empty = hangs_on_empty
        self._async_init_s = async_init_s
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._serving_at = 0.0
        self._ready = False
        self._instance = AppInstance(self._forward, settings.mode, clock=clock)
        self._told: tuple[tuple[str, str], ...] = ()

    async def start(self) -> None:
        """Wait for the server: without an end, unless the init is asynchronous."""
        self._serving_at = self._clock.monotonic() + self._program.starts_s
        if self._settings.async_init:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._async_init_s):
                    await self._until_ready()
        else:
            await self._until_ready()

    async def invoke(self, event: Mapping[str, Any], context: Context) -> Answer:
        if not self._ready:
            await self._until_ready()
        told = {"request_id": context.request_id, "deadline": context.deadline_ms, "xray_trace_id": context.trace_id}
        self._told = (
            ("x-amzn-request-context", json.dumps(event["requestContext"], separators=(",", ":"))),
            ("x-amzn-lambda-context", json.dumps(told, separators=(",", ":"))),
        )
        return await self._instance.invoke(event, context)

    async def freeze(self) -> None:
        await self._instance.freeze()

    async def stop(self) -> None:
        await self._instance.stop()

    async def _until_ready(self) -> None:
        while not await self._is_ready():
            await self._sleep(POLL_S)
        self._ready = True

    async def _is_ready(self) -> bool:
        settings = self._settings
        if settings.readiness_by_tcp:
            return self._listens_at(settings.readiness_port)
        host = f"{settings.host}:{settings.readiness_port}"
        request = Request(method="GET", target=settings.readiness_path, headers=(("host", host),))
        try:
            response = await self._ask(settings.readiness_port, request)
        except (ConnectionError, CutShort):
            return False
        if not isinstance(response.body, bytes):
            await close_body(response.body)
        return response.status in settings.healthy_status

    def _listens_at(self, port: str) -> bool:
        listens = (self._settings.host, port) == (self._program.host, self._program.port)
        return listens and self._clock.monotonic() >= self._serving_at

    async def _ask(self, port: str, request: Request) -> Response:
        if not self._listens_at(port):
            raise ConnectionRefusedError(f"nobody listens on port {port}")
        return await self._program.handler(request)

    async def _forward(self, request: Request) -> Response:
        """The server's answer to what an event asks. Raises FunctionFailed."""
        streams = self._settings.mode is AdapterMode.RESPONSE_STREAM
        try:
            response = await self._ask(self._settings.port, self._rewritten(request))
            body = response.body if streams and not self._is_error(response) else await _read(response.body)
        except (ConnectionError, CutShort) as error:
            raise FunctionFailed("hyper_util::client::legacy::Error", str(error)) from error
        if self._is_error(response):
            raise FunctionFailed("lambda_http::Error", f"statusCode {response.status}")
        headers = tuple((name.lower(), value) for name, value in response.headers)
        if streams:
            untyped = response.header("content-type") is None
            typed = (*headers, ("content-type", "application/octet-stream")) if untyped else headers
            return replace(response, headers=typed, body=self._streamed(body))
        response = replace(response, headers=headers, body=body)
        return await _compressed(request, response) if self._settings.compresses else response

    def _is_error(self, response: Response) -> bool:
        return response.status in self._settings.error_status

    def _rewritten(self, request: Request) -> Request:
        path = without_base_path(request.path, self._settings.base_path)
        headers = [*request.headers, *self._told]
        source = self._settings.authorization_source
        token = None if source is None else request.header(source)
        if source is not None and token is not None:
            replaced = (source.lower(), "authorization")
            headers = [(name, value) for name, value in headers if name.lower() not in replaced]
            headers.append(("authorization", token))
        query = f"?{request.raw_query}" if request.raw_query else ""
        return replace(request, target=path + query, headers=tuple(headers))

    def _streamed(self, body: bytes | AsyncIterator[bytes]) -> bytes | AsyncIterator[bytes]:
        if not isinstance(body, bytes):
            return _with_trailer(body)
        return _never_ending() if self._hangs_on_empty and not body else body


async def _with_trailer(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body as it goes out: a failure of its source is written into it."""
    try:
        async for chunk in body:
            yield chunk
    except (ConnectionError, CutShort):
        yield stream_error("error reading a body from connection")
    finally:
        await close_body(body)


async def _never_ending() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def _read(body: bytes | AsyncIterator[bytes]) -> bytes | AsyncIterator[bytes]:
    """The body, read to its end; still without a length where its server sent none."""
    return body if isinstance(body, bytes) else _once(await read_body(body))


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _compressed(request: Request, response: Response) -> Response:
    media_type = (response.header("content-type") or "").lower()
    encoded = response.header("content-encoding") is not None or media_type.startswith(NEVER_COMPRESSED)
    if encoded or "gzip" not in (request.header("accept-encoding") or "").lower():
        return response
    if isinstance(response.body, bytes) and len(response.body) < SMALLEST_COMPRESSED:
        return response
    kept = [(name, value) for name, value in response.headers if name != "content-length"]
    headers = (*kept, ("content-encoding", "gzip"), ("vary", "accept-encoding"))
    return replace(response, headers=headers, body=_once(gzip.compress(await read_body(response.body))))
