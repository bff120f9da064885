"""Instances that are real processes: each speaks to a Runtime API of its own, as in a Lambda sandbox.

Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes" and "Using the Lambda Extensions
API to create extensions".
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import h11

from prober.lab.http import HttpServer, Incoming, Request, Response
from prober.lab.runtime.function import Answer, Buffered, Context, Function, FunctionFailed, Streamed
from prober.lifeline import tied

log = logging.getLogger(__name__)

Value = TypeVar("Value")

API_PREFIX: Final = "/2018-06-01/runtime"
EXTENSIONS_PREFIX: Final = "/2020-01-01/extension"
MODE_HEADER: Final = "Lambda-Runtime-Function-Response-Mode"
ERROR_TRAILER: Final = "Lambda-Runtime-Function-Error-Type"
DEFAULT_STREAM_TYPE: Final = "application/octet-stream"
MAX_DELIVERY_BYTES: Final = 64 * 1024 * 1024
"""Taken from a runtime, so that a payload over Lambda's own limit can be told as such."""
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
    outcome: asyncio.Future[Answer]


def process_function(
    command: Sequence[str],
    env: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
    *,
    extensions: Sequence[Sequence[str]] = (),
    **settings: Any,
) -> Function:
    """A function whose instances run `command`, such as `python -m awslambdaric module.handler`.

    `env` may make an environment for each instance, where instances must not share a port. `extensions` are commands
    that run beside it. `settings` are those of `Function`: `timeout_s`, `cold_start_s`, `idle_s`, `concurrency` and so
    on. Close it in the end.
    """

    def build() -> ProcessInstance:
        return ProcessInstance([*extensions, command], (env() if callable(env) else env) or {})

    return Function(build=build, **settings)


class RuntimeApi:
    """The HTTP interface by which one process fetches events and delivers results."""

    def __init__(self) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the process asks for its first event; fails when it reports that it could not start."""
        self._waiting: asyncio.Queue[_Invocation] = asyncio.Queue()
        self._current: _Invocation | None = None

    async def invoke(self, event: Mapping[str, Any], context: Context) -> Answer:
        """Hand an event to the process and wait for its result, or the beginning of a streamed one.

        Raises FunctionFailed for a reported error.
        """
        outcome: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        payload = json.dumps(event, separators=(",", ":")).encode()
        self._waiting.put_nowait(_Invocation(payload, context, outcome))
        return await outcome

    async def __call__(self, request: Request) -> Response:
        if request.path.startswith(EXTENSIONS_PREFIX):
            return await _extension(request)
        step = request.path.removeprefix(API_PREFIX)
        match request.method, step.strip("/").split("/"):
            case "GET", ["invocation", "next"]:
                return await self._next()
            case "POST", ["invocation", request_id, ("response" | "error") as kind]:
                return await self._deliver(request_id, kind, request)
            case "POST", ["init", "error"]:
                return self._init_failed(await _whole(request))
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

    async def _deliver(self, request_id: str, kind: str, request: Request) -> Response:
        current = self._current
        if current is None or current.context.request_id != request_id or current.outcome.done():
            return _problem(400, "InvalidRequestID", f"no invocation {request_id} is under way")
        if kind == "response" and (request.header(MODE_HEADER) or "").lower() == "streaming":
            stream = _Stream()
            content_type = request.header("content-type") or DEFAULT_STREAM_TYPE
            current.outcome.set_result(Streamed(content_type, stream))
            await stream.fill(request)
            return _accepted()
        body = await _whole(request)
        if kind == "error":
            current.outcome.set_exception(_reported(body))
            return _accepted()
        current.outcome.set_result(Buffered(body))
        return _accepted()

    def _init_failed(self, body: bytes) -> Response:
        if self.ready.done():
            return _problem(403, "InvalidStateTransition", "the init phase is over")
        self.ready.set_exception(_reported(body))
        return _accepted()


class _Stream:
    """What a process streams, from the request that brings it to the reader: chunk by chunk, never ahead of it."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes | FunctionFailed | None] = asyncio.Queue(maxsize=1)

    async def fill(self, request: Request) -> None:
        """Take over the body of a request, and what it says about its end."""
        end: FunctionFailed | None = None
        try:
            if request.incoming is None:
                await self._chunks.put(request.body)
            else:
                async for chunk in request.incoming:
                    await self._chunks.put(chunk)
                end = _failure_in(request.incoming)
        except (h11.RemoteProtocolError, OSError):
            end = FunctionFailed("Runtime.ExitError", "the process ended in the middle of an answer", lost=True)
        await self._chunks.put(end)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._chunks.get()
        if isinstance(chunk, bytes):
            return chunk
        self._chunks.put_nowait(chunk)  # whoever asks again is told the same
        if chunk is None:
            raise StopAsyncIteration
        raise chunk


class ProcessInstance:
    """The processes of one sandbox and their Runtime API. They are stopped in their tracks between events, as Lambda
    freezes them; where one of them ends, so does the sandbox.

    The last of `commands` is the function itself; the others are extensions.
    """

    def __init__(self, commands: Sequence[Sequence[str]], env: Mapping[str, str]) -> None:
        self._commands = tuple(tuple(command) for command in commands)
        self._env = dict(env)
        self._processes: list[asyncio.subprocess.Process] = []
        self._api: RuntimeApi | None = None
        self._server: HttpServer | None = None
        self._output: deque[str] = deque(maxlen=OUTPUT_LINES)
        self._watching: list[asyncio.Task[Any]] = []
        self._death: asyncio.Future[str] | None = None

    async def start(self) -> None:
        """Start the processes and wait until one asks for the first event."""
        self._api = RuntimeApi()
        self._death = asyncio.get_running_loop().create_future()
        self._server = HttpServer(self._api, chunked_as_it_comes=True, max_body_bytes=MAX_DELIVERY_BYTES)
        port = await self._server.start("127.0.0.1")
        for command in self._commands:
            process = await asyncio.create_subprocess_exec(
                *tied(command, death_signal=signal.SIGKILL),
                env=_environment(self._env, port),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
            self._processes.append(process)
            self._watching.append(asyncio.create_task(self._read_output(process)))
            self._watching.append(asyncio.create_task(self._await_death(process)))
        await self._or_death(self._api.ready)

    async def invoke(self, event: Mapping[str, Any], context: Context) -> Answer:
        assert self._api is not None
        self._signal(signal.SIGCONT)
        return await self._or_death(asyncio.ensure_future(self._api.invoke(event, context)))

    async def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    async def stop(self) -> None:
        """Kill the processes with all that they started, and close their Runtime API."""
        self._signal(signal.SIGKILL)
        for process in self._processes:
            await process.wait()
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        if self._server is not None:
            await self._server.close()
        if self._api is not None and not self._api.ready.done():
            self._api.ready.cancel()

    async def _or_death(self, awaited: asyncio.Future[Value]) -> Value:
        """The awaited value, unless a process ends first."""
        assert self._death is not None
        try:
            ends: set[asyncio.Future[Any]] = {awaited, self._death}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if awaited.done():
                return awaited.result()
            raise FunctionFailed("Runtime.ExitError", self._death.result(), lost=True)
        finally:
            awaited.cancel()

    async def _await_death(self, process: asyncio.subprocess.Process) -> None:
        assert self._death is not None
        status = await process.wait()
        if not self._death.done():
            ending = f"exit status {status}" if status >= 0 else f"signal {-status}"
            self._death.set_result("\n".join([ending, *self._output]))

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError):  # a line longer than the reader's buffer: the rest is not worth keeping
            async for line in process.stdout:
                self._output.append(line.decode("utf-8", "replace").rstrip())
                log.debug("function: %s", self._output[-1])

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)


async def _extension(request: Request) -> Response:
    """What the Extensions API answers. It announces no event: of a sandbox's end an extension learns by its own."""
    match request.method, request.path.removeprefix(EXTENSIONS_PREFIX):
        case "POST", "/register":
            body = json.dumps({"functionName": "lab", "functionVersion": "$LATEST", "handler": "lab"}).encode()
            headers = (("Content-Type", "application/json"), ("Lambda-Extension-Identifier", str(uuid.uuid4())))
            return Response(headers=headers, body=body)
        case "GET", "/event/next":
            await asyncio.Event().wait()
        case "POST", "/init/error" | "/exit/error":
            return _accepted()
    return _problem(404, "InvalidPath", f"no such operation: {request.method} {request.path}")


async def _whole(request: Request) -> bytes:
    if request.incoming is None:
        return request.body
    return b"".join([chunk async for chunk in request.incoming])


def _failure_in(delivered: Incoming) -> FunctionFailed | None:
    """The error that a runtime announces behind the last chunk of a streamed answer."""
    kinds = [value for name, value in delivered.trailers if name.lower() == ERROR_TRAILER.lower()]
    return FunctionFailed(kinds[0], "the function failed in the middle of an answer") if kinds else None


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
