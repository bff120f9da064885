"""What CloudWatch asks for the metrics that a configuration publishes, so that it is known before they are."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prober.metrics.catalog import FLEET_METRICS, PUBLISHED_GAUGES, SIGNS, metrics_of
from prober.metrics.cloudwatch import METRICS_PER_CALL
from prober.settings import MetricSet, Settings

SOURCE: Final = "https://aws.amazon.com/cloudwatch/pricing/"
"""List prices of us-east-1, paid tier, without the free tier; other regions ask a little more."""

TIERS: Final = ((10_000, 0.30), (240_000, 0.10), (750_000, 0.05), (math.inf, 0.02))
"""US dollars for a custom metric and month, for the first so many, the next so many, and so on."""
PER_CALL: Final = 0.01 / 1000
"""US dollars for a call of PutMetricData."""
PER_ALARM: Final = 0.10
"""US dollars for an alarm on one metric at the usual resolution, and month."""

_MONTH_S: Final = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What publishing costs at most in a month, in US dollars by list prices: every metric, and the calls."""

    endpoints: Mapping[MetricSet, int]
    """Enabled endpoints by the set that is chosen for them."""
    aggregates: int
    """Metrics that a prober publishes of its fleet and of itself."""
    calls: int
    """Of PutMetricData; none where metrics are written to a log."""

    @property
    def metrics(self) -> int:
        return self.aggregates + sum(count * len(metrics_of(chosen)) for chosen, count in self.endpoints.items())

    @property
    def usd(self) -> float:
        return round(metrics_usd(self.metrics) + self.calls * PER_CALL, 2)


def metrics_usd(count: int) -> float:
    """The monthly price of so many metrics, in US dollars."""
    left, price = float(count), 0.0
    for size, each in TIERS:
        price += min(left, size) * each
        left = max(left - size, 0.0)
    return price


def estimate(settings: Settings) -> Estimate:
    """The price of what is configured, whether or not it is switched on."""
    cloudwatch = settings.cloudwatch
    endpoints = Counter(chosen_for(settings, each.name) for each in settings.endpoints if each.enabled)
    aggregates = len(SIGNS) + (len(FLEET_METRICS) + len(PUBLISHED_GAUGES)) * cloudwatch.aggregates
    known = Estimate(endpoints=endpoints, aggregates=aggregates, calls=0)
    if cloudwatch.emf_file is not None:
        return known
    flushes = _MONTH_S / cloudwatch.flush_s
    calls = math.ceil(flushes * max(1, math.ceil(known.metrics / METRICS_PER_CALL)))
    return Estimate(endpoints=endpoints, aggregates=aggregates, calls=calls)


def chosen_for(settings: Settings, endpoint: str) -> MetricSet:
    """Which metrics of this endpoint are published."""
    options = settings.options.get(endpoint)
    return settings.cloudwatch.metrics if options is None or options.metrics is None else options.metrics
