"""Streamable HTTP: every request is a POST, answered by JSON or by an event stream, in both eras."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

from checks.messages import revision_of, tools_of
from checks.model import Exchange, Failure
from checks.spec import (
    EVENT_STREAM_TYPE,
    HEADER_METHOD,
    HEADER_SESSION,
    HEADER_VERSION,
    JSON_TYPE,
    META_CLIENT_CAPABILITIES,
    META_CLIENT_INFO,
    META_VERSION,
    SESSION_DELETE_SAFE_SINCE,
    VERSION_HEADER_SINCE,
    is_at_least,
)
from checks.wire import Alteration
from prober.net.client import VERSION
from prober.wire import jsonrpc
from prober.wire.exchange import Headers, Outgoing, Recorder, Recording
from prober.wire.header_values import Annotated, annotated_parameters, name_headers, parameter_headers

CLIENT_INFO: Final = {"name": "mcp-prober", "version": VERSION}

POST_HEADERS: Final[Headers] = (
    ("Content-Type", JSON_TYPE),
    ("Accept", f"{JSON_TYPE}, {EVENT_STREAM_TYPE}"),  # clients MUST accept both; servers refuse one alone with 406
)

_RETRY_MS: Final = 1000
"""Before a stream is taken up again, where the server says nothing: the default of the official SDKs."""


class Conversation(Protocol):
    """An open way into an endpoint."""

    @property
    def has_session(self) -> bool: ...

    async def request(
        self, method: str, params: Mapping[str, Any], *, progress: bool, altered: Alteration | None = None
    ) -> Exchange: ...

    async def close(self) -> None:
        """Leave nothing behind on the server."""
        ...


class Ids:
    """Request ids and progress tokens: unique within the probe, and unlikely to meet those of another one."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0

    def next(self) -> str:
        self._count += 1
        return f"{self._prefix}-{self._count}"


class Stateless:
    """The era without a handshake: each request says by itself which revision it speaks."""

    def __init__(self, recorder: Recorder, url: str, ids: Ids, version: str) -> None:
        self._recorder = recorder
        self._url = url
        self._ids = ids
        self._version = version
        self._mirrored: dict[str, Annotated] = {}

    has_session = False

    async def discover(self) -> Exchange:
        """Ask what the server speaks."""
        return await self.request("server/discover", {}, progress=False)

    async def request(
        self, method: str, params: Mapping[str, Any], *, progress: bool, altered: Alteration | None = None
    ) -> Exchange:
        meta = {
            META_VERSION: self._version,
            META_CLIENT_CAPABILITIES: {},
            META_CLIENT_INFO: CLIENT_INFO,
            **({"progressToken": self._ids.next()} if progress else {}),
        }
        envelope = jsonrpc.request(method, {**params, "_meta": meta}, self._ids.next())
        headers = (
            *POST_HEADERS,
            (HEADER_VERSION, self._version),
            (HEADER_METHOD, method),
            *name_headers(method, params),
            *self._parameter_headers(method, params),
        )
        outgoing = Outgoing(method="POST", url=self._url, headers=headers, envelope=envelope)
        exchange = await self._recorder.exchange(outgoing)
        if method == "tools/list":
            self._learn(exchange)
        return exchange

    async def close(self) -> None:
        """Nothing is held on the server: this era has no sessions."""

    def _parameter_headers(self, method: str, params: Mapping[str, Any]) -> list[tuple[str, str]]:
        name = params.get("name")
        if method != "tools/call" or not isinstance(name, str) or name not in self._mirrored:
            return []
        return parameter_headers(self._mirrored[name], params.get("arguments"))

    def _learn(self, listing: Exchange) -> None:
        """Remember which arguments a listed tool wants in headers: its server refuses calls without them."""
        for tool in tools_of(listing):
            annotated = annotated_parameters(tool.raw.get("inputSchema"))
            if annotated:
                self._mirrored[tool.name] = annotated


class Handshake:
    """The era of `initialize`: revision, and a session where the server gives one, hold for the conversation."""

    def __init__(self, recorder: Recorder, url: str, ids: Ids) -> None:
        self._recorder = recorder
        self._url = url
        self._ids = ids
        self._session: str | None = None
        self._version: str | None = None

    @property
    def has_session(self) -> bool:
        return self._session is not None

    async def initialize(self, version: str) -> Exchange:
        """Offer a revision. A session id counts only beside a success: refusals carry ids of dead sessions."""
        recording = self._recorder.record(self._post(initialize_request(version, self._ids.next())))
        await recording.run()
        await self._resume(recording)
        exchange = recording.finish()
        negotiated = revision_of(exchange)
        if 200 <= (exchange.status or 0) < 300 and negotiated is not None:
            self._version = negotiated
            self._session = recording.header(HEADER_SESSION)
        return exchange

    async def initialized(self) -> Exchange:
        """Tell the server that the handshake is over."""
        return await self._recorder.exchange(self._post(jsonrpc.notification("notifications/initialized")))

    async def request(
        self, method: str, params: Mapping[str, Any], *, progress: bool, altered: Alteration | None = None
    ) -> Exchange:
        envelope = jsonrpc.request(method, with_progress(params, self._ids, progress=progress), self._ids.next())
        recording = self._recorder.record(self._post(envelope))
        await recording.run()
        await self._resume(recording)
        return recording.finish()

    async def close(self) -> None:
        """End the session, where the revision is one whose servers survive that."""
        if self._session is None or not is_at_least(self._version, SESSION_DELETE_SAFE_SINCE):
            return
        budget = asyncio.get_running_loop().time() + self._recorder.limits.close_s
        outgoing = Outgoing(method="DELETE", url=self._url, headers=self._follow_up_headers())
        await self._recorder.exchange(outgoing, deadline=budget)

    def _post(self, envelope: Mapping[str, Any]) -> Outgoing:
        headers = (*POST_HEADERS, *self._follow_up_headers())
        return Outgoing(method="POST", url=self._url, headers=headers, envelope=envelope)

    def _follow_up_headers(self) -> Headers:
        headers: list[tuple[str, str]] = []
        if self._version is not None and is_at_least(self._version, VERSION_HEADER_SINCE):
            headers.append((HEADER_VERSION, self._version))
        if self._session is not None:
            headers.append((HEADER_SESSION, self._session))
        return tuple(headers)

    async def _resume(self, recording: Recording) -> None:
        """Go and get an answer whose stream the server has closed on purpose, to be asked for it again later.

        Source: 2025-11-25, basic/transports, "Sending Messages to the Server" and "Resumability and Redelivery".
        """
        for _ in range(self._recorder.limits.resumptions):
            if not recording.broke_off:
                return
            delay = (_RETRY_MS if recording.retry_ms is None else recording.retry_ms) / 1000
            if asyncio.get_running_loop().time() + delay >= self._recorder.deadline:
                detail = f"the server closed the stream, to be asked again after {delay:g} s: past the deadline"
                recording.fail(Failure.DEADLINE, "resume-delay", detail)
                return
            await asyncio.sleep(delay)
            headers = (
                ("Accept", EVENT_STREAM_TYPE),
                ("Last-Event-ID", recording.last_event_id or ""),
                *self._follow_up_headers(),
            )
            if not await recording.resume(Outgoing(method="GET", url=self._url, headers=headers)):
                return


def initialize_request(version: str, rpc_id: str) -> dict[str, Any]:
    """The opening request of the handshake era, with no capabilities, so that the server asks nothing of us."""
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT_INFO}
    return jsonrpc.request("initialize", params, rpc_id)


def with_progress(params: Mapping[str, Any], ids: Ids, *, progress: bool) -> Mapping[str, Any]:
    """The params, with a fresh token that asks for progress notifications where they are wanted."""
    return {**params, "_meta": {"progressToken": ids.next()}} if progress else params
