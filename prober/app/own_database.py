"""The PostgreSQL server of a prober that was given none."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from prober.storage.embedded import EmbeddedPostgres


async def own_database(data_dir: Path, stop: asyncio.Event, ending: AsyncExitStack) -> str | None:
    """Start it over the files in `data_dir`, until `ending` stops it; its address, or None if `stop` came first.

    A server that recovers from a crash may take minutes to answer, and a Ctrl-C does not wait for it. Raises
    EmbeddedError.
    """
    server = EmbeddedPostgres(data_dir)
    ending.push_async_callback(server.stopped)
    starting = asyncio.ensure_future(server.started())
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
    return None if starting.cancelled() else starting.result()
