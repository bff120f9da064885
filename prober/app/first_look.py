"""What the first probes of a prober found, for the person who has just started it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from prober.clock import Clock
from prober.storage.latest import Latest

LOOKS_FOR_S: Final = 90.0
"""The first probe of a new endpoint comes within a minute."""
LOOKS_EVERY_S: Final = 1.0

Read = Callable[[], Awaitable[Sequence[Latest]]]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLook:
    """The endpoints as they were when each had been probed since the start, or the time was up."""

    after_s: float
    endpoints: tuple[Latest, ...]


async def first_look(
    read: Read, expected: Collection[str], clock: Clock, *, sleep: Sleep = asyncio.sleep, within_s: float = LOOKS_FOR_S
) -> FirstLook:
    """Read again and again until every endpoint has been probed since the first reading, for `within_s` at most.

    `expected` are names of endpoints that are about to be watched. What is probed less often than that and has a
    verdict of an earlier run is not waited for.
    """
    began = clock.monotonic()
    before: dict[str, datetime | None] | None = None
    found: tuple[Latest, ...] = ()
    while True:
        try:
            found = tuple(await read())
        except (SQLAlchemyError, OSError):
            pass  # the worker says so
        else:
            if before is None:
                before = {each.name: each.slot for each in found}
            done = {each.name for each in found if _is_done(each, before, within_s)}
            if done.issuperset(expected) and len(done) == len(found):
                break
        if clock.monotonic() - began >= within_s:
            break
        await sleep(LOOKS_EVERY_S)
    return FirstLook(after_s=clock.monotonic() - began, endpoints=found)


def _is_done(endpoint: Latest, before: dict[str, datetime | None], within_s: float) -> bool:
    if endpoint.slot is None:
        return False
    return endpoint.slot != before.get(endpoint.name) or endpoint.interval_s > within_s
