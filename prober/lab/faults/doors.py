"""Faults of what stands before the function."""

from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import behind, buffered, json_only, streaming
from prober.lab.front_doors import refusals
from prober.lab.front_doors.cloudfront import CloudFront
from prober.lab.front_doors.rest_api import RestApi
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.stateless import StatelessServer

DOOR_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="signature-rejected",
        title="CloudFront signs for a Function URL, but cannot sign a POST",
        verdict="down",
        diagnosis="signature-rejected",
        front=Front.CLOUDFRONT,
        build=lambda: CloudFront(origin=streaming(StatelessServer)(), signs=True),
    ),
    Scenario(
        id="route-missing",
        title="The REST API has no such resource",
        verdict="down",
        diagnosis="route-missing",
        front=Front.REST_API,
        build=behind(RestApi, json_only, resource="/orders/mcp"),
    ),
    Scenario(
        id="route-missing-application",
        title="The stage's name reaches the application, which knows no such path",
        verdict="down",
        diagnosis="route-missing",
        front=Front.FUNCTION_URL_BUFFERED,
        build=buffered(lambda: bad.mounted(StatelessServer(), "/mcp")),
        path="/prod/mcp",
    ),
    Scenario(
        id="gateway-timeout",
        title="The function takes longer than the gateway waits",
        verdict="down",
        diagnosis="gateway-timeout",
        front=Front.REST_API,
        build=behind(RestApi, lambda: bad.never, limit_s=1.0),
    ),
    Scenario(
        id="blocked-by-waf",
        title="A web application firewall turns the prober away",
        verdict="down",
        diagnosis="blocked-by-waf",
        front=Front.REST_API,
        build=behind(RestApi, json_only, refusal=refusals.FIREWALL),
    ),
    Scenario(
        id="host-rejected",
        title="The server's list of hosts does not hold the name that it is called by",
        verdict="down",
        diagnosis="host-rejected",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(lambda: bad.only_for_host(StatelessServer(), "orders.example.com")),
    ),
    Scenario(
        id="accept-rejected",
        title="An edge replaces the Accept header",
        verdict="down",
        diagnosis="accept-rejected",
        front=Front.CLOUDFRONT,
        build=lambda: CloudFront(origin=bad.altered(StatelessServer(), {"accept": "application/json"})),
    ),
    Scenario(
        id="headers-stripped",
        title="An edge removes the protocol's own headers",
        verdict="down",
        diagnosis="headers-stripped",
        front=Front.CLOUDFRONT,
        build=lambda: CloudFront(
            origin=bad.altered(StatelessServer(), {"mcp-method": None, "mcp-protocol-version": None})
        ),
    ),
)
