"""What lives when a worker begins is not looked at again by the garbage collector, and free memory is given back."""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.app.memory import give_back, settle


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_what_lives_at_the_start_is_out_of_later_collections() -> None:
    fleet = [{"number": number} for number in range(1000)]
    settle()
    looked_at = {id(each) for each in gc.get_objects()}
    assert not looked_at & {id(each) for each in fleet}


@pytest.mark.usefixtures("thawed")
def test_garbage_of_the_start_is_not_kept() -> None:
    circle: list[object] = []
    circle.append(circle)
    before = gc.get_freeze_count()
    del circle
    settle()
    with_garbage = gc.get_freeze_count()
    assert with_garbage > before
    assert gc.collect() == 0


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not with glibc")
def test_memory_that_is_free_between_what_is_kept_is_given_back() -> None:
    size, count = 64 * 1024, 512  # too small to be mapped by themselves: mallopt(3), M_MMAP_THRESHOLD
    pieces = [b"x" * size for _ in range(count)]
    kept = pieces[::16]
    del pieces
    before = resident_bytes()
    give_back()
    assert before - resident_bytes() > size * count / 2
    assert len(kept) == count / 16
