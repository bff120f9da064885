"""`mcp-prober` on a machine whose wall clock jumps: by as many seconds as the file named in PROBER_TEST_OFFSET says.

Where `faketime` is not to be had, this moves the same clock for the modules that read it: the prober's own and the
timer's. The monotonic clock goes on, as it does when a clock is set.
"""

import datetime as datetime_room
import importlib
import os
import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from prober.cli import main


class _Moved(type):
    """Whatever is a datetime is one of these."""

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, datetime)


class MovedDatetime(datetime, metaclass=_Moved):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        seconds = float(Path(os.environ["PROBER_TEST_OFFSET"]).read_text() or 0)
        return datetime.now(tz) + timedelta(seconds=seconds)


def move() -> None:
    """Let every module of these that knows `datetime` read the clock through us."""
    for name in ("prober.clock", "apscheduler.schedulers.base", "apscheduler.triggers.interval", "apscheduler.job"):
        module = importlib.import_module(name)
        if getattr(module, "datetime", None) is datetime:
            module.datetime = MovedDatetime
    assert datetime_room.datetime is datetime


if __name__ == "__main__":
    move()
    sys.exit(main())
