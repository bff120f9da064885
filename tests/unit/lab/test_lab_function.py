"""A function and its instances by hand: reuse, limits, failed starts, and streams that are left or cut."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from prober.lab.http import CutShort, close_body
from prober.lab.runtime.function import Answer, Buffered, Function, FunctionFailed, Streamed, Throttled
from tests.unit.lab.conftest import Build, Chunks, HandClock, RecordingInstance


async def invoke(function: Function) -> Any:
    return await function.invoke({}, request_id="r", trace_id="t")


async def test_one_instance_is_reused_and_frozen_between_events(
    build: Build, instances: list[RecordingInstance], clock: HandClock
) -> None:
    function = Function(build=build(), clock=clock)
    await invoke(function)
    await invoke(function)
    assert [each.history for each in instances] == [["start", "invoke", "freeze", "invoke", "freeze"]]


async def test_an_overlapping_event_starts_another_instance(
    build: Build, instances: list[RecordingInstance], clock: HandClock, chunks: Chunks
) -> None:
    function = Function(build=build(lambda: Streamed("text/plain", chunks(b"a"))), clock=clock)
    first = await invoke(function)
    second = await invoke(function)
    assert len(instances) == 2
    for answer in (first, second):
        assert [chunk async for chunk in answer.chunks] == [b"a"]
    await invoke(function)
    assert len(instances) == 2


async def test_a_cold_start_delays_the_first_event_alone(build: Build, clock: HandClock) -> None:
    function = Function(build=build(), clock=clock, sleep=clock.sleep, cold_start_s=1.5)
    await invoke(function)
    assert clock.seconds == 1.5
    await invoke(function)
    assert clock.seconds == 1.5


async def test_an_idle_instance_is_recycled(build: Build, instances: list[RecordingInstance], clock: HandClock) -> None:
    function = Function(build=build(), clock=clock, idle_s=60)
    await invoke(function)
    clock.seconds = 59
    await invoke(function)
    assert len(instances) == 1
    clock.seconds += 60
    await invoke(function)
    assert len(instances) == 2
    assert instances[0].history[-1] == "stop"


async def test_reserved_concurrency_of_zero_refuses_every_event(
    build: Build, instances: list[RecordingInstance], clock: HandClock
) -> None:
    with pytest.raises(Throttled, match="ReservedFunctionConcurrentInvocationLimitExceeded"):
        await invoke(Function(build=build(), clock=clock, concurrency=0))
    assert instances == []


async def test_reserved_concurrency_counts_streams_that_are_still_being_read(
    build: Build, clock: HandClock, chunks: Chunks
) -> None:
    function = Function(build=build(lambda: Streamed("text/plain", chunks(b"a"))), clock=clock, concurrency=1)
    answer = await invoke(function)
    with pytest.raises(Throttled):
        await invoke(function)
    assert [chunk async for chunk in answer.chunks] == [b"a"]
    await close_body((await invoke(function)).chunks)


async def test_an_instance_survives_an_error_but_not_its_own_death(
    build: Build, instances: list[RecordingInstance], clock: HandClock
) -> None:
    failures = iter([FunctionFailed("ValueError", "no"), FunctionFailed("Runtime.ExitError", "gone", lost=True)])

    def fail() -> Answer:
        raise next(failures)

    function = Function(build=build(fail), clock=clock)
    for _ in range(2):
        with pytest.raises(FunctionFailed):
            await invoke(function)
    assert [each.history for each in instances] == [["start", "invoke", "freeze", "invoke", "stop"]]


async def test_the_time_limit_ends_the_instance(instances: list[RecordingInstance], clock: HandClock) -> None:
    class Hanging:
        stopped = False

        async def start(self) -> None: ...

        async def invoke(self, event: Any, context: Any) -> Any:
            await asyncio.Event().wait()

        async def freeze(self) -> None: ...

        async def stop(self) -> None:
            self.stopped = True

    hanging = Hanging()
    with pytest.raises(FunctionFailed, match=r"Task timed out after 0\.01 seconds"):
        await invoke(Function(build=lambda: hanging, clock=clock, timeout_s=0.01))
    assert hanging.stopped


async def test_the_time_limit_cuts_a_stream_short(
    build: Build, instances: list[RecordingInstance], clock: HandClock
) -> None:
    async def stalls() -> AsyncIterator[bytes]:
        yield b"begin"
        await asyncio.Event().wait()

    function = Function(build=build(lambda: Streamed("text/plain", stalls())), clock=clock, timeout_s=0.01)
    answer = await invoke(function)
    assert await anext(answer.chunks) == b"begin"
    with pytest.raises(CutShort):
        await anext(answer.chunks)
    assert instances[0].history[-1] == "stop"


class Patient:
    """An instance that answers when it is allowed to."""

    def __init__(self, answer: Callable[[], Answer]) -> None:
        self.begun, self.allowed, self.given_back = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.history: list[str] = []
        self._answer = answer

    async def start(self) -> None: ...

    async def invoke(self, event: Any, context: Any) -> Any:
        self.begun.set()
        await self.allowed.wait()
        self.history.append("answered")
        return self._answer()

    async def freeze(self) -> None:
        self.history.append("frozen")
        self.given_back.set()

    async def stop(self) -> None:
        self.history.append("stopped")


async def leave_early(function: Function, instance: Patient) -> None:
    """Call the function, and leave once its instance is at work."""
    call = asyncio.create_task(invoke(function))
    await instance.begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize("streams", [False, True])
async def test_an_instance_whose_caller_leaves_goes_on_to_the_end_and_is_used_again(
    clock: HandClock, chunks: Chunks, streams: bool
) -> None:
    instance = Patient(lambda: Streamed("text/plain", chunks(b"a")) if streams else Buffered(b"null"))
    function = Function(build=lambda: instance, clock=clock, concurrency=1)
    await leave_early(function, instance)
    with pytest.raises(Throttled):
        await invoke(function)
    instance.allowed.set()
    await instance.given_back.wait()
    assert instance.history == ["answered", "frozen"]
    await invoke(function)
    assert function.started == 1


async def test_closing_ends_what_nobody_waits_for_any_more(clock: HandClock) -> None:
    instance = Patient(lambda: Buffered(b"null"))
    function = Function(build=lambda: instance, clock=clock)
    await leave_early(function, instance)
    await function.close()
    assert instance.history == ["stopped"]


class Broken:
    """An instance that cannot start, until it is mended."""

    def __init__(self, history: list[str], mended: asyncio.Event, *, hangs: bool = False) -> None:
        self._history, self._mended, self._hangs = history, mended, hangs

    async def start(self) -> None:
        self._history.append("start")
        if self._hangs:
            await self._mended.wait()
        if not self._mended.is_set():
            raise FunctionFailed("Runtime.ImportModuleError", "No module named 'app'")

    async def invoke(self, event: Any, context: Any) -> Any:
        return Buffered(b"null")

    async def freeze(self) -> None: ...

    async def stop(self) -> None:
        self._history.append("stop")


async def test_a_failed_init_is_repeated_by_the_event_itself_and_by_every_later_one(clock: HandClock) -> None:
    history: list[str] = []
    function = Function(build=lambda: Broken(history, asyncio.Event()), clock=clock)
    for _ in range(2):
        with pytest.raises(FunctionFailed, match=r"^Runtime\.ImportModuleError: No module named 'app'$"):
            await invoke(function)
    assert history == ["start", "stop"] * 3


async def test_an_init_over_its_limit_is_repeated_within_the_time_of_the_event(clock: HandClock) -> None:
    history: list[str] = []
    never = asyncio.Event()
    function = Function(
        build=lambda: Broken(history, never, hangs=True), clock=clock, init_limit_s=0.01, timeout_s=0.02
    )
    began = asyncio.get_running_loop().time()
    with pytest.raises(FunctionFailed, match=r"Task timed out after 0\.02 seconds"):
        await invoke(function)
    assert asyncio.get_running_loop().time() - began >= 0.03
    assert history == ["start", "stop"] * 2


async def test_a_sandbox_whose_init_failed_once_serves_when_the_second_try_succeeds(clock: HandClock) -> None:
    history: list[str] = []
    mended = asyncio.Event()

    def build() -> Any:
        if history:
            mended.set()
        return Broken(history, mended)

    function = Function(build=build, clock=clock)
    await invoke(function)
    await invoke(function)
    assert history == ["start", "stop", "start"]


async def test_an_old_instance_is_recycled_although_it_is_in_use(
    build: Build, instances: list[RecordingInstance], clock: HandClock
) -> None:
    function = Function(build=build(), clock=clock, age_s=100, idle_s=60)
    for clock.seconds in (0, 50, 99, 100):
        await invoke(function)
    assert [each.history[-1] for each in instances] == ["stop", "freeze"]


async def test_provisioned_instances_are_ready_only_some_time_after_the_deploy(build: Build, clock: HandClock) -> None:
    function = Function(
        build=build(), clock=clock, sleep=clock.sleep, cold_start_s=1.0, idle_s=0.5, provisioned=1, warming_s=10.0
    )
    waits = []
    for at in (0.0, 5.0, 12.0, 20.0):
        clock.seconds = at
        await invoke(function)
        waits.append(clock.seconds - at)
    assert waits == [1.0, 1.0, 0.0, 0.0]


async def test_events_beyond_the_provisioned_instances_spill_over_to_cold_ones(
    build: Build, clock: HandClock, chunks: Chunks
) -> None:
    function = Function(
        build=build(lambda: Streamed("text/plain", chunks(b"a"))), clock=clock, sleep=clock.sleep, cold_start_s=1.0,
        provisioned=1,
    )  # fmt: skip
    await invoke(function)
    assert clock.seconds == 0.0
    await invoke(function)
    assert clock.seconds == 1.0


async def test_a_return_value_over_the_limit_fails_and_leaves_the_instance_alone(
    build: Build, instances: list[RecordingInstance], clock: HandClock
) -> None:
    function = Function(build=build(lambda: Buffered(b"x" * 11)), clock=clock, max_payload_bytes=10)
    with pytest.raises(FunctionFailed, match=r"Function\.ResponseSizeTooLarge"):
        await invoke(function)
    assert instances[0].history[-1] == "freeze"


async def test_a_stream_over_the_limit_is_cut_short(build: Build, clock: HandClock, chunks: Chunks) -> None:
    function = Function(
        build=build(lambda: Streamed("text/plain", chunks(b"123456", b"789012"))), clock=clock, max_stream_bytes=10
    )
    answer = await invoke(function)
    assert await anext(answer.chunks) == b"123456"
    with pytest.raises(CutShort):
        await anext(answer.chunks)


async def test_a_reader_that_leaves_a_stream_leaves_alone(clock: HandClock) -> None:
    written: list[str] = []
    allowed, finished = asyncio.Event(), asyncio.Event()

    async def stream() -> AsyncIterator[bytes]:
        yield b"begin"
        await allowed.wait()
        written.append("end")
        yield b"end"
        finished.set()

    instance = Patient(lambda: Streamed("text/plain", stream()))
    instance.allowed.set()
    function = Function(build=lambda: instance, clock=clock, concurrency=1)
    answer = await invoke(function)
    assert await anext(answer.chunks) == b"begin"
    reading = asyncio.ensure_future(anext(answer.chunks))
    await asyncio.sleep(0)
    reading.cancel()
    await close_body(answer.chunks)
    with pytest.raises(Throttled):
        await invoke(function)
    allowed.set()
    await instance.given_back.wait()
    assert (written, finished.is_set(), instance.history) == (["end"], True, ["answered", "frozen"])


async def test_closing_stops_warm_and_busy_instances(
    build: Build, instances: list[RecordingInstance], clock: HandClock, chunks: Chunks
) -> None:
    function = Function(build=build(lambda: Streamed("text/plain", chunks(b"a"))), clock=clock)
    held = await invoke(function)
    await close_body((await invoke(function)).chunks)
    await function.close()
    assert [each.history[-1] for each in instances] == ["stop", "stop"]
    await close_body(held.chunks)
