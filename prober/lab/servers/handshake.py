"""An MCP server of the handshake era over Streamable HTTP, with or without sessions, answering by JSON or events.

Source: MCP specification 2025-03-26, 2025-06-18 and 2025-11-25, basic/lifecycle and basic/transports.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from prober.lab.http import Request, Response
from prober.lab.servers import rpc, toolbox

VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
VERSION_HEADER_SINCE: Final = "2025-06-18"


@dataclass(frozen=True, kw_only=True)
class HandshakeServer:
    """Serves `initialize`, `ping`, `tools/list` and `tools/call`.

    `newest` is the latest revision that it speaks. With `streams`, every answer is an event stream that carries
    progress where it was asked for. With `has_sessions`, requests must carry the id that `initialize` issued.
    """

    tools: Sequence[toolbox.Tool] = toolbox.STANDARD_TOOLS
    newest: str = VERSIONS[-1]
    has_sessions: bool = True
    streams: bool = True
    page_size: int | None = None
    name: str = toolbox.LAB_NAME
    _sessions: set[str] = field(default_factory=set)

    async def __call__(self, request: Request) -> Response:
        try:
            match request.method:
                case "POST":
                    return await self._post(request)
                case "DELETE" if self.has_sessions:
                    self._sessions.discard(self._session_of(request))
                    return Response(status=200)
                case _:
                    return (
                        rpc.method_not_allowed("POST", "DELETE")
                        if self.has_sessions
                        else rpc.method_not_allowed("POST")
                    )
        except rpc.Refused as refused:
            return refused.response()

    async def _post(self, request: Request) -> Response:
        message = rpc.message_of(request)
        if not rpc.accepts(request, rpc.JSON, rpc.EVENTS):
            raise rpc.Refused(406, rpc.INVALID_REQUEST, "Not Acceptable: offer application/json and text/event-stream")
        if message["method"] == "initialize":
            return self._initialize(message)
        if self.has_sessions:
            self._session_of(request)
        self._check_version(request)
        if "id" not in message:
            return rpc.accepted()
        messages = answers(message, self.tools, self.page_size)
        return await self._reply(messages)

    def _initialize(self, message: rpc.Json) -> Response:
        answer = initialized(message, name=self.name, newest=self.newest)
        headers: tuple[tuple[str, str], ...] = ()
        if self.has_sessions:
            session = uuid.uuid4().hex
            self._sessions.add(session)
            headers = (("Mcp-Session-Id", session),)
        if self.streams:
            return rpc.event_stream(rpc.events(_only(answer)), *headers)
        return rpc.json_response(answer, *headers)

    async def _reply(self, messages: AsyncIterator[rpc.Json]) -> Response:
        if self.streams:
            return rpc.event_stream(rpc.events(messages))
        async for message in messages:
            if "id" in message:
                return rpc.json_response(message)
        raise rpc.Refused(200, rpc.INTERNAL_ERROR, "The tool ended without a result")

    def _session_of(self, request: Request) -> str:
        session = request.header("mcp-session-id")
        if session is None:
            raise rpc.Refused(400, rpc.INVALID_REQUEST, "Bad Request: Missing session ID")
        if session not in self._sessions:
            raise rpc.Refused(404, rpc.INVALID_REQUEST, "Session not found")
        return session

    def _check_version(self, request: Request) -> None:
        claimed = request.header("mcp-protocol-version")
        spoken = [version for version in VERSIONS if version <= self.newest]
        if claimed is not None and self.newest >= VERSION_HEADER_SINCE and claimed not in spoken:
            message = f"Bad Request: Unsupported protocol version: {claimed}. Supported versions: {', '.join(spoken)}"
            raise rpc.Refused(400, rpc.INVALID_REQUEST, message)


def initialized(message: rpc.Json, *, name: str, newest: str) -> rpc.Json:
    """The answer to `initialize`: the requested revision where it is spoken, the newest one otherwise."""
    requested = rpc.params_of(message).get("protocolVersion")
    spoken = [version for version in VERSIONS if version <= newest]
    value = {
        "protocolVersion": requested if requested in spoken else newest,
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": name, "version": "1.0.0"},
    }
    return rpc.result(message.get("id"), value)


async def answers(
    message: rpc.Json, offered: Sequence[toolbox.Tool], page_size: int | None = None
) -> AsyncIterator[rpc.Json]:
    """Every message that answers a request after the handshake: progress where it was asked for, then the answer."""
    params = rpc.params_of(message)
    try:
        match message["method"]:
            case "ping":
                yield rpc.result(message["id"], {})
            case "tools/list":
                yield rpc.result(message["id"], toolbox.listing(offered, params, page_size))
            case "tools/call":
                token = rpc.progress_token(message)
                async for step in toolbox.call(offered, params):
                    if not isinstance(step, toolbox.Progress):
                        yield rpc.result(message["id"], step)
                    elif token is not None:
                        yield toolbox.notification(token, step)
            case method:
                yield rpc.error(message["id"], rpc.METHOD_NOT_FOUND, f"Method not found: {method}")
    except rpc.Refused as refused:
        yield rpc.error(message["id"], refused.code, refused.message, refused.data)


async def _only(message: rpc.Json) -> AsyncIterator[rpc.Json]:
    yield message
