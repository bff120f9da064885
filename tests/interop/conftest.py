"""Third-party servers on real sockets, each in an environment of its own, and the prober as a black box."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.interop.environments import NotOnThisMachine, modules_of, python_of
from tests.interop.kinds import kind_of
from tests.interop.observing import CHECK_TIMEOUT_S, Observed, observe
from tests.interop.serving import serving

HERE = Path(__file__).parent
CLIENTS = HERE / "clients"

Use = Callable[..., Awaitable[dict[str, Any]]]
Seen = Callable[[str], Observed]
Serve = Callable[[str], Awaitable[str]]
PythonOf = Callable[[str], Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Making the environments takes longer than a test may; what follows is under the usual limit again."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session", name="python_of")
def python_of_fixture() -> PythonOf:
    """The interpreter of the environment that a lock file describes."""
    return python_of


@pytest.fixture(scope="session", name="modules_of")
def modules_of_fixture() -> Callable[[str], Path]:
    """The `node_modules` that a lock file describes; a test that wants them is skipped where there is no Node."""

    def of(name: str) -> Path:
        try:
            return modules_of(name)
        except NotOnThisMachine as missing:
            pytest.skip(str(missing))

    return of


@pytest.fixture(scope="session")
def seen(request: pytest.FixtureRequest) -> Seen:
    """What was seen of a kind of server, by its name: the kinds of all tests of this run have been probed together."""
    specs = [item.callspec for item in request.session.items if hasattr(item, "callspec")]
    found = asyncio.run(observe({spec.params["kind"] for spec in specs if "kind" in spec.params}))

    def of(kind: str) -> Observed:
        observed = found[kind]
        if isinstance(observed, NotOnThisMachine):
            pytest.skip(str(observed))
        if isinstance(observed, BaseException):
            raise observed
        return observed

    return of


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server of the kind of this name and returns its URL; it ends with the test."""
    async with AsyncExitStack() as stack:

        async def start(name: str) -> str:
            try:
                return await stack.enter_async_context(serving(kind_of(name)))
            except NotOnThisMachine as missing:
                pytest.skip(str(missing))

        yield start


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
