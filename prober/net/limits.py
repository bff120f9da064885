"""How much of a remote answer is ever read, and how long each phase may take. Sizes are bytes, times seconds."""

from dataclasses import dataclass
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
    """For ending an MCP session after the probe, whatever is left of its deadline."""
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
    evidence_body: int = 64 * KIB
    """What an `Exchange` keeps of a body."""
