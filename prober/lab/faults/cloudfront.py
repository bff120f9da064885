"""Servers behind a CloudFront distribution, healthy and not."""

from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import PLAIN, STREAMING, TOKEN, behind, json_only, stateless_with, streaming
from prober.lab.front_doors.cloudfront import READING, CloudFront
from prober.lab.front_doors.oauth import Protected
from prober.lab.front_doors.rest_api import RestApi
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer

CLOUDFRONT_HEALTHY: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="cloudfront-streaming",
        title="CloudFront before a Function URL that streams",
        verdict="up",
        front=Front.CLOUDFRONT,
        options=STREAMING,
        build=lambda: CloudFront(origin=streaming(StatelessServer)()),
    ),
    Scenario(
        id="cloudfront-handshake",
        title="CloudFront before a Function URL that streams, handshake era",
        verdict="up",
        front=Front.CLOUDFRONT,
        options=PLAIN,
        build=lambda: CloudFront(origin=streaming(HandshakeServer)()),
    ),
    Scenario(
        id="cloudfront-rest-api",
        title="CloudFront before a REST API, as an edge-optimised one has it",
        verdict="up",
        front=Front.CLOUDFRONT,
        options=PLAIN,
        build=lambda: CloudFront(origin=behind(RestApi, json_only)()),
    ),
    Scenario(
        id="cloudfront-signing",
        title="CloudFront signs for a Function URL, and a function at the edge hashes the bodies",
        verdict="up",
        front=Front.CLOUDFRONT,
        options=PLAIN,
        build=lambda: CloudFront(origin=streaming(json_only)(), signs=True, hashes=True),
    ),
)

CLOUDFRONT_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="cloudfront-timeout",
        title="The origin takes longer for its first byte than CloudFront waits",
        verdict="down",
        diagnosis="gateway-timeout",
        front=Front.CLOUDFRONT,
        build=lambda: CloudFront(origin=streaming(lambda: bad.never)(), limit_s=0.7),
    ),
    Scenario(
        id="cloudfront-gap",
        title="CloudFront ends a stream that is silent for too long",
        verdict="degraded",
        diagnosis="stream-truncated",
        front=Front.CLOUDFRONT,
        options=STREAMING,
        build=lambda: CloudFront(origin=streaming(stateless_with(tools__call=bad.hushed_stream))(), limit_s=0.5),
    ),
    Scenario(
        id="cloudfront-blocked",
        title="A web application firewall at the edge turns the prober away",
        verdict="down",
        diagnosis="blocked-by-waf",
        front=Front.CLOUDFRONT,
        build=lambda: CloudFront(origin=streaming(StatelessServer)(), blocked=True),
    ),
    Scenario(
        id="cloudfront-method-missing",
        title="The distribution allows GET and HEAD only",
        verdict="down",
        diagnosis="route-missing",
        front=Front.CLOUDFRONT,
        build=lambda: CloudFront(origin=streaming(StatelessServer)(), methods=READING),
    ),
    Scenario(
        id="cloudfront-origin-lost",
        title="CloudFront cannot connect to its origin",
        verdict="down",
        diagnosis="function-crash",
        front=Front.CLOUDFRONT,
        build=lambda: CloudFront(origin=None),
    ),
    Scenario(
        id="cloudfront-edge-function",
        title="The function at the edge does not run",
        verdict="down",
        diagnosis="function-crash",
        front=Front.CLOUDFRONT,
        build=lambda: CloudFront(origin=streaming(StatelessServer)(), edge_fails=True),
    ),
    Scenario(
        id="cloudfront-token-overwritten",
        title="CloudFront puts its signature in the place of the client's token",
        verdict="down",
        diagnosis="auth-rejected",
        front=Front.CLOUDFRONT,
        options=TOKEN,
        build=lambda: CloudFront(origin=streaming(lambda: Protected(app=StatelessServer()))(), signs=True, hashes=True),
    ),
)
