"""The lab's stand-in for the Lambda Web Adapter answers as the real one does, whatever the settings."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from prober.lab.front_doors.function_url import FunctionUrl, InvokeMode
from prober.lab.http import CutShort, Handler, HttpServer, Request, Response, text
from prober.lab.runtime.adapter import AdaptedInstance, Program, settings_of
from prober.lab.runtime.api import process_function
from prober.lab.runtime.function import Function
from tests.interop.environments import NotOnThisMachine, web_adapter

BUFFERED, STREAM = InvokeMode.BUFFERED, InvokeMode.RESPONSE_STREAM
STREAMING = {"AWS_LWA_INVOKE_MODE": "response_stream"}
PAUSE_S = 0.3


async def app(request: Request) -> Response:
    """A web server with an answer of every kind."""
    match request.path:
        case "/events":
            return Response(headers=(("Content-Type", "text/event-stream"),), body=_events())
        case "/dies":
            return Response(headers=(("Content-Type", "text/event-stream"),), body=_cut_short())
        case "/empty":
            return Response(status=202)
        case "/binary":
            return Response(headers=(("Content-Type", "application/octet-stream"),), body=b"\xff\0\xfe")
        case "/cookies":
            return Response(headers=(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-App", "own")), body=b"ok")
        case "/long":
            return text(200, "again and " * 20)
        case "/unavailable":
            return text(503, "come back later")
        case "/json":
            return Response(headers=(("Content-Type", "application/json"),), body=b'{"jsonrpc":"2.0"}')
        case "/" | "/missing":
            return text(404, "Not Found")
    told = {name: request.header(name) for name in ("host", "authorization", "x-token", "content-type")}
    contexts = sorted(name for name, _ in request.headers if name.lower().startswith("x-amzn-") and "context" in name)
    seen = [request.method, request.target, request.body.decode(), told, contexts]
    return Response(headers=(("Content-Type", "application/json"),), body=json.dumps(seen).encode())


async def _events() -> AsyncIterator[bytes]:
    yield b"data: 1\n\n"
    await asyncio.sleep(PAUSE_S)
    yield b"data: 2\n\n"


async def _cut_short() -> AsyncIterator[bytes]:
    yield b"data: 1\n\nda"
    await asyncio.sleep(0.05)
    raise CutShort


@dataclass(frozen=True)
class Seen:
    """What a client makes of one answer."""

    status: int
    headers: Mapping[str, Any]
    body: str
    waited: bool
    """Whether the body came in pieces, with the server's own pause between them."""


@dataclass(frozen=True)
class Pair:
    """One web server behind both adapters, each behind a Function URL of its own."""

    real: str
    stand_in: str
    function: Function

    async def ask(self, client: httpx.AsyncClient, method: str = "GET", path: str = "/", **more: Any) -> list[Seen]:
        """What the real adapter and the stand-in make of the same request."""
        return [await _seen(client, method, url + path, **more) for url in (self.real, self.stand_in)]


Behind = Callable[..., Awaitable[Pair]]


@pytest.fixture(scope="session")
def adapter() -> Path:
    try:
        return web_adapter()
    except NotOnThisMachine as missing:
        pytest.skip(str(missing))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=20, trust_env=False) as each:
        yield each


@pytest.fixture
async def behind(adapter: Path) -> AsyncIterator[Behind]:
    """Puts a web server behind both adapters, with the same settings."""
    async with AsyncExitStack() as stack:

        async def listening(handler: Handler) -> int:
            server = HttpServer(handler)
            stack.push_async_callback(server.close)
            return await server.start("127.0.0.1")

        async def start(
            env: Mapping[str, str] | None = None, mode: InvokeMode = BUFFERED, handler: Handler = app, **limits: float
        ) -> Pair:
            port = await listening(handler)
            settings = {"AWS_LWA_PORT": str(port), **(env or {})}
            real = process_function([str(adapter)], settings, **limits)
            program = Program(handler=handler, port=str(port))
            stand_in = Function(build=lambda: AdaptedInstance(program, settings_of(settings)), **limits)
            for function in (real, stand_in):
                stack.push_async_callback(function.close)
            urls = [f"http://127.0.0.1:{await listening(FunctionUrl(function=each, mode=mode))}"
                    for each in (real, stand_in)]  # fmt: skip
            return Pair(*urls, function=real)

        yield start


async def _seen(client: httpx.AsyncClient, method: str, url: str, **more: Any) -> Seen:
    loop = asyncio.get_running_loop()
    async with client.stream(method, url, headers={"host": "mcp.example.com", **more.pop("headers", {})}, **more) as it:
        pieces = [(piece, loop.time()) async for piece in it.aiter_raw()]
    body = b"".join(piece for piece, _ in pieces)
    if it.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    kept = ("content-type", "content-encoding", "x-app", "x-amzn-remapped-content-length")
    return Seen(
        status=it.status_code,
        headers={**{name: it.headers.get(name) for name in kept}, "cookies": it.headers.get_list("set-cookie")},
        body=_comparable(body),
        waited=bool(pieces) and pieces[-1][1] - pieces[0][1] > PAUSE_S / 2,
    )


def _comparable(body: bytes) -> str:
    """The body without what must differ: the date, the order of members, and how an error is worded."""
    said = body.decode("latin-1")
    said = re.sub(r"(Lambda-Runtime-Function-Error-Body: )\S+", r"\1…", said)
    head, zeros, rest = said.partition("\0" * 8)
    if not head.startswith('{"statusCode"') and not head.startswith('{"headers"'):
        return said
    envelope = json.loads(head)
    headers = {name: value for name, value in envelope.pop("headers").items() if name not in ("date", "server")}
    envelope = {name: value for name, value in envelope.items() if value not in ([], {}, None)}
    return json.dumps([envelope, sorted(headers)], sort_keys=True) + zeros + rest


MODES = pytest.mark.parametrize(
    ("env", "mode"),
    [
        ({}, BUFFERED),
        (STREAMING, STREAM),
        ({"AWS_LWA_INVOKE_MODE": "RESPONSE-STREAM"}, BUFFERED),
        ({}, STREAM),
        (STREAMING, BUFFERED),
    ],
    ids=["both buffer", "both stream", "typo", "envelope", "prelude"],
)


@MODES
async def test_answers_of_every_kind_in_every_combination_of_modes(
    behind: Behind, client: httpx.AsyncClient, env: Mapping[str, str], mode: InvokeMode
) -> None:
    pair = await behind(env, mode)
    for path in ("/mcp?a=1&b=%20", "/events", "/empty", "/binary", "/cookies", "/long", "/unavailable", "/missing"):
        real, stand_in = await pair.ask(client, path=path)
        assert stand_in == real, path
    assert pair.function.started == 1


@MODES
async def test_a_message_reaches_the_server_as_it_was_sent(
    behind: Behind, client: httpx.AsyncClient, env: Mapping[str, str], mode: InvokeMode
) -> None:
    pair = await behind(env, mode)
    headers = {"content-type": "application/json", "authorization": "Bearer t"}
    real, stand_in = await pair.ask(client, "POST", "/mcp", content='{"jsonrpc":"2.0"}', headers=headers)
    assert stand_in == real
    assert "mcp.example.com" in real.body


async def test_events_arrive_one_by_one_only_where_both_stream(behind: Behind, client: httpx.AsyncClient) -> None:
    streamed = await (await behind(STREAMING, STREAM)).ask(client, path="/events")
    buffered = await (await behind()).ask(client, path="/events")
    assert [each.waited for each in (*streamed, *buffered)] == [True, True, False, False]


@pytest.mark.parametrize("mode", [BUFFERED, STREAM])
async def test_a_server_that_dies_in_mid_stream(behind: Behind, client: httpx.AsyncClient, mode: InvokeMode) -> None:
    pair = await behind(STREAMING if mode is STREAM else {}, mode)
    real, stand_in = await pair.ask(client, path="/dies")
    assert stand_in == real
    assert ("Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n" in real.body) is (mode is STREAM)


@pytest.mark.parametrize("path", ["/prod/mcp", "/prod/prod/mcp", "/production", "/prod", "/mcp"])
async def test_the_base_path(behind: Behind, client: httpx.AsyncClient, path: str) -> None:
    real, stand_in = await (await behind({"AWS_LWA_REMOVE_BASE_PATH": "/prod"})).ask(client, path=path)
    assert stand_in == real


@pytest.mark.parametrize("codes", ["400-499", "404,503", "500-x", "200"])
async def test_status_codes_that_count_as_errors(behind: Behind, client: httpx.AsyncClient, codes: str) -> None:
    pair = await behind({"AWS_LWA_ERROR_STATUS_CODES": codes})
    for path in ("/mcp", "/missing", "/unavailable"):
        real, stand_in = await pair.ask(client, path=path)
        assert stand_in == real, path
    assert pair.function.started == 1


@pytest.mark.parametrize("headers", [{"x-token": "t", "authorization": "AWS4 s"}, {"authorization": "AWS4 s"}])
async def test_the_authorization_from_another_header(
    behind: Behind, client: httpx.AsyncClient, headers: Mapping[str, str]
) -> None:
    pair = await behind({"AWS_LWA_AUTHORIZATION_SOURCE": "x-token"})
    real, stand_in = await pair.ask(client, path="/mcp", headers=headers)
    assert stand_in == real


@pytest.mark.parametrize("env", [{}, STREAMING], ids=["buffered", "streaming"])
async def test_compression(behind: Behind, client: httpx.AsyncClient, env: Mapping[str, str]) -> None:
    pair = await behind({**env, "AWS_LWA_ENABLE_COMPRESSION": "true"}, STREAM if env else BUFFERED)
    for path in ("/long", "/json", "/events", "/binary"):
        real, stand_in = await pair.ask(client, path=path, headers={"accept-encoding": "gzip"})
        assert stand_in == real, path


READINESS = {
    "the root is 404, which counts": ({}, True),
    "a list without 404": ({"AWS_LWA_READINESS_CHECK_HEALTHY_STATUS": "200-299"}, False),
    "a list with 404": ({"AWS_LWA_READINESS_CHECK_HEALTHY_STATUS": "200-299, 404"}, True),
    "a list that says nothing": ({"AWS_LWA_READINESS_CHECK_HEALTHY_STATUS": "2xx"}, False),
    "a path that is 503": ({"AWS_LWA_READINESS_CHECK_PATH": "/unavailable"}, False),
    "the same by TCP": ({"AWS_LWA_READINESS_CHECK_PATH": "/unavailable", "READINESS_CHECK_PROTOCOL": "TCP"}, True),
    "an unknown protocol": ({"AWS_LWA_READINESS_CHECK_PROTOCOL": "ping"}, True),
    "another port": ({"AWS_LWA_READINESS_CHECK_PORT": "9"}, False),
    "a wrong port": ({"AWS_LWA_PORT": "9"}, False),
    "another address": ({"AWS_LWA_HOST": "127.0.0.2"}, False),
}


@pytest.mark.parametrize(("env", "ready"), READINESS.values(), ids=READINESS)
async def test_readiness(behind: Behind, client: httpx.AsyncClient, env: Mapping[str, str], ready: bool) -> None:
    pair = await behind(env, init_limit_s=1.0, timeout_s=1.0 if not ready else 20.0)
    real, stand_in = await pair.ask(client, path="/mcp")
    assert stand_in == real
    assert (real.status == 200) is ready


async def test_an_asynchronous_init_leaves_the_wait_to_the_first_event(
    behind: Behind, client: httpx.AsyncClient
) -> None:
    pair = await behind({"AWS_LWA_ASYNC_INIT": "true"})
    real, stand_in = await pair.ask(client, path="/mcp")
    assert stand_in == real
    assert real.status == 200


async def test_a_server_that_is_gone_after_it_was_ready(behind: Behind, client: httpx.AsyncClient) -> None:
    async def gone(request: Request) -> Response:
        if request.path == "/":
            return text(200, "ready")
        raise ConnectionResetError

    pair = await behind(handler=gone)
    real, stand_in = await pair.ask(client, path="/mcp")
    assert stand_in == real
    assert (real.status, real.body) == (502, "Internal Server Error")
    assert pair.function.started == 1
