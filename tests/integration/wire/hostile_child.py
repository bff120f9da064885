"""Probes one URL after another, each in a forked process of its own, and writes what each cost and came to.

Reads a JSON line per probe from standard input and writes one to standard output. The memory is that of the forked
process: its resident set at the highest, less what it was at the beginning. By then everything is imported and one
probe has been made, and the heap has been given back to the system, so that nothing hides in what was free already.
"""

import asyncio
import ctypes
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from checks.encode import as_json
from checks.model import Endpoint, ProbeReport, Sentinel
from checks.spec import Transport
from prober.clock import SystemClock
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.probing.runner import Assignment, probe


def endpoint_at(url: str, timeout_s: float, settings: Mapping[str, Any]) -> Endpoint:
    """The endpoint of a case, whose settings are plain JSON."""
    read = dict(settings)
    if "transport" in read:
        read["transport"] = Transport(read["transport"])
    read["sentinels"] = tuple(Sentinel(**each) for each in read.get("sentinels", ()))
    return Endpoint(name="hostile", url=url, timeout_s=timeout_s, **read)


async def probed(task: dict[str, Any]) -> tuple[ProbeReport, float, int]:
    """The report, the seconds that it took, and how many descriptors it left open."""
    clock = SystemClock()
    endpoint = endpoint_at(task["url"], task["timeout_s"], task["settings"])
    net = Net(GuardPolicy(allow_private=True), clock=clock)
    before, began = _descriptors(), time.monotonic()
    report = await probe(Assignment(endpoint=endpoint, slot=clock.now()), net=net, clock=clock)
    took = time.monotonic() - began
    await asyncio.sleep(0.01)
    return report, took, _descriptors() - before


def told(task: dict[str, Any]) -> dict[str, Any]:
    """One probe, in this process, and what it came to."""
    before = _resident_kib()
    report, took, left = asyncio.run(probed(task))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"took": took, "descriptors": left, "grown_kib": peak - before, "report": as_json(report)}


def in_a_fork(task: dict[str, Any]) -> None:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        print(json.dumps(told(task)), flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status != 0:
        print(json.dumps({"died": status}), flush=True)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def main() -> None:
    for line in sys.stdin:
        task = json.loads(line)
        if task.get("warm_up"):
            print(json.dumps({"report": told(task)["report"]}), flush=True)
        else:
            in_a_fork(task)


if __name__ == "__main__":
    main()
