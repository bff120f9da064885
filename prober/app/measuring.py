"""Whoever wants to know what is measured: CloudWatch is told, Prometheus may ask."""

import asyncio
import logging
from concurrent.futures import Executor
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Failure, ProbeReport, TransportError
from checks.proofs import counted
from checks.text import clean
from prober.app.watchdog import FullCycle
from prober.clock import Clock
from prober.metrics.board import Board
from prober.metrics.cloudwatch import CloudWatch, open_client
from prober.metrics.emf import EmbeddedMetrics
from prober.metrics.pending import Sink
from prober.metrics.price import estimate
from prober.metrics.prometheus import Exposition
from prober.metrics.publishing import Publisher
from prober.settings import CloudWatchSettings, Settings
from prober.storage.census import Census, census
from prober.storage.schedule import Claim
from prober.vitals import Vitals

log = logging.getLogger(__name__)

CENSUS_EVERY_S: Final = 30.0
CENSUS_WITHIN_S: Final = 5.0
"""A database that takes longer is away, as far as metrics are concerned."""

LAST_FLUSH_S: Final = 2.0

_NOT_OURS: Final = "foreign-origin"
"""Why the wire itself does not ask for what a server names elsewhere: nothing was to be guarded."""


def _is_blocked(error: TransportError | None) -> bool:
    return error is not None and error.failure is Failure.BLOCKED and error.reason != _NOT_OURS


class CannotPublish(Exception):
    """Metrics are switched on, and AWS cannot be asked to take them. The message names the way out."""


class Measuring:
    """Takes every report as soon as it cannot be lost any more. Nothing here disturbs a probe."""

    def __init__(
        self, db: AsyncEngine, *, settings: Settings, vitals: Vitals, clock: Clock, executor: Executor
    ) -> None:
        """`settings` are those of the start: an edit of how metrics are published counts after a restart."""
        self._db = db
        self._settings = settings
        self._vitals = vitals
        self._clock = clock
        self._executor = executor
        self._board = Board()
        self._publisher: Publisher | None = None
        self.exposition: Final = Exposition(self._board, vitals, clock)

    async def start(self) -> None:
        """Count the endpoints, and find the way to CloudWatch where metrics are switched on. Raises CannotPublish."""
        await self.count()
        settings = self._settings.cloudwatch
        if settings.enabled:
            self._say_price()
            self._publisher = Publisher(
                await self._sink(settings),
                executor=self._executor,
                location=self._settings.location,
                clock=self._clock,
                vitals=self._vitals,
                alive=FullCycle(self._vitals, self._clock).turned,
                aggregates=settings.aggregates,
            )

    @property
    def publishes(self) -> bool:
        """Whether CloudWatch is told."""
        return self._publisher is not None

    def add(self, claim: Claim, report: ProbeReport) -> None:
        """Take the measurements of a report."""
        self._board.add(report, claim.endpoint.interval_s)
        blocked = sum(_is_blocked(each.transport_error) for each in report.exchanges)
        self._vitals.add("guard_blocks", blocked)
        # Nothing else keeps a probe from its first request than credentials that are not to be had.
        openings = [each.transport_error for each in report.opening.exchanges[:1]]
        self._vitals.add(
            "secret_failures", sum(each is not None and each.failure is Failure.OBSERVER for each in openings)
        )
        if self._publisher is not None:
            self._publisher.add(report, claim.options.metrics or self._settings.cloudwatch.metrics)

    async def count(self) -> None:
        """Look how many endpoints there are and how they stand."""
        self._board.take(await self._census())

    async def publish(self) -> None:
        """Tell CloudWatch of all that was added. Never raises for AWS, network, disk or database."""
        if self._publisher is not None:
            await self._publisher.flush(await self._census() if self._settings.cloudwatch.aggregates else None)

    async def publish_last(self) -> None:
        """Publish what is left, within a short time: whoever stops a worker does not wait for AWS."""
        if self._publisher is None:
            return
        try:
            async with asyncio.timeout(LAST_FLUSH_S):
                await self._publisher.flush()
        except TimeoutError:
            log.warning("the last metrics are lost: CloudWatch did not answer within %.0f s", LAST_FLUSH_S)

    async def _census(self) -> Census | None:
        try:
            async with asyncio.timeout(CENSUS_WITHIN_S):
                return await census(self._db)
        except (SQLAlchemyError, OSError):  # TimeoutError is an OSError; others speak of a database that is away
            return None

    async def _sink(self, settings: CloudWatchSettings) -> Sink:
        if settings.emf_file is not None:
            return EmbeddedMetrics(settings.emf_file, settings.namespace, self._vitals)
        from botocore.exceptions import BotoCoreError

        try:
            client = await asyncio.get_running_loop().run_in_executor(self._executor, open_client, settings.region)
        except BotoCoreError as unusable:
            raise CannotPublish(
                f"CloudWatch metrics are switched on, but cannot be published: {clean(str(unusable), 200)} "
                "Set cloudwatch.region in the file or AWS_REGION, or cloudwatch.enabled to false"
            ) from None
        return CloudWatch(client, settings.namespace, self._vitals)

    def _say_price(self) -> None:
        price = estimate(self._settings)
        endpoints = counted(sum(price.endpoints.values()), "endpoint")
        log.info(
            "CloudWatch metrics are on: %d of %s, at most %.2f USD a month by list prices",
            price.metrics,
            endpoints,
            price.usd,
        )
