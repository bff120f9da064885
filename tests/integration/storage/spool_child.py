"""What the tests of the spool put into it, and what they do in processes of their own: run with WHAT and DIRECTORY."""

import asyncio
import json
import resource
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prober.clock import SystemClock
from prober.storage.spool import Spool
from prober.storage.spool_format import Entry
from prober.vitals import Vitals

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def entry(number: int, tone: str = "up", key: str = "shop", *, size: int = 2000) -> Entry:
    """One report, a second after the one before."""
    slim = json.dumps({"number": number, "key": key}).encode()
    return Entry(
        key=key,
        slot=NOON + timedelta(seconds=number),
        tone=tone,
        is_up=tone == "up",
        payload=slim + b" " * size,
        slim=slim,
    )


def spool_in(directory: Path, *, quota_bytes: int = 64 << 20, vitals: Vitals | None = None) -> Spool:
    return Spool(directory, quota_bytes=quota_bytes, vitals=vitals or Vitals(), clock=SystemClock())


async def everything(spool: Spool) -> list[tuple[int, int]]:
    """The number and the count of every record, in order; all are done."""
    found: list[tuple[int, int]] = []
    while spool.status.records:
        batch = await spool.next(100, timeout_s=10)
        assert batch, "records wait and none is handed out"
        found += [(json.loads(each.payload)["number"], each.count) for each in batch]
        await spool.done(batch)
    return found


async def recovered(spool: Spool) -> None:
    """Wait for the trouble to be over."""
    async with asyncio.timeout(20):
        while spool.status.trouble:  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.05)


def segments(directory: Path) -> list[Path]:
    """The files of all spools in there."""
    return sorted(directory.rglob("*.spool"))


def names(directory: Path) -> list[str]:
    """What is in a directory."""
    return sorted(path.name for path in directory.iterdir())


async def write_for_ever(directory: Path) -> None:
    """Ten at a time; the number of each is told once `append` has returned."""
    spool = spool_in(directory)
    await spool.open()

    async def one(number: int) -> None:
        await spool.append(entry(number, key=f"key-{number % 10}"))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()

    for start in range(0, 1_000_000, 10):
        await asyncio.gather(*(one(start + each) for each in range(10)))


async def hold_open(directory: Path) -> None:
    """Stay until somebody speaks."""
    spool = spool_in(directory)
    await spool.open()
    await spool.append(entry(1))
    sys.stdout.write("open\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    await spool.close()


async def write_small_files(directory: Path) -> None:
    """Files may have 100 KiB, then none at all, then 100 KiB again; what came of it is told as JSON."""
    vitals = Vitals()
    spool = spool_in(directory, vitals=vitals)
    _limit_files(100 * 1024)
    await spool.open()
    for number in range(200):
        await spool.append(entry(number))
    small = {"files": len(segments(directory)), "trouble": spool.status.trouble}
    _limit_files(0)
    for number in range(200, 400):
        await spool.append(entry(number, "down" if number % 50 == 0 else "up"))
    refused = {"trouble": sorted(vitals.troubles), "dropped": spool.status.dropped}
    first = await spool.next(1)
    _limit_files(100 * 1024)
    await recovered(spool)
    told = {"small": small, "refused": refused, "first": len(first), "records": await everything(spool)}
    told["coalesced"] = spool.status.coalesced
    await spool.close()
    sys.stdout.write(json.dumps(told))


def _limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


WHAT: dict[str, Callable[[Path], Awaitable[None]]] = {
    "write": write_for_ever,
    "hold": hold_open,
    "small-files": write_small_files,
}

if __name__ == "__main__":
    asyncio.run(WHAT[sys.argv[1]](Path(sys.argv[2])))
