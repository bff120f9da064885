"""An `mcp` 2.x server, which speaks both eras at one address, in one of its shapes; prints its port when it listens."""

import socket
import sys

import uvicorn
from mcp.server import MCPServer

SHAPES = {
    "stateful": {},
    "stateless": {"stateless_http": True},
    "json": {"json_response": True},
    "sse": {},
}


def build() -> MCPServer:
    server = MCPServer("interop", version="1.0.0")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    return server


def main() -> None:
    shape = sys.argv[1]
    server = build()
    app = server.sse_app() if shape == "sse" else server.streamable_http_app(**SHAPES[shape])
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
