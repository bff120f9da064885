"""Instances that are real processes: each speaks to a Runtime API of its own, as in a Lambda sandbox.

Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from prober.lab.http import HttpServer, Request, Response
from prober.lab.runtime.function import Answer, Buffered, Context, Function, FunctionFailed
from prober.lifeline import tied

log = logging.getLogger(__name__)

Value = TypeVar("Value")

API_PREFIX: Final = "/2018-06-01/runtime"
FUNCTION_ARN: Final = "arn:aws:lambda:eu-west-1:123456789012:function:lab"
SANDBOX: Final = {
    "AWS_LAMBDA_FUNCTION_NAME": "lab",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
}
"""What the sandbox tells every function about itself."""
INHERITED: Final = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
"""All that a function sees of the lab's own environment: a sandbox knows nothing of the machine around it."""
OUTPUT_LINES: Final = 200
"""Lines of a process's output that are kept for the message about its end."""


@dataclass(frozen=True, slots=True)
class _Invocation:
    event: bytes
    context: Context
    outcome: asyncio.Future[bytes]


def process_function(command: Sequence[str], env: Mapping[str, str] | None = None, **settings: Any) -> Function:
    """A function whose instances run `command`, such as `python -m awslambdaric module.handler`.

    `settings` are those of `Function`: `timeout_s`, `cold_start_s`, `idle_s`, `concurrency`. Close it in the end.
    """
    return Function(build=lambda: ProcessInstance(command, env or {}), **settings)


class RuntimeApi:
    """The HTTP interface by which one process fetches events and delivers results."""

    def __init__(self) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the process asks for its first event; fails when it reports that it could not start."""
        self._waiting: asyncio.Queue[_Invocation] = asyncio.Queue()
        self._current: _Invocation | None = None

    async def invoke(self, event: Mapping[str, Any], context: Context) -> bytes:
        """Hand an event to the process and wait for its result. Raises FunctionFailed for a reported error."""
        outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        payload = json.dumps(event, separators=(",", ":")).encode()
        self._waiting.put_nowait(_Invocation(payload, context, outcome))
        return await outcome

    async def __call__(self, request: Request) -> Response:
        step = request.path.removeprefix(API_PREFIX)
        match request.method, step.strip("/").split("/"):
            case "GET", ["invocation", "next"]:
                return await self._next()
            case "POST", ["invocation", request_id, ("response" | "error") as kind]:
                return self._deliver(request_id, kind, request.body)
            case "POST", ["init", "error"]:
                return self._init_failed(request.body)
            case _:
                return _problem(404, "InvalidPath", f"no such operation: {request.method} {request.path}")

    async def _next(self) -> Response:
        if not self.ready.done():
            self.ready.set_result(None)
        self._current = await self._waiting.get()
        context = self._current.context
        headers = (
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", context.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(context.deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", FUNCTION_ARN),
            ("Lambda-Runtime-Trace-Id", context.trace_id),
        )
        return Response(headers=headers, body=self._current.event)

    def _deliver(self, request_id: str, kind: str, body: bytes) -> Response:
        current = self._current
        if current is None or current.context.request_id != request_id or current.outcome.done():
            return _problem(400, "InvalidRequestID", f"no invocation {request_id} is under way")
        self._current = None
        if kind == "response":
            current.outcome.set_result(body)
        else:
            current.outcome.set_exception(_reported(body))
        return _accepted()

    def _init_failed(self, body: bytes) -> Response:
        if self.ready.done():
            return _problem(403, "InvalidStateTransition", "the init phase is over")
        self.ready.set_exception(_reported(body))
        return _accepted()


class ProcessInstance:
    """One process and its Runtime API. The process is stopped in its tracks between events, as Lambda freezes it."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._command = tuple(command)
        self._env = dict(env)
        self._process: asyncio.subprocess.Process | None = None
        self._api: RuntimeApi | None = None
        self._server: HttpServer | None = None
        self._output: deque[str] = deque(maxlen=OUTPUT_LINES)
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process and wait until it asks for its first event."""
        self._api = RuntimeApi()
        self._server = HttpServer(self._api)
        port = await self._server.start("127.0.0.1")
        self._process = await asyncio.create_subprocess_exec(
            *tied(self._command, death_signal=signal.SIGKILL),
            env=_environment(self._env, port),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read_output(self._process))
        await self._or_death(self._api.ready)

    async def invoke(self, event: Mapping[str, Any], context: Context) -> Answer:
        assert self._api is not None
        self._signal(signal.SIGCONT)
        invocation = asyncio.ensure_future(self._api.invoke(event, context))
        return Buffered(await self._or_death(invocation))

    async def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    async def stop(self) -> None:
        """Kill the process with all that it started, and close its Runtime API."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._server is not None:
            await self._server.close()
        if self._api is not None and not self._api.ready.done():
            self._api.ready.cancel()

    async def _or_death(self, awaited: asyncio.Future[Value]) -> Value:
        """The awaited value, unless the process ends first."""
        assert self._process is not None
        death = asyncio.ensure_future(self._process.wait())
        try:
            ends: set[asyncio.Future[Any]] = {awaited, death}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if awaited.done():
                return awaited.result()
            raise FunctionFailed("Runtime.ExitError", self._last_words(death.result()), lost=True)
        finally:
            death.cancel()
            awaited.cancel()

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError):  # a line longer than the reader's buffer: the rest is not worth keeping
            async for line in process.stdout:
                self._output.append(line.decode("utf-8", "replace").rstrip())
                log.debug("function: %s", self._output[-1])

    def _last_words(self, status: int) -> str:
        ending = f"exit status {status}" if status >= 0 else f"signal {-status}"
        return "\n".join([ending, *self._output])

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def _environment(own: Mapping[str, str], port: int) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**inherited, **SANDBOX, **own, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"}


def _accepted() -> Response:
    return Response(status=202, headers=(("Content-Type", "application/json"),), body=b'{"status":"OK"}')


def _problem(status: int, kind: str, message: str) -> Response:
    body = json.dumps({"errorType": kind, "errorMessage": message}).encode()
    return Response(status=status, headers=(("Content-Type", "application/json"),), body=body)


def _reported(body: bytes) -> FunctionFailed:
    """The error that a runtime reported; an unreadable report is still one."""
    try:
        report = json.loads(body)
    except ValueError:
        report = None
    if not isinstance(report, dict):
        return FunctionFailed("Runtime.Unknown", body.decode("utf-8", "replace"))
    return FunctionFailed(str(report.get("errorType", "Runtime.Unknown")), str(report.get("errorMessage", "")))
