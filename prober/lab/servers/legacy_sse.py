"""A server of the first HTTP transport: the client holds a GET stream open, posts elsewhere, and reads answers there.

Source: MCP specification 2024-11-05, basic/transports, "HTTP with SSE".
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from prober.lab.http import Request, Response, text
from prober.lab.servers import rpc, toolbox
from prober.lab.servers.desk import Desk
from prober.lab.servers.handshake import initialized

VERSION: Final = "2024-11-05"


class _Session:
    """One open stream and the calls that will answer on it."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[bytes] = asyncio.Queue()
        self._calls: set[asyncio.Task[None]] = set()

    def start(self, messages: AsyncIterator[rpc.Json]) -> None:
        call = asyncio.get_running_loop().create_task(self._collect(messages))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    def close(self) -> None:
        for call in self._calls:
            call.cancel()

    async def _collect(self, messages: AsyncIterator[rpc.Json]) -> None:
        async for message in messages:
            self.events.put_nowait(rpc.event(message))


@dataclass(frozen=True, kw_only=True)
class LegacySseServer:
    """GET /sse opens a session, whose first event names the address that takes the client's messages."""

    tools: Sequence[toolbox.Tool] = toolbox.STANDARD_TOOLS
    name: str = toolbox.LAB_NAME
    _sessions: dict[str, _Session] = field(default_factory=dict)

    async def __call__(self, request: Request) -> Response:
        match request.path, request.method:
            case "/sse", "GET":
                return rpc.event_stream(self._stream())
            case "/sse", _:
                return rpc.method_not_allowed("HEAD", "GET")
            case "/messages/", "POST":
                return self._take(request)
            case "/messages/", _:
                return rpc.method_not_allowed("POST")
            case _:
                return text(404, "Not Found")

    async def _stream(self) -> AsyncIterator[bytes]:
        session_id, session = uuid.uuid4().hex, _Session()
        self._sessions[session_id] = session
        try:
            yield f"event: endpoint\ndata: /messages/?session_id={session_id}\n\n".encode()
            while True:
                yield await session.events.get()
        finally:
            del self._sessions[session_id]
            session.close()

    def _take(self, request: Request) -> Response:
        desk = Desk(tools=self.tools)
        session = self._sessions.get(request.query.get("session_id", ""))
        if session is None:
            return text(404, "Could not find session")
        try:
            message = rpc.message_of(request)
        except rpc.Refused as refused:
            return text(refused.status, refused.message)
        if message["method"] == "initialize":
            answer = initialized(message, desk=desk, name=self.name, newest=VERSION)
            session.events.put_nowait(rpc.event(answer))
        elif "id" in message:
            session.start(desk.answers(message, VERSION))
        return text(202, "Accepted")
