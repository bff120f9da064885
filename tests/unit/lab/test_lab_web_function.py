"""A Web Function: an application that serves HTTP by itself."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from prober.lab.front_doors.web_function import WebFunction, web_instances
from prober.lab.http import CutShort, Request, Response, read_body, text
from prober.lab.runtime.function import Function, FunctionFailed
from prober.lab.servers import rpc

GET = Request(method="GET", target="/mcp", headers=(("Host", "orders.lambda-web.eu-west-1.on.aws"),))


async def app(request: Request) -> Response:
    return text(200, "ok", ("Server", "node"))


async def never(request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


async def dying(request: Request) -> Response:
    raise FunctionFailed("Runtime.ExitError", "exit status 1", lost=True)


async def never_ending(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"begin"
        await asyncio.Event().wait()

    return rpc.event_stream(chunks())


def web(handler: Any = app, *, host: str | None = None, **settings: Any) -> WebFunction:
    return WebFunction(function=Function(build=web_instances(handler), **settings), host=host)


async def test_an_answer_names_its_request_and_the_log_stream_of_its_instance() -> None:
    door = web()
    first, second = await door(GET), await door(GET)
    assert (first.status, await read_body(first.body)) == (200, b"ok")
    assert await read_body(second.body) == b"ok"
    assert first.header("lambda-web-request-id") != second.header("lambda-web-request-id")
    assert not [name for name, _ in first.headers if name.lower().startswith("x-amzn")]
    assert first.header("lambda-web-error-type") is None
    assert first.header("lambda-web-logstream")


@pytest.mark.parametrize(
    ("door", "asked", "status", "kind"),
    [
        (web(never, timeout_s=0.01), GET, 504, "Runtime.RequestTimeout"),
        (web(dying), GET, 502, "Runtime.ExitError"),
        (web(concurrency=0), GET, 429, None),
        (web(host="other.lambda-web.eu-west-1.on.aws"), GET, 404, None),
        (web(host="orders.lambda-web.eu-west-1.on.aws"), GET, 200, None),
        (web(), Request(method="BREW", target="/mcp"), 400, None),
    ],
)
async def test_errors_of_the_platform_have_names(door: Any, asked: Request, status: int, kind: str | None) -> None:
    response = await door(asked)
    assert (response.status, response.header("lambda-web-error-type")) == (status, kind)
    assert response.header("lambda-web-request-id")
    assert (response.header("lambda-web-logstream") is not None) is (status == 200)


async def test_a_stream_past_its_time_is_cut_without_a_word() -> None:
    response = await web(never_ending, timeout_s=0.05)(GET)
    assert (response.status, response.header("lambda-web-error-type")) == (200, None)
    with pytest.raises(CutShort):
        await read_body(response.body)
