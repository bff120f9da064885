"""A `fastmcp` server; prints its port when it listens."""

import socket

import uvicorn
from fastmcp import FastMCP


def build() -> FastMCP:
    server = FastMCP("interop", version="1.0.0")

    @server.tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    return server


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(build().http_app(), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
