"""What the length of a wait says about the time limit that may have ended it."""

from collections.abc import Iterable
from typing import Final

from checks.model import Exchange

LEAST_LIMIT_MS: Final = 900.0
"""A function's time limit is at least one second (Lambda API reference, `Timeout`); what fails sooner has crashed."""

OVERTIME_MS: Final = 150.0
"""How long after a function's time limit, which is a whole number of seconds, the front door has said so."""

_EARLY_MS: Final = 20.0
"""Clocks differ by as much."""


def server_wait_ms(exchange: Exchange) -> float:
    """How long the server took: from the request's last byte to the answer's first, where one came."""
    wait = exchange.timings.wait_ms
    return exchange.timings.total_ms if wait is None else wait


def round_trip_ms(exchanges: Iterable[Exchange]) -> float:
    """About how long one way there and back takes, as connecting takes just that; 0 where nothing was connected."""
    return min((each.timings.connect_ms for each in exchanges if each.timings.connect_ms is not None), default=0.0)


def is_at_whole_seconds(ms: float, round_trip: float = 0.0) -> bool:
    """Whether a wait ended where a time limit of whole seconds would have ended it."""
    over = (ms + _EARLY_MS) % 1000
    return ms >= LEAST_LIMIT_MS and over <= _EARLY_MS + OVERTIME_MS + min(round_trip, 300.0)
