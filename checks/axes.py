"""The five ways in which two MCP servers differ, none of which follows from another.

A server of the oldest revision may speak Streamable HTTP, one with sessions may answer in event streams here and in
JSON there: all of it was seen in deployed servers, so each is told by itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from checks.messages import result_of
from checks.model import Exchange, ProbeReport, nothing
from checks.proofs import listed
from checks.spec import JSON_TYPE, Era, Transport
from checks.timing import came_as_events

LIKE_CLIENTS: Final = ("lifecycle", "tools_list", "sentinel_call", "streaming")
"""Checks that ask what clients ask. How the others' odd questions are answered says nothing about a conversation."""


class SessionMode(StrEnum):
    """Whether the server ties requests together."""

    SESSION = "session"
    """By an id: in a header, or in the address that HTTP+SSE names."""
    NONE = "none"


class ReplyMode(StrEnum):
    """What an answer travels in; the server chooses it for every request."""

    JSON = "json"
    EVENT_STREAM = "event-stream"


_WORDS: Final[Mapping[str, str]] = {ReplyMode.JSON: "JSON", ReplyMode.EVENT_STREAM: "events"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Where one probe met its server. Without a conversation all are None, or empty."""

    era: Era | None = None
    protocol_version: str | None = None
    """The revision that was agreed on."""
    transport: Transport | None = None
    """The HTTP shape."""
    session: SessionMode | None = None
    replies: Mapping[str, tuple[ReplyMode, ...]] = field(default_factory=nothing)
    """How results came, by request method in the order of asking."""


def axes_of(report: ProbeReport) -> Axes:
    """What a report shows of its server."""
    opener = report.opening.opener
    if opener is None:
        return Axes()
    has_session = report.opening.has_session or opener.transport is Transport.SSE
    return Axes(
        era=opener.era,
        protocol_version=opener.protocol_version,
        transport=opener.transport,
        session=SessionMode.SESSION if has_session else SessionMode.NONE,
        replies=_replies(report),
    )


def replies_in_words(replies: Mapping[str, Sequence[str]]) -> str:
    """`JSON to server/discover; events to tools/list and tools/call`. A mode without a word stands as it is."""
    methods: dict[str, list[str]] = {}
    for method, modes in replies.items():
        methods.setdefault(" or ".join(_WORDS.get(mode, mode) for mode in modes), []).append(method)
    return "; ".join(f"{words} to {listed(to)}" for words, to in methods.items())


def _replies(report: ProbeReport) -> Mapping[str, tuple[ReplyMode, ...]]:
    seen: dict[str, dict[ReplyMode, None]] = {}
    for exchange in _conversation(report):
        mode = _mode(exchange)
        if exchange.rpc_method is not None and mode is not None:
            seen.setdefault(exchange.rpc_method, {})[mode] = None
    return {method: tuple(modes) for method, modes in seen.items()}


def _conversation(report: ProbeReport) -> Iterator[Exchange]:
    yield from report.opening.exchanges
    for result in report.results:
        if result.check in LIKE_CLIENTS:
            yield from result.exchanges


def _mode(exchange: Exchange) -> ReplyMode | None:
    if result_of(exchange) is None:
        return None
    if came_as_events(exchange):
        return ReplyMode.EVENT_STREAM
    return ReplyMode.JSON if exchange.media_type == JSON_TYPE else None
