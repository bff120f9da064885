"""The HTTP server under the lab, over real sockets: what a client may do to it, and what it says of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from prober.lab.front_doors.function_url import FunctionUrl
from prober.lab.http import CutShort, Request, Response, text
from prober.lab.runtime.function import Function
from prober.lab.runtime.in_process import HandlerInstance
from tests.integration.lab.conftest import Serve


async def echo(request: Request) -> Response:
    return text(200, f"{request.method} {request.target} {request.body.decode()}")


async def raw(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_requests_follow_each_other_on_one_connection(serve: Serve) -> None:
    port = await serve(echo)
    first = b"POST /a?b=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
    last = b"GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    answer = await raw(port, first + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"POST /a?b=1 hi" in answer
    assert answer.endswith(b"GET /c ")


async def test_a_client_that_does_not_speak_http_is_told_so(serve: Serve) -> None:
    assert (await raw(await serve(echo), b"hello\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_a_request_over_the_limit_is_refused_before_it_reaches_the_handler(
    serve: Serve, client: httpx.AsyncClient
) -> None:
    port = await serve(echo)
    response = await client.post(f"http://127.0.0.1:{port}/", content=b"x" * (6 * 1024 * 1024 + 1))
    assert response.status_code == 413


async def test_chunks_leave_as_they_are_made(serve: Serve, client: httpx.AsyncClient) -> None:
    more = asyncio.Event()

    async def two_steps() -> AsyncIterator[bytes]:
        yield b"one"
        await more.wait()
        yield b"two"

    async def handler(request: Request) -> Response:
        return Response(body=two_steps())

    async with client.stream("GET", f"http://127.0.0.1:{await serve(handler)}/") as response:
        chunks = response.aiter_raw()
        assert await anext(chunks) == b"one"
        more.set()
        assert await anext(chunks) == b"two"
        assert response.headers["transfer-encoding"] == "chunked"


async def test_a_client_that_leaves_ends_the_body(serve: Serve, client: httpx.AsyncClient) -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            yield b"begin"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def handler(request: Request) -> Response:
        return Response(body=endless())

    async with client.stream("GET", f"http://127.0.0.1:{await serve(handler)}/") as response:
        await anext(response.aiter_raw())
    async with asyncio.timeout(20):
        await ended.wait()


async def test_a_client_that_leaves_a_buffered_call_does_not_end_the_instance(
    serve: Serve, client: httpx.AsyncClient
) -> None:
    begun, left, allowed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def count(event: Any, context: Any) -> Any:
        begun.set()
        await allowed.wait()
        return "counted"

    function = Function(build=lambda: HandlerInstance(count), concurrency=1)
    url = FunctionUrl(function=function)

    async def watched(request: Request) -> Response:
        try:
            return await url(request)
        except asyncio.CancelledError:
            left.set()
            raise

    address = f"http://127.0.0.1:{await serve(watched)}/"
    call = asyncio.create_task(client.get(address))
    async with asyncio.timeout(20):
        await begun.wait()
        call.cancel()
        await left.wait()
        assert (await client.get(address)).status_code == 429
        allowed.set()
        while (response := await client.get(address)).status_code == 429:
            pass
    assert (response.text, function.started) == ("counted", 1)


async def test_a_body_that_is_cut_short_breaks_the_connection(serve: Serve, client: httpx.AsyncClient) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"begin"
        raise CutShort

    async def handler(request: Request) -> Response:
        return Response(body=broken())

    with pytest.raises(httpx.TransportError):
        await client.get(f"http://127.0.0.1:{await serve(handler)}/")


async def test_a_bug_in_a_handler_is_a_500_that_shows_nothing(
    serve: Serve, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(request: Request) -> Response:
        raise LookupError("internal detail")

    response = await client.get(f"http://127.0.0.1:{await serve(handler)}/")
    assert response.status_code == 500
    assert "internal detail" not in response.text
    assert "internal detail" in caplog.text


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_an_answer_that_may_have_no_body_has_none(
    serve: Serve, client: httpx.AsyncClient, method: str, status: int
) -> None:
    async def handler(request: Request) -> Response:
        return Response(status=status, body=b"never sent")

    url = f"http://127.0.0.1:{await serve(handler)}/"
    responses = [await client.request(method, url) for _ in range(2)]
    assert [(each.status_code, each.content) for each in responses] == [(status, b"")] * 2
