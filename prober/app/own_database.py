"""The PostgreSQL server of a prober that was given none."""

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import platformdirs

from prober.storage.embedded import EmbeddedPostgres

APPLICATION: Final = "mcp-prober"
EMBEDDED: Final = "postgres"
"""Directory of the server's files below the data directory."""


def platform_data_dir() -> Path:
    """Where the platform keeps an application's data, such as `~/.local/share/mcp-prober`.

    For root it is `/var/lib`: the home of root is closed to the user without rights that the database runs as.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib") / APPLICATION
    return Path(platformdirs.user_data_dir(APPLICATION, appauthor=False))


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
