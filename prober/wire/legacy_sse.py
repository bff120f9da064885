"""HTTP+SSE of 2024-11-05: one GET stream on which all answers arrive, and an endpoint that takes the requests."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from checks.model import Exchange, Failure
from checks.spec import EVENT_STREAM_TYPE
from checks.wire import Alteration
from prober.wire import jsonrpc
from prober.wire.asking import (
    POST_HEADERS,
    Ids,
    LeftCalls,
    differing,
    initialize_request,
    progress_token,
    with_meta,
)
from prober.wire.exchange import Recorder, Recording
from prober.wire.origins import is_same_origin, resolved
from prober.wire.outgoing import Outgoing
from prober.wire.sse import Event


class LegacySse:
    """A conversation over an event stream that stays open. One request at a time."""

    has_session = False

    def __init__(self, recorder: Recorder, url: str, ids: Ids) -> None:
        loop = asyncio.get_running_loop()
        self._recorder = recorder
        self._url = url
        self._ids = ids
        self._stream = recorder.record(Outgoing(method="GET", url=url, headers=(("Accept", EVENT_STREAM_TYPE),)))
        self._reader: asyncio.Task[None] | None = None
        self._first: asyncio.Future[Event | None] = loop.create_future()
        self._endpoint: str | None = None
        self._pending: Recording | None = None
        self._news = asyncio.Event()
        self._left = LeftCalls(recorder)

    async def enter(self, version: str) -> Sequence[Exchange]:
        """Open the stream, and offer a revision to the endpoint that it names.

        `initialize` goes first: old servers fall silent for good when anything precedes it.
        """
        stream = await self._open()
        if self._endpoint is None:
            return [stream]
        return [stream, await self._post(initialize_request(version, self._ids.next()))]

    async def settle(self) -> Sequence[Exchange]:
        """Tell the server that the handshake is over."""
        return [await self._post(jsonrpc.notification("notifications/initialized"))]

    async def request(
        self, method: str, params: Mapping[str, Any], *, progress: bool, altered: Alteration | None = None
    ) -> Exchange:
        params = with_meta(params, progress_token(self._ids, progress=progress), altered)
        return await self._post(jsonrpc.request(method, params, self._ids.next()), altered)

    async def at_once(self, method: str, count: int) -> tuple[Exchange, ...]:
        return ()

    async def end_session(self) -> Exchange | None:
        """The session ends with the stream alone."""
        return None

    async def close(self) -> None:
        """Cancel what was left, and close the stream, which ends the session."""
        try:
            if self._endpoint is not None:
                await self._left.cancel(self._endpoint, POST_HEADERS)
        finally:
            await self._hang_up()

    async def _hang_up(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
            if not self._reader.cancelled():
                self._reader.result()

    async def _open(self) -> Exchange:
        """Open the stream and wait for its first event, which must name the endpoint."""
        loop = asyncio.get_running_loop()
        self._reader = asyncio.create_task(self._read())
        patience = min(loop.time() + self._recorder.limits.first_event_s, self._recorder.deadline)
        try:
            async with asyncio.timeout_at(patience):
                first = await self._first
        except TimeoutError:
            self._stream.fail(Failure.DEADLINE, "no-event", "the event stream names no endpoint in time")
        else:
            if first is not None:
                self._take_endpoint(first)
        if self._endpoint is None:
            await self._hang_up()
        return self._stream.finish()

    async def _read(self) -> None:
        try:
            await self._stream.run(on_event=self._arrived)
        finally:
            self._news.set()
            if not self._first.done():
                self._first.set_result(None)

    def _arrived(self, event: Event) -> None:
        if not self._first.done():
            self._stream.note(event)
            self._first.set_result(event)
        elif self._pending is not None:
            self._pending.note(event)
            self._news.set()

    def _take_endpoint(self, first: Event) -> None:
        endpoint = resolved(self._url, first.data.strip())
        if first.name != "endpoint":
            detail = f"the first event is “{first.name[:40]}” and names no endpoint"
            self._stream.fail(Failure.PROTOCOL, "no-endpoint-event", detail)
        elif not is_same_origin(endpoint, self._url):
            detail = f"the stream names an endpoint of another origin, which is not followed: {endpoint[:200]}"
            self._stream.fail(Failure.PROTOCOL, "foreign-endpoint", detail)
        else:
            self._endpoint = endpoint

    async def _post(self, envelope: Mapping[str, Any], altered: Alteration | None = None) -> Exchange:
        """Send one message; the answer to a request is waited for on the stream, unless the POST itself brings it."""
        assert self._endpoint is not None
        outgoing = Outgoing(method="POST", url=self._endpoint, headers=POST_HEADERS, envelope=envelope)
        recording = self._recorder.record(differing(outgoing, altered, self._recorder))
        self._pending = recording
        with self._left.watching(recording, envelope):
            await recording.run()
            if outgoing.rpc_id is not None and recording.error is None and 200 <= (recording.status or 0) < 300:
                await self._wait_for_answer(recording)
        self._pending = None
        return recording.finish()

    async def _wait_for_answer(self, recording: Recording) -> None:
        assert self._reader is not None
        try:
            async with asyncio.timeout_at(self._recorder.deadline):
                while not recording.is_over and not self._reader.done():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            recording.fail(Failure.DEADLINE, "no-answer", "the request was taken, but no answer came on the stream")
            return
        recording.end()
        if not recording.is_over:
            lost = "the event stream ended before the answer came"
            recording.fail(Failure.CONNECTION_LOST, "stream-ended", lost)
