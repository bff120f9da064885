"""A prober that makes its own database can be stopped while it waits for it."""

import asyncio
import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from prober.app.own_database import own_database
from prober.storage.embedded import programs

INITDB = """#!/bin/sh
for each; do case $each in --pgdata=*) echo 18 > "${each#--pgdata=}/PG_VERSION";; esac; done
"""
RECOVERING = """#!/bin/sh
case $1 in --version) echo "postgres (PostgreSQL) 18.6";; *) exec sleep 100;; esac
"""


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """For a server that recovers for ever; in a directory that any user can enter."""
    directory = Path(tempfile.mkdtemp(prefix="prober-recovering-"))
    directory.chmod(0o711)
    installed = directory / "programs" / "bin"
    installed.mkdir(parents=True)
    for name, script in (("initdb", INITDB), ("postgres", RECOVERING)):
        (installed / name).write_text(script)
        (installed / name).chmod(0o755)
    monkeypatch.setattr(programs, "installation", lambda: installed.parent)
    yield directory / "data"
    shutil.rmtree(directory)


async def test_a_stop_does_not_wait_for_a_server_that_recovers(data_dir: Path) -> None:
    stop = asyncio.Event()
    async with AsyncExitStack() as ending:
        asking = asyncio.ensure_future(own_database(data_dir, stop, ending))
        done, _ = await asyncio.wait({asking}, timeout=1)
        assert not done, "the event loop is free meanwhile"
        assert is_locked(data_dir)
        began = time.monotonic()
        stop.set()
        assert await asking is None
    assert time.monotonic() - began < 20


async def test_who_cancels_the_start_leaves_no_server_behind(data_dir: Path) -> None:
    async with AsyncExitStack() as ending:
        asking = asyncio.ensure_future(own_database(data_dir, asyncio.Event(), ending))
        await asyncio.wait({asking}, timeout=1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert not is_locked(data_dir)


def is_locked(data_dir: Path) -> bool:
    """Whether a process of the server, or its prober, is still there."""
    with (data_dir / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
