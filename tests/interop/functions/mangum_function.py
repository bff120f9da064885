"""An `mcp` 2.x server behind Mangum: one application per process, as tutorials have it, and without its lifespan."""

from mangum import Mangum
from mcp.server import MCPServer

server = MCPServer("interop", version="1.0.0")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


handler = Mangum(server.streamable_http_app(stateless_http=True, json_response=True))
without_lifespan = Mangum(server.streamable_http_app(stateless_http=True, json_response=True), lifespan="off")
