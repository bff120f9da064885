"""The newest of every endpoint in memory, for whoever reads it now: Prometheus asks when it likes."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from checks.model import ProbeReport, Verdict
from prober.metrics.catalog import ENDPOINT_METRICS, Unit
from prober.storage.census import Census

KEPT_INTERVALS: Final = 5
"""After so many intervals without a probe of this worker, another one has taken the endpoint over, or it is gone."""
KEPT_AT_LEAST: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """What is known of one endpoint."""

    endpoint: str
    location: str
    verdict: Verdict
    at: datetime
    """When its latest probe began."""
    until: datetime
    """From when on this is too old to be shown."""
    probes: int
    values: Mapping[str, float]
    """By series, times in seconds: those of the latest probe that could observe. Of several values the largest."""


class Board:
    """Written by the event loop, read from any thread: each endpoint's state is replaced as a whole."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._newest: dict[tuple[str, str], Newest] = {}
        self._census: Census | None = None

    def add(self, report: ProbeReport, interval_s: float) -> None:
        """A probe was made of an endpoint that is probed every so many seconds."""
        key = (report.endpoint, report.location)
        until = report.started_at + max(KEPT_AT_LEAST, KEPT_INTERVALS * timedelta(seconds=interval_s))
        with self._lock:
            before = self._newest.get(key)
            kept = before.values if before is not None and report.verdict is Verdict.UNKNOWN else values_of(report)
            self._newest[key] = Newest(
                endpoint=report.endpoint,
                location=report.location,
                verdict=report.verdict,
                at=report.started_at,
                until=until,
                probes=1 + (before.probes if before is not None else 0),
                values=kept,
            )

    def take(self, census: Census | None) -> None:
        """The endpoints that there are, of which others are forgotten. None: that is not known for now."""
        with self._lock:
            self._census = census
            if census is not None:
                gone = [key for key in self._newest if key[0] not in census.names]
                for key in gone:
                    del self._newest[key]

    def newest(self, now: datetime) -> Sequence[Newest]:
        """By endpoint, those that are not too old."""
        with self._lock:
            for key in [key for key, each in self._newest.items() if each.until < now]:
                del self._newest[key]
            known = list(self._newest.values())
        return sorted(known, key=lambda each: (each.endpoint, each.location))

    @property
    def census(self) -> Census | None:
        """The latest one."""
        with self._lock:
            return self._census


def values_of(report: ProbeReport) -> dict[str, float]:
    """What a report says, by series, times in seconds. Of several values the largest."""
    found = {}
    for metric in ENDPOINT_METRICS:
        value = max(metric.values(report), default=None)
        if value is not None:
            found[metric.series] = value / 1000 if metric.unit is Unit.MILLISECONDS else value
    return found
