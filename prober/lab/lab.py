"""Runs scenarios, each on a port of its own, and keeps a record of what they were asked."""

import asyncio
import difflib
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from prober.lab.faults import SCENARIOS
from prober.lab.http import Handler, Headers, HttpServer, Request, Response
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.rpc import peek_method

CERTIFICATE: Final = Path(__file__).with_name("self_signed.pem")
LAST_PORT: Final = 65535
RECORD_LENGTH: Final = 1000
"""Requests that are remembered per scenario, the latest ones."""


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and what would work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One request that reached a scenario."""

    method: str
    path: str
    headers: Headers
    rpc_method: str | None
    """JSON-RPC method of the body, where there is one."""


class Lab:
    """Serves scenarios between `async with` and its end.

    `port` 0 lets the system choose every port; otherwise the scenarios get consecutive ports from there on.
    """

    def __init__(self, scenarios: Iterable[Scenario] = SCENARIOS, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.scenarios: tuple[Scenario, ...] = tuple(scenarios)
        self._host = host
        self._port = port
        self._urls: dict[str, str] = {}
        self._served = {scenario.id: deque[Served](maxlen=RECORD_LENGTH) for scenario in self.scenarios}
        self._running = AsyncExitStack()

    @property
    def urls(self) -> Mapping[str, str]:
        """Address of every scenario that is being served, by id."""
        return self._urls

    def url(self, scenario_id: str) -> str:
        return self._urls[scenario_id]

    def served(self, scenario_id: str) -> tuple[Served, ...]:
        """What a scenario was asked since the lab started, oldest first."""
        return tuple(self._served[scenario_id])

    async def __aenter__(self) -> Self:
        if self._port + len(self.scenarios) - 1 > LAST_PORT:
            count = len(self.scenarios)
            raise LabError(
                f"{count} scenarios do not fit between port {self._port} and {LAST_PORT}: choose a lower one"
            )
        try:
            for position, scenario in enumerate(self.scenarios):
                self._urls[scenario.id] = await self._open(scenario, self._port + position if self._port else 0)
        except BaseException:
            await self._running.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._running.aclose()

    async def _open(self, scenario: Scenario, port: int) -> str:
        if scenario.address is not None:
            return scenario.address
        try:
            port = self._reserve(port) if scenario.build is None else await self._listen(scenario, port)
        except OSError as error:
            raise LabError(
                f"port {port} of {self._host} cannot be used ({_reason(error)}): choose another with --port or --host"
            ) from None
        scheme = "https" if scenario.front is Front.HTTPS else "http"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme}://{host}:{port}{scenario.path}"

    def _reserve(self, port: int) -> int:
        """Hold a port on which nobody listens, so that a connection to it is refused."""
        held = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET)
        self._running.callback(held.close)
        held.bind((self._host, port))
        return int(held.getsockname()[1])

    async def _listen(self, scenario: Scenario, port: int) -> int:
        assert scenario.build is not None
        handler, record = scenario.build(), self._served[scenario.id]

        async def recorded(request: Request) -> Response:
            record.append(
                Served(
                    method=request.method,
                    path=request.path,
                    headers=request.headers,
                    rpc_method=peek_method(request),
                )
            )
            return await handler(request)

        server = HttpServer(recorded, tls=_certificate() if scenario.front is Front.HTTPS else None)
        bound = await server.start(self._host, port)
        self._running.push_async_callback(_close, handler)
        self._running.push_async_callback(server.close)
        return bound


def chosen(ids: Sequence[str]) -> tuple[Scenario, ...]:
    """The scenarios of these ids in their order; all of the catalog for none. Raises LabError for an unknown id."""
    if not ids:
        return SCENARIOS
    known = {scenario.id: scenario for scenario in SCENARIOS}
    for wanted in ids:
        if wanted not in known:
            close = difflib.get_close_matches(wanted, known, n=3)
            hint = f"did you mean {' or '.join(close)}?" if close else "see mcp-prober lab --list"
            raise LabError(f"the lab has no scenario {wanted!r}: {hint}")
    return tuple(known[wanted] for wanted in dict.fromkeys(ids))


async def serve(
    ids: Sequence[str],
    host: str = "127.0.0.1",
    port: int = 0,
    on_ready: Callable[[Mapping[str, str]], None] = lambda urls: None,
) -> None:
    """Serve scenarios until cancelled. `on_ready` is given every address by id. Raises LabError."""
    async with Lab(chosen(ids), host=host, port=port) as lab:
        on_ready(lab.urls)
        await asyncio.Event().wait()


def list_text() -> str:
    """The catalog as a table for people."""
    rows = [("SCENARIO", "VERDICT", "DIAGNOSIS", "WHAT IT IS")]
    rows += [(each.id, each.verdict, ", ".join(each.diagnoses) or "-", each.title) for each in SCENARIOS]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join("  ".join([*(f"{row[i]:<{widths[i]}}" for i in range(3)), row[3]]) for row in rows)


async def _close(handler: Handler) -> None:
    """End what a handler has started, where it starts anything that does not end with its requests."""
    close = getattr(handler, "close", None)
    if close is not None:
        await close()


def _reason(error: OSError) -> str | None:
    """The system's own words, which asyncio wraps in a sentence with the address."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror
    return os.strerror(error.errno)


def _certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context
