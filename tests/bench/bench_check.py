"""`mcp-prober check` as a whole process against a healthy lab server, beside a bare `import httpx`.

The two are run in turn, so that a machine whose speed drifts drifts under both. Aim: a ratio under 2.5.
"""

import argparse
import asyncio
import resource
import statistics
import subprocess
import sys
import time

from prober.lab import SCENARIOS, Lab

HEALTHY = "stateless-streaming"


def seconds(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one run of `command`, which must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


async def measure(runs: int) -> None:
    python = sys.executable
    scenario = next(each for each in SCENARIOS if each.id == HEALTHY)
    async with Lab([scenario]) as lab:
        check = [python, "-m", "prober.cli", "check", lab.url(HEALTHY), "--format", "json"]
        bare = [python, "-c", "import httpx"]
        await asyncio.to_thread(seconds, check)
        await asyncio.to_thread(seconds, bare)
        pairs = [(await asyncio.to_thread(seconds, check), await asyncio.to_thread(seconds, bare)) for _ in range(runs)]
    report("wall", [check[0] for check, _ in pairs], [bare[0] for _, bare in pairs])
    report("cpu", [check[1] for check, _ in pairs], [bare[1] for _, bare in pairs])


def report(name: str, checks: list[float], bares: list[float]) -> None:
    ratios = [check / bare for check, bare in zip(checks, bares, strict=True)]
    print(
        f"{name:5} check {statistics.median(checks) * 1000:5.0f} ms,"
        f" import httpx {statistics.median(bares) * 1000:5.0f} ms,"
        f" ratio {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f})"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11)
    asyncio.run(measure(parser.parse_args().runs))
