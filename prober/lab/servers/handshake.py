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
BATCHING: Final = "2025-03-26"
"""The one revision with batches; also the one that a request without a version header is taken for."""


@dataclass(frozen=True, kw_only=True)
class HandshakeServer:
    """Serves `initialize`, `ping`, `tools/list` and `tools/call`.

    `newest` is the latest revision that it speaks, published or not, `oldest` the first. With `streams`, every answer
    is an event stream that carries progress where it was asked for. With `has_sessions`, requests must carry the id
    that `initialize` issued.
    """

    tools: Sequence[toolbox.Tool] = toolbox.STANDARD_TOOLS
    newest: str = VERSIONS[-1]
    oldest: str = VERSIONS[0]
    has_sessions: bool = True
    streams: bool = True
    page_size: int | None = None
    name: str = toolbox.LAB_NAME
    _sessions: dict[str, str] = field(default_factory=dict)
    """The revision that each session negotiated, by the session's id."""

    async def __call__(self, request: Request) -> Response:
        try:
            match request.method:
                case "POST":
                    return await self._post(request)
                case "DELETE" if self.has_sessions:
                    del self._sessions[self._session_of(request)]
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
        messages, is_batch = rpc.messages_of(request)
        if not rpc.accepts(request, rpc.JSON, rpc.EVENTS):
            raise rpc.Refused(406, rpc.INVALID_REQUEST, "Not Acceptable: offer application/json and text/event-stream")
        if not is_batch and messages[0]["method"] == "initialize":
            return self._initialize(messages[0])
        revision = self._revision_of(request)
        if is_batch and (revision != BATCHING or any(each["method"] == "initialize" for each in messages)):
            raise rpc.Refused(400, rpc.INVALID_REQUEST, "Invalid request: this must not be a batch")
        asked = [each for each in messages if "id" in each]
        if not asked:
            return rpc.accepted()
        return await self._reply(self._answers(asked), is_batch=is_batch)

    def _initialize(self, message: rpc.Json) -> Response:
        answer = initialized(message, name=self.name, newest=self.newest, oldest=self.oldest)
        headers: tuple[tuple[str, str], ...] = ()
        if self.has_sessions:
            session = uuid.uuid4().hex
            self._sessions[session] = answer["result"]["protocolVersion"]
            headers = (("Mcp-Session-Id", session),)
        if self.streams:
            return rpc.event_stream(rpc.events(_only(answer)), *headers)
        return rpc.json_response(answer, *headers)

    async def _answers(self, asked: Sequence[rpc.Json]) -> AsyncIterator[rpc.Json]:
        for message in asked:
            async for each in answers(message, self.tools, self.page_size):
                yield each

    async def _reply(self, messages: AsyncIterator[rpc.Json], *, is_batch: bool) -> Response:
        if self.streams:
            return rpc.event_stream(rpc.events(messages))
        found = [message async for message in messages if "id" in message]
        if not found:
            raise rpc.Refused(200, rpc.INTERNAL_ERROR, "The tool ended without a result")
        return rpc.json_response(found if is_batch else found[0])

    def _revision_of(self, request: Request) -> str:
        """What the conversation speaks. Raises Refused for a request of no known session or revision."""
        claimed = request.header("mcp-protocol-version")
        negotiated = self._sessions[self._session_of(request)] if self.has_sessions else None
        spoken = revisions(self.oldest, self.newest)
        if claimed is not None and self.newest >= VERSION_HEADER_SINCE and claimed not in spoken:
            message = f"Bad Request: Unsupported protocol version: {claimed}. Supported versions: {', '.join(spoken)}"
            raise rpc.Refused(400, rpc.INVALID_REQUEST, message)
        return negotiated or claimed or BATCHING

    def _session_of(self, request: Request) -> str:
        session = request.header("mcp-session-id")
        if session is None:
            raise rpc.Refused(400, rpc.INVALID_REQUEST, "Bad Request: Missing session ID")
        if session not in self._sessions:
            raise rpc.Refused(404, rpc.INVALID_REQUEST, "Session not found")
        return session


def revisions(oldest: str, newest: str) -> list[str]:
    """The revisions from `oldest` to `newest`, which need not be a published one."""
    return sorted({each for each in (*VERSIONS, newest) if oldest <= each <= newest})


def initialized(message: rpc.Json, *, name: str, newest: str, oldest: str = VERSIONS[0]) -> rpc.Json:
    """The answer to `initialize`: the requested revision where it is spoken, the newest one otherwise."""
    requested = rpc.params_of(message).get("protocolVersion")
    spoken = revisions(oldest, newest)
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
