"""Collects what probes measured and what the prober says of itself, and publishes it together, once per cycle."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime
from typing import Final

from checks.model import ProbeReport
from prober.clock import Clock
from prober.metrics.catalog import (
    ENDPOINT_DIMENSION,
    FLEET_METRICS,
    HEARTBEAT,
    IMPAIRED,
    LOCATION_DIMENSION,
    PUBLISHED_GAUGES,
    metrics_of,
)
from prober.metrics.pending import VALUES_KEPT, Pending, Series, Sink, dimension_value
from prober.settings import MetricSet
from prober.storage.census import Census
from prober.vitals import Vitals

log = logging.getLogger(__name__)

DROPPED: Final = "metrics_dropped"


class Publisher:
    """Failing to publish never disturbs a probe, and needs no database."""

    def __init__(
        self,
        sink: Sink,
        *,
        executor: Executor,
        location: str,
        clock: Clock,
        vitals: Vitals,
        alive: Callable[[], bool],
        aggregates: bool = True,
        keep: int = VALUES_KEPT,
    ) -> None:
        """`executor` runs the sink. `alive` says whether a whole cycle has worked since it was asked last: a probe,
        its commit, the delivery. `keep` bounds the different values that wait while nobody takes them.
        """
        self._sink = sink
        self._executor = executor
        self._location = dimension_value(location)
        self._clock = clock
        self._vitals = vitals
        self._alive = alive
        self._aggregates = aggregates
        self._pending = Pending(keep=keep)
        self._publishing = asyncio.Lock()

    def add(self, report: ProbeReport, chosen: MetricSet) -> None:
        """Take the measurements of a report, of its endpoint as many as are chosen; they go out with the next flush."""
        minute = _minute(report.started_at)
        for metric in metrics_of(chosen):
            series = Series(minute, ENDPOINT_DIMENSION, dimension_value(report.endpoint), metric.name)
            self._pending.add(series, *metric.values(report))
        for figure in FLEET_METRICS if self._aggregates else ():
            self._pending.add(self._own(minute, figure.name), *figure.values(report))

    async def flush(self, census: Census | None = None) -> None:
        """Publish all that was added, and how the prober is. Never raises for AWS, network or disk: what was not taken
        waits for the next time. Without a census nothing is said of how many endpoints stand how."""
        async with self._publishing:
            now = self._clock.now()
            self._add_own(_minute(now), census)
            self._give_up(self._pending.give_up_untimely(now), "their time is too far from now")
            taken = self._pending.take()
            # In a thread: of ten thousand endpoints it takes a second of CPU, in which no probe would be timed right.
            refused = await asyncio.get_running_loop().run_in_executor(self._executor, self._sink.send, taken)
            self._pending.put_back(taken)
            self._give_up(refused, "they are refused")
            self._give_up(self._pending.give_up_beyond_bound(), "nobody has taken them for too long")

    def _add_own(self, minute: datetime, census: Census | None) -> None:
        if self._alive():
            self._pending.add(self._own(minute, HEARTBEAT.name), 1.0)
        self._pending.add(self._own(minute, IMPAIRED.name), float(bool(self._vitals.troubles)))
        if not self._aggregates:
            return
        gauges = self._vitals.gauges
        for metric in PUBLISHED_GAUGES:
            if metric.name is not None and metric.vital in gauges:
                self._pending.add(self._own(minute, metric.name), gauges[metric.vital])
        for figure in FLEET_METRICS:
            if census is not None and figure.count is not None:
                self._pending.add(self._own(minute, figure.name), float(figure.count(census)))

    def _own(self, minute: datetime, metric: str) -> Series:
        return Series(minute, LOCATION_DIMENSION, self._location, metric)

    def _give_up(self, values: int, reason: str) -> None:
        if values:
            self._vitals.add(DROPPED, values)
            log.error("%d measurements are not published: %s", values, reason)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
