"""The tools of the lab's servers: harmless, quick, and one that takes its time and says how far it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from prober.lab.servers import rpc

MAX_STEPS: Final = 100
MAX_SECONDS: Final = 60.0
LAB_NAME: Final = "mcp-prober-lab"


class ToolFailed(Exception):
    """The tool ran and failed: the result says `isError`, the call itself succeeds."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running tool is."""

    done: float
    total: float
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool returns."""

    text: str
    structured: Mapping[str, Any]


Run = Callable[[Mapping[str, Any]], AsyncIterator[Progress | Result]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool: what is listed, and the steps it takes when called; the last step is the Result."""

    name: str
    description: str
    properties: Mapping[str, Any]
    returns: Mapping[str, Any]
    run: Run
    mirrored: Mapping[str, str] = field(default_factory=dict)
    """Arguments that the stateless era wants in `Mcp-Param-*` headers, each with the rest of its header's name."""
    task_support: Literal["optional", "required"] | None = None
    """Whether a call may or must be a task; None: it never is one."""

    def listed(self) -> rpc.Json:
        """The tool as `tools/list` shows it; every argument is required."""
        properties = {
            name: {**schema, "x-mcp-header": self.mirrored[name]} if name in self.mirrored else schema
            for name, schema in self.properties.items()
        }
        listed: rpc.Json = {
            "name": self.name,
            "description": self.description,
            "inputSchema": _object(properties),
            "outputSchema": _object(self.returns),
            "annotations": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True},
        }
        if self.task_support is not None:
            listed["execution"] = {"taskSupport": self.task_support}
        return listed


def _object(properties: Mapping[str, Any]) -> rpc.Json:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


async def _add(arguments: Mapping[str, Any]) -> AsyncIterator[Progress | Result]:
    total = _number(arguments, "a") + _number(arguments, "b")
    yield Result(f"{total:g}", {"sum": total})


async def _whoami(arguments: Mapping[str, Any]) -> AsyncIterator[Progress | Result]:
    yield Result(LAB_NAME, {"name": LAB_NAME})


def slow_count(sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Tool:
    """A tool that counts to `n` within `seconds`, with a progress notification at each step."""

    async def run(arguments: Mapping[str, Any]) -> AsyncIterator[Progress | Result]:
        steps, seconds = int(_number(arguments, "n")), _number(arguments, "seconds")
        if not 1 <= steps <= MAX_STEPS or not 0 <= seconds <= MAX_SECONDS:
            raise ToolFailed(f"n must be from 1 to {MAX_STEPS} and seconds from 0 to {MAX_SECONDS:g}")
        for step in range(1, steps + 1):
            await sleep(seconds / steps)
            yield Progress(step, steps, f"{step} of {steps}")
        yield Result(f"counted to {steps}", {"count": steps})

    return Tool(
        name="slow_count",
        description="Count to n, taking the given seconds in all, and report every step.",
        properties={"n": {"type": "integer"}, "seconds": {"type": "number"}},
        returns={"count": {"type": "integer"}},
        run=run,
    )


ADD: Final = Tool(
    name="add",
    description="Add two numbers.",
    properties={"a": {"type": "number"}, "b": {"type": "number"}},
    returns={"sum": {"type": "number"}},
    run=_add,
)
WHOAMI: Final = Tool(
    name="whoami", description="Name this server.", properties={}, returns={"name": {"type": "string"}}, run=_whoami
)
STANDARD_TOOLS: Final[tuple[Tool, ...]] = (ADD, slow_count(), WHOAMI)


async def _greet(arguments: Mapping[str, Any]) -> AsyncIterator[Progress | Result]:
    name, times = arguments.get("name"), int(_number(arguments, "times"))
    if not isinstance(name, str) or not 1 <= times <= MAX_STEPS:
        raise ToolFailed(f"name must be text, and times from 1 to {MAX_STEPS}")
    greeting = " ".join([f"Hello, {name}"] * times)
    yield Result(greeting.upper() if arguments.get("loudly") is True else greeting, {"times": times})


GREET: Final = Tool(
    name="greet",
    description="Greet somebody, as often and as loudly as asked.",
    properties={"name": {"type": "string"}, "times": {"type": "integer"}, "loudly": {"type": "boolean"}},
    returns={"times": {"type": "integer"}},
    run=_greet,
    mirrored={"name": "Guest", "times": "Times", "loudly": "Loudly"},
)


def listing(tools: Sequence[Tool], params: Mapping[str, Any], page_size: int | None) -> rpc.Json:
    """One page of `tools/list`; the cursor is the position of the page's first tool."""
    start = 0
    if (cursor := params.get("cursor")) is not None:
        if not isinstance(cursor, str) or not cursor.isdecimal():
            raise rpc.Refused(200, rpc.INVALID_PARAMS, "Invalid cursor")
        start = int(cursor)
    end = start + page_size if page_size else len(tools)
    page: rpc.Json = {"tools": [tool.listed() for tool in tools[start:end]]}
    if end < len(tools):
        page["nextCursor"] = str(end)
    return page


def named(tools: Sequence[Tool], params: Mapping[str, Any]) -> Tool | None:
    """The tool that the params of `tools/call` name, where there is one."""
    return next((tool for tool in tools if tool.name == params.get("name")), None)


async def call(tools: Sequence[Tool], params: Mapping[str, Any]) -> AsyncIterator[Progress | rpc.Json]:
    """Run the tool that `tools/call` names: its progress, then the call's result. Raises Refused for no such tool."""
    tool = named(tools, params)
    if tool is None:
        raise rpc.Refused(200, rpc.INVALID_PARAMS, f"Unknown tool: {params.get('name')}")
    arguments = params.get("arguments") or {}
    try:
        async for step in tool.run(arguments if isinstance(arguments, dict) else {}):
            yield step if isinstance(step, Progress) else _content(step.text, structuredContent=dict(step.structured))
    except ToolFailed as failure:
        yield _content(str(failure), isError=True)


async def result_of(tools: Sequence[Tool], params: Mapping[str, Any]) -> rpc.Json:
    """The result of a tool alone, without its progress. Raises Refused."""
    async for step in call(tools, params):
        if not isinstance(step, Progress):
            return step
    raise rpc.Refused(200, rpc.INTERNAL_ERROR, "The tool ended without a result")


def _content(text: str, **members: Any) -> rpc.Json:
    return {"content": [{"type": "text", "text": text}], "isError": False, **members}


def _number(arguments: Mapping[str, Any], name: str) -> float:
    value = arguments.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ToolFailed(f"argument {name!r} must be a number")
    return value


def notification(token: str | int, progress: Progress) -> rpc.Json:
    """A `notifications/progress` message."""
    params = {"progressToken": token, "progress": progress.done, "total": progress.total, "message": progress.text}
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
