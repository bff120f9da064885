"""Faults of tools, and of the list of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import ADD, ALL_TOOLS, PLAIN, buffered, stateless_offering, stateless_with, streaming
from prober.lab.http import Handler
from prober.lab.scenario import Front, Scenario, SentinelHint
from prober.lab.servers import rpc, toolbox
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer

DENIED: Final = (
    "An error occurred (AccessDeniedException) when calling the GetItem operation: "
    "User: arn:aws:sts::123456789012:assumed-role/orders-role/orders is not authorized to perform: dynamodb:GetItem "
    "on resource: arn:aws:dynamodb:eu-west-1:123456789012:table/orders "
    "because no identity-based policy allows the dynamodb:GetItem action"
)
_ADDS_UP: Final[SentinelHint] = {
    **ADD,
    "expect": {
        "matches": "^[0-9]+$",
        "at": {"$.sum": 5},
        "schema": {"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]},
    },
}
LOOKUP: Final[SentinelHint] = {"tool": "lookup", "arguments": {}, "expect": {}}


def _relisted(change: bad.Change) -> Callable[[], Handler]:
    return buffered(lambda: bad.rewritten(StatelessServer(streams=False), {"tools/list": change}))


def _first_with(result: rpc.Json, **members: Any) -> rpc.Json:
    """The list, whose first tool has these members instead of its own; what is given as None is left out."""
    first, *others = result["tools"]
    changed = {name: value for name, value in {**first, **members}.items() if value is not None}
    return {**result, "tools": [changed, *others]}


def _repeating(result: rpc.Json) -> rpc.Json:
    return {**result, "tools": [*result["tools"], result["tools"][-1]]}


def _circling(result: rpc.Json) -> rpc.Json:
    return {**result, "nextCursor": "0"}


def _annotated(result: rpc.Json) -> rpc.Json:
    schema = {"type": "object", "properties": {"a": {"type": "number", "x-mcp-header": "Summand"}}}
    return _first_with(result, inputSchema=schema)


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
        id="tools-invalid",
        title="A tool has no inputSchema, so that clients drop it",
        verdict="degraded",
        diagnosis="tools-invalid",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=_relisted(lambda result: _first_with(result, inputSchema=None)),
    ),
    Scenario(
        id="tools-invalid-twice",
        title="Two tools have the same name",
        verdict="degraded",
        diagnosis="tools-invalid",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=_relisted(_repeating),
    ),
    Scenario(
        id="tools-invalid-schema",
        title="A tool's inputSchema is no JSON schema",
        verdict="degraded",
        diagnosis="tools-invalid",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=_relisted(lambda result: _first_with(result, inputSchema={"type": "object", "properties": []})),
    ),
    Scenario(
        id="tools-invalid-output-schema",
        title="A tool's outputSchema refers to what is not there",
        verdict="degraded",
        diagnosis="tools-invalid",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=_relisted(
            lambda result: _first_with(
                result, outputSchema={"type": "object", "properties": {"sum": {"$ref": "#/$defs/Sum"}}}
            )
        ),
    ),
    Scenario(
        id="tools-invalid-header",
        title="A tool wants an argument in a header that no header can hold",
        verdict="degraded",
        diagnosis="tools-invalid",
        front=Front.FUNCTION_URL_BUFFERED,
        options={"expected_tools": ALL_TOOLS},
        build=_relisted(_annotated),
    ),
    Scenario(
        id="tools-invalid-endless",
        title="The last page of the tool list leads back to the first",
        verdict="degraded",
        diagnosis="tools-invalid",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=_relisted(_circling),
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
        id="sentinel-access-denied-500",
        title="The role lacks a permission, and the server says so in an error on HTTP 500, as AWS Labs' handler does",
        verdict="degraded",
        diagnosis="sentinel-access-denied",
        front=Front.FUNCTION_URL_BUFFERED,
        options={"sentinels": [ADD]},
        build=buffered(
            lambda: bad.intercept(
                HandshakeServer(newest="2024-11-05", streams=False),
                {"tools/call": bad.rpc_error(rpc.INTERNAL_ERROR, f"Error executing tool: {DENIED}", status=500)},
            )
        ),
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
    Scenario(
        id="sentinel-access-denied-error",
        title="The function's role lacks a permission, and the handler answers with a JSON-RPC error on a 500",
        verdict="degraded",
        diagnosis="sentinel-access-denied",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(
            stateless_with(tools__call=bad.rpc_error(rpc.INTERNAL_ERROR, f"Error executing tool: {DENIED}", status=500))
        ),
    ),
    Scenario(
        id="sentinel-mismatch-place",
        title="The sentinel's answer has another value at one place than it should",
        verdict="degraded",
        diagnosis="sentinel-mismatch",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [_ADDS_UP]},
        build=streaming(stateless_offering(bad.fixed_tool("add", toolbox.Result("6", {"sum": 6})))),
    ),
    Scenario(
        id="sentinel-invalid",
        title="A tool's structured content is not as its own outputSchema says",
        verdict="degraded",
        diagnosis="sentinel-mismatch",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [ADD]},
        build=streaming(
            stateless_offering(
                replace(bad.fixed_tool("add", toolbox.Result("5", {"sum": "5"})), returns={"sum": {"type": "number"}})
            )
        ),
    ),
    Scenario(
        id="sentinel-changed",
        title="A sentinel's tool is no longer the one that its owner approved",
        verdict="degraded",
        diagnosis="tools-drift",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [{**ADD, "pinned": "0123456789abcdef"}], "expected_tools": ALL_TOOLS},
        build=streaming(StatelessServer),
    ),
)
