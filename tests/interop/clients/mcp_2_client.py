"""The `mcp` 2.x client, which tries the stateless era first: uses two tools, prints what it saw as JSON."""

import asyncio
import json
import sys

from mcp import Client


async def main(url: str) -> None:
    steps: list[float] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(done)

    async with Client(url) as client:
        names, cursor = [], None
        while True:
            page = await client.list_tools(cursor=cursor)
            names += [tool.name for tool in page.tools]
            if (cursor := page.next_cursor) is None:
                break
        added = await client.call_tool("add", {"a": 2, "b": 3})
        await client.call_tool("slow_count", {"n": 3, "seconds": 0.3}, progress_callback=on_progress)
        seen = {"version": client.protocol_version, "tools": names, "sum": added.structured_content, "steps": steps}
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
