"""Work on large answers leaves the event loop, work on small ones does not."""

import threading

import pytest

from prober.probing.apart import AT_ONCE_BYTES, apart


@pytest.mark.parametrize(("size", "is_here"), [(AT_ONCE_BYTES, True), (AT_ONCE_BYTES + 1, False)])
async def test_what_looks_at_much_is_done_in_another_thread(size: int, is_here: bool) -> None:
    thread = await apart(size, threading.get_ident)
    assert (thread == threading.get_ident()) is is_here


async def test_what_fails_there_fails_here() -> None:
    with pytest.raises(ZeroDivisionError):
        await apart(AT_ONCE_BYTES + 1, lambda: 1 // 0)
