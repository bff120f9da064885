"""Work on large answers, in a thread of its own: meanwhile the event loop comes back to all other probes.

There is one such thread. A server that sends much delays others that do, and nobody else.
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from checks.model import CheckResult
from prober.limits import KIB

AT_ONCE_BYTES: Final = 128 * KIB
"""What is done without a thread: it takes some ten milliseconds, and hardly any server sends more."""

T = TypeVar("T")
_THREAD: Final = ThreadPoolExecutor(1, "apart")


async def apart(size: int, work: Callable[[], T]) -> T:
    """What `work` returns, which looks at `size` bytes of answers and must not touch anything that others change."""
    if size <= AT_ONCE_BYTES:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work)


def bytes_of(results: Iterable[CheckResult]) -> int:
    """How much was answered to these checks."""
    return sum(exchange.body_size for result in results for exchange in result.exchanges)
