"""For how long the event loop is held while metrics of 10,000 endpoints are published, and while Prometheus asks.

Both happen in threads, which share the interpreter with the event loop. Garbage collections of all objects are told
apart: they stop every thread, and take the longer the more objects there are.
"""

import argparse
import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop

from checks.model import Endpoint
from prober.app.memory import settle
from prober.clock import SystemClock
from prober.metrics.board import Board
from prober.metrics.cloudwatch import CloudWatch
from prober.metrics.emf import EmbeddedMetrics
from prober.metrics.pending import Sink
from prober.metrics.prometheus import Exposition
from prober.metrics.publishing import Publisher
from prober.settings import MetricSet
from prober.vitals import Vitals
from tests.bench.bench_recording import found_at, longest_hold_s

FLEET = 10_000


class Taking:
    """AWS, as far as its client in this process works for it: botocore makes the request, nobody is asked."""

    def __init__(self) -> None:
        from botocore.session import Session

        self._client = Session().create_client(
            "cloudwatch", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        self._client.meta.events.register("before-send.cloudwatch.*", self._answered)

    def put_metric_data(self, **request: Any) -> Any:
        return self._client.put_metric_data(**request)

    @staticmethod
    def _answered(request: Any, **named: Any) -> Any:
        from botocore.awsrequest import AWSResponse

        class Empty:
            @staticmethod
            def stream() -> Iterator[bytes]:
                return iter(())

        return AWSResponse(request.url, 200, {}, Empty())


@contextmanager
def collections() -> Iterator[list[float]]:
    """The seconds of each full garbage collection meanwhile."""
    took: list[float] = []
    began = 0.0

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if info["generation"] == 2:
            if phase == "start":
                began = time.perf_counter()
            else:
                took.append(time.perf_counter() - began)

    gc.callbacks.append(note)
    try:
        yield took
    finally:
        gc.callbacks.remove(note)


async def measure(name: str, work: Callable[[], Awaitable[object]]) -> None:
    with collections() as full:
        held = asyncio.create_task(longest_hold_s())
        await asyncio.sleep(0.05)
        began, cpu = time.perf_counter(), time.process_time()
        await work()
        spent = time.perf_counter() - began, time.process_time() - cpu
        held.cancel()
        worst = await held
    collected = f"{len(full)} of at most {max(full, default=0) * 1000:.0f} ms"
    print(f"{name:12}{spent[0]:>8.2f}{spent[1]:>8.2f}{worst * 1000:>14.0f}   {collected}")


async def publish(sink: Sink, executor: ThreadPoolExecutor, chosen: MetricSet) -> Callable[[], Awaitable[None]]:
    clock = SystemClock()
    publisher = Publisher(
        sink, executor=executor, location="here", clock=clock, vitals=Vitals(), alive=lambda: True, aggregates=True
    )
    for number in range(FLEET):
        endpoint = Endpoint(name=f"endpoint-{number}", url=f"https://e{number}.example/mcp")
        publisher.add(found_at(endpoint, clock.now() - timedelta(seconds=number % 60)), chosen)
        if number % 50 == 0:
            await asyncio.sleep(0)
    return publisher.flush


async def run(objects: int, *, settled: bool) -> None:
    ballast = [{"number": number} for number in range(objects)]
    if settled:
        settle()
    clock, vitals, board = SystemClock(), Vitals(), Board()
    for number in range(FLEET):
        endpoint = Endpoint(name=f"endpoint-{number}", url=f"https://e{number}.example/mcp")
        board.add(found_at(endpoint, clock.now()), 60.0)
    exposition = Exposition(board, vitals, clock)
    print(f"{FLEET:,} endpoints, {len(ballast):,} other objects")
    print(f"{'':12}{'s':>8}{'CPU s':>8}{'loop held ms':>14}   full collections")
    with ThreadPoolExecutor(1) as executor, TemporaryDirectory() as directory:
        await measure("prometheus", lambda: asyncio.to_thread(exposition.render))
        aws = CloudWatch(Taking(), "MCPProber", vitals)
        await measure("cloudwatch", await publish(aws, executor, MetricSet.STANDARD))
        emf = EmbeddedMetrics(Path(directory) / "emf", "MCPProber", vitals)
        await measure("emf", await publish(emf, executor, MetricSet.STANDARD))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=500_000, help="what else lives in the process")
    parser.add_argument("--unsettled", action="store_true", help="without what a worker does at its start")
    options = parser.parse_args()
    uvloop.run(run(options.objects, settled=not options.unsettled))


if __name__ == "__main__":
    main()
