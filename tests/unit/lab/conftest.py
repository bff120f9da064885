"""Time and instances by hand, so that nothing in these tests sleeps or listens."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prober.lab.http import Request
from prober.lab.runtime.function import Answer, Buffered, Context
from tests.unit.lab.messages import Post


class HandClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 20, 12, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class RecordingInstance:
    """An instance that answers as told and remembers what was done to it."""

    def __init__(self, answer: Callable[[], Answer]) -> None:
        self._answer = answer
        self.history: list[str] = []

    async def start(self) -> None:
        self.history.append("start")

    async def invoke(self, event: Mapping[str, Any], context: Context) -> Answer:
        self.history.append("invoke")
        return self._answer()

    async def freeze(self) -> None:
        self.history.append("freeze")

    async def stop(self) -> None:
        self.history.append("stop")


Build = Callable[..., Callable[[], RecordingInstance]]
"""The fixture `build`: takes what the instances are to answer."""
Chunks = Callable[..., AsyncIterator[bytes]]
"""The fixture `chunks`: takes the pieces of a stream."""


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def instances() -> list[RecordingInstance]:
    """Every instance that `build` made, in order."""
    return []


@pytest.fixture
def build(instances: list[RecordingInstance]) -> Build:
    """Makes the `build` of a function whose instances give this answer."""

    def factory(answer: Callable[[], Answer] = lambda: Buffered(b"null")) -> Callable[[], RecordingInstance]:
        def make() -> RecordingInstance:
            instances.append(RecordingInstance(answer))
            return instances[-1]

        return make

    return factory


async def chunks_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.fixture
def chunks() -> Chunks:
    return chunks_of


@pytest.fixture
def post() -> Post:
    """Builds the POST of a JSON-RPC message; a header given as None is left out."""

    def make(message: Any, **headers: str | None) -> Request:
        usual = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        named = {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        given = tuple((name, value) for name, value in named.items() if value is not None)
        return Request(method="POST", target="/mcp", headers=given, body=body)

    return make
