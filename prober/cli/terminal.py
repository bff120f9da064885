"""What is on the other end of standard output and standard error, and how it is coloured."""

import os
import shutil
import sys
from typing import Final, TextIO

from checks.model import Verdict

RED, GREEN, YELLOW, CYAN, DIM, BOLD = "31", "32", "33", "36", "2", "1"
VERDICT_COLOURS: Final = {
    Verdict.UP: GREEN,
    Verdict.DEGRADED: YELLOW,
    Verdict.DOWN: RED,
    Verdict.UNKNOWN: CYAN,
}

NARROWEST: Final = 40
WIDEST: Final = 100
"""Longer lines of prose are hard to read."""


def terminal_width() -> int:
    """Columns to write in: those of the terminal within reason, 80 where there is none."""
    return min(max(shutil.get_terminal_size((80, 24)).columns, NARROWEST), WIDEST)


def columns_of(stream: TextIO) -> int | None:
    """Columns of the terminal that a stream goes to; None for a file or a pipe, whose lines are as long as they are."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def wants_colour(stream: TextIO | None = None) -> bool:
    """Colours for people at a terminal, and where FORCE_COLOR asks for them, unless NO_COLOR is set
    (https://no-color.org, https://force-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_watched(stream or sys.stdout)


def painted(text: str, *codes: str) -> str:
    """The text in the colours and weights of these codes (ECMA-48, SGR)."""
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m"


def is_watched(stream: TextIO) -> bool:
    """Whether a person sees this stream as it is written."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
