"""Ids that are computed and not drawn, so that the same thing done twice, or after a restart, is the same row."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid5

_NAMESPACE: Final = UUID("b2b8f0a4-6c5f-5d0c-9a53-0f6f0f1f7a4e")
_PHASES: Final = 1 << 32


def endpoint_id(name: str) -> UUID:
    """An endpoint is its name: removed and added again under the same one, it finds its reports."""
    return uuid5(_NAMESPACE, f"endpoint:{name}")


def report_id(endpoint: UUID, slot: datetime, location: str) -> UUID:
    """One report per endpoint, slot and location: saving it again names the same row."""
    return uuid5(endpoint, f"report:{slot.astimezone(UTC).isoformat()}:{location}")


def phase_s(endpoint: UUID, interval_s: float) -> float:
    """Where in its interval an endpoint is probed, 0 ≤ phase < interval, in whole milliseconds.

    It follows from the id alone: a restart does not move it, and many endpoints spread over the interval.
    """
    share = (endpoint.int >> 96) % _PHASES / _PHASES
    return int(share * interval_s * 1000) / 1000
