"""An `mcp` 1.3 server over HTTP+SSE, put together as its `run("sse")` does it; prints its port when it listens."""

import socket

import uvicorn
from mcp.server.fastmcp import FastMCP
from mcp.server.sse import SseServerTransport
from starlette.applications import Starlette
from starlette.routing import Mount, Route


def build() -> FastMCP:
    server = FastMCP("interop")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    return server


def app_of(server: FastMCP) -> Starlette:
    transport = SseServerTransport("/messages/")
    inner = server._mcp_server

    async def stream(request):
        async with transport.connect_sse(request.scope, request.receive, request._send) as streams:
            await inner.run(*streams, inner.create_initialization_options())

    return Starlette(
        routes=[Route("/sse", endpoint=stream), Mount("/messages/", app=transport.handle_post_message)],
    )


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app_of(build()), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
