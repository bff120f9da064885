"""What publishing costs."""

from pathlib import Path

import pytest

from checks.model import Endpoint
from prober.metrics.price import estimate, metrics_usd
from prober.settings import CloudWatchSettings, EndpointOptions, MetricSet, Settings

ENDPOINTS = tuple(Endpoint(name=f"e{number}", url="https://example.com") for number in range(50))
OF_PROBER = 2 + 10 + 2
"""Signs, figures of the fleet, gauges."""


def test_the_price_follows_the_tiers() -> None:
    assert metrics_usd(0) == 0
    assert metrics_usd(350) == pytest.approx(105)
    assert metrics_usd(70_000) == pytest.approx(10_000 * 0.30 + 60_000 * 0.10)
    assert metrics_usd(1_100_000) == pytest.approx(3000 + 24_000 + 37_500 + 100_000 * 0.02)


def test_every_metric_and_every_call_is_counted() -> None:
    found = estimate(Settings(endpoints=ENDPOINTS))
    assert (found.metrics, found.calls) == (50 * 8 + OF_PROBER, 43_200)
    assert found.usd == pytest.approx(found.metrics * 0.30 + 0.43, abs=0.01)


def test_more_than_a_thousand_metrics_take_more_calls() -> None:
    many = tuple(Endpoint(name=f"e{number}", url="https://example.com") for number in range(200))
    assert estimate(Settings(endpoints=many)).calls == 2 * 43_200


def test_an_endpoint_that_publishes_nothing_costs_nothing() -> None:
    options = {"e0": EndpointOptions(metrics=MetricSet.NONE), "e1": EndpointOptions(metrics=MetricSet.FULL)}
    found = estimate(Settings(endpoints=ENDPOINTS[:3], options=options))
    assert found.endpoints == {MetricSet.NONE: 1, MetricSet.FULL: 1, MetricSet.STANDARD: 1}
    assert found.metrics == 14 + 8 + OF_PROBER


def test_without_aggregates_only_the_signs_remain() -> None:
    settings = Settings(cloudwatch=CloudWatchSettings(aggregates=False))
    assert (estimate(settings).metrics, estimate(settings).usd) == (2, 1.03)


def test_lines_of_a_log_take_no_calls() -> None:
    assert estimate(Settings(cloudwatch=CloudWatchSettings(emf_file=Path("/dev/stdout")))).calls == 0
