"""What hostile servers cost the healthy ones: the time of a healthy probe, alone and beside each of the catalogue.

One worker probes 50 healthy endpoints in rounds, all at once; beside them it begins one probe of the hostile server in
every round, or several. Printed are median and 99th percentile of the healthy probes' time, the distance of the latter
from rounds alone, which take turns with the others, and the longest that the event loop was kept from its work. The aim
is p99 + 50 ms. The two servers run in processes of their own.
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).parents[2]))

from checks.model import Endpoint, Verdict
from prober.clock import SystemClock
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.probing.runner import Assignment, probe
from tests.integration.wire.hostile import CASES, TOOLS, Case
from tests.integration.wire.hostile_child import endpoint_at
from tests.integration.wire.scripted import Out, Request, Script, result, running, stateless

HEALTHY = 50
PAUSE_S = 0.02
"""What a healthy server takes for an answer, so that most of a probe is waiting, as in life."""


@dataclass(frozen=True)
class Figures:
    """Milliseconds."""

    p50: float
    p99: float
    lag: float


async def healthy(request: Request, out: Out) -> None:
    await asyncio.sleep(PAUSE_S)
    await out.json(result(request, TOOLS))


class Prober:
    def __init__(self) -> None:
        self._clock = SystemClock()
        self._net = Net(GuardPolicy(allow_private=True), clock=self._clock)

    async def time_of(self, endpoint: Endpoint) -> tuple[float, Verdict]:
        began = time.perf_counter()
        report = await probe(Assignment(endpoint=endpoint, slot=self._clock.now()), net=self._net, clock=self._clock)
        return (time.perf_counter() - began) * 1000, report.verdict

    async def hurt(self, case: Case, url: str) -> None:
        await self.time_of(endpoint_at(url, case.timeout_s, case.settings))


class Round:
    """The times of healthy probes in rounds of one kind."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._lags: list[float] = []

    async def run(self, prober: Prober, url: str, hurting: Sequence[Coroutine[Any, Any, None]] = ()) -> None:
        watching = asyncio.create_task(watch(self._lags))
        hostile = [asyncio.create_task(each) for each in hurting]
        endpoints = [Endpoint(name=f"healthy {number}", url=url) for number in range(HEALTHY)]
        seen = await asyncio.gather(*(prober.time_of(endpoint) for endpoint in endpoints))
        assert {verdict for _, verdict in seen} == {Verdict.UP}
        self._times += [took for took, _ in seen]
        watching.cancel()
        for task in hostile:
            task.cancel()
        await asyncio.gather(*hostile, return_exceptions=True)

    @property
    def figures(self) -> Figures:
        p99 = statistics.quantiles(self._times, n=100)[98]
        return Figures(statistics.median(self._times), p99, max(self._lags, default=0.0))


async def watch(lags: list[float]) -> None:
    """How late the loop comes back to who asked for 5 ms."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.005)
        lags.append((time.perf_counter() - began) * 1000 - 5)


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """The URL of a server in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        uvloop.run(serve(script, writing))
    os.close(writing)
    with os.fdopen(reading) as urls:
        url = urls.readline().strip()
    try:
        yield url
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


async def serve(script: Script, writing: int) -> None:
    async with running(script) as server:
        os.write(writing, f"{server.url}\n".encode())
        await asyncio.Event().wait()


async def compared(case: Case, url: str, hostile_url: str, *, rounds: int, hostile: int) -> tuple[Figures, Figures]:
    prober, alone, beside = Prober(), Round(), Round()
    await Round().run(prober, url, [prober.hurt(case, hostile_url)])
    for _ in range(rounds):
        await alone.run(prober, url)
        await beside.run(prober, url, [prober.hurt(case, hostile_url) for _ in range(hostile)])
    return alone.figures, beside.figures


def line(name: str, alone: Figures, together: Figures) -> str:
    more = together.p99 - alone.p99
    mark = "" if more <= 50 else "  beyond the aim"
    return (
        f"{name:48}  p50 {together.p50:6.0f}  p99 {together.p99:6.0f} ({more:+5.0f})"
        f"  loop held up to {together.lag:5.0f} ms{mark}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--hostile", type=int, default=1, help="probes of the hostile server that begin in a round")
    parser.add_argument("--only", default="", help="part of the name of a case")
    options = parser.parse_args(arguments)
    for case in CASES:
        if options.only in case.id:
            with serving(stateless(healthy)) as url, serving(case.script) as hostile_url:
                alone, together = uvloop.run(
                    compared(case, url, hostile_url, rounds=options.rounds, hostile=options.hostile)
                )
            print(line(case.id, alone, together), flush=True)


if __name__ == "__main__":
    main()
