"""The `mcp` 1.x client: opens a URL over the given transport, uses two tools, prints what it saw as JSON."""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client


async def main(transport: str, url: str) -> None:
    steps: list[float] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(done)

    connect = sse_client if transport == "sse" else streamablehttp_client
    async with connect(url) as streams, ClientSession(*streams[:2]) as session:
        opened = await session.initialize()
        names, cursor = [], None
        while True:
            page = await session.list_tools(cursor)
            names += [tool.name for tool in page.tools]
            if (cursor := page.nextCursor) is None:
                break
        added = await session.call_tool("add", {"a": 2, "b": 3})
        await session.call_tool("slow_count", {"n": 3, "seconds": 0.3}, progress_callback=on_progress)
        seen = {"version": opened.protocolVersion, "tools": names, "sum": added.structuredContent, "steps": steps}
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
