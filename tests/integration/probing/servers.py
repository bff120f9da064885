"""Servers of the lab with a handle for the test, each on a port of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from prober.lab.http import Handler, Request, Response, text
from prober.lab.lab import Lab
from prober.lab.scenario import Front, Scenario
from prober.lab.servers import rpc
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[tuple[Lab, str]]:
    """The handler on loopback: the lab that records what it is asked, and its address."""
    scenario = Scenario(id="served", title="for a test", verdict="up", front=Front.HTTP, build=lambda: handler)
    async with Lab([scenario]) as lab:
        yield lab, lab.url("served")


@dataclass
class Switched:
    """A stateless server that can be switched off: then it answers with something else than MCP, or as `ill` does."""

    is_well: bool = True
    server: Handler = field(default_factory=StatelessServer)
    ill: Handler | None = None

    async def __call__(self, request: Request) -> Response:
        if self.is_well:
            return await self.server(request)
        return text(200, "Hello from Lambda!") if self.ill is None else await self.ill(request)


@dataclass
class Waiting:
    """A server with sessions whose tools never answer; `called` is set once one was asked."""

    called: asyncio.Event = field(default_factory=asyncio.Event)
    server: Handler = field(default_factory=HandshakeServer)

    async def __call__(self, request: Request) -> Response:
        if rpc.peek_method(request) != "tools/call":
            return await self.server(request)
        self.called.set()
        return await asyncio.Event().wait() or text(500, "unreachable")


def echoing(request: Request) -> Response:
    """An error answer that repeats every header it was sent, in its own headers, its body and its message."""
    sent = {name: value for name, value in request.headers if name.lower() in ("authorization", "x-api-key")}
    echoes = tuple((f"X-Echo-{name}", value) for name, value in sent.items())
    message = rpc.message_of(request)
    payload = rpc.error(message.get("id"), -32603, f"refused {sent}", {"headers": sent})
    return rpc.json_response(payload, *echoes, status=500)
