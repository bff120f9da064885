"""Servers that nobody here wrote: every one is up, with its era, revision and transport, and nothing to complain of."""

import json
from typing import Any

ADD = ("--sentinel", "add", "--args", json.dumps({"a": 2, "b": 3}))


def assert_healthy(report: dict[str, Any], *, era: str, version: str, transport: str) -> None:
    complaints = [each for each in report["diagnoses"] if each.get("effect") != "information"]
    assert complaints == []
    assert report["verdict"] == "up"
    assert (report["era"], report["protocol_version"], report["transport"]) == (era, version, transport)
    outcomes = {each["id"]: each["outcome"] for each in report["checks"]}
    assert outcomes["tools_list"] == "pass"
    assert outcomes["sentinel_call"] == "pass"


async def test_mcp_1_with_sessions_is_up_by_handshake(python_of, start_script, check) -> None:
    port = await start_script(python_of("mcp-1"), "mcp_1_server.py", "stateful")
    report = await check(f"http://127.0.0.1:{port}/mcp", *ADD)
    assert_healthy(report, era="handshake", version="2025-11-25", transport="streamable-http")


async def test_mcp_1_without_sessions_and_with_json_replies_is_up_by_handshake(python_of, start_script, check) -> None:
    port = await start_script(python_of("mcp-1"), "mcp_1_server.py", "stateless")
    report = await check(f"http://127.0.0.1:{port}/mcp", *ADD)
    assert_healthy(report, era="handshake", version="2025-11-25", transport="streamable-http")


async def test_mcp_1_over_legacy_sse_is_up(python_of, start_script, check) -> None:
    port = await start_script(python_of("mcp-1"), "mcp_1_server.py", "sse")
    report = await check(f"http://127.0.0.1:{port}/sse", *ADD)
    assert_healthy(report, era="handshake", version="2025-11-25", transport="sse")


async def test_mcp_2_is_up_without_a_handshake(python_of, start_script, check) -> None:
    port = await start_script(python_of("mcp-2"), "mcp_2_server.py")
    report = await check(f"http://127.0.0.1:{port}/mcp", *ADD)
    assert_healthy(report, era="stateless", version="2026-07-28", transport="streamable-http")


async def test_awslabs_handler_on_the_real_runtime_client_is_up_behind_the_labs_function_url(
    python_of, start_handler, check
) -> None:
    port = await start_handler(python_of("awslabs"), "awslabs_handler.handler")
    report = await check(f"http://127.0.0.1:{port}/mcp", *ADD)
    assert_healthy(report, era="handshake", version="2024-11-05", transport="streamable-http")
