"""REST APIs and HTTP APIs: what they add to a request, make of an answer, and refuse by themselves."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from prober.lab.front_doors import refusals
from prober.lab.front_doors.http_api import UNAUTHORIZED, HttpApi
from prober.lab.front_doors.rest_api import MAX_REQUEST_BYTES, RestApi
from prober.lab.front_doors.sigv4 import Verifier
from prober.lab.http import CutShort, Request, Response, read_body, text
from prober.lab.runtime.function import HTTP_INTEGRATION, Buffered, Function, FunctionFailed, Streamed
from prober.lab.runtime.in_process import AdapterMode, AppInstance, HandlerInstance
from prober.lab.servers import rpc
from tests.unit.lab.conftest import Build, Chunks

POST = Request(method="POST", target="/mcp", body=b"{}", headers=(("Content-Type", "application/json"),))
LAMBDA = Verifier(access_key_id="A", secret_access_key="s", region="eu-west-1", service="execute-api")


async def app(request: Request) -> Response:
    return text(200, f"{request.method} {request.target} {request.body.decode()}")


async def never(request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


async def never_ending(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"begin"
        await asyncio.Event().wait()

    return rpc.event_stream(chunks())


def serving(handler: Any = app, adapter: AdapterMode = AdapterMode.BUFFERED, **settings: Any) -> Function:
    return Function(build=lambda: AppInstance(handler, adapter), **settings)


def returning(value: Any) -> Function:
    def handler(event: Any, context: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    return Function(build=lambda: HandlerInstance(handler))


def rest(handler: Any = app, **settings: Any) -> RestApi:
    return RestApi(function=serving(handler), **settings)


@pytest.mark.parametrize(
    ("api", "status", "kind", "body"),
    [
        (rest(resource="/other"), 403, "MissingAuthenticationToken", {"message": "Missing Authentication Token"}),
        (rest(methods=("GET",)), 403, "MissingAuthenticationToken", {"message": "Missing Authentication Token"}),
        (rest(stage="prod"), 403, "MissingAuthenticationToken", {"message": "Missing Authentication Token"}),
        (rest(iam=LAMBDA), 403, "MissingAuthenticationToken", {"message": "Missing Authentication Token"}),
        (rest(refusal=refusals.FIREWALL), 403, "Forbidden", {"message": "Forbidden"}),
        (rest(resource="/other", refusal=refusals.FIREWALL), 403, "Forbidden", {"message": "Forbidden"}),
        (rest(refusal=refusals.UNAUTHORIZED), 401, "Unauthorized", {"message": "Unauthorized"}),
        (rest(refusal=refusals.AUTHORIZER_FAILED), 500, "AuthorizerConfiguration", {"message": None}),
        (rest(refusal=refusals.THROTTLED), 429, "TooManyRequests", {"message": "Too Many Requests"}),
        (rest(refusal=refusals.QUOTA_SPENT), 429, "LimitExceeded", {"message": "Limit Exceeded"}),
        (rest(never, limit_s=0.01), 504, "InternalServerError", {"message": "Endpoint request timed out"}),
        (rest(never_ending, limit_s=0.01), 504, "InternalServerError", {"message": "Endpoint request timed out"}),
        (
            RestApi(function=serving(concurrency=0)),
            500,
            "InternalServerError",
            {"message": "Internal server error"},
        ),
    ],
)
async def test_a_rest_api_refuses_in_its_own_words(api: Any, status: int, kind: str, body: dict[str, Any]) -> None:
    response = await api(POST)
    assert (response.status, json.loads(response.body)) == (status, body)
    assert response.header("x-amzn-errortype") == f"{kind}Exception"
    assert response.header("x-amzn-requestid")
    assert response.header("x-amz-apigw-id")


@pytest.mark.parametrize(
    ("api", "is_traced"),
    [
        (rest(), True),
        (rest(never, limit_s=0.01), True),
        (rest(refusal=refusals.FIREWALL), False),
        (rest(resource="/other"), False),
    ],
)
async def test_only_a_request_that_reached_the_integration_has_a_trace(api: Any, is_traced: bool) -> None:
    assert ((await api(POST)).header("x-amzn-trace-id") is not None) is is_traced


async def test_a_request_of_eleven_megabytes_is_too_large_for_a_rest_api() -> None:
    response = await rest()(replace(POST, body=b" " * (MAX_REQUEST_BYTES + 1)))
    assert (response.status, response.header("x-amzn-errortype")) == (413, "RequestTooLargeException")


async def test_a_missing_route_takes_a_token_for_a_broken_signature() -> None:
    api = rest(resource="/other")
    response = await api(replace(POST, headers=(("Authorization", "Bearer abc"),)))
    assert (response.status, response.header("x-amzn-errortype")) == (403, "IncompleteSignatureException")
    assert "missing equal-sign" in json.loads(response.body)["message"]


@pytest.mark.parametrize(
    "value",
    [
        {},
        None,
        "text",
        {"ok": True},
        {"statusCode": 200, "cookies": []},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": "many"},
        {"statusCode": 200, "headers": ["no", "object"]},
        ValueError("crash"),
    ],
)
async def test_a_rest_api_takes_nothing_but_a_proxy_response(value: dict[str, Any] | str | ValueError | None) -> None:
    response = await RestApi(function=returning(value))(POST)
    assert (response.status, json.loads(response.body)) == (502, {"message": "Internal server error"})


async def test_a_rest_api_joins_single_and_multiple_headers() -> None:
    value = {"statusCode": 200, "headers": {"X-One": "1"}, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}}
    response = await RestApi(function=returning(value))(POST)
    assert response.header("x-one") == "1"
    assert [each for name, each in response.headers if name == "Set-Cookie"] == ["a=1", "b=2"]


async def test_a_rest_api_renames_the_challenge_and_some_more_of_the_integrations_headers() -> None:
    own = {"WWW-Authenticate": "Bearer", "Server": "uvicorn", "X-Own": "1", "Connection": "close"}
    response = await RestApi(function=returning({"statusCode": 401, "headers": own}))(POST)
    assert response.status == 401
    assert response.header("www-authenticate") is None
    assert response.header("x-amzn-remapped-www-authenticate") == "Bearer"
    assert response.header("x-amzn-remapped-server") == "uvicorn"
    assert response.header("x-own") == "1"
    assert response.header("connection") is None


async def test_the_application_behind_a_rest_api_sees_the_resource_and_not_the_stage() -> None:
    response = await rest(stage="prod")(replace(POST, target="/prod/mcp?a=1%202"))
    assert response.body == b"POST /mcp?a=1+2 {}"


async def test_a_streaming_rest_api_hands_on_what_comes_as_it_comes() -> None:
    api = RestApi(function=serving(never_ending, AdapterMode.RESPONSE_STREAM), streams=True, idle_s=0.01)
    response = await api(POST)
    assert (response.status, response.header("content-type")) == (200, "text/event-stream")
    assert not isinstance(response.body, bytes)
    assert await anext(response.body) == b"begin"
    with pytest.raises(CutShort):
        await anext(response.body)


@pytest.mark.parametrize(
    "answer",
    [
        lambda chunks: Buffered(b'{"statusCode":200,"body":""}'),
        lambda chunks: Streamed("text/plain", chunks(b"raw")),
        lambda chunks: Streamed(HTTP_INTEGRATION, chunks(b"no prelude")),
    ],
)
async def test_a_streaming_rest_api_wants_a_prelude(build: Build, chunks: Chunks, answer: Callable[..., Any]) -> None:
    api = RestApi(function=Function(build=build(lambda: answer(chunks))), streams=True)
    assert (await api(POST)).status == 502


@pytest.mark.parametrize("door", [RestApi, HttpApi])
async def test_a_prelude_is_no_answer_where_the_gateway_buffers(door: Any) -> None:
    response = await door(function=serving(adapter=AdapterMode.RESPONSE_STREAM))(POST)
    assert response.status == (502 if door is RestApi else 500)
    assert json.loads(response.body)["message"].lower() == "internal server error"


@pytest.mark.parametrize(
    ("api", "status", "body"),
    [
        (HttpApi(function=serving(), path="/other"), 404, b'{"message":"Not Found"}'),
        (HttpApi(function=serving(), stage="prod"), 404, b'{"message":"Not Found"}'),
        (HttpApi(function=serving(never), limit_s=0.01), 503, b'{"message":"Service Unavailable"}'),
        (HttpApi(function=serving(never_ending), limit_s=0.01), 503, b'{"message":"Service Unavailable"}'),
        (HttpApi(function=returning(ValueError())), 500, b'{"message":"Internal Server Error"}'),
        (HttpApi(function=returning(FunctionFailed("a", "b"))), 500, b'{"message":"Internal Server Error"}'),
        (HttpApi(function=serving(concurrency=0)), 500, b'{"message":"Internal Server Error"}'),
        (HttpApi(function=serving(), refusal=UNAUTHORIZED), 401, b'{"message":"Unauthorized"}'),
        (HttpApi(function=serving(), refusal=refusals.THROTTLED), 429, b'{"message":"Too Many Requests"}'),
    ],
)
async def test_an_http_api_refuses_in_its_own_words(api: HttpApi, status: int, body: bytes) -> None:
    response = await api(POST)
    assert (response.status, response.body) == (status, body)
    assert response.header("apigw-requestid")
    assert response.header("x-amzn-errortype") is None
    assert response.header("x-amz-apigw-id") is None


async def test_an_http_api_names_the_scheme_that_its_authorizer_wants() -> None:
    response = await HttpApi(function=serving(), refusal=UNAUTHORIZED)(POST)
    assert (response.header("www-authenticate") or "").startswith("Bearer")


async def test_the_stage_of_an_http_api_reaches_the_application() -> None:
    response = await HttpApi(function=serving(), stage="prod")(replace(POST, target="/prod/mcp?x=1"))
    assert response.body == b"POST /prod/mcp?x=1 {}"


async def test_an_http_api_makes_any_json_value_the_body_of_a_200() -> None:
    response = await HttpApi(function=returning({"ok": True}))(POST)
    assert (response.status, response.header("content-type"), response.body) == (
        200,
        "application/json",
        b'{"ok":true}',
    )


@pytest.mark.parametrize("door", [RestApi, HttpApi])
async def test_a_buffering_gateway_collects_the_answer_of_its_integration(door: Any) -> None:
    async def streaming(request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"

        return rpc.event_stream(chunks())

    response = await door(function=serving(streaming))(POST)
    assert await read_body(response.body) == b"onetwo"
    assert isinstance(response.body, bytes)
