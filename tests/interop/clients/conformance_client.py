"""`mcp-prober check` as the client of a conformance scenario: the suite appends the address of its server.

What a scenario wants called becomes a sentinel. The exit code says whether a report was made, whatever its verdict: the
suite's servers are made to provoke a client, not to be well.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from checks.messages import result_of, tools_of
from checks.model import Endpoint
from prober.clock import SystemClock
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.wire.connect import connect

CALLS: Mapping[str, Mapping[str, Any]] = {
    "tools_call": {"add_numbers": {"a": 5, "b": 3}},
    "sse-retry": {"test_reconnection": {}},
    "http-standard-headers": {"test_headers": {}},
    "http-invalid-tool-headers": {
        "valid_tool": {"region": "eu"},
        # Named as sentinels although their definitions are invalid: the prober must not call them all the same.
        "invalid_empty_header": {"value": "x"},
        "invalid_array_header": {"items": []},
        "invalid_duplicate_diff_case": {"a": "x", "b": "y"},
        "invalid_space_in_name": {"value": "x"},
    },
}
"""Tools that scenarios wait to see called, with arguments."""

WITH_THE_WIRE_ALONE = "json-schema-2020-12-preservation"
"""Wants a schema sent back that the tool list gave, which no check does."""


def main() -> int:
    scenario, url = os.environ["MCP_CONFORMANCE_SCENARIO"], sys.argv[-1]
    if scenario == WITH_THE_WIRE_ALONE:
        return asyncio.run(echo_schema(url))
    calls = list(CALLS.get(scenario, {}).items())
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    calls += [(call["name"], call["arguments"]) for call in context.get("toolCalls", ())]
    options = [option for tool, given in calls for option in ("--sentinel", tool, "--args", json.dumps(given))]
    program = "import sys; from prober.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "check", url, "--format", "json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sys.stderr.write(done.stderr)
    (endpoint,) = json.loads(done.stdout)["endpoints"]
    for each in endpoint["report"]["checks"]:
        print(each["id"], each["outcome"], each["summary"], file=sys.stderr)
    return 0


async def echo_schema(url: str) -> int:
    """Give the first tool's schema back through the tool that takes one, as it came."""
    clock = SystemClock()
    deadline = asyncio.get_running_loop().time() + 10
    net = Net(GuardPolicy(allow_private=True), clock=clock)
    endpoint = Endpoint(name="conformance", url=url)
    wire = await connect(endpoint, net=net, clock=clock, headers=(), remembered=None, deadline=deadline)
    try:
        listed = await wire.request("tools/list")
        schema = next(each.raw["inputSchema"] for each in tools_of(listed) if each.name == "json_schema_2020_12_tool")
        echoed = await wire.request("tools/call", {"name": "json_schema_echo", "arguments": {"schema": schema}})
    finally:
        await wire.close()
    return 0 if result_of(echoed) is not None else 1


if __name__ == "__main__":
    raise SystemExit(main())
