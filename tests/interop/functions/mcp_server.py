"""An `mcp` 2.x server that listens where AWS_LWA_PORT says, for the adapter beside it."""

import asyncio
import os

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

server = MCPServer("interop", version="1.0.0")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
async def count(n: int, ctx: Context) -> int:
    """Count to n, with a progress notification at each step."""
    for step in range(1, n + 1):
        await asyncio.sleep(0.4)
        await ctx.report_progress(step, n)
    return n


def main() -> None:
    app = server.streamable_http_app(stateless_http=True)
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["LISTEN_PORT"]), log_level="warning")


if __name__ == "__main__":
    main()
