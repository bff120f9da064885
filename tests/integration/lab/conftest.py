"""Real sockets and real processes for the lab, and a way to wait for what the system does in its own time."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from prober.lab.front_doors.function_url import FunctionUrl, InvokeMode
from prober.lab.http import Handler, HttpServer
from prober.lab.runtime.api import process_function
from prober.lab.runtime.function import Function

WORKER = Path(__file__).with_name("worker.py")

Serve = Callable[[Handler], Awaitable[int]]
Deploy = Callable[..., Awaitable[tuple[str, Function]]]
Eventually = Callable[..., Awaitable[None]]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10, trust_env=False) as each:
        yield each


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves a handler on a free port, which it returns, until the test ends."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler) -> int:
            server = HttpServer(handler)
            stack.push_async_callback(server.close)
            return await server.start("127.0.0.1")

        yield start


@pytest.fixture
async def deploy(serve: Serve) -> AsyncIterator[Deploy]:
    """Deploys the worker script as a function behind a Function URL; returns the URL and the function."""
    async with AsyncExitStack() as stack:

        async def start(
            env: dict[str, str] | None = None, mode: InvokeMode = InvokeMode.BUFFERED, **settings: float
        ) -> tuple[str, Function]:
            function = process_function([sys.executable, str(WORKER)], env, **settings)
            stack.push_async_callback(function.close)
            return f"http://127.0.0.1:{await serve(FunctionUrl(function=function, mode=mode))}", function

        yield start


async def _eventually(holds: Callable[[], bool], within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - the kernel sets no asyncio.Event
            await asyncio.sleep(0.01)


@pytest.fixture
def eventually() -> Eventually:
    """Waits until the system has done something that it announces to nobody."""
    return _eventually
