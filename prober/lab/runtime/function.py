"""A deployed function: its settings, its instances, and the rules by which Lambda hands events to them.

An instance handles one event at a time; overlapping events start further instances; idle instances are recycled.
Source: AWS Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle".
"""

import asyncio
import contextlib
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


@dataclass(slots=True)
class _Warm:
    instance: Instance
    idle_since: float


@dataclass(kw_only=True)
class Function:
    """Hands events to instances that `build` makes.

    `cold_start_s` is added to the init phase; `concurrency` is the reserved concurrency (0 refuses every event).
    """

    build: Callable[[], Instance]
    cold_start_s: float = 0.0
    timeout_s: float = DEFAULT_TIMEOUT_S
    idle_s: float = IDLE_S
    concurrency: int | None = None
    clock: Clock = field(default_factory=SystemClock)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    started: int = field(default=0, init=False)
    """Instances started so far."""
    _warm: list[_Warm] = field(default_factory=list, init=False)
    _busy: set[Instance] = field(default_factory=set, init=False)
    _starting: int = field(default=0, init=False)
    _runs: set[asyncio.Task[Any]] = field(default_factory=set, init=False)

    async def invoke(self, event: Mapping[str, Any], *, request_id: str, trace_id: str) -> Answer:
        """Hand one event to an instance. Raises Throttled or FunctionFailed.

        Of a streamed answer the chunks must be read or closed: the instance stays busy until then. A caller that is
        cancelled leaves alone: as on Lambda, the instance goes on to the end, and takes further events after it.
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
        instances = [*(warm.instance for warm in self._warm), *self._busy]
        self._warm.clear()
        self._busy.clear()
        await asyncio.gather(*(instance.stop() for instance in instances))

    def _keep(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        run = asyncio.get_running_loop().create_task(coroutine)
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        return run

    async def _run(self, event: Mapping[str, Any], *, request_id: str, trace_id: str) -> Answer:
        if self.concurrency is not None and len(self._busy) + self._starting >= self.concurrency:
            raise Throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        instance = await self._take()
        give_up_at = asyncio.get_running_loop().time() + self.timeout_s
        deadline_ms = int((self.clock.now().timestamp() + self.timeout_s) * 1000)
        context = Context(request_id=request_id, trace_id=trace_id, deadline_ms=deadline_ms)
        try:
            async with asyncio.timeout_at(give_up_at):
                answer = await instance.invoke(event, context)
        except TimeoutError:
            await self._discard(instance)
            raise FunctionFailed("Sandbox.Timedout", f"Task timed out after {self.timeout_s:.2f} seconds") from None
        except FunctionFailed as failure:
            await self._release(instance, reusable=not failure.lost)
            raise
        except BaseException:
            await self._discard(instance)
            raise
        if isinstance(answer, Streamed):
            metered = _Metered(answer.chunks, give_up_at, lambda reusable: self._release(instance, reusable=reusable))
            return Streamed(answer.content_type, metered)
        await self._give_back(instance)
        return answer

    async def _take(self) -> Instance:
        await self._recycle()
        if self._warm:
            instance = self._warm.pop().instance
        else:
            self._starting += 1
            try:
                instance = await self._start()
            finally:
                self._starting -= 1
        self._busy.add(instance)
        return instance

    async def _start(self) -> Instance:
        instance = self.build()
        self.started += 1
        try:
            async with asyncio.timeout(INIT_LIMIT_S + self.cold_start_s):
                await self.sleep(self.cold_start_s)
                await instance.start()
        except TimeoutError:
            await instance.stop()
            raise FunctionFailed("Sandbox.Timedout", "the init phase took too long", lost=True) from None
        except BaseException:
            await instance.stop()
            raise
        return instance

    async def _recycle(self) -> None:
        now = self.clock.monotonic()
        expired = [warm for warm in self._warm if now - warm.idle_since >= self.idle_s]
        self._warm = [warm for warm in self._warm if warm not in expired]
        await asyncio.gather(*(warm.instance.stop() for warm in expired))

    async def _release(self, instance: Instance, *, reusable: bool) -> None:
        await (self._give_back(instance) if reusable else self._discard(instance))

    async def _give_back(self, instance: Instance) -> None:
        await instance.freeze()
        if instance in self._busy:
            self._busy.discard(instance)
            self._warm.append(_Warm(instance, self.clock.monotonic()))

    async def _discard(self, instance: Instance) -> None:
        self._busy.discard(instance)
        await instance.stop()


async def _unheard(run: asyncio.Task[Answer]) -> None:
    """See an invocation through whose caller has left, and release what it answers with."""
    with contextlib.suppress(FunctionFailed, Throttled):
        answer = await run
        if isinstance(answer, Streamed):
            await close_body(answer.chunks)


class _Metered:
    """The chunks of a streamed answer, under the time limit; the instance is released with the last of them.

    A client that leaves early does not end the instance: Lambda lets the function run on.
    """

    def __init__(
        self, chunks: AsyncIterator[bytes], give_up_at: float, release: Callable[[bool], Awaitable[None]]
    ) -> None:
        self._chunks = chunks
        self._give_up_at = give_up_at
        self._release: Callable[[bool], Awaitable[None]] | None = release

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            async with asyncio.timeout_at(self._give_up_at):
                return await anext(self._chunks)
        except StopAsyncIteration:
            await self._end(reusable=True)
            raise
        except TimeoutError:
            await self._end(reusable=False)
            raise CutShort("the function ran into its time limit in the middle of an answer") from None
        except FunctionFailed as failure:
            await self._end(reusable=not failure.lost)
            raise CutShort(str(failure)) from None

    async def aclose(self) -> None:
        await self._end(reusable=True)

    async def _end(self, *, reusable: bool) -> None:
        release, self._release = self._release, None
        if release is not None:
            await close_body(self._chunks)
            await release(reusable)
