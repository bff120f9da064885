"""One address, both eras: the version header decides who answers.

Source: MCP specification 2026-07-28, basic/transports/streamable-http, "Supporting earlier revisions".
"""

from dataclasses import dataclass, field

from prober.lab.http import Request, Response
from prober.lab.servers.handshake import VERSIONS, HandshakeServer
from prober.lab.servers.stateless import StatelessServer


@dataclass(frozen=True, kw_only=True)
class DualServer:
    """A request without a version header, or with that of a handshake revision, belongs to the handshake era."""

    stateless: StatelessServer = field(default_factory=StatelessServer)
    handshake: HandshakeServer = field(default_factory=HandshakeServer)

    async def __call__(self, request: Request) -> Response:
        claimed = request.header("mcp-protocol-version")
        server = self.handshake if claimed is None or claimed in VERSIONS else self.stateless
        return await server(request)
