"""An `mcp` 1.x server in one of its shapes; prints its port when it listens, or speaks on its standard streams."""

import socket
import sys

import uvicorn
from mcp.server.fastmcp import Context, FastMCP

SHAPES = {
    "stateful": {},
    "stateless": {"stateless_http": True, "json_response": True},
    "sse": {},
    "stdio": {},
}


def build(shape: str) -> FastMCP:
    server = FastMCP("interop", **SHAPES[shape])

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool()
    async def count(n: int, context: Context) -> int:
        """Count to n, reporting every step."""
        for step in range(1, n + 1):
            await context.report_progress(step, n)
        return n

    return server


def main() -> None:
    shape = sys.argv[1]
    server = build(shape)
    if shape == "stdio":
        server.run("stdio")
        return
    app = server.sse_app() if shape == "sse" else server.streamable_http_app()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
