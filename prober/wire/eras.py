"""Which way into an endpoint to try next, given what came of the ways tried so far. Pure.

The order is the one with the fewest requests: the remembered way, then `server/discover`, then `initialize`, then the
event stream of 2024-11-05. Only an answer says something about the era; a refusal at the door, a server error or
silence does not, so that trying on would only blame the wrong thing (specification 2026-07-28, basic/versioning and
basic/transports/streamable-http, "Backward Compatibility"). With one exception: a function that fails at
`server/discover` may serve all who never ask for it, and is asked to `initialize`; what that does not open stays shut.
An era that the owner has pinned comes first; the other one is tried where the server refuses that era, so that a report
can say what it speaks instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from checks.messages import RpcError, answer_of, error_of, result_of, revision_of
from checks.model import Endpoint, Exchange, Failure, Opener
from checks.spec import (
    META_CLIENT_CAPABILITIES,
    META_VERSION,
    NEWEST_HANDSHAKE,
    NEWEST_STATELESS,
    Era,
    ErrorCode,
    Transport,
    era_of,
    pinned_era,
)

CHOOSE_AGAIN_AFTER: Final = timedelta(days=1)
"""A remembered handshake never fails by itself when the server learns the stateless era: servers of both eras still
answer it. So the choice is made anew once a day."""

_AT_THE_DOOR: Final = frozenset({401, 403, 408, 421, 429})
_FAILED: Final = frozenset({500, 501, 502})
"""What a front door or a framework says for a handler that raised; 503 and 504 are of those who waited in vain."""
_NO_STREAMABLE_HTTP: Final = frozenset({400, 404, 405})
"""Statuses after which the specification has clients look for the older transport (2025-11-25, basic/transports)."""

_ORDER: Final = (
    (Transport.STREAMABLE_HTTP, Era.STATELESS),
    (Transport.STREAMABLE_HTTP, Era.HANDSHAKE),
    (Transport.SSE, Era.HANDSHAKE),
)
_STATELESS_TRIES: Final = 2
_STATELESS_CODES: Final = frozenset(
    {ErrorCode.HEADER_MISMATCH, ErrorCode.MISSING_CLIENT_CAPABILITY, ErrorCode.UNSUPPORTED_PROTOCOL_VERSION}
)
_STATELESS_WORDS: Final = (NEWEST_STATELESS, META_VERSION, META_CLIENT_CAPABILITIES)
"""The official SDKs for Python and TypeScript name one of these where they miss `_meta`."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way in: a transport, an era, and the revision that is offered."""

    transport: Transport
    era: Era
    version: str

    @property
    def kind(self) -> tuple[Transport, Era]:
        return self.transport, self.era


@dataclass(frozen=True, slots=True)
class Opened:
    """A way that worked: the revision to speak, and in words why it was chosen."""

    way: Way
    version: str
    reason: str
    confirms_memory: bool
    """The remembered way worked at once."""


Tries = Sequence[tuple[Way, Exchange]]
"""Ways tried so far, each with the exchange that decided about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the owner has pinned, and what an earlier probe remembers."""

    transport: Transport | None = None
    era: Era | None = None
    version: str | None = None
    remembered: Way | None = None

    @classmethod
    def of(cls, endpoint: Endpoint, remembered: Opener | None, now: datetime) -> "Plan":
        """The plan for a probe at `now`. A memory that contradicts the pins, or is too old, is left out."""
        transport, version = endpoint.transport, endpoint.protocol_version
        era = Era.HANDSHAKE if transport is Transport.SSE else pinned_era(endpoint.era, version)
        plan = cls(transport=transport, era=era, version=version)
        if remembered is None or not plan.allows(remembered.transport) or era not in (None, remembered.era):
            return plan
        if remembered.era is Era.HANDSHAKE and abs(now - remembered.chosen_at) >= CHOOSE_AGAIN_AFTER:
            return plan
        way = Way(remembered.transport, remembered.era, plan.offer(remembered.era, remembered.protocol_version))
        return cls(transport=transport, era=era, version=version, remembered=way)

    def allows(self, transport: Transport) -> bool:
        return self.transport in (None, transport)

    def offer(self, era: Era, remembered: str | None = None) -> str:
        """The revision to offer: the pinned one, else the newest of the era that we know and the server may know."""
        if self.version is not None and pinned_era(None, self.version) is era:
            return self.version
        if era is Era.HANDSHAKE:
            return NEWEST_HANDSHAKE
        return remembered if remembered is not None and era_of(remembered) is Era.STATELESS else NEWEST_STATELESS


def next_step(plan: Plan, tries: Tries) -> Way | Opened | None:
    """The next way to try, the way that is open, or None when there is nothing more to try."""
    if not tries:
        return plan.remembered or _untried(plan, tries)
    way, exchange = tries[-1]
    version = _opened_version(way, exchange)
    if version is not None:
        confirmed = plan.remembered is not None and len(tries) == 1
        return Opened(way, version, _reason(plan, tries, version), confirmed)
    if _failed_at_discover(plan, tries):
        return Way(Transport.STREAMABLE_HTTP, Era.HANDSHAKE, plan.offer(Era.HANDSHAKE)) if len(tries) == 1 else None
    if _says_nothing_about_era(way, exchange) or _was_altered(tries):
        return None
    return _offered_instead(plan, tries) or _untried(plan, tries)


def opened_by(way: Way, exchange: Exchange) -> Opened | None:
    """What came of a way that was tried by itself, or None where it is not open."""
    version = _opened_version(way, exchange)
    return Opened(way, version, _reason(Plan(), [(way, exchange)], version), False) if version is not None else None


def _untried(plan: Plan, tries: Tries) -> Way | None:
    tried = {way.kind for way, _ in tries}
    pinned_first = sorted(_ORDER, key=lambda kind: plan.era not in (None, kind[1]))
    for transport, era in pinned_first:
        if (transport, era) in tried or not plan.allows(transport):
            continue
        if transport is Transport.SSE and plan.transport is None and not _may_be_older_transport(tries):
            continue
        if era is Era.STATELESS and plan.era is Era.HANDSHAKE and not _refuses_handshake(tries):
            continue
        return Way(transport, era, plan.offer(era))
    return None


def _offered_instead(plan: Plan, tries: Tries) -> Way | None:
    """The stateless way with a revision that the server's refusal names; at most one more try."""
    error = error_of(tries[-1][1])
    stateless = [way for way, _ in tries if way.era is Era.STATELESS]
    if error is None or error.code != ErrorCode.UNSUPPORTED_PROTOCOL_VERSION or len(stateless) >= _STATELESS_TRIES:
        return None
    if not plan.allows(Transport.STREAMABLE_HTTP):
        return None
    named = [version for version in _supported_by(error) if era_of(version) is Era.STATELESS]
    return Way(Transport.STREAMABLE_HTTP, Era.STATELESS, max(named)) if named else None


def _opened_version(way: Way, exchange: Exchange) -> str | None:
    """The revision to speak where the way is open."""
    if way.era is Era.HANDSHAKE:
        return revision_of(exchange)
    supported = (result_of(exchange) or {}).get("supportedVersions")
    return way.version if isinstance(supported, list) and way.version in supported else None


def _says_nothing_about_era(way: Way, exchange: Exchange) -> bool:
    status = exchange.status or 0
    if status in _AT_THE_DOOR or 300 <= status < 400:
        return True
    if answer_of(exchange) is not None:
        return False
    failed = exchange.transport_error
    if failed is not None:
        return way.transport is not Transport.SSE or failed.failure is not Failure.PROTOCOL
    return status >= 500


def _failed_at_discover(plan: Plan, tries: Tries) -> bool:
    """Whether the first that was tried is `server/discover`, which nobody knows the server to know, and it failed."""
    way, exchange = tries[0]
    failed = exchange.status in _FAILED and answer_of(exchange) is None and exchange.transport_error is None
    return failed and way.era is Era.STATELESS and plan.era is not Era.STATELESS and plan.remembered is None


def _was_altered(tries: Tries) -> bool:
    """Whether the server misses what we did send: something on the way has taken it out, and era has no part in it.

    A server of the handshake era may dislike `_meta` as well, so only one counts that has shown to know the other era.
    """
    exchange = tries[-1][1]
    error = error_of(exchange)
    if error is None or exchange.rpc_method != "server/discover":
        return False
    if error.code == ErrorCode.HEADER_MISMATCH:
        return True
    names_meta = error.code == ErrorCode.INVALID_PARAMS and "_meta" in _said(error)
    return names_meta and any(_knows_stateless_era(tried) for _, tried in tries)


def _knows_stateless_era(exchange: Exchange) -> bool:
    """Whether an error has a code of that era, or names its revision or what it wants in every request's `_meta`."""
    error = error_of(exchange)
    if error is None:
        return False
    said = _said(error)
    return error.code in _STATELESS_CODES or any(each in said for each in _STATELESS_WORDS)


def _said(error: RpcError) -> str:
    return f"{error.message} {error.data}"


def _may_be_older_transport(tries: Tries) -> bool:
    return any(
        way.kind == (Transport.STREAMABLE_HTTP, Era.HANDSHAKE)
        and exchange.status in _NO_STREAMABLE_HTTP
        and answer_of(exchange) is None
        for way, exchange in tries
    )


def _refuses_handshake(tries: Tries) -> bool:
    """Whether JSON-RPC itself refuses `initialize`. Less does not lead from a pinned handshake to `server/discover`,
    because owners pin it for servers that do not survive that."""
    refusals = (error_of(exchange) for way, exchange in tries if way.era is Era.HANDSHAKE)
    return any(error is not None and error.code != ErrorCode.INTERNAL_ERROR for error in refusals)


def _supported_by(error: RpcError) -> list[str]:
    data: Any = error.data
    supported = data.get("supported") if isinstance(data, dict) else None
    return [version for version in supported if isinstance(version, str)] if isinstance(supported, list) else []


def _reason(plan: Plan, tries: Tries, version: str) -> str:
    way = tries[-1][0]
    how = {
        (Transport.STREAMABLE_HTTP, Era.STATELESS): f"server/discover names {version}",
        (Transport.STREAMABLE_HTTP, Era.HANDSHAKE): f"initialize negotiated {version}",
        (Transport.SSE, Era.HANDSHAKE): f"the event stream named its endpoint and initialize negotiated {version}",
    }[way.kind]
    before = [f"{_asked(tried)} was answered with {_answered(exchange)}" for tried, exchange in tries[:-1]]
    pinned = ["as pinned in the endpoint's settings"] if plan.transport or plan.era else []
    if plan.era not in (None, way.era):
        pinned = [f"the endpoint's settings pin the {plan.era} era"]
    return "; ".join([how, *before, *pinned])


def _asked(way: Way) -> str:
    if way.transport is Transport.SSE:
        return "the event stream"
    return "server/discover" if way.era is Era.STATELESS else "initialize"


def _answered(exchange: Exchange) -> str:
    error = error_of(exchange)
    if error is not None:
        return f"JSON-RPC error {error.code} on HTTP {exchange.status}"
    if result_of(exchange) is not None:
        return "a result that does not name the revision offered"
    return f"HTTP {exchange.status} and no JSON-RPC"
