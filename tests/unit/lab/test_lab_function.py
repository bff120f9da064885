import asyncio

import pytest

from prober.lab.http import CutShort, close_body
from prober.lab.runtime.function import Buffered, Function, FunctionFailed, Streamed, Throttled


async def invoke(function):
    return await function.invoke({}, request_id="r", trace_id="t")


async def test_one_instance_is_reused_and_frozen_between_events(build, instances, clock) -> None:
    function = Function(build=build(), clock=clock)
    await invoke(function)
    await invoke(function)
    assert [each.history for each in instances] == [["start", "invoke", "freeze", "invoke", "freeze"]]


async def test_an_overlapping_event_starts_another_instance(build, instances, clock, chunks) -> None:
    function = Function(build=build(lambda: Streamed("text/plain", chunks(b"a"))), clock=clock)
    first = await invoke(function)
    second = await invoke(function)
    assert len(instances) == 2
    await close_body(first.chunks)
    await close_body(second.chunks)
    await close_body((await invoke(function)).chunks)
    assert len(instances) == 2


async def test_a_cold_start_delays_the_first_event_alone(build, clock) -> None:
    function = Function(build=build(), clock=clock, sleep=clock.sleep, cold_start_s=1.5)
    await invoke(function)
    assert clock.seconds == 1.5
    await invoke(function)
    assert clock.seconds == 1.5


async def test_an_idle_instance_is_recycled(build, instances, clock) -> None:
    function = Function(build=build(), clock=clock, idle_s=60)
    await invoke(function)
    clock.seconds = 59
    await invoke(function)
    assert len(instances) == 1
    clock.seconds += 60
    await invoke(function)
    assert len(instances) == 2
    assert instances[0].history[-1] == "stop"


async def test_reserved_concurrency_of_zero_refuses_every_event(build, instances, clock) -> None:
    with pytest.raises(Throttled, match="ReservedFunctionConcurrentInvocationLimitExceeded"):
        await invoke(Function(build=build(), clock=clock, concurrency=0))
    assert instances == []


async def test_reserved_concurrency_counts_streams_that_are_still_being_read(build, clock, chunks) -> None:
    function = Function(build=build(lambda: Streamed("text/plain", chunks(b"a"))), clock=clock, concurrency=1)
    answer = await invoke(function)
    with pytest.raises(Throttled):
        await invoke(function)
    assert [chunk async for chunk in answer.chunks] == [b"a"]
    await close_body((await invoke(function)).chunks)


async def test_an_instance_survives_an_error_but_not_its_own_death(build, instances, clock) -> None:
    failures = iter([FunctionFailed("ValueError", "no"), FunctionFailed("Runtime.ExitError", "gone", lost=True)])

    def fail():
        raise next(failures)

    function = Function(build=build(fail), clock=clock)
    for _ in range(2):
        with pytest.raises(FunctionFailed):
            await invoke(function)
    assert [each.history for each in instances] == [["start", "invoke", "freeze", "invoke", "stop"]]


async def test_the_time_limit_ends_the_instance(instances, clock) -> None:
    class Hanging:
        stopped = False

        async def start(self) -> None: ...

        async def invoke(self, event, context):
            await asyncio.Event().wait()

        async def freeze(self) -> None: ...

        async def stop(self) -> None:
            self.stopped = True

    hanging = Hanging()
    with pytest.raises(FunctionFailed, match=r"Task timed out after 0\.01 seconds"):
        await invoke(Function(build=lambda: hanging, clock=clock, timeout_s=0.01))
    assert hanging.stopped


async def test_the_time_limit_cuts_a_stream_short(build, instances, clock) -> None:
    async def stalls():
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

    def __init__(self, answer) -> None:
        self.begun, self.allowed, self.given_back = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.history: list[str] = []
        self._answer = answer

    async def start(self) -> None: ...

    async def invoke(self, event, context):
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
async def test_an_instance_whose_caller_leaves_goes_on_to_the_end_and_is_used_again(clock, chunks, streams) -> None:
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


async def test_closing_ends_what_nobody_waits_for_any_more(clock) -> None:
    instance = Patient(lambda: Buffered(b"null"))
    function = Function(build=lambda: instance, clock=clock)
    await leave_early(function, instance)
    await function.close()
    assert instance.history == ["stopped"]


async def test_a_failed_init_is_repeated_for_every_event(clock) -> None:
    class Broken:
        starts = 0

        async def start(self) -> None:
            Broken.starts += 1
            raise FunctionFailed("Runtime.ImportModuleError", "No module named 'app'")

        async def invoke(self, event, context):
            return Buffered(b"null")

        async def freeze(self) -> None: ...

        async def stop(self) -> None: ...

    function = Function(build=Broken, clock=clock)
    for _ in range(2):
        with pytest.raises(FunctionFailed, match="ImportModuleError"):
            await invoke(function)
    assert Broken.starts == 2


async def test_closing_stops_warm_and_busy_instances(build, instances, clock, chunks) -> None:
    function = Function(build=build(lambda: Streamed("text/plain", chunks(b"a"))), clock=clock)
    held = await invoke(function)
    await close_body((await invoke(function)).chunks)
    await function.close()
    assert [each.history[-1] for each in instances] == ["stop", "stop"]
    await close_body(held.chunks)
