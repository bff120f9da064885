"""What a server of the handshake era does with requests once the conversation is open, over whichever transport."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from prober.lab.servers import rpc, toolbox
from prober.lab.servers.library import Library
from prober.lab.servers.tasks import TaskBoard

TASKS_SINCE: Final = "2025-11-25"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Answers `ping`, and what tools, prompts, resources and tasks need, as far as the server has them."""

    tools: Sequence[toolbox.Tool]
    page_size: int | None = None
    library: Library = field(default_factory=Library)
    board: TaskBoard | None = None

    def capabilities(self, revision: str) -> rpc.Json:
        """What is declared in a conversation of that revision."""
        declared = {"tools": {"listChanged": False}, **self.library.capabilities({"listChanged": False})}
        if self._has_tasks(revision):
            declared["tasks"] = {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}
        return declared

    async def answers(self, message: rpc.Json, revision: str) -> AsyncIterator[rpc.Json]:
        """Every message that answers a request: progress where it was asked for, then the answer."""
        token = rpc.progress_token(message)
        try:
            async for step in self._steps(message["method"], rpc.params_of(message), revision):
                if not isinstance(step, toolbox.Progress):
                    yield rpc.result(message["id"], step)
                elif token is not None:
                    yield toolbox.notification(token, step)
        except rpc.Refused as refused:
            yield rpc.error(message["id"], refused.code, refused.message, refused.data)

    async def _steps(
        self, method: str, params: Mapping[str, Any], revision: str
    ) -> AsyncIterator[toolbox.Progress | rpc.Json]:
        match method:
            case "ping":
                yield {}
            case "tools/list":
                yield toolbox.listing(self.tools, params, self.page_size)
            case "tools/call":
                async for step in self._call(params, revision):
                    yield step
            case _:
                yield await self._otherwise(method, params, revision)

    async def _call(self, params: Mapping[str, Any], revision: str) -> AsyncIterator[toolbox.Progress | rpc.Json]:
        tool = toolbox.named(self.tools, params)
        as_task = self._has_tasks(revision) and "task" in params
        if tool is not None and self._has_tasks(revision):
            _refuse_wrong_mode(tool, as_task=as_task)
        if as_task and tool is not None and self.board is not None:
            task = self.board.start(toolbox.result_of(self.tools, params))
            yield {"task": self.board.in_core(task)}
            return
        async for step in toolbox.call(self.tools, params):
            yield step

    async def _otherwise(self, method: str, params: Mapping[str, Any], revision: str) -> rpc.Json:
        answer = self.library.answer(method, params)
        if answer is None and self.board is not None and self._has_tasks(revision):
            answer = await self.board.of_core(method, params)
        if answer is None:
            raise rpc.Refused(200, rpc.METHOD_NOT_FOUND, f"Method not found: {method}")
        return answer

    def _has_tasks(self, revision: str) -> bool:
        return self.board is not None and revision >= TASKS_SINCE


def _refuse_wrong_mode(tool: toolbox.Tool, *, as_task: bool) -> None:
    """Source: 2025-11-25, basic/utilities/tasks, "Tool-Level Negotiation"."""
    if as_task and tool.task_support is None:
        raise rpc.Refused(200, rpc.METHOD_NOT_FOUND, f"Tool {tool.name} cannot be called as a task")
    if not as_task and tool.task_support == "required":
        raise rpc.Refused(200, rpc.METHOD_NOT_FOUND, f"Tool {tool.name} can only be called as a task")
