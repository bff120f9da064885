"""Real MCP servers behind the real adapter and the real runtime client, rightly and wrongly set up, are told apart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from prober.lab.front_doors.function_url import FunctionUrl, InvokeMode
from prober.lab.http import HttpServer, Request, read_body
from prober.lab.runtime.api import process_function
from prober.lab.runtime.function import Function
from tests.interop.conftest import PythonOf
from tests.interop.environments import NotOnThisMachine, web_adapter
from tests.interop.kinds import ADD
from tests.interop.observing import check
from tests.ports import free_ports

FUNCTIONS = Path(__file__).parent / "functions"
BUFFERED, STREAM = InvokeMode.BUFFERED, InvokeMode.RESPONSE_STREAM
STREAMING = {"AWS_LWA_INVOKE_MODE": "response_stream"}
COUNT = ("--sentinel", "count", "--args", '{"n": 3}', "--streaming")

Told = Callable[..., Awaitable[list[str]]]
Adapted = Callable[..., Function]


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    """The ids of what a probe says of a function behind a Function URL, most telling first."""
    async with AsyncExitStack() as stack:

        async def probe(function: Function, mode: InvokeMode, *options: str) -> list[str]:
            stack.push_async_callback(function.close)
            server = HttpServer(FunctionUrl(function=function, mode=mode))
            stack.push_async_callback(server.close)
            report = (await check(f"http://127.0.0.1:{await server.start('127.0.0.1')}/mcp", *options)).report
            return [each["id"] for each in report["diagnoses"] if each["effect"] != "information"]

        yield probe


@pytest.fixture
def adapted(python_of: Callable[[str], Path]) -> Adapted:
    """A function that is an MCP server, with the Lambda Web Adapter beside it."""
    try:
        adapter = web_adapter()
    except NotOnThisMachine as missing:
        pytest.skip(str(missing))

    def build(env: Mapping[str, str], **settings: Any) -> Function:
        def environment() -> dict[str, str]:
            port = str(free_ports())
            return {"LISTEN_PORT": port, "AWS_LWA_PORT": port, **env}

        server = [str(python_of("mcp-2")), str(FUNCTIONS / "mcp_server.py")]
        return process_function(server, environment, extensions=[[str(adapter)]], **settings)

    return build


@pytest.mark.parametrize("profile", ["standard", "full"])
async def test_a_server_whose_adapter_streams_is_well(adapted: Adapted, told: Told, profile: str) -> None:
    assert await told(adapted(STREAMING), STREAM, "--profile", profile, *ADD) == []
    assert await told(adapted(STREAMING), STREAM, "--profile", profile, *COUNT) == []


WRONG = {
    "adapter buffers": ({}, STREAM, ADD, "invoke-mode-mismatch"),
    "misspelt mode": ({"AWS_LWA_INVOKE_MODE": "RESPONSE-STREAM"}, STREAM, ADD, "invoke-mode-mismatch"),
    "URL buffers": (STREAMING, BUFFERED, ADD, "invoke-mode-mismatch"),
    "both buffer": ({}, BUFFERED, COUNT, "streaming-buffered"),
    "eaten path": ({**STREAMING, "AWS_LWA_REMOVE_BASE_PATH": "/mcp"}, STREAM, ADD, "route-missing"),
    "errors hidden": ({"AWS_LWA_ERROR_STATUS_CODES": "100-599"}, BUFFERED, ADD, "function-crash"),
}


@pytest.mark.parametrize(("env", "mode", "options", "diagnosis"), WRONG.values(), ids=WRONG)
async def test_a_setting_that_does_not_fit_is_named(
    adapted: Adapted, told: Told, env: Mapping[str, str], mode: InvokeMode, options: Sequence[str], diagnosis: str
) -> None:
    assert await told(adapted(env), mode, *options) == [diagnosis]


@pytest.mark.parametrize(
    "env",
    [{"AWS_LWA_PORT": "9"}, {"AWS_LWA_READINESS_CHECK_HEALTHY_STATUS": "200-299"}],
    ids=["wrong port", "404 is unhealthy"],
)
async def test_an_adapter_that_waits_in_vain_is_a_time_limit(
    adapted: Adapted, told: Told, env: Mapping[str, str]
) -> None:
    assert await told(adapted(env, init_limit_s=1.0, timeout_s=2.0), BUFFERED) == ["function-timeout"]


async def test_mangum_fails_at_the_second_request_of_an_instance(python_of: PythonOf, told: Told) -> None:
    command = [str(python_of("mangum")), "-m", "awslambdaric"]
    env = {"PYTHONPATH": str(FUNCTIONS)}
    assert await told(process_function([*command, "mangum_function.handler"], env), BUFFERED) == ["warm-request-crash"]
    without = process_function([*command, "mangum_function.without_lifespan"], env)
    assert await told(without, BUFFERED) == ["function-crash"]


async def test_the_clock_of_a_real_server_stands_still_while_its_instance_is_frozen(adapted: Adapted) -> None:
    function = adapted(STREAMING)
    url = FunctionUrl(function=function, mode=STREAM)
    behind_s = []
    try:
        # uvicorn renews its date at every tenth tick of its own, and now and then the first after a thaw is such a one.
        for _ in range(4):
            response = await url(Request(method="GET", target="/", headers=(("Host", "127.0.0.1"),)))
            await read_body(response.body)
            own = parsedate_to_datetime(response.header("x-amzn-remapped-date") or "")
            behind_s.append((datetime.now(UTC) - own).total_seconds())
            await asyncio.sleep(2.5)
    finally:
        await function.close()
    assert behind_s[0] < 2.0
    assert max(behind_s[1:]) > 2.0
