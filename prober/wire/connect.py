"""Opens a conversation with an endpoint by whichever way it speaks, and gives it to the checks as a `Wire`."""

import json
import os
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

import httpx

from checks.messages import result_of
from checks.model import Endpoint, Exchange, Failure, Opener, Opening, nothing
from checks.spec import META_SERVER_INFO, Era, Transport
from checks.wire import Alteration
from prober.clock import Clock
from prober.net.client import Net
from prober.wire import jsonrpc
from prober.wire.eras import Opened, Plan, Way, next_step
from prober.wire.exchange import Outgoing, Recorder, Signer
from prober.wire.legacy_sse import LegacySse
from prober.wire.redact import SentHeader
from prober.wire.streamable_http import POST_HEADERS, Conversation, Handshake, Ids, Stateless

_SHOWN_TEXT: Final = 4096
_KEPT_CAPABILITIES: Final = 64
"""Of a declaration longer than `_SHOWN_TEXT` characters only this many names are kept: every report holds it."""


async def connect(
    endpoint: Endpoint,
    *,
    net: Net,
    clock: Clock,
    headers: Sequence[SentHeader],
    remembered: Opener | None,
    deadline: float,
    signer: Signer | None = None,
) -> "HttpWire":
    """A wire to the endpoint, opened by the way that is remembered, or by the first that works.

    `deadline` ends the whole probe, on the running event loop's clock. Never raises for what the network or the server
    does: `wire.opening` says how far it came. The caller closes the wire. Cancellation passes through.
    """
    net.prepare(endpoint.url, verify=endpoint.verify_tls)
    client = net.client(verify=endpoint.verify_tls)
    recorder = Recorder(
        client,
        clock=clock,
        limits=net.limits,
        headers=headers,
        url=endpoint.url,
        deadline=deadline,
        signer=signer,
    )
    wire = HttpWire(endpoint, client, recorder)
    try:
        await wire.open(Plan.of(endpoint, remembered, clock.now()), remembered)
    except BaseException:  # nobody else has the wire yet
        await wire.close()
        raise
    return wire


class HttpWire:
    """Implements `checks.wire.Wire`."""

    def __init__(self, endpoint: Endpoint, client: httpx.AsyncClient, recorder: Recorder) -> None:
        self._url = endpoint.url
        self._client = client
        self._recorder = recorder
        self._ids = Ids(f"mp-{os.urandom(4).hex()}")
        self._conversation: Conversation | None = None
        self._exchanges: list[Exchange] = []
        self._opening = Opening()

    @property
    def opening(self) -> Opening:
        return self._opening

    async def open(self, plan: Plan, remembered: Opener | None) -> None:
        """Try one way after another until one is open or none is left."""
        tries: list[tuple[Way, Exchange]] = []
        while isinstance(step := next_step(plan, tries), Way):
            await self._leave()
            tries.append((step, await self._try(step)))
        if step is None:
            await self._leave()
            self._opening = Opening(exchanges=tuple(self._exchanges))
            return
        opened = tries[-1][1]
        if isinstance(self._conversation, Handshake | LegacySse):
            self._exchanges.append(await self._conversation.initialized())
        self._opening = self._described(step, opened, remembered)

    async def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        progress: bool = False,
        altered: Alteration | None = None,
    ) -> Exchange:
        """Send one JSON-RPC request and wait for its answer, the end of the stream or the deadline."""
        if self._conversation is None:
            return self._unsent(method, params or {})
        return await self._conversation.request(method, params or {}, progress=progress, altered=altered)

    async def at_once(self, method: str, count: int) -> tuple[Exchange, ...]:
        raise NotImplementedError

    async def end_session(self) -> Exchange | None:
        raise NotImplementedError

    async def open_beside(self, era: Era, version: str) -> Opening:
        raise NotImplementedError

    async def listen(self, notifications: Mapping[str, Any]) -> Exchange:
        raise NotImplementedError

    async def preflight(self, origin: str, method: str, headers: Sequence[str]) -> Exchange:
        raise NotImplementedError

    async def fetch(self, url: str) -> Exchange:
        raise NotImplementedError

    async def close(self) -> None:
        """End the session where that is safe, within its own short budget, and close every connection."""
        try:
            await self._leave()
        finally:
            await self._client.aclose()

    async def _try(self, way: Way) -> Exchange:
        """The exchange that decides about this way in."""
        if way.era is Era.STATELESS:
            stateless = Stateless(self._recorder, self._url, self._ids, way.version)
            self._conversation = stateless
            exchange = await stateless.discover()
        elif way.transport is Transport.STREAMABLE_HTTP:
            handshake = Handshake(self._recorder, self._url, self._ids)
            self._conversation = handshake
            exchange = await handshake.initialize(way.version)
        else:
            exchange = await self._try_legacy(way)
        self._exchanges.append(exchange)
        return exchange

    async def _try_legacy(self, way: Way) -> Exchange:
        legacy = LegacySse(self._recorder, self._url, self._ids)
        self._conversation = legacy
        stream = await legacy.open()
        if not legacy.is_open:
            return stream
        self._exchanges.append(stream)
        return await legacy.initialize(way.version)

    async def _leave(self) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            await conversation.close()

    def _described(self, step: Opened, exchange: Exchange, remembered: Opener | None) -> Opening:
        result = result_of(exchange) or {}
        if step.way.era is Era.STATELESS:
            server = _mapping(_mapping(result.get("_meta")).get(META_SERVER_INFO))
        else:
            server = _mapping(result.get("serverInfo"))
        return Opening(
            exchanges=tuple(self._exchanges),
            opener=self._opener(step, remembered),
            server_name=_text(server.get("name")),
            server_version=_text(server.get("version")),
            capabilities=_capabilities(result.get("capabilities")),
            instructions=_text(result.get("instructions")),
            has_session=self._conversation is not None and self._conversation.has_session,
        )

    def _opener(self, step: Opened, remembered: Opener | None) -> Opener:
        """What to remember. A choice that held keeps its reason and its age."""
        if remembered is not None and step.confirms_memory:
            reason, chosen_at = remembered.reason, remembered.chosen_at
        else:
            reason, chosen_at = step.reason, self._recorder.clock.now()
        return Opener(
            transport=step.way.transport,
            era=step.way.era,
            protocol_version=step.version,
            reason=reason,
            chosen_at=chosen_at,
        )

    def _unsent(self, method: str, params: Mapping[str, Any]) -> Exchange:
        """The exchange for a request on a wire that is not open."""
        envelope = jsonrpc.request(method, params, self._ids.next())
        recording = self._recorder.record(
            Outgoing(method="POST", url=self._url, headers=POST_HEADERS, envelope=envelope)
        )
        recording.fail(Failure.OBSERVER, "not-open", "not sent: no conversation is open")
        return recording.finish()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else nothing()


def _capabilities(value: Any) -> Mapping[str, Any]:
    declared = _mapping(value)
    if len(json.dumps(declared)) <= _SHOWN_TEXT:
        return declared
    return {name[:100]: {} for name in islice(declared, _KEPT_CAPABILITIES)}


def _text(value: Any) -> str | None:
    return value[:_SHOWN_TEXT] if isinstance(value, str) else None
