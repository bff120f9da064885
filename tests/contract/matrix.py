"""Every front door, with every kind of server behind it, in every state: what the prober must say of each.

`python -m tests.contract.matrix` probes them all, prints the table and says where the prober says otherwise;
`--write` puts the table into `docs/matrix.md`, which a contract test compares with the expectations here.
"""

import argparse
import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from checks.model import Effect, Endpoint, ProbeReport
from prober.app.once import probe_once
from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import behind
from prober.lab.front_doors.cloudfront import CloudFront
from prober.lab.front_doors.function_url import FunctionUrl, InvokeMode
from prober.lab.front_doors.http_api import HttpApi
from prober.lab.front_doors.load_balancer import LoadBalancer
from prober.lab.front_doors.rest_api import RestApi
from prober.lab.front_doors.web_function import WebFunction, web_instances
from prober.lab.http import Handler, Request, Response
from prober.lab.lab import Lab
from prober.lab.runtime.function import Function
from prober.lab.runtime.in_process import AdapterMode
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.dual import DualServer
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "matrix.md"
AT_ONCE: Final = 8

TIMEOUT_S: Final = 1.0
COLD_START_S: Final = 0.4

App = Callable[..., Handler]
"""Makes a server, of the standard tools or of those that it is given."""
Door = Callable[[App, Mapping[str, Any]], Handler]
"""From an application and the settings of its function to what a client finds."""


def _behind(door: Callable[..., Handler], adapter: AdapterMode, **settings: Any) -> Door:
    return lambda app, running: behind(door, app, adapter=adapter, running=running, **settings)()


def _web_function(app: App, running: Mapping[str, Any]) -> Handler:
    return WebFunction(function=Function(build=web_instances(app()), **running))


STREAM: Final = AdapterMode.RESPONSE_STREAM
BUFFER: Final = AdapterMode.BUFFERED
_URL_STREAMING: Final = _behind(FunctionUrl, STREAM, mode=InvokeMode.RESPONSE_STREAM)

DOORS: Final[Mapping[str, Door]] = {
    "Function URL, buffered": _behind(FunctionUrl, BUFFER, mode=InvokeMode.BUFFERED),
    "Function URL, streaming": _URL_STREAMING,
    "REST API, buffered": _behind(RestApi, BUFFER),
    "REST API, streaming": _behind(RestApi, STREAM, streams=True),
    "HTTP API": _behind(HttpApi, BUFFER),
    "load balancer": _behind(LoadBalancer, BUFFER),
    "CloudFront before a Function URL": lambda app, running: CloudFront(origin=_URL_STREAMING(app, running)),
    "Web Function": _web_function,
}


def _both_eras(**settings: Any) -> Handler:
    return DualServer(stateless=StatelessServer(**settings), handshake=HandshakeServer(**settings))


SERVERS: Final[Mapping[str, App]] = {
    "stateless, JSON": partial(StatelessServer, streams=False),
    "stateless, events": StatelessServer,
    "handshake, JSON": partial(HandshakeServer, streams=False),
    "handshake, events": HandshakeServer,
    "both eras": _both_eras,
}


@dataclass(frozen=True, slots=True)
class State:
    """What is the matter with a function, and the diagnosis that is expected; `at` has those doors that tell less."""

    change: Callable[[App], App]
    expected: str | None
    running: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[str, str | None] = field(default_factory=dict)

    def expected_at(self, door: str) -> str | None:
        return self.at.get(door, self.expected)


def _as_it_is(app: App) -> App:
    return app


def _replaced(handler: Handler) -> Callable[[App], App]:
    return lambda _: lambda: handler


def _without_tools(app: App) -> App:
    return partial(app, tools=())


async def _page(request: Request) -> Response:
    del request
    page = (("Content-Type", "text/html"),)
    return Response(status=200, headers=page, body=b"<!DOCTYPE html><title>Welcome</title><h1>It works</h1>")


STATES: Final[Mapping[str, State]] = {
    "healthy, warm": State(_as_it_is, None),
    "healthy, cold": State(_as_it_is, None, {"cold_start_s": COLD_START_S}),
    "exits": State(_replaced(bad.exits), "function-crash"),
    "times out": State(_replaced(bad.never), "function-timeout", {"timeout_s": TIMEOUT_S}),
    "no concurrency": State(
        _as_it_is,
        "throttled",
        {"concurrency": 0},
        at=dict.fromkeys(("REST API, buffered", "REST API, streaming", "HTTP API", "load balancer"), "function-crash"),
    ),
    # An answer that a load balancer hands on shows nothing of it, nor of Lambda.
    "answers HTML": State(_replaced(_page), "adapter-missing", at={"load balancer": "not-mcp"}),
    "foreign host": State(lambda app: lambda: bad.only_for_host(app(), "orders.example.com"), "host-rejected"),
    "no tools": State(_without_tools, "tools-empty"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination, and what came of it."""

    door: str
    server: str
    state: str
    report: ProbeReport

    @property
    def expected(self) -> str | None:
        return STATES[self.state].expected_at(self.door)

    @property
    def found(self) -> tuple[str, ...]:
        """The diagnoses that say more than information, the heaviest first."""
        cause = self.report.cause
        others = [each.id for each in self.report.diagnoses if each.effect is not Effect.INFORMATION]
        return tuple(sorted(others, key=lambda each: cause is None or each != cause.id))

    @property
    def is_right(self) -> bool:
        return self.found == (() if self.expected is None else (self.expected,))

    def __str__(self) -> str:
        found = ", ".join(self.found) or "nothing"
        return f"{self.door} · {self.server} · {self.state}: expected {self.expected or 'nothing'}, found {found}"


async def probe_all() -> list[Cell]:
    """Every combination, each probed by itself; what is healthy and warm has been asked once before.

    One process plays all servers and asks them, eight at once: what is wrong then is asked once more by itself, because
    a time limit of a second is not told from a crash where others take a part of it.
    """
    places = [(door, server, state) for door in DOORS for server in SERVERS for state in STATES]
    scenarios = [_scenario(number, *place) for number, place in enumerate(places)]
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(scenario: Scenario, place: tuple[str, str, str], url: str) -> Cell:
        endpoint = Endpoint(name=scenario.id, url=url, timeout_s=8.0)
        async with turns:
            if place[2] == "healthy, warm":
                await probe_once(endpoint)
            return Cell(*place, await probe_once(endpoint))

    async with Lab(scenarios) as lab:
        pairs = [*zip(scenarios, places, strict=True)]
        cells = await asyncio.gather(*(one(each, place, lab.url(each.id)) for each, place in pairs))
        return [
            cell if cell.is_right else await one(each, place, lab.url(each.id))
            for cell, (each, place) in zip(cells, pairs, strict=True)
        ]


def _scenario(number: int, door: str, server: str, state: str) -> Scenario:
    condition = STATES[state]
    app = condition.change(SERVERS[server])
    return Scenario(
        id=f"matrix-{number}",
        title=f"{door}, {server}, {state}",
        verdict="up",
        front=Front.HTTP,
        build=lambda: DOORS[door](app, condition.running),
    )


def table() -> str:
    """The expectations: a row for each front door, a column for each state. The kind of server makes no difference."""
    lines = [("front door", *STATES), tuple("---" for _ in (None, *STATES))]
    for door in DOORS:
        ids = (state.expected_at(door) for state in STATES.values())
        lines.append((door, *(f"`{each}`" if each else "-" for each in ids)))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def document() -> str:
    servers = ", ".join(SERVERS)
    return f"""# What is named behind which front door

Every combination of front door and state below is probed by the tests, with every kind of server: {servers}.
A hyphen means that nothing above information is found. The same failure looks different behind each door, and some
tell less than others: behind API Gateway and a load balancer a throttled function looks like one that failed, and the
diagnosis then names throttling among what it could also be.

{table()}

Made by `make matrix`; the whole list of faults is printed by `mcp-prober lab --list`.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="renew docs/matrix.md")
    if parser.parse_args().write:
        DOCUMENT.write_text(document())
    cells: Sequence[Cell] = asyncio.run(probe_all())
    wrong = [cell for cell in cells if not cell.is_right]
    print(table())
    print(f"\n{len(cells)} combinations probed, {len(cells) - len(wrong)} as expected")
    for cell in wrong:
        print(f"  {cell}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
