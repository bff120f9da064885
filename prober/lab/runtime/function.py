"""A deployed function: its settings, its instances, and the rules by which Lambda hands events to them.

An instance handles one event at a time; overlapping events start further instances; idle and old ones are recycled.
Source: AWS Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle", "Configuring
provisioned concurrency for a function" and "Lambda quotas".
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from prober.clock import Clock, SystemClock
from prober.lab.http import CutShort, close_body

T = TypeVar("T")

DEFAULT_TIMEOUT_S: Final = 30.0
INIT_LIMIT_S: Final = 10.0
"""Lambda ends an init phase that takes longer."""
IDLE_S: Final = 300.0
MAX_PAYLOAD_BYTES: Final = 6_291_556
"""Limit of a buffered return value."""
MAX_STREAM_BYTES: Final = 200 * 1024 * 1024
"""Limit of a streamed answer."""
HTTP_INTEGRATION: Final = "application/vnd.awslambda.http-integration-response"
"""Media type by which a streaming function announces a prelude: JSON with status and headers, then eight zero bytes."""


class FunctionFailed(Exception):
    """The invocation failed; the client of a front door is only told that it did.

    `kind` is Lambda's `errorType`, such as `Runtime.ExitError`. `lost` says that the instance is gone with it.
    """

    def __init__(self, kind: str, message: str, *, lost: bool = False) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.lost = lost


class Throttled(Exception):
    """No instance may take the event; `reason` is Lambda's name for the limit."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an instance is told about one invocation."""

    request_id: str
    trace_id: str
    deadline_ms: int
    """Unix time in milliseconds at which Lambda gives up."""


@dataclass(frozen=True, slots=True)
class Buffered:
    """A function's whole return value, as the JSON that its runtime sent."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Streamed:
    """A function's answer in streaming response mode: a media type and raw bytes as they are produced."""

    content_type: str
    chunks: AsyncIterator[bytes]


Answer = Buffered | Streamed


class Instance(Protocol):
    """One execution environment."""

    async def start(self) -> None:
        """The init phase. Raises FunctionFailed."""
        ...

    async def invoke(self, event: Mapping[str, Any], context: Context) -> Answer:
        """Handle one event. Raises FunctionFailed."""
        ...

    async def freeze(self) -> None:
        """Called when no event is being handled: nothing may run until the next one arrives."""
        ...

    async def stop(self) -> None: ...


class Deployed(Protocol):
    """What a front door hands its events to: a function, or an alias of several versions of one."""

    async def invoke(self, event: Mapping[str, Any], *, request_id: str, trace_id: str) -> Answer:
        """Hand one event to an instance. Raises Throttled or FunctionFailed.

        Of a streamed answer the chunks must be read or closed.
        """
        ...

    async def close(self) -> None:
        """Stop every instance, in the middle of an event if need be."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class _Sandbox:
    """One execution environment. Its instance is None while it is reset: the init phase is then run again by the next
    event, within that event's time limit."""

    instance: Instance | None = None
    born: float
    idle_since: float
    provisioned: bool = False


@dataclass(kw_only=True, eq=False)
class Function:
    """Hands events to instances that `build` makes.

    `cold_start_s` is added to the init phase, which is cut off after `init_limit_s`; `concurrency` is the reserved
    concurrency (0 refuses every event); `age_s` is how long an instance is used at most. `provisioned` instances are
    initialised before their first event, but only once `warming_s` have passed since the function was deployed.
    """

    build: Callable[[], Instance]
    cold_start_s: float = 0.0
    init_limit_s: float = INIT_LIMIT_S
    timeout_s: float = DEFAULT_TIMEOUT_S
    idle_s: float = IDLE_S
    age_s: float = math.inf
    concurrency: int | None = None
    provisioned: int = 0
    warming_s: float = 0.0
    max_payload_bytes: int = MAX_PAYLOAD_BYTES
    max_stream_bytes: int = MAX_STREAM_BYTES
    clock: Clock = field(default_factory=SystemClock)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    started: int = field(default=0, init=False)
    """Instances started so far."""
    _deployed_at: float = field(init=False)
    _idle: list[_Sandbox] = field(default_factory=list, init=False)
    _busy: set[_Sandbox] = field(default_factory=set, init=False)
    _runs: set[asyncio.Task[Any]] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._deployed_at = self.clock.monotonic()

    async def invoke(self, event: Mapping[str, Any], *, request_id: str, trace_id: str) -> Answer:
        """Hand one event to an instance. Raises Throttled or FunctionFailed.

        Of a streamed answer the chunks must be read or closed. A caller that is cancelled, or closes the chunks before
        their end, leaves alone: as on Lambda, the instance goes on to the end, and takes further events after it.
        """
        run = self._keep(self._run(event, request_id=request_id, trace_id=trace_id))
        try:
            return await asyncio.shield(run)
        except asyncio.CancelledError:
            self._keep(_unheard(run))
            raise

    async def close(self) -> None:
        """Stop every instance, in the middle of an event if need be."""
        runs = tuple(self._runs)
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        sandboxes = [*self._idle, *self._busy]
        self._idle.clear()
        self._busy.clear()
        await asyncio.gather(*(_stop(sandbox) for sandbox in sandboxes))

    def _keep(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        run = asyncio.get_running_loop().create_task(coroutine)
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        return run

    async def _run(self, event: Mapping[str, Any], *, request_id: str, trace_id: str) -> Answer:
        if self.concurrency is not None and len(self._busy) >= self.concurrency:
            raise Throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        sandbox = await self._take()
        give_up_at = asyncio.get_running_loop().time() + self.timeout_s
        deadline_ms = int((self.clock.now().timestamp() + self.timeout_s) * 1000)
        context = Context(request_id=request_id, trace_id=trace_id, deadline_ms=deadline_ms)
        try:
            async with asyncio.timeout_at(give_up_at):
                if sandbox.instance is None:
                    await self._start(sandbox)
                assert sandbox.instance is not None
                answer = await sandbox.instance.invoke(event, context)
        except TimeoutError:
            await self._release(sandbox, reusable=False)
            raise FunctionFailed("Sandbox.Timedout", f"Task timed out after {self.timeout_s:.2f} seconds") from None
        except FunctionFailed as failure:
            await self._release(sandbox, reusable=not failure.lost)
            raise
        except BaseException:
            await self._drop(sandbox)
            raise
        if isinstance(answer, Streamed):
            return self._metered(answer, sandbox, give_up_at)
        await self._release(sandbox, reusable=True)
        if len(answer.payload) > self.max_payload_bytes:
            raise FunctionFailed(
                "Function.ResponseSizeTooLarge",
                f"Response payload size ({len(answer.payload)} bytes) exceeds the limit of {self.max_payload_bytes}",
            )
        return answer

    def _metered(self, answer: Streamed, sandbox: _Sandbox, give_up_at: float) -> Streamed:
        async def release(reusable: bool) -> None:
            await self._release(sandbox, reusable=reusable)

        limit = self.max_stream_bytes
        return Streamed(answer.content_type, _Metered(answer.chunks, give_up_at, limit, release, self._keep))

    async def _take(self) -> _Sandbox:
        """A sandbox for one event: one that waits for events, or a new one whose init phase has been tried."""
        await self._recycle()
        now = self.clock.monotonic()
        sandbox = self._idle.pop() if self._idle else None
        if sandbox is None:
            sandbox = _Sandbox(born=now, idle_since=now, provisioned=self._provisions_another(now))
            self._busy.add(sandbox)
            await self._init(sandbox)
        self._busy.add(sandbox)
        return sandbox

    def _provisions_another(self, now: float) -> bool:
        prepared = sum(sandbox.provisioned for sandbox in (*self._idle, *self._busy))
        return now - self._deployed_at >= self.warming_s and prepared < self.provisioned

    async def _init(self, sandbox: _Sandbox) -> None:
        """The init phase proper. Where it fails or takes too long, the sandbox is left reset."""
        try:
            async with asyncio.timeout(self.init_limit_s):
                await self._start(sandbox)
        except (TimeoutError, FunctionFailed):
            await _stop(sandbox)
        except BaseException:
            await self._drop(sandbox)
            raise

    async def _start(self, sandbox: _Sandbox) -> None:
        """Start an instance. Raises FunctionFailed."""
        self.started += 1
        sandbox.instance = self.build()
        try:
            if not sandbox.provisioned:
                await self.sleep(self.cold_start_s)
            await sandbox.instance.start()
        except FunctionFailed as failure:
            failure.lost = True  # whatever kept it from starting, it cannot take the next event
            raise

    async def _recycle(self) -> None:
        now = self.clock.monotonic()
        expired = [each for each in self._idle if self._is_expired(each, now)]
        self._idle = [each for each in self._idle if each not in expired]
        await asyncio.gather(*(_stop(sandbox) for sandbox in expired))

    def _is_expired(self, sandbox: _Sandbox, now: float) -> bool:
        idle = not sandbox.provisioned and now - sandbox.idle_since >= self.idle_s
        return idle or now - sandbox.born >= self.age_s

    async def _release(self, sandbox: _Sandbox, *, reusable: bool) -> None:
        """Let a sandbox wait for the next event: frozen, or reset where its instance is lost."""
        if not reusable:
            await _stop(sandbox)
        elif sandbox.instance is not None:
            await sandbox.instance.freeze()
        if sandbox in self._busy:
            self._busy.discard(sandbox)
            sandbox.idle_since = self.clock.monotonic()
            self._idle.append(sandbox)

    async def _drop(self, sandbox: _Sandbox) -> None:
        self._busy.discard(sandbox)
        await _stop(sandbox)


async def _stop(sandbox: _Sandbox) -> None:
    instance, sandbox.instance = sandbox.instance, None
    if instance is not None:
        await instance.stop()


async def _unheard(run: asyncio.Task[Answer]) -> None:
    """See an invocation through whose caller has left, and release what it answers with."""
    with contextlib.suppress(FunctionFailed, Throttled):
        answer = await run
        if isinstance(answer, Streamed):
            await close_body(answer.chunks)


async def _drained(chunks: AsyncIterator[bytes]) -> None:
    """See a stream through whose reader has left."""
    with contextlib.suppress(CutShort):
        async for _ in chunks:
            pass


class _Metered:
    """The chunks of a streamed answer, under the limits of time and size; the instance is released with the last.

    A client that leaves early does not end the instance: `keep` makes a task that reads what is still to come.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        give_up_at: float,
        max_bytes: int,
        release: Callable[[bool], Awaitable[None]],
        keep: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]],
    ) -> None:
        self._chunks = chunks
        self._give_up_at = give_up_at
        self._left_bytes = max_bytes
        self._release: Callable[[bool], Awaitable[None]] | None = release
        self._keep = keep
        self._is_left = False
        self._step: asyncio.Task[bytes | None] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        # A step outlives a reader that is cancelled: whoever reads the rest takes it up.
        self._step = self._step or self._keep(self._next())
        try:
            async with asyncio.timeout_at(self._give_up_at):
                chunk = await asyncio.shield(self._step)
        except TimeoutError:
            await self._end(reusable=False)
            raise CutShort("the function ran into its time limit in the middle of an answer") from None
        except FunctionFailed as failure:
            await self._end(reusable=not failure.lost)
            raise CutShort(str(failure)) from None
        except CutShort:
            await self._end(reusable=True)
            raise
        self._step = None
        if chunk is None:
            await self._end(reusable=True)
            raise StopAsyncIteration
        self._left_bytes -= len(chunk)
        if self._left_bytes < 0:
            await self._end(reusable=False)
            raise CutShort("the answer is larger than a stream may be")
        return chunk

    async def _next(self) -> bytes | None:
        return await anext(self._chunks, None)

    async def aclose(self) -> None:
        if self._release is not None and not self._is_left:
            self._is_left = True
            self._keep(_drained(self))

    async def _end(self, *, reusable: bool) -> None:
        release, self._release = self._release, None
        if release is not None:
            if self._step is not None:
                self._step.cancel()
                await asyncio.gather(self._step, return_exceptions=True)
            await close_body(self._chunks)
            await release(reusable)
