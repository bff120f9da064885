"""The port to an MCP server. `prober.wire` implements it over HTTP, tests by a script of answers."""

from collections.abc import Mapping
from typing import Any, Protocol

from checks.model import Exchange, Opening


class Wire(Protocol):
    """An open conversation with one endpoint, or the attempt at one.

    No method raises for what the network or the server does: a failure is part of the `Exchange`.
    """

    @property
    def opening(self) -> Opening:
        """How the conversation was opened. Where nothing worked, `opening.established` is False."""
        ...

    async def request(
        self, method: str, params: Mapping[str, Any] | None = None, *, progress: bool = False
    ) -> Exchange:
        """Send one JSON-RPC request and wait for its answer, the end of the stream or the deadline.

        `progress` asks the server for progress notifications by a token.
        """
        ...
