"""Faults of the protocol's opening, its revisions and eras."""

from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import PLAIN, buffered, stateless_with, streaming
from prober.lab.front_doors.oauth import Protected
from prober.lab.http import Request, Response, text
from prober.lab.scenario import Front, Scenario
from prober.lab.servers import rpc
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer

UNPUBLISHED: Final = "2025-12-24"
"""A date between two revisions, as that of a draft."""

PROTOCOL_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="not-mcp",
        title="A static web site, not an MCP server",
        verdict="down",
        diagnosis="not-mcp",
        front=Front.HTTP,
        build=lambda: _static_site,
    ),
    Scenario(
        id="handshake-rejected",
        title="initialize is answered with an error",
        verdict="down",
        diagnosis="handshake-rejected",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(
            lambda: bad.intercept(
                HandshakeServer(streams=False),
                {"initialize": bad.rpc_error(rpc.INTERNAL_ERROR, "Configuration could not be loaded")},
            )
        ),
    ),
    Scenario(
        id="handshake-rejected-stateless",
        title="server/discover is answered with an error by a server of the stateless era",
        verdict="down",
        diagnosis="handshake-rejected",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(
            stateless_with(server__discover=bad.rpc_error(rpc.INTERNAL_ERROR, "Configuration could not be loaded"))
        ),
    ),
    Scenario(
        id="protocol-version-mismatch",
        title="Negotiates an older revision than the one that is pinned",
        verdict="degraded",
        diagnosis="protocol-version-mismatch",
        front=Front.FUNCTION_URL_STREAMING,
        options={**PLAIN, "protocol_version": "2025-11-25"},
        build=streaming(lambda: HandshakeServer(newest="2025-06-18")),
    ),
    Scenario(
        id="protocol-version-unpublished",
        title="Negotiates a revision that nobody has published",
        verdict="degraded",
        diagnosis="protocol-version-mismatch",
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        build=streaming(lambda: HandshakeServer(newest=UNPUBLISHED, oldest=UNPUBLISHED)),
    ),
    Scenario(
        id="malformed-response",
        title="Every JSON body is cut in half",
        verdict="down",
        diagnosis="malformed-response",
        front=Front.FUNCTION_URL_BUFFERED,
        build=buffered(lambda: bad.truncated(StatelessServer(streams=False))),
    ),
    Scenario(
        id="auth-required",
        title="Asks for a bearer token, and none is configured",
        verdict="down",
        diagnosis="auth-required",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(lambda: Protected(app=StatelessServer())),
    ),
    Scenario(
        id="auth-rejected",
        title="Refuses the token that is configured",
        verdict="down",
        diagnosis="auth-rejected",
        front=Front.FUNCTION_URL_STREAMING,
        options={"headers": {"Authorization": "Bearer expired-lab-token"}},
        build=streaming(lambda: Protected(app=StatelessServer())),
    ),
    Scenario(
        id="redirected",
        title="Redirects to the same path with a slash",
        verdict="degraded",
        diagnosis="redirected",
        front=Front.HTTP,
        build=lambda: bad.redirects(StatelessServer(), from_path="/mcp", to_path="/mcp/"),
    ),
)


async def _static_site(request: Request) -> Response:
    """As a web server for files answers: a page for GET, a refusal for everything else."""
    server = ("Server", "nginx")
    if request.method in ("GET", "HEAD"):
        page = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"
        return Response(headers=(("Content-Type", "text/html"), server), body=page)
    return text(405, "405 Not Allowed\n", server, ("Allow", "GET, HEAD"))
