"""How much of a remote answer is ever read, and how long each phase may take. Sizes are bytes, times seconds.

What happens at a limit has a reason of its own in the report: `prober.net.failures` and `prober.wire.exchange` name
them for the exchange, `checks.protocol.tools_list` for the list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that hold for every exchange, beside the total deadline of the probe."""

    dns_s: float = 3.0
    connect_s: float = 3.0
    tls_s: float = 3.0
    close_s: float = 1.0
    """For cancelling what was left and ending an MCP session; 0.3 s at most once the probe's time is used up."""
    first_event_s: float = 5.0
    """For the first event of a stream that is opened only to see what it is."""
    drain_s: float = 0.05
    """How long an event stream is read on after its answer, so that its end or trailing bytes are noticed."""

    dns_answers: int = 16
    dns_threads: int = 64
    informational: int = 8
    """Interim 1xx answers before the real one."""
    headers: int = 100
    header_bytes: int = 32 * KIB
    body: int = 2 * MIB
    received: int = 4 * MIB
    """All bytes of one answer, with chunk framing and trailers."""
    buffered: int = 256 * KIB
    """Body bytes that wait for the reader before the socket is no longer read."""

    json: int = MIB
    json_depth: int = 64
    json_values: int = 200_000
    event: int = MIB
    events: int = 1000
    comments: int = 5000
    resumptions: int = 10
    """How often a broken-off event stream is taken up again for one answer."""
    pages: int = 50
    """Pages of one list."""
    items: int = 5000
    """Items of one list, over all its pages."""
    listed: int = MIB
    """What all pages of one list weigh together."""
    evidence_body: int = 64 * KIB
    """What an `Exchange` keeps of a body."""


BOUNDS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "dns_s": (0.1, 30),
        "connect_s": (0.1, 30),
        "tls_s": (0.1, 30),
        "close_s": (0.1, 10),
        "first_event_s": (0.1, 30),
        "drain_s": (0, 1),
        "dns_answers": (1, 64),
        "dns_threads": (1, 512),
        "informational": (0, 100),
        "headers": (20, 1000),
        "header_bytes": (4 * KIB, 256 * KIB),
        "body": (64 * KIB, 64 * MIB),
        "received": (64 * KIB, 128 * MIB),
        "buffered": (16 * KIB, 8 * MIB),
        "json": (64 * KIB, 32 * MIB),
        "json_depth": (16, 256),
        "json_values": (1000, 5_000_000),
        "event": (64 * KIB, 32 * MIB),
        "events": (10, 100_000),
        "comments": (10, 100_000),
        "resumptions": (0, 100),
        "pages": (1, 1000),
        "items": (10, 100_000),
        "listed": (256 * KIB, 64 * MIB),
        "evidence_body": (1 * KIB, MIB),
    }
)
"""The least and the most that a setting may make of each limit, both included. The most keeps every protection on: the
memory of one answer stays within some ten times `body`, and JSON nested `json_depth` deep stays below the depth at
which Python's parser gives up. The least keeps out what every healthy server would fail."""

SIZES: Final = frozenset({"header_bytes", "body", "received", "buffered", "json", "event", "listed", "evidence_body"})
"""The limits that count bytes. Those whose name ends in `_s` count seconds, all others count things."""

ABOUT: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "dns_s": ("a name lookup", "dns timeout"),
        "connect_s": ("a TCP connection", "connect timeout"),
        "tls_s": ("a TLS handshake", "tls timeout"),
        "close_s": ("ending a session; 0.3 s at most once the probe's time is up", ""),
        "first_event_s": ("the first event of a stream opened only to see what it is", "no-event"),
        "drain_s": ("reading on after an answer, to notice what trails it", ""),
        "dns_answers": ("addresses of one name", "too-many-addresses"),
        "dns_threads": ("name lookups at once", "resolver-starved"),
        "informational": ("interim 1xx answers", "too-many-informational"),
        "headers": ("headers of an answer", "too-many-headers"),
        "header_bytes": ("all headers of an answer", "headers-too-large"),
        "body": ("a body", "body-too-large"),
        "received": ("an answer with framing and trailers", "answer-too-large"),
        "buffered": ("body bytes that wait for the reader; then the socket is read no further", ""),
        "json": ("a JSON body", "json-too-large"),
        "json_depth": ("nesting of a JSON value", "json-too-deep"),
        "json_values": ("parts of a JSON value", "json-too-many-values"),
        "event": ("one server-sent event", "event-too-large"),
        "events": ("events of an answer", "too-many-events"),
        "comments": ("keep-alive comments of an answer", "too-many-comments"),
        "resumptions": ("times that a broken-off stream is taken up again", "stream truncated"),
        "pages": ("pages of a list", "too-many-pages"),
        "items": ("items of a list", "too-many-items"),
        "listed": ("all pages of a list together", "list-too-large"),
        "evidence_body": ("what a report keeps of a body", ""),
    }
)
"""What each limit bounds, and the reason that a report gives where it is met; empty where meeting it is no fault."""


def amount(name: str, value: float) -> str:
    """A value of this limit as people write it: seconds, KiB and MiB where they are whole ones, or a number."""
    if name.endswith("_s"):
        return f"{value:g} s"
    for unit, size in (("MiB", MIB), ("KiB", KIB)):
        if name in SIZES and value % size == 0 and value >= size:
            return f"{value // size:g} {unit}"
    return f"{value:,.0f}"
