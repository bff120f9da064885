"""What lives when a worker begins is not looked at again by the garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from prober.app.memory import settle


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
