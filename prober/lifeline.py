"""Ties a child process to its parent, so that a killed prober leaves nothing running behind it."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def tied_to_parent(death_signal: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """A `preexec_fn` after which the child receives `death_signal` when its parent dies, by SIGKILL too.

    Linux only; None elsewhere, where a killed parent leaves its children to be found by hand. The signal follows the
    thread that started the child (prctl(2)), so start children from the main thread.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, death_signal.value)
        if os.getppid() != parent:
            os.kill(os.getpid(), death_signal)

    return tie
