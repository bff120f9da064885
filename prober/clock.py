"""The time, as a value that is passed in: production takes it from the system, tests from a script."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for stamps, monotonic time for durations. Never mix them: the wall clock jumps."""

    def now(self) -> datetime:
        """The wall time, in UTC, with its zone."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; the same clock as the running event loop's `time()`."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
