"""What many ask for at once and one question answers for all of them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    value: T
    asked_at: float


class Shared(Generic[T]):
    """A value that is asked for when somebody wants it, once for all who want it then, and kept for `kept_s` seconds.

    It is never older than that: its age counts from when the question was asked. A question that fails is answered to
    all who waited for it, and the next one who comes asks again.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]], monotonic: Callable[[], float], kept_s: float) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._kept_s = kept_s
        self._kept: _Kept[T] | None = None
        self._asking: asyncio.Task[_Kept[T]] | None = None

    async def value(self) -> T:
        """The value. Raises what the question raises."""
        if self._kept is not None and self._monotonic() - self._kept.asked_at < self._kept_s:
            return self._kept.value
        if self._asking is None:
            self._asking = asyncio.create_task(self._asked())
            self._asking.add_done_callback(self._over)
        # Whoever goes away takes the question from nobody else.
        return (await asyncio.shield(self._asking)).value

    async def _asked(self) -> _Kept[T]:
        asked_at = self._monotonic()
        self._kept = _Kept(await self._ask(), asked_at)
        return self._kept

    def _over(self, task: asyncio.Task[_Kept[T]]) -> None:
        self._asking = None
        if not task.cancelled():
            task.exception()  # a failure that all who waited for have left is nobody's
