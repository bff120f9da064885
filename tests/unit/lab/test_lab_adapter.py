"""The stand-in for the Lambda Web Adapter: its settings, readiness, and what becomes of an application's answers."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from prober.lab.front_doors.function_url import FunctionUrl, InvokeMode
from prober.lab.http import CutShort, Request, Response, read_body, text
from prober.lab.runtime.adapter import (
    AdaptedInstance,
    AdapterSettings,
    Program,
    settings_of,
    status_codes,
    without_base_path,
)
from prober.lab.runtime.function import Context, Function, FunctionFailed
from prober.lab.runtime.in_process import AdapterMode

GET = Request(method="GET", target="/mcp", headers=(("Host", "h"), ("Accept-Encoding", "gzip, br")))
CONTEXT = Context(request_id="r", trace_id="t", deadline_ms=1)


async def hello(request: Request) -> Response:
    return text(200, f"hello from {request.target}, and again and again")


def url_of(
    handler: Any,
    env: Mapping[str, str] | None = None,
    mode: InvokeMode = InvokeMode.BUFFERED,
    timeout_s: float = 0.05,
    **program: Any,
) -> FunctionUrl:
    settings = settings_of(env or {})
    return FunctionUrl(
        function=Function(
            build=lambda: AdaptedInstance(Program(handler=handler, **program), settings),
            timeout_s=timeout_s,
            init_limit_s=0.02,
        ),
        mode=mode,
    )


async def asked(handler: Any, env: Mapping[str, str] | None = None, request: Request = GET, **more: Any) -> Any:
    url = url_of(handler, env, **more)
    response = await url(request)
    try:
        return response.status, await read_body(response.body)
    finally:
        await url.function.close()


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("500,502-504, 422", {500, 502, 503, 504, 422}),
        ("200-300-400", set()),
        ("2xx", set()),
        ("500-x,404", {404}),
        ("", set()),
    ],
)
def test_status_codes_are_read_part_by_part_and_what_is_no_code_counts_for_none(text: str, codes: Any) -> None:
    assert status_codes(text) == codes


@pytest.mark.parametrize(
    ("path", "left"),
    [("/prod/mcp", "/mcp"), ("/prod/prod/mcp", "/mcp"), ("/prod", "/"), ("/production", "/uction"), ("/mcp", "/mcp")],
)
def test_the_base_path_is_cut_off_as_often_as_it_stands_there(path: str, left: str) -> None:
    assert without_base_path(path, "/prod") == left


def test_without_settings_the_adapter_has_its_own() -> None:
    assert settings_of({}) == AdapterSettings()
    assert without_base_path("/mcp", "") == "/mcp"


def test_settings_come_under_their_names_of_old_as_well() -> None:
    old = {"PORT": "3000", "READINESS_CHECK_PATH": "/up", "ASYNC_INIT": "true", "REMOVE_BASE_PATH": "/prod"}
    settings = settings_of({**old, "AWS_LWA_READINESS_CHECK_PROTOCOL": "TCP"})
    assert (settings.port, settings.readiness_port, settings.readiness_path) == ("3000", "3000", "/up")
    assert (settings.async_init, settings.base_path, settings.readiness_by_tcp) == (True, "/prod", True)


@pytest.mark.parametrize("value", ["RESPONSE-STREAM", "stream", ""])
def test_an_unknown_invoke_mode_is_buffered(value: str) -> None:
    assert settings_of({"AWS_LWA_INVOKE_MODE": value}).mode is AdapterMode.BUFFERED
    assert settings_of({"AWS_LWA_INVOKE_MODE": "Response_Stream"}).mode is AdapterMode.RESPONSE_STREAM


async def test_a_server_that_is_up_is_asked() -> None:
    assert await asked(hello) == (200, b"hello from /mcp, and again and again")


@pytest.mark.parametrize(
    ("env", "program"),
    [
        ({"AWS_LWA_PORT": "3000"}, {}),
        ({"AWS_LWA_HOST": "::1"}, {}),
        ({"AWS_LWA_READINESS_CHECK_PORT": "9000"}, {}),
        ({"AWS_LWA_READINESS_CHECK_PORT": "9000", "AWS_LWA_READINESS_CHECK_PROTOCOL": "tcp"}, {}),
        ({"AWS_LWA_READINESS_CHECK_HEALTHY_STATUS": "2xx"}, {}),
        ({"AWS_LWA_READINESS_CHECK_HEALTHY_STATUS": "300-399"}, {}),
        ({}, {"starts_s": 60.0}),
    ],
)
async def test_a_server_that_is_never_ready_is_an_internal_error_after_the_time_limit(
    env: dict[str, Any], program: dict[str, Any]
) -> None:
    began = asyncio.get_running_loop().time()
    assert await asked(hello, env, **program) == (502, b"Internal Server Error")
    assert asyncio.get_running_loop().time() - began >= 0.07


async def test_a_server_that_is_not_ready_in_the_init_phase_is_awaited_by_the_first_event() -> None:
    async def slow(request: Request) -> Response:
        return text(200, "up")

    assert await asked(slow, starts_s=0.04, timeout_s=5) == (200, b"up")
    instance = AdaptedInstance(
        Program(handler=slow, starts_s=0.03), AdapterSettings(async_init=True), async_init_s=0.001
    )
    await instance.start()
    event = {"version": "2.0", "rawPath": "/", "rawQueryString": "", "headers": {}}
    event["requestContext"] = {"http": {"method": "GET", "sourceIp": "::1"}}
    assert json.loads((await instance.invoke(event, CONTEXT)).payload)["body"] == "up"


async def test_the_readiness_check_asks_the_server_by_its_own_address() -> None:
    hosts = []

    async def app(request: Request) -> Response:
        hosts.append((request.target, request.header("host")))
        return text(404, "nothing here")

    assert (await asked(app, {"AWS_LWA_READINESS_CHECK_PATH": "/up"}))[0] == 404
    assert hosts == [("/up", "127.0.0.1:8080"), ("/mcp", "h")]


async def test_the_server_is_told_of_the_event_and_the_invocation() -> None:
    async def app(request: Request) -> Response:
        told = [json.loads(request.header(f"x-amzn-{name}-context") or "{}") for name in ("request", "lambda")]
        return text(200, json.dumps([told[0].get("accountId"), sorted(told[1])]))

    _, body = await asked(app)
    assert json.loads(body) == ["anonymous", ["deadline", "request_id", "xray_trace_id"]]


async def test_a_status_that_counts_as_an_error_fails_the_invocation() -> None:
    async def app(request: Request) -> Response:
        return text(404, "Session not found")

    assert await asked(app, {"AWS_LWA_ERROR_STATUS_CODES": "400-499"}) == (502, b"Internal Server Error")
    assert await asked(app, {"AWS_LWA_ERROR_STATUS_CODES": "500-599"}) == (404, b"Session not found")


async def test_a_server_that_has_died_is_an_internal_error_at_once() -> None:
    async def app(request: Request) -> Response:
        if request.target == "/":
            return text(200, "ready")
        raise ConnectionRefusedError

    url = url_of(app)
    assert [(await url(GET)).status for _ in range(2)] == [502, 502]
    assert url.function.started == 1


async def test_a_buffered_answer_is_compressed_for_who_takes_it_but_no_event_stream_and_none_that_streams() -> None:
    env = {"AWS_LWA_ENABLE_COMPRESSION": "true"}
    _, body = await asked(hello, env)
    assert gzip.decompress(body) == b"hello from /mcp, and again and again"

    async def events(request: Request) -> Response:
        return Response(headers=(("Content-Type", "text/event-stream"),), body=b"data: " + b"x" * 50 + b"\n\n")

    assert (await asked(events, env))[1].startswith(b"data: ")
    streaming = {**env, "AWS_LWA_INVOKE_MODE": "response_stream"}
    assert (await asked(hello, streaming, mode=InvokeMode.RESPONSE_STREAM))[1].startswith(b"hello")


async def dies(request: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"event: mess"
        raise CutShort

    return Response(body=body())


async def test_a_server_that_dies_in_mid_stream_leaves_the_runtime_s_words_in_the_body() -> None:
    env = {"AWS_LWA_INVOKE_MODE": "response_stream"}
    status, body = await asked(dies, env, mode=InvokeMode.RESPONSE_STREAM)
    assert (status, body.split(b"Lambda-Runtime-Function-Error-Type: ")[0]) == (200, b"event: mess")
    assert b"Runtime.StreamError\r\nLambda-Runtime-Function-Error-Body: " in body
    assert await asked(dies) == (502, b"Internal Server Error")


async def test_an_empty_body_hangs_where_the_release_does_not_end_it() -> None:
    async def accepted(request: Request) -> Response:
        return Response(status=202)

    for hangs in (False, True):
        instance = AdaptedInstance(
            Program(handler=accepted), AdapterSettings(mode=AdapterMode.RESPONSE_STREAM), hangs_on_empty=hangs
        )
        function = Function(build=lambda instance=instance: instance, timeout_s=0.02)
        response = await FunctionUrl(function=function, mode=InvokeMode.RESPONSE_STREAM)(GET)
        assert response.status == 202
        if hangs:
            with pytest.raises(CutShort):
                await read_body(response.body)
        else:
            assert await read_body(response.body) == b""


async def test_a_failure_of_the_function_itself_goes_through_the_adapter() -> None:
    async def app(request: Request) -> Response:
        if request.target == "/":
            return text(200, "ready")
        raise FunctionFailed("Runtime.ExitError", "exit status 1", lost=True)

    url = url_of(app)
    assert [(await url(GET)).status for _ in range(2)] == [502, 502]
    assert url.function.started == 2
