"""The spool on a real disk: what is in it comes out again, in order, whatever becomes of the process."""

import asyncio
import errno
import json
import os
import signal
import stat
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prober.storage.spool_files import Segment, left_beside
from prober.storage.spool_format import HEADER, HEADER_MAGIC, NUMBER, VERSION
from prober.vitals import Vitals
from tests.integration.storage.spool_child import entry, everything, names, recovered, segments, spool_in

ROOT = Path(__file__).parents[3]


@contextmanager
def child(what: str, directory: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.integration.storage.spool_child", what, str(directory)]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_entries_come_out_in_order_and_again_until_they_are_done(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "spool")
    await spool.open()
    for number in range(5):
        await spool.append(entry(number, key=f"key-{number % 2}"))
    first = await spool.next(3)
    assert [each.first_slot for each in first] == [entry(number).slot for number in range(3)]
    assert first[0].payload == entry(0, key="key-0").payload
    assert await spool.next(3) == first
    await spool.done(first[1:2])
    assert [each.first_slot for each in await spool.next(3)] == [entry(number).slot for number in (0, 2, 3)]
    assert spool.status.records == 4
    assert spool.status.oldest_slot == entry(0).slot
    assert [number for number, _ in await everything(spool)] == [0, 2, 3, 4]
    await spool.close()


async def test_who_asks_is_answered_when_one_comes_or_the_time_is_over_or_the_spool_closes(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "spool")
    await spool.open()
    assert await spool.next(1, timeout_s=0.01) == ()
    waiting = asyncio.ensure_future(spool.next(1))
    await asyncio.sleep(0)
    await spool.append(entry(1))
    assert len(await waiting) == 1
    await spool.done(await spool.next(1))
    waiting = asyncio.ensure_future(spool.next(1))
    await asyncio.sleep(0)
    await spool.close()
    assert await waiting == ()


async def test_what_is_not_done_comes_again_after_a_restart_before_what_is_new(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "spool")
    await spool.open()
    for number in range(10):
        await spool.append(entry(number))
    await spool.close()

    spool = spool_in(tmp_path / "spool")
    await spool.open()
    assert spool.status.records == 10
    await spool.append(entry(10))
    assert await everything(spool) == [(number, 1) for number in range(11)]
    await spool.close()
    assert names(tmp_path / "spool") == [], "nothing waits, so nothing is left"


async def test_far_more_than_fits_into_memory_comes_out_in_order_and_files_go_as_they_are_done(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "spool")
    await spool.open()
    for start in range(0, 600, 50):
        await asyncio.gather(*(spool.append(entry(start + each, size=50_000)) for each in range(50)))
    before = len(segments(tmp_path))
    assert before >= 7
    batch = await spool.next(300)
    await spool.done(batch)
    assert await everything(spool) == [(number, 1) for number in range(len(batch), 600)]
    assert spool.status.coalesced == spool.status.dropped == spool.status.slimmed == 0
    await spool.close()
    assert segments(tmp_path) == []


async def test_only_the_user_of_the_prober_can_read_reports(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        spool = spool_in(tmp_path / "spool")
        await spool.open()
        await spool.append(entry(1))
    finally:
        os.umask(before)
    for path in [tmp_path / "spool", *(tmp_path / "spool").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    await spool.close()


async def test_two_workers_never_share_a_directory_and_the_dead_are_inherited_from(tmp_path: Path) -> None:
    with child("hold", tmp_path) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        ours = spool_in(tmp_path)
        await ours.open()
        assert ours.status.records == 0, "the other lives, and saves its reports itself"
        await ours.append(entry(2))
        assert names(tmp_path) == ["1", "2"]
        other.kill()
        other.wait()
        heir = spool_in(tmp_path)
        await heir.open()
        assert await everything(heir) == [(1, 1)]
        assert await everything(ours) == [(2, 1)]
        await heir.close()
        await ours.close()
    assert names(tmp_path) == []


async def test_reports_that_wait_beside_it_for_another_database_are_found(tmp_path: Path) -> None:
    ours, former, shared, empty = (tmp_path / name for name in ("ours", "former", "shared", "empty"))
    with child("hold", former) as dead, child("hold", shared) as living:
        for each in (dead, living):
            assert each.stdout is not None
            assert each.stdout.readline() == "open\n"
        dead.kill()
        dead.wait()
        spool = spool_in(ours)
        await spool.open()
        await spool.append(entry(1))
        (empty / "1").mkdir(parents=True)
        (tmp_path / "a file").touch()
        assert left_beside(ours) == [former]
        assert names(former) == ["1"], "they stay where they are"
        await spool.close()
    assert left_beside(tmp_path / "nowhere" / "ours") == []


async def test_a_killed_worker_loses_nothing_that_append_had_returned_for(tmp_path: Path) -> None:
    with child("write", tmp_path) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(1500)]
        os.kill(writer.pid, signal.SIGKILL)
        told += [int(line) for line in writer.stdout if line.endswith("\n")]
    vitals = Vitals()
    spool = spool_in(tmp_path, vitals=vitals)
    await spool.open()
    found = [number for number, _ in await everything(spool)]
    await spool.close()
    assert set(told) <= set(found)
    assert len(found) == len(set(found))
    assert [number for number in found if number % 10 == 3] == sorted(number for number in found if number % 10 == 3)
    assert not vitals.counters


async def written(directory: Path, count: int) -> Path:
    """The only segment of a spool with so many entries."""
    spool = spool_in(directory)
    await spool.open()
    for number in range(count):
        await spool.append(entry(number, size=20))
    await spool.close()
    (segment,) = segments(directory)
    return segment


async def test_a_spool_that_was_cut_at_any_byte_of_its_last_records_opens_with_all_others(tmp_path: Path) -> None:
    segment = await written(tmp_path, 6)
    whole = segment.read_bytes()
    size = (len(whole) - 20) // 6
    for cut in range(len(whole) - 3 * size, len(whole)):
        segment.parent.mkdir(exist_ok=True)
        segment.write_bytes(whole[:cut])
        spool = spool_in(tmp_path)
        await spool.open()
        assert await everything(spool) == [(number, 1) for number in range((cut - 20) // size)]
        assert spool.status.trouble is None
        await spool.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.integers(0, 10_000), min_size=1, max_size=8))
def test_a_spool_with_flipped_bits_opens_with_all_records_that_are_whole(tmp_path: Path, flips: list[int]) -> None:
    async def examine() -> None:
        segment = await written(tmp_path, 8)
        data = bytearray(segment.read_bytes())
        for flip in flips:
            data[flip // 8 % len(data)] ^= 1 << flip % 8
        segment.write_bytes(data)
        vitals = Vitals()
        spool = spool_in(tmp_path, vitals=vitals)
        await spool.open()
        found = await everything(spool)
        await spool.close()
        assert found == sorted(set(found))
        assert set(found) <= {(number, 1) for number in range(8)}
        assert len(found) >= 8 - len(flips)

    asyncio.run(examine())


async def test_damage_that_happens_while_it_waits_is_counted_and_stops_nobody(tmp_path: Path) -> None:
    vitals = Vitals()
    spool = spool_in(tmp_path, vitals=vitals)
    await spool.open()
    for start in range(0, 400, 50):
        await asyncio.gather(*(spool.append(entry(start + each, size=50_000)) for each in range(50)))
    damaged = segments(tmp_path)[3]
    with damaged.open("r+b") as file:
        file.seek(damaged.stat().st_size // 2)
        file.write(bytes(60_000))
    found = [number for number, _ in await everything(spool)]
    lost = 400 - len(found)
    assert found == sorted(set(found))
    assert 1 <= lost <= 3
    assert vitals.counters == {("spool_damaged", ""): lost}
    await spool.close()


async def test_a_file_without_a_whole_record_that_cannot_be_deleted_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with child("hold", tmp_path) as dead:
        assert dead.stdout is not None
        assert dead.stdout.readline() == "open\n"
        dead.kill()
        dead.wait()
    (torn,) = segments(tmp_path)
    torn.write_bytes(torn.read_bytes()[:100])

    def refuse(segment: Segment) -> None:
        raise OSError(errno.EROFS, f"{segment.path} stays")

    monkeypatch.setattr(Segment, "remove", refuse)
    spool = spool_in(tmp_path)
    await spool.open()
    await spool.append(entry(2))
    assert await everything(spool) == [(2, 1)]
    await spool.close()


async def test_what_a_disk_failed_to_sync_is_written_anew_into_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After EIO the kernel takes what it could not write for written (fsync(2)): the file is not believed any more."""
    vitals = Vitals()
    spool = spool_in(tmp_path, vitals=vitals)
    await spool.open()
    await spool.append(entry(1))
    before = segments(tmp_path)

    def ill(file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as failing:
        failing.setattr(os, "fdatasync", ill)
        await spool.append(entry(2))
        assert list(vitals.troubles) == ["spool-disk"]
    await recovered(spool)
    assert set(segments(tmp_path)) - set(before), "another file"
    await spool.close()
    again = spool_in(tmp_path)
    await again.open()
    assert list(dict.fromkeys(await everything(again))) == [(1, 1), (2, 1)], "what is there twice is saved once"
    await again.close()


async def test_what_a_later_release_wrote_stays_where_it_is(tmp_path: Path) -> None:
    segment = await written(tmp_path, 3)
    start = HEADER.pack(HEADER_MAGIC, VERSION + 1, 0, 5)
    later = start + NUMBER.pack(zlib.crc32(start)) + b"what nobody knows yet"
    segment.write_bytes(later)
    spool = spool_in(tmp_path)
    await spool.open()
    await spool.append(entry(7))
    assert await everything(spool) == [(7, 1)]
    await spool.close()
    assert [path.read_bytes() for path in segments(tmp_path)] == [later]


async def test_a_directory_that_cannot_be_made_is_a_trouble_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file in the way")
    vitals = Vitals()
    spool = spool_in(tmp_path / "spool", vitals=vitals)
    await spool.open()
    await spool.append(entry(1))
    assert "Not a directory" in vitals.troubles["spool-disk"] or "File exists" in vitals.troubles["spool-disk"]
    assert spool.status.trouble is not None
    (tmp_path / "spool").unlink()
    await recovered(spool)
    assert not vitals.troubles
    assert len(segments(tmp_path)) == 1
    assert await everything(spool) == [(1, 1)]
    await spool.close()


async def test_gauges_follow(tmp_path: Path) -> None:
    vitals = Vitals()
    spool = spool_in(tmp_path, vitals=vitals)
    await spool.open()
    await spool.append(entry(1))
    assert vitals.gauges["spool_records"] == 1
    assert vitals.gauges["spool_bytes"] == segments(tmp_path)[0].stat().st_size
    await spool.done(await spool.next(1))
    assert vitals.gauges["spool_records"] == 0
    await spool.close()


def test_files_that_may_not_grow_are_followed_by_others_and_a_disk_that_takes_nothing_is_no_crash(
    tmp_path: Path,
) -> None:
    """RLIMIT_FSIZE: EFBIG instead of ENOSPC."""
    with child("small-files", tmp_path) as process:
        output, _ = process.communicate(timeout=60)
    told = json.loads(output)
    assert told["small"]["files"] >= 4
    assert told["small"]["trouble"] is None
    assert told["refused"] == {"trouble": ["spool-full"], "dropped": 0}
    assert told["first"] == 1
    counts = dict(told["records"])
    assert sum(counts.values()) == 400
    assert told["coalesced"] == 400 - len(counts) > 0
    changes = {number + more for number in range(200, 400, 50) for more in range(8)}
    assert all(counts[number] == 1 for number in changes), "a change and what follows it is kept"


@pytest.mark.parametrize("how", ["unopened", "twice"])
async def test_closing_is_always_possible(tmp_path: Path, how: str) -> None:
    spool = spool_in(tmp_path)
    if how == "twice":
        await spool.open()
        await spool.close()
    await spool.close()
