"""Time that passes only by being waited for: a wait of minutes is over at once, and every run takes the same time."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

_BEGAN_S: Final = 1000.0
_BEGAN: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

T = TypeVar("T")


class VirtualTime:
    """Implements `prober.clock.Clock`; its monotonic clock is that of the loop that runs on it."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return _BEGAN + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return _BEGAN_S + self.passed_s


def run(main: Callable[[VirtualTime], Coroutine[Any, Any, T]]) -> T:
    """Run `main` on an event loop of its own, whose time is the one that `main` is given."""
    time = VirtualTime()
    with asyncio.Runner(loop_factory=lambda: _Loop(time)) as runner:
        return runner.run(main(time))


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, time: VirtualTime) -> None:
        self._virtual = time
        super().__init__(_Leaping(time))

    def time(self) -> float:
        return self._virtual.monotonic()


class _Leaping(selectors.DefaultSelector):
    """Waits for nothing: where nothing is ready, it is as late as the loop was ready to wait."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._virtual = time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everything waits, and nothing will happen any more")
            self._virtual.passed_s += timeout
        return ready
