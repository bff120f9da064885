"""Opens a conversation with an endpoint by whichever way it speaks, and gives it to the checks as a `Wire`."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

import httpx

from checks.messages import result_of
from checks.model import Endpoint, Exchange, Failure, Opener, Opening, nothing
from checks.spec import JSON_TYPE, META_SERVER_INFO, SESSION_DELETE_SAFE_SINCE, Era, Transport, is_at_least
from checks.text import shown_url
from checks.wire import Alteration
from prober.clock import Clock
from prober.net.client import Net
from prober.wire import jsonrpc
from prober.wire.asking import POST_HEADERS, Conversation, Ids
from prober.wire.eras import Opened, Plan, Way, next_step, opened_by
from prober.wire.exchange import Recorder
from prober.wire.legacy_sse import LegacySse
from prober.wire.origins import is_same_origin
from prober.wire.outgoing import Outgoing, Signer
from prober.wire.redact import SentHeader
from prober.wire.streamable_http import Handshake, Stateless
from prober.wire.tracing import TRACEPARENT, Trace

_SHOWN_TEXT: Final = 4096
_KEPT_CAPABILITIES: Final = 64
"""Of a declaration longer than `_SHOWN_TEXT` characters only this many names are kept: every report holds it."""

_ASKING_S: Final = 0.5
"""What a pause leaves of the probe, so that what was waited for can still be asked for, or called off."""


async def connect(
    endpoint: Endpoint,
    *,
    net: Net,
    clock: Clock,
    headers: Sequence[SentHeader],
    remembered: Opener | None,
    deadline: float,
    signer: Signer | None = None,
    trace: Trace | None = None,
) -> "HttpWire":
    """A wire to the endpoint, opened by the way that is remembered, or by the first that works.

    `deadline` ends the whole probe, on the running event loop's clock; `trace` is a new one where none is given. Never
    raises for what the network or the server does: `wire.opening` says how far it came. The caller closes the wire.
    Cancellation passes through.
    """
    net.prepare(endpoint.url, verify=endpoint.verify_tls)
    confidential = signer is not None or any(header.is_secret for header in headers)
    client = net.client(verify=endpoint.verify_tls, confidential=confidential)
    recorder = Recorder(
        client,
        clock=clock,
        limits=net.limits,
        headers=headers,
        url=endpoint.url,
        deadline=deadline,
        signer=signer,
        trace=trace,
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
        self._opening = Opening()

    @property
    def opening(self) -> Opening:
        return self._opening

    async def open(self, plan: Plan, remembered: Opener | None) -> None:
        """Try one way after another until one is open or none is left."""
        tries: list[tuple[Way, Exchange]] = []
        exchanges: list[Exchange] = []
        while isinstance(step := next_step(plan, tries), Way):
            await self._leave()
            self._conversation = self._begin(step)
            exchanges += await self._conversation.enter(step.version)
            tries.append((step, exchanges[-1]))
        if step is None or self._conversation is None:
            await self._leave()
            self._opening = Opening(exchanges=tuple(exchanges))
            return
        exchanges += await self._conversation.settle()
        opener = self._opener(step, remembered)
        self._opening = _described(tries[-1][1], opener, exchanges, has_session=self._conversation.has_session)

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
            return self._unsent(method, params or {}, "no conversation is open")
        return await self._conversation.request(method, params or {}, progress=progress, altered=altered)

    async def at_once(self, method: str, count: int) -> tuple[Exchange, ...]:
        """Send a request `count` times at once; empty where a conversation has but one connection, or none is open."""
        return () if self._conversation is None else await self._conversation.at_once(method, count)

    async def end_session(self) -> Exchange | None:
        """End the session, at most once; None where there is none, or its servers do not survive that."""
        return None if self._conversation is None else await self._conversation.end_session()

    async def open_beside(self, era: Era, version: str) -> Opening:
        """Open a second conversation over the same transport by this one way, and leave it again."""
        opener = self._opening.opener
        if opener is None or (opener.transport is Transport.SSE and era is Era.STATELESS):
            why = "no conversation is open" if opener is None else "this transport has no stateless era"
            return Opening(exchanges=(self._unsent(_opens(era), {}, why),))
        way = Way(opener.transport, era, version)
        newer = is_at_least(opener.protocol_version, SESSION_DELETE_SAFE_SINCE)
        conversation = self._begin(way, survives_delete=newer)
        try:
            exchanges = [*await conversation.enter(version)]
            step = opened_by(way, exchanges[-1])
            if step is None:
                return Opening(exchanges=tuple(exchanges))
            deciding = exchanges[-1]
            exchanges += await conversation.settle()
            return _described(deciding, self._opener(step), exchanges, has_session=conversation.has_session)
        finally:
            await conversation.close()

    async def listen(self, notifications: Mapping[str, Any]) -> Exchange:
        """Subscribe up to the acknowledgement; not sent where the conversation is not of the stateless era."""
        if isinstance(self._conversation, Stateless):
            return await self._conversation.listen(notifications)
        params = {"notifications": dict(notifications)}
        return self._unsent("subscriptions/listen", params, "no conversation of the stateless era is open")

    async def preflight(self, origin: str, method: str, headers: Sequence[str]) -> Exchange:
        """Ask as a browser would, which adds nothing. Source: Fetch standard, section 4.8 "CORS-preflight fetch"."""
        asked = [("Accept", "*/*"), ("Origin", origin), ("Access-Control-Request-Method", method)]
        if headers:
            names = sorted({name.lower() for name in headers})
            asked.append(("Access-Control-Request-Headers", ",".join(names)))
        outgoing = self._bare("OPTIONS", self._url, asked)
        return await self._recorder.exchange(replace(outgoing, without=frozenset({TRACEPARENT})))

    async def fetch(self, url: str) -> Exchange:
        """GET a document of the endpoint's own origin, without anything of the owner's."""
        if is_same_origin(url, self._url):
            return await self._recorder.exchange(self._bare("GET", url, [("Accept", JSON_TYPE)]))
        recording = self._recorder.record(self._bare("GET", shown_url(url), []))
        recording.fail(Failure.BLOCKED, "foreign-origin", "not asked for: it is not of the endpoint's origin")
        return recording.finish()

    async def pause(self, ms: float) -> bool:
        """Wait, unless less than `_ASKING_S` would then remain of the probe."""
        left = self._recorder.deadline - asyncio.get_running_loop().time() - _ASKING_S
        if ms / 1000 > left:
            return False
        await asyncio.sleep(ms / 1000)
        return True

    async def close(self) -> None:
        """End the session where that is safe, within a short time of its own, and close every connection."""
        try:
            await self._leave()
        finally:
            await self._client.aclose()

    def _begin(self, way: Way, *, survives_delete: bool = False) -> Conversation:
        """A conversation that has not said anything yet."""
        if way.transport is Transport.SSE:
            return LegacySse(self._recorder, self._url, self._ids)
        if way.era is Era.STATELESS:
            return Stateless(self._recorder, self._url, self._ids)
        return Handshake(self._recorder, self._url, self._ids, survives_delete=survives_delete)

    async def _leave(self) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            await conversation.close()

    def _opener(self, step: Opened, remembered: Opener | None = None) -> Opener:
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

    def _bare(self, method: str, url: str, headers: Sequence[tuple[str, str]]) -> Outgoing:
        """A request that is not the owner's client's."""
        return Outgoing(method=method, url=url, headers=tuple(headers), with_credentials=False, with_owned=False)

    def _unsent(self, method: str, params: Mapping[str, Any], why: str) -> Exchange:
        """The exchange for a request that the wire has no conversation for."""
        envelope = jsonrpc.request(method, params, self._ids.next())
        recording = self._recorder.record(
            Outgoing(method="POST", url=self._url, headers=POST_HEADERS, envelope=envelope)
        )
        recording.fail(Failure.OBSERVER, "not-open", f"not sent: {why}")
        return recording.finish()


def _described(deciding: Exchange, opener: Opener, exchanges: Sequence[Exchange], *, has_session: bool) -> Opening:
    """What the server says of itself in the exchange that decided about the way in."""
    result = result_of(deciding) or {}
    if opener.era is Era.STATELESS:
        server = _mapping(_mapping(result.get("_meta")).get(META_SERVER_INFO))
    else:
        server = _mapping(result.get("serverInfo"))
    return Opening(
        exchanges=tuple(exchanges),
        opener=opener,
        server_name=_text(server.get("name")),
        server_version=_text(server.get("version")),
        capabilities=_capabilities(result.get("capabilities")),
        instructions=_text(result.get("instructions")),
        has_session=has_session,
    )


def _opens(era: Era) -> str:
    return "server/discover" if era is Era.STATELESS else "initialize"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else nothing()


def _capabilities(value: Any) -> Mapping[str, Any]:
    declared = _mapping(value)
    if len(json.dumps(declared)) <= _SHOWN_TEXT:
        return declared
    return {name[:100]: {} for name in islice(declared, _KEPT_CAPABILITIES)}


def _text(value: Any) -> str | None:
    return value[:_SHOWN_TEXT] if isinstance(value, str) else None
