"""Function URLs: how envelopes, preludes and plain values become answers, in both invoke modes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from prober.lab.front_doors.cors import UrlPolicy
from prober.lab.front_doors.events import format_2
from prober.lab.front_doors.function_url import Access, FunctionUrl, InvokeMode
from prober.lab.http import Request, Response, read_body, text
from prober.lab.runtime.function import HTTP_INTEGRATION, Answer, Buffered, Function, FunctionFailed, Streamed
from prober.lab.runtime.http_events import request_of
from prober.lab.runtime.in_process import AdapterMode, AppInstance, HandlerInstance
from tests.unit.lab.conftest import Build, Chunks, HandClock, RecordingInstance

GET = Request(method="GET", target="/")


def url_returning(value: Any, mode: InvokeMode = InvokeMode.BUFFERED) -> FunctionUrl:
    return FunctionUrl(function=Function(build=lambda: HandlerInstance(lambda event, context: value)), mode=mode)


def url_answering(build: Build, answer: Callable[[], Answer], mode: InvokeMode) -> FunctionUrl:
    return FunctionUrl(function=Function(build=build(answer)), mode=mode)


async def body_of(response: Response) -> bytes:
    return await read_body(response.body)


@pytest.mark.parametrize(
    ("value", "body"),
    [({"ok": True}, b'{"ok":true}'), ([1], b"[1]"), (None, b"null"), (7, b"7"), ("Hello", b"Hello")],
)
async def test_a_value_that_is_no_envelope_is_the_body_of_a_200(
    value: dict[str, Any] | list[Any] | int | str | None, body: bytes
) -> None:
    response = await url_returning(value)(GET)
    assert (response.status, response.header("content-type"), response.body) == (200, "application/json", body)


async def test_an_envelope_becomes_the_answer() -> None:
    envelope = {
        "statusCode": "418",
        "headers": {"Content-Type": "text/plain", "Server": "uvicorn", "Connection": "close"},
        "cookies": ["a=1", "b=2"],
        "body": "dGVh",
        "isBase64Encoded": True,
    }
    response = await url_returning(envelope)(GET)
    assert (response.status, response.body) == (418, b"tea")
    assert [value for name, value in response.headers if name == "Set-Cookie"] == ["a=1", "b=2"]
    assert response.header("x-amzn-remapped-server") == "uvicorn"
    assert response.header("server") is None
    assert response.header("connection") is None


@pytest.mark.parametrize(
    "envelope",
    [
        {"statusCode": "many"},
        {"statusCode": 99},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "body": "%%%", "isBase64Encoded": True},
        {"statusCode": 200, "headers": ["not", "an", "object"]},
    ],
)
async def test_a_broken_envelope_is_an_internal_error(envelope: dict[str, Any]) -> None:
    response = await url_returning(envelope)(GET)
    assert (response.status, response.body) == (502, b"Internal Server Error")


async def test_a_crash_is_told_in_21_bytes_of_text() -> None:
    def crash(event: Any, context: Any) -> Any:
        raise KeyError("TABLE")

    response = await FunctionUrl(function=Function(build=lambda: HandlerInstance(crash)))(GET)
    assert (response.status, response.body) == (502, b"Internal Server Error")
    assert response.header("x-amzn-requestid")
    assert (response.header("x-amzn-trace-id") or "").startswith("Root=1-")


@pytest.mark.parametrize(
    ("access", "message"),
    [
        (
            Access.FORBIDDEN,
            "Forbidden. For troubleshooting Function URL authorization issues, see: "
            "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html",
        ),
        (Access.GONE, None),
    ],
)
async def test_a_denied_request_reaches_no_function(
    build: Build, instances: list[RecordingInstance], access: Access, message: str | None
) -> None:
    response = await FunctionUrl(function=Function(build=build()), access=access)(GET)
    assert (response.status, json.loads(response.body)) == (403, {"Message": message})
    assert response.header("x-amzn-errortype") == "AccessDeniedException"
    assert response.header("x-amzn-trace-id") is None
    assert instances == []


async def test_no_concurrency_is_a_429_with_its_reason(build: Build) -> None:
    response = await FunctionUrl(function=Function(build=build(), concurrency=0))(GET)
    assert response.status == 429
    assert json.loads(response.body)["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


async def test_a_streaming_url_leaks_the_envelope_of_a_buffering_function() -> None:
    envelope = {"statusCode": 401, "headers": {}, "body": "secret"}
    response = await url_returning(envelope, InvokeMode.RESPONSE_STREAM)(GET)
    assert response.status == 200
    assert json.loads(await body_of(response)) == envelope


async def test_a_buffered_url_leaks_the_prelude_of_a_streaming_function(build: Build, chunks: Chunks) -> None:
    stream = b'{"statusCode":500}' + b"\0" * 8 + b"oops"
    url = url_answering(build, lambda: Streamed(HTTP_INTEGRATION, chunks(stream)), InvokeMode.BUFFERED)
    response = await url(GET)
    assert (response.status, await body_of(response)) == (200, stream)


async def test_the_prelude_is_read_whatever_the_chunk_boundaries(build: Build, chunks: Chunks) -> None:
    stream = b'{"statusCode":201,"headers":{"X-A":"1","Content-Length":"4"}}' + b"\0" * 8 + b"body"
    pieces = [stream[i : i + 1] for i in range(len(stream))]
    url = url_answering(build, lambda: Streamed(HTTP_INTEGRATION, chunks(*pieces)), InvokeMode.RESPONSE_STREAM)
    response = await url(GET)
    assert (response.status, response.header("x-a")) == (201, "1")
    assert response.header("x-amzn-remapped-content-length") == "4"
    assert response.header("content-length") is None
    assert await body_of(response) == b"body"


@pytest.mark.parametrize("stream", [b"", b"no prelude at all", b"[]" + b"\0" * 8, b"x" * 20_000])
async def test_a_stream_without_a_readable_prelude_is_an_internal_error(
    build: Build, instances: list[RecordingInstance], chunks: Chunks, stream: bytes
) -> None:
    url = url_answering(build, lambda: Streamed(HTTP_INTEGRATION, chunks(stream)), InvokeMode.RESPONSE_STREAM)
    assert (await url(GET)).status == 502
    await url.function.close()
    assert instances[0].history[-1] == "stop"


async def test_a_stream_without_prelude_type_is_passed_through(build: Build, chunks: Chunks) -> None:
    url = url_answering(build, lambda: Streamed("text/plain", chunks(b"raw")), InvokeMode.RESPONSE_STREAM)
    response = await url(GET)
    assert (response.header("content-type"), await body_of(response)) == ("text/plain", b"raw")


async def test_a_return_value_over_the_limit_is_an_internal_error(build: Build) -> None:
    url = url_answering(build, lambda: Buffered(b'"' + b"x" * 6_291_556 + b'"'), InvokeMode.BUFFERED)
    assert (await url(GET)).status == 502


def test_the_event_has_the_form_of_payload_version_2(clock: HandClock) -> None:
    request = Request(
        method="POST",
        target="/a%20b?x=1&y=",
        headers=(
            ("Host", "id.lambda-url.eu-west-1.on.aws"),
            ("Accept", "a"),
            ("accept", "b"),
            ("Cookie", "k=v; l=w"),
            ("Content-Type", "application/json"),
            ("Connection", "keep-alive"),
        ),
        body=b"{}",
        client="203.0.113.9",
    )
    event = format_2(request, request_id="rid", trace_id="tid", clock=clock)
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/a%20b", "x=1&y=")
    assert event["queryStringParameters"] == {"x": "1", "y": ""}
    assert event["cookies"] == ["k=v", "l=w"]
    assert event["headers"]["accept"] == "a,b"
    assert "cookie" not in event["headers"]
    assert "connection" not in event["headers"]
    assert event["headers"]["x-forwarded-for"] == "203.0.113.9"
    assert (event["body"], event["isBase64Encoded"]) == ("{}", False)
    context = event["requestContext"]
    assert (context["accountId"], context["domainPrefix"], context["requestId"]) == ("anonymous", "id", "rid")
    assert (context["http"]["method"], context["http"]["path"]) == ("POST", "/a b")
    assert (context["time"], context["timeEpoch"]) == ("20/Nov/2026:12:00:00 +0000", 1795176000000)


def test_an_empty_body_is_left_out_of_the_event(clock: HandClock) -> None:
    assert "body" not in format_2(GET, request_id="r", trace_id="t", clock=clock)


def test_a_request_survives_the_way_through_the_event(clock: HandClock) -> None:
    request = Request(
        method="PUT", target="/x?y=1", headers=(("Content-Type", "application/octet-stream"),), body=b"\xff\0"
    )
    event = format_2(request, request_id="r", trace_id="t", clock=clock)
    assert event["isBase64Encoded"] is True
    back = request_of(event)
    assert (back.method, back.target, back.body) == ("PUT", "/x?y=1", b"\xff\0")


async def test_the_applications_date_stands_still_while_its_instance_is_frozen(clock: HandClock) -> None:
    async def app(request: Request) -> Response:
        return text(200, "ok")

    function = Function(build=lambda: AppInstance(app, AdapterMode.BUFFERED, clock=clock), clock=clock)
    url = FunctionUrl(function=function, clock=clock)
    assert (await url(GET)).header("x-amzn-remapped-date") == "Fri, 20 Nov 2026 12:00:00 GMT"
    clock.seconds = 100
    assert (await url(GET)).header("x-amzn-remapped-date") == "Fri, 20 Nov 2026 12:00:00 GMT"


async def test_an_application_that_dies_takes_its_instance_with_it() -> None:
    async def app(request: Request) -> Response:
        raise FunctionFailed("Runtime.ExitError", "exit status 1", lost=True)

    function = Function(build=lambda: AppInstance(app, AdapterMode.RESPONSE_STREAM))
    url = FunctionUrl(function=function, mode=InvokeMode.RESPONSE_STREAM)
    assert [(await url(GET)).status for _ in range(2)] == [502, 502]
    assert function.started == 2


async def test_a_preflight_that_a_url_answers_itself_wakes_no_function(
    build: Build, instances: list[RecordingInstance]
) -> None:
    policy = UrlPolicy(origins=frozenset({"https://a.example"}))
    asked = Request(
        method="OPTIONS",
        target="/",
        headers=(("Origin", "https://a.example"), ("Access-Control-Request-Method", "POST")),
    )
    response = await FunctionUrl(function=Function(build=build()), cors=policy)(asked)
    assert (response.status, response.header("access-control-allow-origin")) == (200, "https://a.example")
    assert "mcp-protocol-version" in (response.header("access-control-allow-headers") or "")
    assert instances == []


async def test_a_url_and_its_application_may_both_allow_an_origin() -> None:
    async def app(request: Request) -> Response:
        return text(200, "ok", ("Access-Control-Allow-Origin", "https://a.example"))

    function = Function(build=lambda: AppInstance(app, AdapterMode.BUFFERED))
    url = FunctionUrl(function=function, cors=UrlPolicy(origins=frozenset({"https://a.example"})))
    known, stranger = [
        [
            value
            for name, value in (await url(Request(method="GET", target="/", headers=(("Origin", origin),)))).headers
            if name.lower() == "access-control-allow-origin"
        ]
        for origin in ("https://a.example", "https://b.example")
    ]
    assert (known, stranger) == (["https://a.example"] * 2, ["https://a.example"])
