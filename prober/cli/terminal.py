"""What is on the other end of standard output and standard error."""

import os
import shutil
import sys
from typing import TextIO


def terminal_width() -> int:
    """Columns to write in: those of the terminal within reason, 80 where there is none."""
    return min(max(shutil.get_terminal_size((80, 24)).columns, 60), 100)


def wants_colour(stream: TextIO | None = None) -> bool:
    """Colours only for people at a terminal who have not said no (https://no-color.org)."""
    return is_watched(stream or sys.stdout) and not os.environ.get("NO_COLOR")


def is_watched(stream: TextIO) -> bool:
    """Whether a person sees this stream as it is written."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
