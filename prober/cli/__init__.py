"""The command line: one file per command; they parse and print, and decide nothing."""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from prober.cli.interrupting import INTERRUPTED, ending_at_once

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Ctrl-C ends it quietly from here on, the imports among it."""
    try:
        with ending_at_once():
            from prober.cli.dispatch import main as run
        code = run(argv)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED and argv is None:
        _leave()
    return code


def _leave() -> NoReturn:
    """End the process as it is: to take its modules apart takes up to a second on a busy machine, and nothing of ours
    waits for that."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or whoever read it has gone
            stream.flush()
    os._exit(INTERRUPTED)
