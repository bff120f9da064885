"""A load balancer in front of a function."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from prober.lab.front_doors.load_balancer import LoadBalancer
from prober.lab.http import Request, Response, text
from prober.lab.runtime.function import Function
from prober.lab.runtime.in_process import AdapterMode, AppInstance, HandlerInstance

POST = Request(method="POST", target="/mcp?q=a%20b", body=b"{}", headers=(("Content-Type", "application/json"),))


async def app(request: Request) -> Response:
    return text(200, f"{request.method} {request.target} {request.body.decode()}", ("Server", "uvicorn"))


async def never(request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


def serving(handler: Any = app, adapter: AdapterMode = AdapterMode.BUFFERED, **settings: Any) -> Function:
    return Function(build=lambda: AppInstance(handler, adapter), **settings)


def returning(value: Any) -> Function:
    return Function(build=lambda: HandlerInstance(lambda event, context: value))


@pytest.mark.parametrize(
    ("door", "asked", "title"),
    [
        (LoadBalancer(function=serving(), blocked=True), POST, "403 Forbidden"),
        (LoadBalancer(function=serving()), replace(POST, body=b" " * 1_048_577), "413 "),
        (LoadBalancer(function=returning({"ok": True})), POST, "502 Bad Gateway"),
        (LoadBalancer(function=returning({"statusCode": "200"})), POST, "502 Bad Gateway"),
        (LoadBalancer(function=returning({"statusCode": 200, "body": 7})), POST, "502 Bad Gateway"),
        (LoadBalancer(function=returning({"statusCode": 200, "body": "x" * 1_048_577})), POST, "502 Bad Gateway"),
        (LoadBalancer(function=serving(concurrency=0)), POST, "502 Bad Gateway"),
        (LoadBalancer(function=serving(adapter=AdapterMode.RESPONSE_STREAM)), POST, "502 Bad Gateway"),
        (LoadBalancer(function=serving(), has_target=False), POST, "503 Service Unavailable"),
        (LoadBalancer(function=serving(never), limit_s=0.01), POST, "504 Gateway Time"),
    ],
)
async def test_a_load_balancer_has_a_page_for_everything_that_goes_wrong(
    door: LoadBalancer, asked: Any, title: str
) -> None:
    response = await door(asked)
    assert f"<h1>{title}".encode() in response.body
    assert response.status == int(title.split()[0])
    assert (response.header("server"), response.header("content-type")) == ("awselb/2.0", "text/html")
    assert response.header("x-amzn-requestid") is None


async def test_a_load_balancer_leaves_the_query_as_it_came() -> None:
    response = await LoadBalancer(function=serving())(POST)
    assert (response.status, response.body) == (200, b"POST /mcp?q=a%20b {}")
    assert response.header("server") == "awselb/2.0"


async def test_a_load_balancer_does_not_mind_what_else_is_in_an_answer() -> None:
    response = await LoadBalancer(function=returning({"statusCode": 204, "statusDescription": "204 No Content"}))(POST)
    assert (response.status, response.body) == (204, b"")
