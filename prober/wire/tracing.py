"""The trace that all requests of a probe belong to, so that the probe can be found in what its server records.

Source: W3C Trace Context, "Traceparent Header".
"""

import secrets
from typing import Final

TRACEPARENT: Final = "traceparent"
"""Name of the header, and of the member of `_meta` (MCP specification 2026-07-28, basic/index, "_meta")."""


class Trace:
    """One probe as a trace. Each of its requests is a span of its own, and is marked as sampled."""

    def __init__(self, trace_id: str | None = None) -> None:
        """`trace_id` has 32 hexadecimal digits, not all zero; None: one is drawn."""
        self.id: Final = trace_id or secrets.token_hex(16)

    def parent(self) -> str:
        """The value of `traceparent` for one more request."""
        return f"00-{self.id}-{secrets.token_hex(8)}-01"
