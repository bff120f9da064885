"""Tool calls that outlive their request: tasks, as the core of 2025-11-25 and the extension of 2026-07-28 have them.

Source: MCP specification 2025-11-25, basic/utilities/tasks; extension `io.modelcontextprotocol/tasks` of 2026-07-28.
"""

import asyncio
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from prober.clock import Clock, SystemClock
from prober.lab.servers import rpc

EXTENSION: Final = "io.modelcontextprotocol/tasks"
RELATED: Final = "io.modelcontextprotocol/related-task"
TTL_MS: Final = 60_000
POLL_MS: Final = 100

Status = Literal["working", "completed", "failed", "cancelled"]


@dataclass(slots=True)
class Task:
    """One call that runs, or ran, on its own."""

    id: str
    created: datetime
    run: asyncio.Task[rpc.Json]
    ended: datetime | None = None

    async def result(self) -> rpc.Json:
        """What the call itself would have answered, once it is known. Raises Refused as the call would have."""
        try:
            return await asyncio.shield(self.run)
        except asyncio.CancelledError:
            if self.run.cancelled():
                raise rpc.Refused(200, rpc.INTERNAL_ERROR, "The task was cancelled") from None
            raise

    def status(self) -> Status:
        if not self.run.done():
            return "working"
        if self.run.cancelled():
            return "cancelled"
        return "completed" if self.run.exception() is None else "failed"


@dataclass(kw_only=True)
class TaskBoard:
    """Every task of one server, in whichever of its instances it was begun."""

    clock: Clock = field(default_factory=SystemClock)
    _tasks: dict[str, Task] = field(default_factory=dict)

    def start(self, call: Coroutine[Any, Any, rpc.Json]) -> Task:
        """Begin a call as a task; it can be asked for from now on."""
        run = asyncio.get_running_loop().create_task(call)
        task = Task(uuid.uuid4().hex, self.clock.now(), run)
        self._tasks[task.id] = task
        run.add_done_callback(lambda _: self._ended(task))
        return task

    def find(self, params: Mapping[str, Any]) -> Task:
        """The task that `params` name. Raises Refused where there is none."""
        task = self._tasks.get(str(params.get("taskId")))
        if task is None:
            raise rpc.Refused(200, rpc.INVALID_PARAMS, "Failed to retrieve task: Task not found")
        return task

    async def of_core(self, method: str, params: Mapping[str, Any]) -> rpc.Json | None:
        """The answer to a method of 2025-11-25, or None for another method. Raises Refused."""
        if method == "tasks/list":
            return {"tasks": [self.in_core(task) for task in self._tasks.values()]}
        if method not in ("tasks/get", "tasks/result", "tasks/cancel"):
            return None
        task = self.find(params)
        if method == "tasks/result":
            return {**await task.result(), "_meta": {RELATED: {"taskId": task.id}}}
        if method == "tasks/cancel":
            if task.run.done():
                raise rpc.Refused(200, rpc.INVALID_PARAMS, "Cannot cancel task: already in a terminal status")
            await _cancel(task)
        return self.in_core(task)

    async def of_extension(self, method: str, params: Mapping[str, Any]) -> rpc.Json | None:
        """The answer to a method of the extension, or None for another method. Raises Refused."""
        if method not in ("tasks/get", "tasks/update", "tasks/cancel"):
            return None
        task = self.find(params)
        if method == "tasks/cancel":
            await _cancel(task)
        return self.in_extension(task) if method == "tasks/get" else {}

    def in_core(self, task: Task) -> rpc.Json:
        """The task in the shape of 2025-11-25, where a tool's own failure is one of the task."""
        status = task.status()
        if status == "completed" and task.run.result().get("isError") is True:
            status = "failed"
        return {**self._described(task, status), "ttl": TTL_MS, "pollInterval": POLL_MS}

    def in_extension(self, task: Task) -> rpc.Json:
        """The task in the shape of the extension, with its outcome where it has one."""
        status = task.status()
        described = {**self._described(task, status), "ttlMs": TTL_MS, "pollIntervalMs": POLL_MS}
        if status == "completed":
            described["result"] = task.run.result()
        elif status == "failed":
            described["error"] = {"code": rpc.INTERNAL_ERROR, "message": str(task.run.exception())}
        return described

    def _described(self, task: Task, status: Status) -> rpc.Json:
        created, updated = (each.isoformat() for each in (task.created, task.ended or task.created))
        return {"taskId": task.id, "status": status, "createdAt": created, "lastUpdatedAt": updated}

    def _ended(self, task: Task) -> None:
        task.ended = self.clock.now()


async def _cancel(task: Task) -> None:
    task.run.cancel()
    await asyncio.wait({task.run})
