"""Faults of tools, and of the list of them."""

from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import ADD, ALL_TOOLS, PLAIN, stateless_offering, stateless_with, streaming
from prober.lab.scenario import Front, Scenario, SentinelHint
from prober.lab.servers import rpc, toolbox
from prober.lab.servers.stateless import StatelessServer

DENIED: Final = (
    "An error occurred (AccessDeniedException) when calling the GetItem operation: "
    "User: arn:aws:sts::123456789012:assumed-role/orders-role/orders is not authorized to perform: dynamodb:GetItem "
    "on resource: arn:aws:dynamodb:eu-west-1:123456789012:table/orders "
    "because no identity-based policy allows the dynamodb:GetItem action"
)
LOOKUP: Final[SentinelHint] = {"tool": "lookup", "arguments": {}, "expect": {}}

TOOL_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="tools-empty",
        title="The tool list is empty",
        verdict="down",
        diagnosis="tools-empty",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(stateless_offering()),
    ),
    Scenario(
        id="tools-list-failed",
        title="The tool list cannot be had",
        verdict="down",
        diagnosis="tools-list-failed",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(stateless_with(tools__list=bad.rpc_error(rpc.INTERNAL_ERROR, "Tool registry not loaded"))),
    ),
    Scenario(
        id="tools-missing",
        title="A tool that the owner counts on is not listed",
        verdict="degraded",
        diagnosis="tools-missing",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [ADD], "expected_tools": [*ALL_TOOLS, "refund"]},
        build=streaming(StatelessServer),
    ),
    Scenario(
        id="sentinel-failed",
        title="The sentinel's tool reports a failure",
        verdict="degraded",
        diagnosis="sentinel-failed",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [LOOKUP]},
        build=streaming(
            stateless_offering(toolbox.ADD, bad.failing_tool("lookup", "the order database did not answer"))
        ),
    ),
    Scenario(
        id="sentinel-access-denied",
        title="The function's role lacks a permission that the tool needs",
        verdict="degraded",
        diagnosis="sentinel-access-denied",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [LOOKUP]},
        build=streaming(stateless_offering(toolbox.ADD, bad.failing_tool("lookup", DENIED))),
    ),
    Scenario(
        id="sentinel-error",
        title="The sentinel call is answered with a JSON-RPC error",
        verdict="degraded",
        diagnosis="sentinel-error",
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        build=streaming(stateless_with(tools__call=bad.rpc_error(rpc.INTERNAL_ERROR, "Tool execution failed"))),
    ),
    Scenario(
        id="sentinel-mismatch",
        title="The sentinel answers something else than it should",
        verdict="degraded",
        diagnosis="sentinel-mismatch",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [ADD]},
        build=streaming(stateless_offering(bad.fixed_tool("add", toolbox.Result("6", {"sum": 6})))),
    ),
)
