"""What a worker knows of the timetable by itself, for when the database does not answer in time. Pure."""

from collections.abc import Collection, Hashable
from datetime import datetime
from typing import Final, Generic, TypeVar

DRIFT: Final = 5e-4
"""How far two clocks run apart at most, in seconds per second: what `adjtime` slews by."""

KeyT = TypeVar("KeyT", bound=Hashable)


class SlotClock:
    """Where the clock of the database, which slots are told by, stands on the monotonic clock of this process.

    Every answer narrows it down: the database read its clock between the question and the answer. So a database that
    has become slow moves no start, and neither does a wall clock that jumps.
    """

    def __init__(self) -> None:
        self._low = self._high = 0.0
        self._seen_at: float | None = None

    def observe(self, now: datetime, asked: float, answered: float) -> None:
        """The database's clock showed `now` at some moment between the two on ours."""
        low, high = now.timestamp() - answered, now.timestamp() - asked
        if self._seen_at is not None:
            slack = DRIFT * (answered - self._seen_at)
            narrow = max(low, self._low - slack), min(high, self._high + slack)
            if narrow[0] <= narrow[1]:
                low, high = narrow
        self._low, self._high, self._seen_at = low, high, answered

    def at(self, slot: datetime) -> float:
        """When it is `slot` by the database, on the monotonic clock."""
        return slot.timestamp() - (self._low + self._high) / 2


class Horizon(Generic[KeyT]):
    """Up to when the database has told this worker everything that is due."""

    def __init__(self) -> None:
        self._until = float("-inf")
        self._busy: Collection[KeyT] = frozenset()

    def answered(self, until: float, busy: Collection[KeyT]) -> None:
        """A question for all slots up to then was answered, but not of those in `busy`."""
        self._until, self._busy = until, busy

    def covers(self, key: KeyT, due: float) -> bool:
        """Whether the answer spoke of this slot: who was not given it then knows that another worker was."""
        return due <= self._until and key not in self._busy
