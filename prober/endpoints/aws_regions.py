"""Looks through several Regions at once. One that cannot be looked at costs none of the others."""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final

from prober.endpoints.aws_asking import CannotDiscover, Clients
from prober.endpoints.aws_discovery import Discovery, Wanted, discover

AT_ONCE: Final = 4
"""Regions that are looked at together: they wait most of the time, and each has limits of its own."""

Told = Callable[[Sequence[str]], None]


def discover_all(
    regions: Sequence[str], wanted: Wanted, clients_of: Callable[[str], Clients], tell: Told
) -> list[Discovery]:
    """What was found in each Region, in their order; `tell` hears which are left. Blocks, for seconds to minutes.

    The work is done in threads that end with the process, so that a signal ends the wait at once, also during a lookup
    of a name or an attempt to connect. Raises CannotDiscover where no Region can be looked at.
    """
    todo: queue.SimpleQueue[str] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, Discovery | BaseException]] = queue.SimpleQueue()
    for region in regions:
        todo.put(region)

    def work() -> None:
        while not todo.empty():
            region = todo.get()
            try:
                done.put((region, _looked(region, wanted, clients_of)))
            except BaseException as bug:  # handed to the thread that waits
                done.put((region, bug))

    for _ in range(min(AT_ONCE, len(regions))):
        threading.Thread(target=work, daemon=True).start()
    found: dict[str, Discovery] = {}
    while left := [each for each in regions if each not in found]:
        tell(left)
        region, outcome = done.get()
        if isinstance(outcome, BaseException):
            raise outcome
        found[region] = outcome
    failed = [each.failed for each in found.values() if each.failed is not None]
    if len(failed) == len(regions):
        raise CannotDiscover("; ".join(dict.fromkeys(failed)))
    return [found[region] for region in regions]


def _looked(region: str, wanted: Wanted, clients_of: Callable[[str], Clients]) -> Discovery:
    try:
        return discover(clients_of(region), region, wanted)
    except CannotDiscover as error:
        return Discovery(region=region, servers=(), findings=(), unseen=(), failed=str(error))
