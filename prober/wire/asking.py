"""What conversations over every transport share: ids, how we name ourselves, requests that differ on purpose."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, Protocol

from checks.model import Exchange
from checks.spec import EVENT_STREAM_TYPE, JSON_TYPE
from checks.wire import Alteration
from prober.net.client import VERSION
from prober.wire import jsonrpc
from prober.wire.exchange import Recorder, Recording
from prober.wire.outgoing import Headers, Outgoing

CLIENT_INFO: Final = {"name": "mcp-prober", "version": VERSION}

POST_HEADERS: Final[Headers] = (
    ("Content-Type", JSON_TYPE),
    ("Accept", f"{JSON_TYPE}, {EVENT_STREAM_TYPE}"),  # clients MUST accept both; servers refuse one alone with 406
)

_NOT_ALTERED: Final = Alteration()


class Conversation(Protocol):
    """A way into an endpoint. Nothing raises for what the network or the server does."""

    @property
    def has_session(self) -> bool: ...

    async def enter(self, version: str) -> Sequence[Exchange]:
        """Offer a revision. The last exchange decides whether the way is open."""
        ...

    async def settle(self) -> Sequence[Exchange]:
        """Say what remains to be said once the way is open."""
        ...

    async def request(
        self, method: str, params: Mapping[str, Any], *, progress: bool, altered: Alteration | None = None
    ) -> Exchange: ...

    async def at_once(self, method: str, count: int) -> tuple[Exchange, ...]:
        """The same request `count` times at once, each over a connection of its own; empty where there is but one."""
        ...

    async def end_session(self) -> Exchange | None:
        """End the session where there is one and its servers survive that; at most once."""
        ...

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


class LeftCalls:
    """Tool calls that we no longer wait for while the server may still work on them.

    Up to 2025-11-25 hanging up is no cancellation, so the tool would run on and cost its owner money; a call that was
    to run as a task is cancelled in another way (2025-11-25, basic/utilities/cancellation).
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._ids: list[str] = []

    @contextmanager
    def watching(self, recording: Recording, envelope: Mapping[str, Any]) -> Iterator[None]:
        """While the body of the `with` waits for the answer: remember the call if the body ends without it."""
        waited = False
        try:
            yield
            waited = True
        finally:
            left = recording.is_sent and not recording.answered and (recording.gave_up or not waited)
            if left and envelope["method"] == "tools/call" and "task" not in envelope["params"]:
                self._ids.append(envelope["id"])

    async def cancel(self, url: str, headers: Headers) -> None:
        """Tell the server. This takes no more than half of the time for leaving it, so that a session can be ended."""
        deadline = (asyncio.get_running_loop().time() + self._recorder.leave_by()) / 2
        while self._ids:
            params = {"requestId": self._ids.pop(0), "reason": "the answer came too late"}
            envelope = {**jsonrpc.notification("notifications/cancelled"), "params": params}
            outgoing = Outgoing(method="POST", url=url, headers=headers, envelope=envelope)
            await self._recorder.exchange(outgoing, deadline=deadline)


def initialize_request(version: str, rpc_id: str) -> dict[str, Any]:
    """The opening request of the handshake era, with no capabilities, so that the server asks nothing of us."""
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT_INFO}
    return jsonrpc.request("initialize", params, rpc_id)


def with_meta(params: Mapping[str, Any], ours: Mapping[str, Any], altered: Alteration | None) -> Mapping[str, Any]:
    """The params with these members in their `_meta`, as far as the alteration lets them be."""
    members = {**ours, **(altered or _NOT_ALTERED).meta}
    meta = {name: value for name, value in members.items() if value is not None}
    return {**params, "_meta": meta} if meta else params


def progress_token(ids: Ids, *, progress: bool) -> dict[str, Any]:
    """The member of `_meta` that asks for progress notifications, where they are wanted."""
    return {"progressToken": ids.next()} if progress else {}


def differing(outgoing: Outgoing, altered: Alteration | None, recorder: Recorder) -> Outgoing:
    """The request with the headers of an alteration. Those that carry credentials are out of its reach."""
    if altered is None:
        return outgoing
    reached = {name.lower(): name for name in altered.headers if not recorder.composer.is_credential(name)}
    kept = [(name, value) for name, value in outgoing.headers if name.lower() not in reached]
    added = [(name, value) for name in reached.values() if (value := altered.headers[name]) is not None]
    return replace(
        outgoing,
        headers=(*kept, *added),
        without=frozenset(reached),
        with_credentials=outgoing.with_credentials and altered.with_credentials,
    )
