"""What the spool costs: the wait for a durable append, appends per second, the loop's lag meanwhile, and a replay.

The same bytes are written and synced without anything of ours first (`write + fdatasync`): what the disk itself takes.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop

from prober.clock import SystemClock
from prober.storage.spool import Spool
from prober.storage.spool_format import Entry
from prober.vitals import Vitals

AT_ONCE = (1, 10, 50, 200)
PAYLOAD_BYTES = 8 * 1024
SLIM_BYTES = 1500
QUOTA_BYTES = 1 << 30
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def entry(number: int) -> Entry:
    return Entry(
        key=f"endpoint-{number % 500}",
        slot=NOON + timedelta(seconds=number),
        tone="up",
        is_up=True,
        payload=os.urandom(PAYLOAD_BYTES),
        slim=os.urandom(SLIM_BYTES),
    )


def bare_disk(directory: Path, count: int) -> list[float]:
    """Milliseconds of each write and sync of one report, by itself."""
    data, taken = os.urandom(PAYLOAD_BYTES), []
    file = os.open(directory / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(count):
        began = time.perf_counter()
        os.write(file, data)
        os.fdatasync(file)
        taken.append((time.perf_counter() - began) * 1000)
    os.close(file)
    return taken


@contextmanager
def lag() -> Iterator[list[float]]:
    """How late the event loop wakes, in milliseconds, every 5 ms."""
    late: list[float] = []

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            late.append((time.perf_counter() - began - 0.005) * 1000)

    watching = asyncio.ensure_future(watch())
    try:
        yield late
    finally:
        watching.cancel()


async def appends(directory: Path, at_once: int, count: int) -> str:
    spool = Spool(directory, quota_bytes=QUOTA_BYTES, vitals=Vitals(), clock=SystemClock())
    await spool.open()
    entries = iter([entry(number) for number in range(count)])
    taken: list[float] = []

    async def one_after_the_other() -> None:
        for each in entries:
            began = time.perf_counter()
            await spool.append(each)
            taken.append((time.perf_counter() - began) * 1000)

    with lag() as late:
        began = time.perf_counter()
        await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
        seconds = time.perf_counter() - began
    while spool.status.records:
        await spool.done(await spool.next(500))
    await spool.close()
    return (
        f"append, {at_once:3} at once   {told(taken)}  {count / seconds:8.0f}/s   loop late by p99 {p(late, 99):.2f} ms"
    )


async def replay(directory: Path, count: int) -> str:
    spool = Spool(directory, quota_bytes=QUOTA_BYTES, vitals=Vitals(), clock=SystemClock())
    await spool.open()
    for start in range(0, count, 500):
        await asyncio.gather(*(spool.append(entry(start + each)) for each in range(500)))
    await spool.close()
    began = time.perf_counter()
    spool = Spool(directory, quota_bytes=QUOTA_BYTES, vitals=Vitals(), clock=SystemClock())
    await spool.open()
    opened = time.perf_counter() - began
    size, found = spool.status.bytes, 0
    began = time.perf_counter()
    while spool.status.records:
        batch = await spool.next(100)
        found += len(batch)
        await spool.done(batch)
    handed = time.perf_counter() - began
    await spool.close()
    return f"replay of {found} reports, {size >> 20} MiB   opened in {opened:.2f} s, handed out in {handed:.2f} s"


def p(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else values[0]


def told(taken: list[float]) -> str:
    return f"p50 {p(taken, 50):6.2f} ms  p99 {p(taken, 99):6.2f} ms  max {max(taken):6.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, help="on the disk to measure (default: for temporary files)")
    parser.add_argument("--count", type=int, default=4000, help="appends of each kind (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as made:
        directory = Path(made)
        print(f"write + fdatasync      {told(bare_disk(directory, 500))}")
        for at_once in AT_ONCE:
            count = options.count if at_once > 1 else options.count // 4
            print(uvloop.run(appends(directory / "spool", at_once, count)), flush=True)
        print(uvloop.run(replay(directory / "spool", options.count * 2)))


if __name__ == "__main__":
    main()
