"""Streamable HTTP: every request is a POST, answered by JSON or by an event stream, in both eras."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from checks.messages import revision_of, tools_of
from checks.model import Exchange, Failure
from checks.spec import (
    EVENT_STREAM_TYPE,
    HEADER_METHOD,
    HEADER_SESSION,
    HEADER_VERSION,
    META_CLIENT_CAPABILITIES,
    META_CLIENT_INFO,
    META_VERSION,
    SESSION_DELETE_SAFE_SINCE,
    VERSION_HEADER_SINCE,
    is_at_least,
)
from checks.wire import Alteration
from prober.wire import jsonrpc
from prober.wire.asking import (
    CLIENT_INFO,
    POST_HEADERS,
    Ids,
    LeftCalls,
    differing,
    initialize_request,
    progress_token,
    with_meta,
)
from prober.wire.exchange import Recorder, Recording
from prober.wire.header_values import annotated_parameters, name_headers, parameter_headers
from prober.wire.outgoing import Headers, Outgoing
from prober.wire.tracing import TRACEPARENT

_RETRY_MS: Final = 1000
"""Before a stream is taken up again, where the server says nothing: the default of the official SDKs."""


class Stateless:
    """The era without a handshake: each request says by itself which revision it speaks."""

    def __init__(self, recorder: Recorder, url: str, ids: Ids) -> None:
        self._recorder = recorder
        self._url = url
        self._ids = ids
        self._version = ""
        self._schemas: dict[str, Any] = {}
        """Input schemas of the tools that were listed: a server refuses calls without the headers they ask for."""

    has_session = False

    async def enter(self, version: str) -> Sequence[Exchange]:
        """Ask what the server speaks."""
        self._version = version
        return [await self.request("server/discover", {}, progress=False)]

    async def settle(self) -> Sequence[Exchange]:
        return []

    async def request(
        self, method: str, params: Mapping[str, Any], *, progress: bool, altered: Alteration | None = None
    ) -> Exchange:
        outgoing = self._post(method, params, progress=progress, altered=altered)
        exchange = await self._recorder.exchange(differing(outgoing, altered, self._recorder))
        if method == "tools/list":
            self._schemas.update((tool.name, tool.raw.get("inputSchema")) for tool in tools_of(exchange))
        return exchange

    async def at_once(self, method: str, count: int) -> tuple[Exchange, ...]:
        waiting = (self._recorder.exchange(self._post(method, {}, fresh=True)) for _ in range(count))
        return tuple(await asyncio.gather(*waiting))

    async def listen(self, notifications: Mapping[str, Any]) -> Exchange:
        """Subscribe, and hang up at the first message, which in this era cancels the subscription.

        Source: 2026-07-28, basic/patterns/subscriptions and basic/patterns/cancellation.
        """
        outgoing = self._post("subscriptions/listen", {"notifications": dict(notifications)}, until_first=True)
        patience = asyncio.get_running_loop().time() + self._recorder.limits.first_event_s
        return await self._recorder.exchange(outgoing, deadline=min(patience, self._recorder.deadline))

    async def end_session(self) -> Exchange | None:
        return None

    async def close(self) -> None:
        """Nothing is held on the server: this era has no sessions, and hanging up has cancelled what it was asked."""

    def _post(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        progress: bool = False,
        altered: Alteration | None = None,
        fresh: bool = False,
        until_first: bool = False,
    ) -> Outgoing:
        traceparent = self._recorder.trace.parent()
        meta = {
            META_VERSION: self._version,
            META_CLIENT_CAPABILITIES: {},
            META_CLIENT_INFO: CLIENT_INFO,
            TRACEPARENT: traceparent,
            **progress_token(self._ids, progress=progress),
        }
        headers = (
            *POST_HEADERS,
            (HEADER_VERSION, self._version),
            (HEADER_METHOD, method),
            *name_headers(method, params),
            *self._parameter_headers(method, params),
        )
        envelope = jsonrpc.request(method, with_meta(params, meta, altered), self._ids.next())
        return Outgoing(
            method="POST",
            url=self._url,
            headers=headers,
            envelope=envelope,
            fresh=fresh,
            until_first=until_first,
            traceparent=traceparent,
        )

    def _parameter_headers(self, method: str, params: Mapping[str, Any]) -> list[tuple[str, str]]:
        name = params.get("name")
        if method != "tools/call" or not isinstance(name, str):
            return []
        return parameter_headers(annotated_parameters(self._schemas.get(name)), params.get("arguments"))


class Handshake:
    """The era of `initialize`: revision, and a session where the server gives one, hold for the conversation."""

    def __init__(self, recorder: Recorder, url: str, ids: Ids, *, survives_delete: bool = False) -> None:
        """`survives_delete`: the server is known to, whatever revision it negotiates here."""
        self._survives_delete = survives_delete
        self._recorder = recorder
        self._url = url
        self._ids = ids
        self._session: str | None = None
        self._version: str | None = None
        self._ended = False
        self._left = LeftCalls(recorder)

    @property
    def has_session(self) -> bool:
        return self._session is not None

    async def enter(self, version: str) -> Sequence[Exchange]:
        """Offer a revision. A session id counts only beside a success: refusals carry ids of dead sessions."""
        recording = self._recorder.record(self._post(initialize_request(version, self._ids.next())))
        await recording.run()
        succeeded = 200 <= (recording.status or 0) < 300
        self._session = recording.header(HEADER_SESSION) if succeeded else None
        await self._resume(recording)
        exchange = recording.finish()
        self._version = revision_of(exchange) if succeeded else None
        if self._version is None:
            self._session = None
        return [exchange]

    async def settle(self) -> Sequence[Exchange]:
        """Tell the server that the handshake is over, and wait for its answer no longer than clients do.

        A function that streams may never end an answer without a body. Clients do not read on to its end, so no more
        than half of the probe is spent on it.
        """
        now = asyncio.get_running_loop().time()
        patience = min(self._recorder.limits.first_event_s, (self._recorder.deadline - now) / 2)
        told = self._post(jsonrpc.notification("notifications/initialized"))
        return [await self._recorder.exchange(told, deadline=now + patience)]

    async def request(
        self, method: str, params: Mapping[str, Any], *, progress: bool, altered: Alteration | None = None
    ) -> Exchange:
        params = with_meta(params, progress_token(self._ids, progress=progress), altered)
        envelope = jsonrpc.request(method, params, self._ids.next())
        recording = self._recorder.record(differing(self._post(envelope), altered, self._recorder))
        with self._left.watching(recording, envelope):
            await self._run(recording)
        return recording.finish()

    async def at_once(self, method: str, count: int) -> tuple[Exchange, ...]:
        return tuple(await asyncio.gather(*(self._apart(method) for _ in range(count))))

    async def end_session(self) -> Exchange | None:
        return await self._delete(self._recorder.leave_by())

    async def close(self) -> None:
        """Cancel what was left, and end the session."""
        deadline = self._recorder.leave_by()
        await self._left.cancel(self._url, (*POST_HEADERS, *self._follow_up_headers()))
        await self._delete(deadline)

    async def _delete(self, deadline: float) -> Exchange | None:
        survives = self._survives_delete or is_at_least(self._version, SESSION_DELETE_SAFE_SINCE)
        if self._ended or self._session is None or not survives:
            return None
        self._ended = True
        outgoing = Outgoing(method="DELETE", url=self._url, headers=self._follow_up_headers())
        return await self._recorder.exchange(outgoing, deadline=deadline)

    async def _apart(self, method: str) -> Exchange:
        """One request over a connection of its own."""
        recording = self._recorder.record(self._post(jsonrpc.request(method, {}, self._ids.next()), fresh=True))
        await self._run(recording)
        return recording.finish()

    def _post(self, envelope: Mapping[str, Any], *, fresh: bool = False) -> Outgoing:
        headers = (*POST_HEADERS, *self._follow_up_headers())
        return Outgoing(method="POST", url=self._url, headers=headers, envelope=envelope, fresh=fresh)

    def _follow_up_headers(self) -> Headers:
        headers: list[tuple[str, str]] = []
        if self._version is not None and is_at_least(self._version, VERSION_HEADER_SINCE):
            headers.append((HEADER_VERSION, self._version))
        if self._session is not None:
            headers.append((HEADER_SESSION, self._session))
        return tuple(headers)

    async def _run(self, recording: Recording) -> None:
        await recording.run()
        await self._resume(recording)

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
            outgoing = Outgoing(
                method="GET", url=self._url, headers=headers, with_credentials=recording.with_credentials
            )
            if not await recording.resume(outgoing):
                return
