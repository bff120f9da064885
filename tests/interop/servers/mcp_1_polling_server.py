"""An `mcp` 1.x server that keeps its events and has a tool which closes its stream before it answers: the answer is to
be had by resumption alone. `/replays` says how often a client resumed. Prints its port when it listens."""

import socket

import anyio
import uvicorn
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.streamable_http import EventMessage, EventStore
from starlette.requests import Request
from starlette.responses import PlainTextResponse

RETRY_MS = 100


class Kept(EventStore):
    """Every event since the start, in memory; an event's id is its place."""

    def __init__(self) -> None:
        self.events = []
        self.replays = 0

    async def store_event(self, stream_id, message):
        self.events.append((stream_id, message))
        return str(len(self.events) - 1)

    async def replay_events_after(self, last_event_id, send_callback):
        self.replays += 1
        last = int(last_event_id)
        of_stream, _ = self.events[last]
        for place, (stream_id, message) in enumerate(self.events[last + 1 :], last + 1):
            if stream_id == of_stream and message is not None:
                await send_callback(EventMessage(message, str(place)))
        return of_stream


def build(kept: Kept) -> FastMCP:
    server = FastMCP("interop", event_store=kept, retry_interval=RETRY_MS)

    @server.tool()
    async def add(a: int, b: int, context: Context) -> int:
        """Add two numbers, long after the stream of the call was closed."""
        await context.close_sse_stream()
        await anyio.sleep(RETRY_MS / 1000 * 2)
        return a + b

    @server.custom_route("/replays", methods=["GET"])
    async def replays(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(kept.replays))

    return server


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    app = build(Kept()).streamable_http_app()
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
