"""Third-party servers on real sockets, each in an environment of its own, and the prober as a black box."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from prober.lab.front_doors.function_url import FunctionUrl
from prober.lab.http import HttpServer
from prober.lab.runtime.api import process_function

HERE = Path(__file__).parent
SERVERS = HERE / "servers"
CLIENTS = HERE / "clients"
REPOSITORY = HERE.parents[1]
START_TIMEOUT_S = 20.0
CHECK_TIMEOUT_S = 30.0

StartScript = Callable[..., Awaitable[int]]
StartHandler = Callable[[Path, str], Awaitable[int]]
Use = Callable[..., Awaitable[dict[str, Any]]]
Check = Callable[..., Awaitable[dict[str, Any]]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Making an environment takes longer than a test may; what follows is under the usual limit again."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(420))


@pytest.fixture(scope="session")
def python_of() -> Callable[[str], Path]:
    """The interpreter of the environment that a lock file describes."""
    sys.path.insert(0, str(HERE))
    try:
        from environments import python_of as make
    finally:
        sys.path.remove(str(HERE))
    return make


@pytest.fixture
async def start_script() -> AsyncIterator[StartScript]:
    """Starts a server script and returns its port, once it takes connections; it ends with the test."""
    async with AsyncExitStack() as stack:

        async def start(python: Path, script: str, *arguments: str) -> int:
            return await stack.enter_async_context(_running(python, script, arguments))

        yield start


@asynccontextmanager
async def _running(python: Path, script: str, arguments: tuple[str, ...]) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        python, SERVERS / script, *arguments, stdout=asyncio.subprocess.PIPE, stderr=None
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_TIMEOUT_S):
            port = int(await process.stdout.readline())
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
        yield port
    finally:
        process.kill()
        await process.wait()


@pytest.fixture
async def start_handler() -> AsyncIterator[StartHandler]:
    """Runs a Lambda handler on the real Python runtime client, behind the lab's Function URL; returns the port."""
    async with AsyncExitStack() as stack:

        async def start(python: Path, handler: str) -> int:
            command = [str(python), "-m", "awslambdaric", handler]
            function = process_function(command, {"PYTHONPATH": str(SERVERS)})
            stack.push_async_callback(function.close)
            server = HttpServer(FunctionUrl(function=function))
            stack.push_async_callback(server.close)
            return await server.start("127.0.0.1")

        yield start


@pytest.fixture
def check() -> Check:
    """Runs `mcp-prober check` as a user would and returns its JSON; nothing else may be on its output."""

    async def run(url: str, *options: str) -> dict[str, Any]:
        program = "import sys; from prober.cli import main; sys.exit(main())"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", program, "check", url, "--format", "json", *options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=REPOSITORY,
        )
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            output, complaint = await process.communicate()
        assert process.returncode == 0, f"exit code {process.returncode}\n{output.decode()}\n{complaint.decode()}"
        report: dict[str, Any] = json.loads(output)
        return report

    return run


@pytest.fixture
def use() -> Use:
    """Runs a client script and returns what it saw."""

    async def run(python: Path, script: str, *arguments: str) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            python, CLIENTS / script, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            output, complaint = await process.communicate()
        assert process.returncode == 0, complaint.decode()
        seen: dict[str, Any] = json.loads(output)
        return seen

    return run
