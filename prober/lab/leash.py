"""Ties the life of a process to that of its parent, so that a killed lab or demo leaves nothing behind."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

PR_SET_PDEATHSIG: Final = 1
"""From linux/prctl.h."""
POLL_S: Final = 0.5


def tie_child() -> Callable[[], None] | None:
    """What a child is to run between fork and exec so that the kernel kills it with its parent; None where no kernel
    can. The library is loaded here, since nothing but one system call is safe after a fork."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return tie


async def until_orphaned(parent: int) -> None:
    """Return when the process `parent` is no longer our parent."""
    while os.getppid() == parent:  # noqa: ASYNC110 - no event tells a process that its parent has died
        await asyncio.sleep(POLL_S)
