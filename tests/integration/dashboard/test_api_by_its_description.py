"""The API against its own description: whatever the description allows, and what it does not, is answered as it says.

Requests are made by schemathesis. `PROBER_API_EXAMPLES` says how many for each operation: 60 take a minute and more.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dashboard.api.description import operations
from dashboard.api.routes import description
from prober.clock import SystemClock
from tests.integration.dashboard.conftest import browsing
from tests.integration.dashboard.stories import FLEET, tell

EXAMPLES = int(os.environ.get("PROBER_API_EXAMPLES", "6"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DESCRIPTION = description()
SCHEMA = schemathesis.openapi.from_dict(DESCRIPTION)
OPERATIONS = [(method.upper(), path) for path, method, _ in operations(DESCRIPTION)]

T = TypeVar("T")


@dataclass
class Served:
    """The application on an event loop of its own, and what its database holds."""

    client: httpx.AsyncClient
    known: dict[str, list[str]] = field(default_factory=dict)
    """By the name of the parameter that names it."""
    run: Callable[[Coroutine[Any, Any, Any]], Any] = lambda doing: doing

    async def fill(self) -> None:
        """Make what there is to be found, through the API where it can be."""
        await self.client.post("/api/endpoints", json={"name": "ours", "url": "https://ours.example/mcp"})
        rows = (await self.client.get("/api/endpoints")).json()["endpoints"]
        incidents = (await self.client.get("/api/incidents")).json()["incidents"]
        ends = (SystemClock().now() + timedelta(hours=1)).isoformat()
        muted = [(await self.client.post("/api/maintenance", json={"all": True, "ends_at": ends})).json()["id"]]
        asked = await self.client.post("/api/endpoints/search/probe", json={})
        self.known = {
            "name": [each["name"] for each in rows],
            "report_id": [each["last_probe_id"] for each in rows if each["last_probe_id"]],
            "incident_id": [each["id"] for each in incidents],
            "mute_id": muted,
            "request_id": [asked.json()["id"]],
        }
        assert all(self.known.values()), self.known

    def answer(self, case: schemathesis.Case) -> httpx.Response:
        """What the application answers to a case."""
        asked = requests.Request(**_of_requests(case.as_transport_kwargs(base_url="http://localhost"))).prepare()
        headers = [(_octets(name), _octets(value)) for name, value in asked.headers.items()]
        request = httpx.Request(asked.method or "GET", asked.url or "", headers=headers, content=asked.body or b"")
        answer: httpx.Response = self.run(self.client.send(request))
        return answer


def _octets(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def _of_requests(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in ("timeout", "allow_redirects", "verify")}


@pytest.fixture(scope="module")
def served(shared_database_url: str) -> Iterator[Served]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, loop).result(60)

    stack = AsyncExitStack()
    try:
        yield run(_serve(stack, shared_database_url, run))
    finally:
        run(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(stack: AsyncExitStack, url: str, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> Served:
    client = await stack.enter_async_context(browsing(url, SystemClock()))
    app = client._transport.app
    await tell(app.state.services.db, FLEET, SystemClock().now())
    made = Served(client=client, run=run)
    await made.fill()
    return made


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(each) for each in OPERATIONS])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_request_is_answered_as_the_description_says(served: Served, method: str, path: str) -> None:
    operation = SCHEMA[path][method]
    kinds = st.one_of(
        operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE),
    )

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=kinds, data=st.data())
    def answered(case: schemathesis.Case, data: st.DataObject) -> None:
        for name in case.path_parameters:
            if name in served.known and data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(st.sampled_from(served.known[name]))
        answer = served.answer(case)
        case.validate_response(schemathesis.Response.from_httpx(answer, verify=True), checks=CHECKS)

    answered()
