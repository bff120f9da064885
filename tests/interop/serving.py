"""Starts a server of a kind on loopback, in its environment, and ends it."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from prober.lab.front_doors.function_url import FunctionUrl
from prober.lab.http import HttpServer
from prober.lab.runtime.api import process_function
from tests.interop.environments import modules_of, python_of
from tests.interop.kinds import Kind, Runtime

SERVERS = Path(__file__).parent / "servers"
START_TIMEOUT_S = 30.0


def prepare(kind: Kind) -> Path:
    """Make the environment of a kind, if it is not there: its interpreter, or its `node_modules`.

    Raises NotOnThisMachine where what the kind runs on is not installed.
    """
    return modules_of(kind.environment) if kind.runtime is Runtime.NODE else python_of(kind.environment)


@asynccontextmanager
async def serving(kind: Kind) -> AsyncIterator[str]:
    """The URL of a server of this kind, which ends with the context. Raises as `prepare` does."""
    place = await asyncio.to_thread(prepare, kind)
    match kind.runtime:
        case Runtime.LAMBDA:
            running = _function(place, kind.script)
        case Runtime.NODE:
            node = shutil.which("node")
            assert node is not None, "prepare() has found it"
            running = _process([node, SERVERS / kind.script, *kind.arguments], {"NODE_PATH": str(place)})
        case Runtime.PYTHON:
            running = _process([place, SERVERS / kind.script, *kind.arguments], {})
    async with running as port:
        yield f"http://127.0.0.1:{port}{kind.path}"


@asynccontextmanager
async def _process(command: Sequence[str | Path], env: Mapping[str, str]) -> AsyncIterator[int]:
    """A script that prints its port; yields it once it takes connections."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=None, env={**os.environ, **env}
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


@asynccontextmanager
async def _function(python: Path, handler: str) -> AsyncIterator[int]:
    """A Lambda handler on the real Python runtime client, behind the lab's Function URL."""
    function = process_function([str(python), "-m", "awslambdaric", handler], {"PYTHONPATH": str(SERVERS)})
    server = HttpServer(FunctionUrl(function=function))
    try:
        yield await server.start("127.0.0.1")
    finally:
        await server.close()
        await function.close()
