"""Ctrl-C while modules are imported, which is most of what a short command does."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

INTERRUPTED: Final = 130
"""`errors.ExitCode.INTERRUPTED`, whose module is imported later than this one."""


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Within it Ctrl-C ends the process, where it would raise KeyboardInterrupt.

    Python prints and ignores an exception that is raised in a callback of a weak reference, of which the import system
    has some: then the command would go on as if nobody had interrupted it.
    """
    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
