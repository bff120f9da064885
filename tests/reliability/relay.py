"""Hands on connections between network namespaces: from a port to a socket in the file system, or the other way.

python -m tests.reliability.relay LISTEN UPSTREAM      (each HOST:PORT, or a path)
"""

import asyncio
import sys
from collections.abc import Awaitable
from contextlib import suppress

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def opened(place: str) -> Awaitable[Streams]:
    host, _, port = place.rpartition(":")
    return asyncio.open_connection(host, int(port)) if host else asyncio.open_unix_connection(place)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def main(listen: str, upstream: str) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await opened(upstream)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    host, _, port = listen.rpartition(":")
    if host:
        server = await asyncio.start_server(accept, host, int(port))
    else:
        server = await asyncio.start_unix_server(accept, listen)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
