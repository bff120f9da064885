"""AWS's own runtime clients with real handlers, behind the lab's Function URL."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from prober.lab.front_doors.function_url import FunctionUrl, InvokeMode
from prober.lab.http import HttpServer
from prober.lab.runtime.api import process_function
from prober.lab.runtime.function import Function

FUNCTIONS = Path(__file__).parent / "functions"

Deploy = Callable[..., Awaitable[tuple[str, Function]]]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10, trust_env=False) as each:
        yield each


@pytest.fixture
async def deploy(
    python_of: Callable[[str], Path], modules_of: Callable[[str], Path], request: pytest.FixtureRequest
) -> AsyncIterator[Deploy]:
    """Deploys a handler on the runtime client of its language; returns its Function URL and the function."""
    async with AsyncExitStack() as stack:

        async def start(handler: str, mode: InvokeMode = InvokeMode.BUFFERED) -> tuple[str, Function]:
            if handler.startswith("node"):
                modules = modules_of("node-runtime")
                node = shutil.which("node")
                assert node is not None, "modules_of() has found it"
                command = [node, str(FUNCTIONS / "bootstrap.mjs"), str(FUNCTIONS), handler]
                function = process_function(command, {"NODE_PATH": str(modules)})
            else:
                command = [str(python_of("awslabs")), "-m", "awslambdaric", handler]
                function = process_function(command, {"PYTHONPATH": str(FUNCTIONS)})
            server = HttpServer(FunctionUrl(function=function, mode=mode))
            stack.push_async_callback(function.close)
            stack.push_async_callback(server.close)
            return f"http://127.0.0.1:{await server.start('127.0.0.1')}", function

        yield start


every_language = pytest.mark.parametrize("handler", ["python_function.handler", "node_function.buffered"])


@every_language
async def test_an_instance_serves_one_event_after_the_other(
    deploy: Deploy, client: httpx.AsyncClient, handler: str
) -> None:
    url, function = await deploy(handler)
    answers = [await client.get(url) for _ in range(3)]
    assert [(each.status_code, each.json()["served"]) for each in answers] == [(201, 1), (201, 2), (201, 3)]
    assert function.started == 1


@every_language
async def test_an_exception_fails_the_request_and_spares_the_instance(
    deploy: Deploy, client: httpx.AsyncClient, handler: str
) -> None:
    url, function = await deploy(handler)
    assert [(await client.get(url + path)).status_code for path in ("/", "/fail", "/")] == [201, 502, 201]
    assert function.started == 1


@every_language
async def test_an_exit_fails_the_request_and_ends_the_instance(
    deploy: Deploy, client: httpx.AsyncClient, handler: str
) -> None:
    url, function = await deploy(handler)
    assert [(await client.get(url + path)).status_code for path in ("/", "/exit", "/")] == [201, 502, 201]
    assert function.started == 2


@every_language
async def test_events_at_once_meet_instances_of_their_own(
    deploy: Deploy, client: httpx.AsyncClient, handler: str
) -> None:
    url, function = await deploy(handler)
    answers = await asyncio.gather(*(client.get(url) for _ in range(3)))
    assert [each.json()["served"] for each in answers] == [1, 1, 1]
    assert function.started == 3


@pytest.mark.parametrize("handler", ["broken_function.handler", "absent.handler", "node_function.absent"])
async def test_what_cannot_be_imported_fails_every_request(
    deploy: Deploy, client: httpx.AsyncClient, handler: str
) -> None:
    url, _ = await deploy(handler)
    assert [(await client.get(url)).text for _ in range(2)] == ["Internal Server Error"] * 2


async def test_the_deadline_is_the_function_s_own(deploy: Deploy, client: httpx.AsyncClient) -> None:
    url, function = await deploy("python_function.handler")
    left_ms = (await client.get(url)).json()["left_ms"]
    assert 0 < left_ms <= function.timeout_s * 1000


async def test_a_value_that_is_no_envelope_is_passed_on(deploy: Deploy, client: httpx.AsyncClient) -> None:
    url, _ = await deploy("python_function.value")
    assert (await client.get(url)).json() == {"ok": True}


async def test_node_streams_and_its_chunks_arrive_one_by_one(deploy: Deploy, client: httpx.AsyncClient) -> None:
    url, function = await deploy("node_function.streaming", InvokeMode.RESPONSE_STREAM)
    loop = asyncio.get_running_loop()
    for _ in range(2):
        async with client.stream("GET", url) as response:
            pieces = [(piece, loop.time()) async for piece in response.aiter_raw()]
        assert (response.status_code, response.headers["content-type"]) == (202, "text/event-stream")
        assert b"".join(piece for piece, _ in pieces) == b"first,last"
        assert pieces[-1][1] - pieces[0][1] > 0.2
    assert function.started == 1


@pytest.mark.parametrize("path", ["/fail", "/exit"])
async def test_node_fails_in_mid_stream_and_the_connection_breaks(
    deploy: Deploy, client: httpx.AsyncClient, path: str
) -> None:
    url, _ = await deploy("node_function.streaming", InvokeMode.RESPONSE_STREAM)
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get(url + path)
    assert (await client.get(url)).text == "first,last"


async def test_a_buffering_handler_of_node_leaks_its_envelope_through_a_streaming_url(
    deploy: Deploy, client: httpx.AsyncClient
) -> None:
    url, _ = await deploy("node_function.buffered", InvokeMode.RESPONSE_STREAM)
    answer = await client.get(url)
    assert (answer.status_code, answer.json()["statusCode"]) == (200, 201)
