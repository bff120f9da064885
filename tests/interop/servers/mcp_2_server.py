"""An `mcp` 2.x server, which speaks both eras at one address; prints its port when it listens."""

import socket

import uvicorn
from mcp.server import MCPServer


def build() -> MCPServer:
    server = MCPServer("interop", version="1.0.0")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    return server


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    app = build().streamable_http_app()
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
