"""Faults of the protocol's opening, its revisions and eras."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import PLAIN, buffered, stateless_with, streaming
from prober.lab.http import Request, Response, text
from prober.lab.scenario import Front, Scenario
from prober.lab.servers import rpc
from prober.lab.servers.handshake import VERSIONS, HandshakeServer
from prober.lab.servers.library import SHELVES
from prober.lab.servers.stateless import StatelessServer

UNPUBLISHED: Final = "2025-12-24"
"""A date between two revisions, as that of a draft."""

ONE_EARLIER: Final = dict(pairwise(reversed(VERSIONS)))
"""For each revision the one before it."""
OVERSTATED: Final[Mapping[str, Any]] = {"tools": {}, "prompts": {}, "resources": {}}

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
        id="protocol-version-unechoed",
        title="Answers a handshake with the revision before the one that is offered, although it speaks that, too",
        verdict="degraded",
        diagnosis="protocol-version-mismatch",
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(lambda: bad.reread(HandshakeServer(streams=False), bad.offering(ONE_EARLIER))),
    ),
    Scenario(
        id="era-unsupported",
        title="Speaks the handshake era alone, and its owner counts on the stateless one",
        verdict="degraded",
        diagnosis="era-unsupported",
        front=Front.FUNCTION_URL_BUFFERED,
        options={**PLAIN, "era": "stateless"},
        build=buffered(lambda: HandshakeServer(streams=False)),
    ),
    Scenario(
        id="era-unsupported-handshake",
        title="Speaks the stateless era alone, and its owner counts on the handshake",
        verdict="degraded",
        diagnosis="era-unsupported",
        front=Front.FUNCTION_URL_BUFFERED,
        options={**PLAIN, "era": "handshake"},
        build=buffered(lambda: StatelessServer(streams=False)),
    ),
    Scenario(
        id="capability-untruthful",
        title="Declares prompts and resources, and knows no method of either",
        verdict="degraded",
        diagnosis="capability-untruthful",
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(lambda: StatelessServer(streams=False, declares=OVERSTATED)),
    ),
    Scenario(
        id="capability-untruthful-handshake",
        title="Declares prompts and resources in its handshake, and knows no method of either",
        verdict="degraded",
        diagnosis="capability-untruthful",
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(lambda: HandshakeServer(streams=False, declares=OVERSTATED)),
    ),
    Scenario(
        id="capability-undeclared",
        title="Serves prompts and resources that it does not declare",
        verdict="up",
        diagnosis="capability-untruthful",
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(lambda: StatelessServer(streams=False, library=SHELVES, declares={"tools": {}})),
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
