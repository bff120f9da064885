"""Clients that nobody here wrote judge the healthy lab: a lab that misreads the specification proves nothing."""

import pytest

from prober.lab import SCENARIOS, Lab, chosen
from tests.interop.conftest import PythonOf, Use

STREAMS = [1.0, 2.0, 3.0]
BY_MCP_1 = {
    "handshake-sse": ("2025-11-25", STREAMS),
    "handshake-json": ("2025-06-18", []),
    "handshake-2025-03-26": ("2025-03-26", []),
    "dual": ("2025-11-25", STREAMS),
    "legacy-sse": ("2024-11-05", STREAMS),
    "handshake-everything": ("2025-11-25", STREAMS),
    "handshake-polling": ("2025-11-25", STREAMS),
    "browser-clients-handshake": ("2025-11-25", STREAMS),
}
BY_MCP_2 = {
    "stateless-streaming": ("2026-07-28", STREAMS),
    "stateless-json": ("2026-07-28", []),
    "handshake-sse": ("2025-11-25", STREAMS),
    "handshake-json": ("2025-06-18", []),
    "handshake-2025-03-26": ("2025-03-26", []),
    "dual": ("2026-07-28", STREAMS),
    "slow-but-steady": ("2026-07-28", STREAMS),
    "stateless-everything": ("2026-07-28", STREAMS),
    "handshake-everything": ("2025-11-25", STREAMS),
    "handshake-polling": ("2025-11-25", STREAMS),
    "browser-clients": ("2026-07-28", STREAMS),
    "browser-clients-function-url": ("2026-07-28", []),
    "canary": ("2026-07-28", STREAMS),
    "cloudfront-handshake": ("2025-11-25", STREAMS),
    "cloudfront-rest-api": ("2026-07-28", []),
    "cloudfront-signing": ("2026-07-28", []),
    "cloudfront-streaming": ("2026-07-28", STREAMS),
    "handshake-one-session": ("2025-11-25", []),
    "http-api": ("2026-07-28", []),
    "http-api-handshake": ("2025-11-25", []),
    "load-balancer": ("2026-07-28", []),
    "load-balancer-handshake": ("2025-11-25", []),
    "provisioned": ("2025-11-25", STREAMS),
    "rest-api": ("2026-07-28", []),
    "rest-api-handshake": ("2025-11-25", []),
    "rest-api-streaming": ("2026-07-28", STREAMS),
    "rest-api-streaming-handshake": ("2025-11-25", STREAMS),
    "rest-api-streaming-json": ("2026-07-28", []),
    "slow-as-ever": ("2026-07-28", STREAMS),
    "stateless-as-accepted": ("2026-07-28", STREAMS),
    "web-adapter": ("2026-07-28", STREAMS),
    "web-adapter-base-path": ("2025-11-25", []),
    "web-adapter-compressing": ("2026-07-28", []),
    "web-adapter-handshake": ("2025-11-25", STREAMS),
    "web-function": ("2026-07-28", STREAMS),
    "web-function-handshake": ("2025-11-25", STREAMS),
    "web-function-json": ("2026-07-28", []),
}
CREDENTIALS = {"bearer", "oauth", "sigv4"}


def seen_by_a_healthy_client(scenario: str, version: str, steps: list[float]) -> dict[str, object]:
    tools = ["add", "slow_count", "whoami", *(["greet"] if scenario.endswith("-everything") else [])]
    return {"version": version, "tools": tools, "sum": {"sum": 5}, "steps": steps}


@pytest.mark.parametrize("scenario", BY_MCP_1)
async def test_the_mcp_1_client_works_with_the_labs_handshake_servers(
    python_of: PythonOf, use: Use, scenario: str
) -> None:
    transport = "sse" if scenario == "legacy-sse" else "streamable-http"
    async with Lab(chosen([scenario])) as lab:
        seen = await use(python_of("mcp-1"), "mcp_1_client.py", transport, lab.url(scenario))
    assert seen == seen_by_a_healthy_client(scenario, *BY_MCP_1[scenario])


@pytest.mark.parametrize("scenario", BY_MCP_2)
async def test_the_mcp_2_client_works_with_the_labs_servers_of_both_eras(
    python_of: PythonOf, use: Use, scenario: str
) -> None:
    async with Lab(chosen([scenario])) as lab:
        seen = await use(python_of("mcp-2"), "mcp_2_client.py", lab.url(scenario))
    assert seen == seen_by_a_healthy_client(scenario, *BY_MCP_2[scenario])


def test_no_healthy_scenario_is_left_out_that_asks_for_no_credentials() -> None:
    asked = {each.id for each in SCENARIOS if each.healthy and not CREDENTIALS & each.options.keys()}
    assert asked == BY_MCP_1.keys() | BY_MCP_2.keys()
