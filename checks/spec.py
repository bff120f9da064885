"""Facts of the Model Context Protocol: revisions, eras, header names, error codes, links into the specification."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Era(StrEnum):
    """How a client opens a conversation: revisions up to 2025-11-25 shake hands, later ones need no opening.

    Source: specification 2026-07-28, basic/versioning, "Terminology".
    """

    HANDSHAKE = "handshake"
    STATELESS = "stateless"


class Transport(StrEnum):
    """The HTTP shape of a conversation. It says nothing about the era or the revision."""

    STREAMABLE_HTTP = "streamable-http"
    SSE = "sse"


REVISIONS: Final[dict[str, Era]] = {
    "2024-11-05": Era.HANDSHAKE,
    "2025-03-26": Era.HANDSHAKE,
    "2025-06-18": Era.HANDSHAKE,
    "2025-11-25": Era.HANDSHAKE,
    "2026-07-28": Era.STATELESS,
}
"""Every published revision, oldest first, with the era that it belongs to."""

NEWEST_HANDSHAKE: Final = "2025-11-25"
NEWEST_STATELESS: Final = "2026-07-28"

VERSION_HEADER_SINCE: Final = "2025-06-18"
"""First revision whose clients send `MCP-Protocol-Version` after the handshake (basic/transports)."""

SESSION_DELETE_SAFE_SINCE: Final = "2025-06-18"
"""Servers that negotiate an older revision include releases which a DELETE takes down as a whole."""

HEADER_VERSION: Final = "MCP-Protocol-Version"
HEADER_SESSION: Final = "Mcp-Session-Id"
HEADER_METHOD: Final = "Mcp-Method"
HEADER_NAME: Final = "Mcp-Name"

META_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
META_CLIENT_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
META_CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
META_SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"

JSON_TYPE: Final = "application/json"
EVENT_STREAM_TYPE: Final = "text/event-stream"


class ErrorCode:
    """JSON-RPC error codes that MCP gives a meaning of its own."""

    PARSE_ERROR: Final = -32700
    INVALID_REQUEST: Final = -32600
    METHOD_NOT_FOUND: Final = -32601
    INVALID_PARAMS: Final = -32602
    INTERNAL_ERROR: Final = -32603
    HEADER_MISMATCH: Final = -32020
    MISSING_CLIENT_CAPABILITY: Final = -32021
    UNSUPPORTED_PROTOCOL_VERSION: Final = -32022


def era_of(revision: str) -> Era | None:
    """The era of a published revision, or None for a string that names no revision."""
    return REVISIONS.get(revision)


def pinned_era(era: Era | None, revision: str | None) -> Era | None:
    """The era that is pinned by itself or by a revision; an unpublished one belongs to that of its neighbours."""
    if era is not None or revision is None:
        return era
    return era_of(revision) or (Era.HANDSHAKE if revision < NEWEST_STATELESS else Era.STATELESS)


def is_at_least(revision: str | None, floor: str) -> bool:
    """Whether a negotiated revision is `floor` or later; revisions are ISO dates, so they sort as text."""
    return revision is not None and revision >= floor


def section(revision: str, page: str, anchor: str = "") -> str:
    """Link to a page of the specification, for example `section("2025-11-25", "basic/transports")`."""
    fragment = f"#{anchor}" if anchor else ""
    return f"https://modelcontextprotocol.io/specification/{revision}/{page}{fragment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """Where the revisions `since` … `until` say what a check asks for, or the page of another standard."""

    page: str
    """Of the specification, as in `section`; or a whole address."""
    anchor: str = ""
    since: str = "2024-11-05"
    until: str = NEWEST_STATELESS

    def link(self, revision: str) -> str:
        """The page in that revision, or in the nearest one that has it."""
        if self.page.startswith("https://"):
            return self.page
        return section(min(max(revision, self.since), self.until), self.page, self.anchor)


def chapter_link(chapters: Sequence[Chapter], revision: str | None) -> str | None:
    """Where to read what a check asks for, in the words of the negotiated revision. None: no page says it."""
    spoken = revision if revision in REVISIONS else NEWEST_STATELESS
    assert spoken is not None
    fitting = (each for each in chapters if each.since <= spoken <= each.until)
    chosen = next(fitting, chapters[0] if chapters else None)
    return None if chosen is None else chosen.link(spoken)
