"""One address, both eras: a request that carries the metadata of the stateless era, or its header, belongs to it.

Source: MCP specification 2026-07-28, basic/transports/streamable-http, "Earlier Streamable HTTP Revisions".
"""

import json
from dataclasses import dataclass, field

from prober.lab.http import Request, Response
from prober.lab.servers.handshake import VERSIONS, HandshakeServer
from prober.lab.servers.mirror import META
from prober.lab.servers.stateless import StatelessServer


@dataclass(frozen=True, kw_only=True)
class DualServer:
    """A request without either, or with the version header of a handshake revision, belongs to the handshake era."""

    stateless: StatelessServer = field(default_factory=StatelessServer)
    handshake: HandshakeServer = field(default_factory=HandshakeServer)

    async def __call__(self, request: Request) -> Response:
        claimed = request.header("mcp-protocol-version")
        is_legacy = (claimed is None or claimed in VERSIONS) and not _has_metadata(request)
        return await (self.handshake if is_legacy else self.stateless)(request)


def _has_metadata(request: Request) -> bool:
    """Whether the body says which revision it speaks."""
    try:
        value = json.loads(request.body)
        return f"{META}protocolVersion" in value["params"]["_meta"]
    except (ValueError, TypeError, LookupError):
        return False
