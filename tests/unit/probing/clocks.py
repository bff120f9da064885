"""A clock that goes on when a test says so."""

from datetime import UTC, datetime, timedelta


class HandClock:
    """Both clocks move by `at`; `jump` moves the wall clock alone."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.jump = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=self.at + self.jump)

    def monotonic(self) -> float:
        return self.at
