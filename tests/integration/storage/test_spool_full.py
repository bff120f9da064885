"""The spool on disks that are full, read-only or frozen: real ones, where this machine may mount them."""

import asyncio
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from prober.storage.spool import Spool
from prober.storage.spool_format import Entry
from prober.vitals import Vitals
from tests.integration.storage.spool_child import entry, everything, recovered, segments, spool_in

KEYS = 20
MIB = 1024 * 1024


@contextmanager
def mounted(place: Path, *what: str) -> Iterator[Path]:
    """A file system of its own; the test is skipped where this is not allowed."""
    place.mkdir()
    tried = subprocess.run(["mount", *what, str(place)], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"this machine lets nobody mount: {tried.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """4 MiB of memory as a disk."""
    if os.geteuid():
        pytest.skip("only root may mount a disk of 4 MiB")
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=4m", "tmpfs") as place:
        yield place


@pytest.fixture
def freezing_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that can be made not to answer."""
    if os.geteuid() or not all(map(shutil.which, ("mkfs.ext4", "fsfreeze"))):
        pytest.skip("freezing a disk needs root, mkfs.ext4 and fsfreeze")
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(16 * MIB)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    with mounted(tmp_path / "freezing", "-o", "loop", str(image)) as place:
        yield place


def fault_at(number: int) -> str:
    """Each endpoint fails for three rounds now and then, each at another time."""
    at, key = divmod(number, KEYS)
    return "down" if (at + key * 7) % 50 in (0, 1, 2) else "up"


def probed(number: int) -> Entry:
    """Rounds of one report about each endpoint."""
    return entry(number, fault_at(number), key=f"key-{number % KEYS}", size=1500)


async def fill(spool: Spool, numbers: range) -> None:
    for start in range(numbers.start, numbers.stop, KEYS):
        await asyncio.gather(*(spool.append(probed(number)) for number in range(start, start + KEYS)))


def essential(numbers: range, keep_run: int = 6) -> set[int]:
    """Every change of tone, and the reports right after it."""
    found, since = set(), Counter[int]()
    for number in numbers:
        key = number % KEYS
        changed = number < KEYS or fault_at(number) != fault_at(number - KEYS)
        since[key] = 0 if changed else since[key] + 1
        if since[key] <= keep_run:
            found.add(number)
    return found


def check_nothing_told_is_lost(records: list[tuple[int, int]], total: int, spool: Spool, vitals: Vitals) -> None:
    counts = dict(records)
    assert len(counts) == len(records)
    assert sum(counts.values()) + spool.status.dropped == total
    assert all(counts[number] == 1 for number in essential(range(total)))
    assert spool.status.dropped == 0
    assert spool.status.coalesced == total - len(records)
    told = {"coalesced": spool.status.coalesced, "slimmed": spool.status.slimmed}
    assert vitals.counters == {(f"spool_{name}", ""): count for name, count in told.items() if count}


async def test_a_full_disk_costs_successes_and_no_change_and_recovers_without_a_restart(small_disk: Path) -> None:
    vitals = Vitals()
    spool = spool_in(small_disk / "spool", vitals=vitals)
    await spool.open()
    total = 20_000
    await fill(spool, range(total))
    assert list(vitals.troubles) == ["spool-full"]
    assert spool.status.trouble is not None
    records = await everything(spool)
    check_nothing_told_is_lost(records, total, spool, vitals)
    await recovered(spool)
    assert not vitals.troubles
    before = vitals.counters
    await fill(spool, range(total, total + 200))
    assert await everything(spool) == [(number, 1) for number in range(total, total + 200)]
    assert vitals.counters == before
    await spool.close()
    assert segments(small_disk) == []


async def test_a_disk_that_others_filled_is_waited_for(small_disk: Path) -> None:
    vitals = Vitals()
    spool = spool_in(small_disk / "spool", vitals=vitals)
    await spool.open()
    await fill(spool, range(100))
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(4 * MIB))
    await fill(spool, range(100, 400))
    assert list(vitals.troubles) == ["spool-full"]
    held = sum(path.stat().st_size for path in segments(small_disk))
    ballast.unlink()
    await recovered(spool)
    assert sum(path.stat().st_size for path in segments(small_disk)) > held
    check_nothing_told_is_lost(await everything(spool), 400, spool, vitals)
    await spool.close()


async def test_the_quota_counts_as_the_disk_does(tmp_path: Path) -> None:
    vitals = Vitals()
    spool = spool_in(tmp_path / "spool", quota_bytes=2 * MIB, vitals=vitals)
    await spool.open()
    total = 8_000
    await fill(spool, range(total))
    assert list(vitals.troubles) == ["spool-full"]
    assert sum(path.stat().st_size for path in segments(tmp_path)) <= 2 * MIB
    check_nothing_told_is_lost(await everything(spool), total, spool, vitals)
    await spool.close()


async def test_a_report_on_very_many_tools_fits_into_the_smallest_spool_without_its_evidence(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "spool", quota_bytes=4 * MIB)
    await spool.open()
    large = entry(1)
    await spool.append(replace(large, payload=large.slim + b" " * MIB, slim=large.slim + b" " * (MIB - 100)))
    await fill(spool, range(2, 12))
    assert (await everything(spool))[0] == (1, 1)
    assert spool.status.dropped == 0
    await spool.close()


async def test_what_was_counted_is_not_lost_in_a_restart(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "spool", quota_bytes=MIB)
    await spool.open()
    await fill(spool, range(4000))
    await spool.close()
    assert spool.status.dropped == 0
    spool = spool_in(tmp_path / "spool", quota_bytes=MIB)
    await spool.open()
    assert sum(count for _, count in await everything(spool)) == 4000
    await spool.close()


async def test_when_even_memory_is_full_changes_are_dropped_last_and_every_one_is_counted(tmp_path: Path) -> None:
    vitals = Vitals()
    spool = spool_in(tmp_path / "spool", quota_bytes=256 * 1024, vitals=vitals)
    await spool.open()
    total = 3000
    for number in range(total):
        changing = entry(number, f"down/{number % 2}", size=0)
        fat = Entry(
            key="shop",
            slot=changing.slot,
            tone=changing.tone,
            is_up=False,
            payload=changing.slim.ljust(6000),
            slim=changing.slim.ljust(6000),
        )
        await spool.append(fat)
    records = await everything(spool)
    lost = total - sum(count for _, count in records)
    assert lost > 0
    assert spool.status.dropped == vitals.counters["spool_dropped", ""] == lost
    assert records[-1] == (total - 1, 1), "the newest state is known"
    await spool.close()


async def test_a_disk_that_becomes_read_only_is_no_crash(small_disk: Path) -> None:
    vitals = Vitals()
    spool = spool_in(small_disk / "spool", vitals=vitals)
    await spool.open()
    await fill(spool, range(40))

    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how},size=4m", str(small_disk)], check=True)

    await spool.close()
    await asyncio.to_thread(remount, "ro")
    spool = spool_in(small_disk / "spool", vitals=vitals)
    await spool.open()
    await fill(spool, range(40, 80))
    assert "Read-only" in vitals.troubles["spool-disk"]
    assert len(await spool.next(100)) == 40
    await asyncio.to_thread(remount, "rw")
    await recovered(spool)
    assert sorted(number for number, _ in await everything(spool)) == list(range(80))
    await spool.close()


async def test_a_disk_that_does_not_answer_holds_nobody_up(freezing_disk: Path) -> None:
    vitals = Vitals()
    spool = spool_in(freezing_disk / "spool", vitals=vitals)
    await spool.open()
    await fill(spool, range(20))

    def freezing(how: str) -> Callable[[], object]:
        return lambda: subprocess.run(["fsfreeze", how, str(freezing_disk)], check=True)

    await asyncio.to_thread(freezing("--freeze"))
    try:
        began = time.monotonic()
        await fill(spool, range(20, 40))
        assert time.monotonic() - began < 20
        assert "does not answer" in vitals.troubles["spool-disk"]
        began = time.monotonic()
        await fill(spool, range(40, 200))
        assert len(await spool.next(1000, timeout_s=1)) == 200
        assert time.monotonic() - began < 10, "not its patience for each round"
    finally:
        await asyncio.to_thread(freezing("--unfreeze"))
    await recovered(spool)
    assert len(await everything(spool)) == 200
    assert not vitals.counters
    await spool.close()
