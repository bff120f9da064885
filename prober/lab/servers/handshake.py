"""An MCP server of the handshake era over Streamable HTTP, with or without sessions, answering by JSON or events.

Source: MCP specification 2025-03-26, 2025-06-18 and 2025-11-25, basic/lifecycle and basic/transports.
"""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from prober.lab.http import Request, Response
from prober.lab.servers import rpc, toolbox
from prober.lab.servers.desk import Desk
from prober.lab.servers.library import Library
from prober.lab.servers.tasks import TaskBoard

VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
VERSION_HEADER_SINCE: Final = "2025-06-18"
POLLING_SINCE: Final = "2025-11-25"
BATCHING: Final = "2025-03-26"
"""The one revision with batches; also the one that a request without a version header is taken for."""
RETRY_MS: Final = 100
RESOURCE_NOT_FOUND: Final = -32002


@dataclass(frozen=True, kw_only=True)
class HandshakeServer:
    """Serves `initialize`, `ping`, `tools/list`, `tools/call`, and what `library` and `board` add.

    `newest` is the latest revision that it speaks, published or not, `oldest` the first. With `streams`, every answer
    is an event stream that carries progress where it was asked for. With `has_sessions`, requests must carry the id
    that `initialize` issued; with `one_session`, a new one ends those before it. With `polls`, the stream of a tool
    call ends at once, to be taken up by GET. `declares` takes the place of a truthful declaration. Only scripts of
    `origins` are let in.
    """

    tools: Sequence[toolbox.Tool] = toolbox.STANDARD_TOOLS
    newest: str = VERSIONS[-1]
    oldest: str = VERSIONS[0]
    has_sessions: bool = True
    one_session: bool = False
    streams: bool = True
    polls: bool = False
    page_size: int | None = None
    library: Library = field(default_factory=Library)
    board: TaskBoard | None = None
    declares: Mapping[str, Any] | None = None
    origins: frozenset[str] = frozenset()
    name: str = toolbox.LAB_NAME
    _sessions: dict[str, str] = field(default_factory=dict)
    """The revision that each session negotiated, by the session's id."""
    _held: dict[str, AsyncIterator[rpc.Json]] = field(default_factory=dict)
    """The messages still to come on streams that were closed early, by the stream's id."""

    async def __call__(self, request: Request) -> Response:
        try:
            rpc.refuse_foreign_origin(request, self.origins)
            match request.method:
                case "POST":
                    return await self._post(request)
                case "DELETE" if self.has_sessions:
                    del self._sessions[self._session_of(request)]
                    return Response(status=200)
                case "GET" if request.header("last-event-id") is not None and self.polls:
                    return self._resume(request)
                case _:
                    return rpc.method_not_allowed(*self._methods())
        except rpc.Refused as refused:
            return refused.response()

    @property
    def _desk(self) -> Desk:
        return Desk(tools=self.tools, page_size=self.page_size, library=self.library, board=self.board)

    def _methods(self) -> Sequence[str]:
        return ("POST", *(["DELETE"] if self.has_sessions else []), *(["GET"] if self.polls else []))

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
        if self.polls and revision >= POLLING_SINCE:
            return self._primed(asked, revision)
        return await self._reply(self._answers(asked, revision), is_batch=is_batch)

    def _initialize(self, message: rpc.Json) -> Response:
        answer = initialized(
            message, desk=self._desk, name=self.name, newest=self.newest, oldest=self.oldest, declares=self.declares
        )
        headers: tuple[tuple[str, str], ...] = ()
        if self.one_session:
            self._sessions.clear()
        if self.has_sessions:
            session = uuid.uuid4().hex
            self._sessions[session] = answer["result"]["protocolVersion"]
            headers = (("Mcp-Session-Id", session),)
        if self.streams:
            return rpc.event_stream(rpc.events(rpc.only(answer)), *headers)
        return rpc.json_response(answer, *headers)

    async def _answers(self, asked: Sequence[rpc.Json], revision: str) -> AsyncIterator[rpc.Json]:
        for message in asked:
            async for each in self._desk.answers(message, revision):
                yield each

    async def _reply(self, messages: AsyncIterator[rpc.Json], *, is_batch: bool) -> Response:
        if self.streams:
            return rpc.event_stream(rpc.events(messages))
        found = [message async for message in messages if "id" in message]
        if not found:
            raise rpc.Refused(200, rpc.INTERNAL_ERROR, "The tool ended without a result")
        return rpc.json_response(found if is_batch else found[0])

    def _primed(self, asked: Sequence[rpc.Json], revision: str) -> Response:
        """A stream that begins with an event to come back to, and ends after it where the answer takes its time."""
        stream, messages = uuid.uuid4().hex, self._answers(asked, revision)
        if any(each["method"] == "tools/call" for each in asked):
            self._held[stream] = messages
            return rpc.event_stream(_priming(stream))
        return rpc.event_stream(_numbered(stream, messages, primed=True))

    def _resume(self, request: Request) -> Response:
        if self.has_sessions:
            self._session_of(request)
        stream = (request.header("last-event-id") or "").partition("-")[0]
        messages = self._held.pop(stream, None)
        return rpc.event_stream(_nothing() if messages is None else _numbered(stream, messages))

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


def initialized(
    message: rpc.Json,
    *,
    desk: Desk,
    name: str,
    newest: str,
    oldest: str = VERSIONS[0],
    declares: Mapping[str, Any] | None = None,
) -> rpc.Json:
    """The answer to `initialize`: the requested revision where it is spoken, the newest one otherwise."""
    requested = rpc.params_of(message).get("protocolVersion")
    agreed = str(requested) if requested in revisions(oldest, newest) else newest
    value = {
        "protocolVersion": agreed,
        "capabilities": desk.capabilities(agreed) if declares is None else dict(declares),
        "serverInfo": {"name": name, "version": "1.0.0"},
    }
    return rpc.result(message.get("id"), value)


async def _priming(stream: str) -> AsyncIterator[bytes]:
    yield f"id: {stream}-0\nretry: {RETRY_MS}\ndata: \n\n".encode()


async def _numbered(stream: str, messages: AsyncIterator[rpc.Json], *, primed: bool = False) -> AsyncIterator[bytes]:
    """The messages as events with ids, the first of them after the priming event that each stream begins with."""
    number = 0
    try:
        if primed:
            async for priming in _priming(stream):
                yield priming
        async for message in messages:
            number += 1
            yield rpc.event(message, f"{stream}-{number}")
    finally:
        await rpc.close_messages(messages)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
