"""An MCP server of the stateless era: every request stands alone and carries its own metadata.

Source: MCP specification 2026-07-28, basic/index, basic/transports/streamable-http, basic/patterns/subscriptions and
server/discover; extension `io.modelcontextprotocol/tasks`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from prober.lab.http import Request, Response
from prober.lab.servers import rpc, toolbox
from prober.lab.servers.library import CACHED, Library
from prober.lab.servers.mirror import META, VERSION, refuse_contradictions, refuse_wrong_parameters
from prober.lab.servers.tasks import EXTENSION, TaskBoard

MISSING_CAPABILITY: Final = -32021
ANNOUNCED_BY: Final = {
    "toolsListChanged": ("tools", "listChanged"),
    "promptsListChanged": ("prompts", "listChanged"),
    "resourcesListChanged": ("resources", "listChanged"),
    "resourceSubscriptions": ("resources", "subscribe"),
}
"""The declaration that stands behind each kind of subscription."""


@dataclass(frozen=True, kw_only=True)
class StatelessServer:
    """Serves `server/discover`, `subscriptions/listen`, `tools/list`, `tools/call`, and what `library` and `board` add;
    POST only.

    With `streams`, a call that carries a progress token is answered by an event stream, and a subscription stays open;
    otherwise answers are JSON, and a subscription ends with its acknowledgement. With `announces`, changes of its lists
    are declared. `declares` takes the place of a truthful declaration. Only scripts of `origins` are let in.
    """

    tools: Sequence[toolbox.Tool] = toolbox.STANDARD_TOOLS
    streams: bool = True
    page_size: int | None = None
    library: Library = field(default_factory=Library)
    board: TaskBoard | None = None
    announces: bool = False
    declares: Mapping[str, Any] | None = None
    origins: frozenset[str] = frozenset()
    name: str = toolbox.LAB_NAME

    async def __call__(self, request: Request) -> Response:
        try:
            rpc.refuse_foreign_origin(request, self.origins)
            if request.method != "POST":
                return rpc.method_not_allowed("POST")
            return await self._answer(request)
        except rpc.Refused as refused:
            return refused.response()

    async def _answer(self, request: Request) -> Response:
        message = rpc.message_of(request)
        if not rpc.accepts(request, rpc.JSON, rpc.EVENTS):
            raise rpc.Refused(406, rpc.INVALID_REQUEST, "Not Acceptable: offer application/json and text/event-stream")
        if "id" not in message:
            return rpc.accepted()
        try:
            refuse_contradictions(request, message)
            refuse_wrong_parameters(request, message, self.tools)
            return await self._dispatch(message)
        except rpc.Refused as refused:
            refused.rpc_id = message["id"]
            raise

    async def _dispatch(self, message: rpc.Json) -> Response:
        params = rpc.params_of(message)
        match message["method"]:
            case "server/discover":
                found = {"supportedVersions": [VERSION], "capabilities": self._capabilities()}
                return self._result(message, found, cached=True)
            case "tools/list":
                return self._result(message, toolbox.listing(self.tools, params, self.page_size), cached=True)
            case "tools/call":
                return await self._call(message, params)
            case "subscriptions/listen":
                return self._listen(message, params)
            case method:
                return await self._otherwise(message, method, params)

    def _capabilities(self) -> rpc.Json:
        if self.declares is not None:
            return dict(self.declares)
        changes = {"listChanged": True} if self.announces else {}
        declared = {"tools": changes, **self.library.capabilities(changes)}
        if self.board is not None:
            declared["extensions"] = {EXTENSION: {}}
        return declared

    async def _otherwise(self, message: rpc.Json, method: str, params: Mapping[str, Any]) -> Response:
        answer = self.library.answer(method, params)
        if answer is None and self.board is not None and method.startswith("tasks/"):
            if not _takes_tasks(params):
                raise _needs_tasks()
            answer = await self.board.of_extension(method, params)
        if answer is None:
            raise rpc.Refused(404, rpc.METHOD_NOT_FOUND, f"Method not found: {method}")
        return self._result(message, answer, cached=method in CACHED)

    async def _call(self, message: rpc.Json, params: Mapping[str, Any]) -> Response:
        tool = toolbox.named(self.tools, params)
        if tool is not None and self.board is not None and tool.task_support is not None:
            if _takes_tasks(params):
                task = self.board.start(toolbox.result_of(self.tools, params))
                return self._result(message, {**self.board.in_extension(task), "resultType": "task"})
            if tool.task_support == "required":
                raise _needs_tasks()
        token = rpc.progress_token(message)
        if token is not None and self.streams and tool is not None:
            steps = toolbox.call(self.tools, params)
            return rpc.event_stream(rpc.events(self._messages(message, token, steps)))
        return self._result(message, await toolbox.result_of(self.tools, params))

    async def _messages(
        self, message: rpc.Json, token: str | int, steps: AsyncIterator[toolbox.Progress | rpc.Json]
    ) -> AsyncIterator[rpc.Json]:
        async for step in steps:
            if isinstance(step, toolbox.Progress):
                yield toolbox.notification(token, step)
            else:
                yield rpc.result(message["id"], self._complete(step))

    def _listen(self, message: rpc.Json, params: Mapping[str, Any]) -> Response:
        wanted = params.get("notifications")
        if not isinstance(wanted, dict):
            raise rpc.Refused(400, rpc.INVALID_PARAMS, "params.notifications is missing")
        if "taskIds" in wanted and not _takes_tasks(params):
            raise _needs_tasks()
        declared = self._capabilities()
        agreed = {
            kind: value
            for kind, value in wanted.items()
            if kind in ANNOUNCED_BY and value and _declares(declared, *ANNOUNCED_BY[kind])
        }
        return rpc.event_stream(rpc.events(self._subscription(message, agreed)))

    async def _subscription(self, message: rpc.Json, agreed: Mapping[str, Any]) -> AsyncIterator[rpc.Json]:
        """The acknowledgement, and then nothing until the client leaves: the lab's lists never change."""
        identified = {f"{META}subscriptionId": message["id"]}
        yield {
            "jsonrpc": "2.0",
            "method": "notifications/subscriptions/acknowledged",
            "params": {"notifications": dict(agreed), "_meta": identified},
        }
        if self.streams:
            await asyncio.Event().wait()
        ended = self._complete({})
        yield rpc.result(message["id"], {**ended, "_meta": {**ended["_meta"], **identified}})

    def _result(self, message: rpc.Json, value: rpc.Json, *, cached: bool = False) -> Response:
        hints = {"ttlMs": 0, "cacheScope": "private"} if cached else {}
        return rpc.json_response(rpc.result(message["id"], self._complete({**value, **hints})))

    def _complete(self, value: rpc.Json) -> rpc.Json:
        server_info = {"name": self.name, "version": "1.0.0"}
        return {"resultType": "complete", **value, "_meta": {f"{META}serverInfo": server_info}}


def _declares(declared: Mapping[str, Any], feature: str, setting: str) -> bool:
    settings = declared.get(feature)
    return isinstance(settings, dict) and settings.get(setting) is True


def _takes_tasks(params: Mapping[str, Any]) -> bool:
    """Whether the client declares the extension with this very request."""
    declared = params["_meta"][f"{META}clientCapabilities"].get("extensions")
    return isinstance(declared, dict) and EXTENSION in declared


def _needs_tasks() -> rpc.Refused:
    data: rpc.Json = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
    return rpc.Refused(400, MISSING_CAPABILITY, "Missing required client capability", data=data)
