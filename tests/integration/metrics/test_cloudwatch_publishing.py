"""What is published can be read back from CloudWatch."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checks.model import CheckResult, Opener, Opening, Outcome, ProbeReport, Verdict
from checks.spec import Era, Transport
from prober.clock import SystemClock
from prober.metrics.cloudwatch import CloudWatch, open_client

NAMESPACE = "McpProber/Test"


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def report(endpoint: str, at: datetime, *, ms: float, verdict: Verdict = Verdict.UP) -> ProbeReport:
    opener = Opener(
        transport=Transport.STREAMABLE_HTTP,
        era=Era.HANDSHAKE,
        protocol_version="2025-11-25",
        reason="it answered",
        chosen_at=at,
    )
    return ProbeReport(
        endpoint=endpoint,
        slot=at,
        started_at=at,
        duration_ms=ms,
        verdict=verdict,
        opening=Opening(opener=opener),
        results=(CheckResult(check="lifecycle", outcome=Outcome.PASS, summary="", ms=ms),),
    )


def read_back(client: Any, metric: str, endpoint: str, statistic: str, at: datetime) -> list[float]:
    query = {
        "Metric": {
            "Namespace": NAMESPACE,
            "MetricName": metric,
            "Dimensions": [{"Name": "Endpoint", "Value": endpoint}],
        },
        "Period": 60,
        "Stat": statistic,
    }
    answer = client.get_metric_data(
        MetricDataQueries=[{"Id": "q", "MetricStat": query}],
        StartTime=at - timedelta(minutes=10),
        EndTime=at + timedelta(minutes=10),
    )
    values: list[float] = answer["MetricDataResults"][0]["Values"]
    return values


async def test_measurements_come_back_with_their_counts(aws_url: str, executor: ThreadPoolExecutor) -> None:
    client = open_client("eu-central-1", aws_url)
    cloudwatch = CloudWatch(client, NAMESPACE, executor, SystemClock())
    at = datetime.now(UTC).replace(second=5)
    for ms in (10.0, 10.0, 40.0):
        cloudwatch.add(report("orders", at, ms=ms))
    cloudwatch.add(report("billing", at, ms=5.0, verdict=Verdict.DOWN))
    await cloudwatch.flush()
    assert (cloudwatch.failures, cloudwatch.dropped) == (0, 0)
    assert read_back(client, "HandshakeMs", "orders", "Average", at) == [20.0]
    assert read_back(client, "HandshakeMs", "orders", "SampleCount", at) == [3.0]
    assert read_back(client, "Up", "orders", "Minimum", at) == [1.0]
    assert read_back(client, "Up", "billing", "Maximum", at) == [0.0]


async def test_five_hundred_endpoints_with_odd_names_are_taken(aws_url: str, executor: ThreadPoolExecutor) -> None:
    client = open_client("eu-central-1", aws_url)
    cloudwatch = CloudWatch(client, NAMESPACE, executor, SystemClock())
    at = datetime.now(UTC)
    for number in range(500):
        cloudwatch.add(report(f"bücher \x00 {number} {'x' * number * 4}", at, ms=float(number)))
    await cloudwatch.flush()
    assert (cloudwatch.failures, cloudwatch.dropped) == (0, 0)


class Route:
    """A client whose way to CloudWatch can be mended."""

    def __init__(self, url: str) -> None:
        self.client = open_client("eu-central-1", url)

    def put_metric_data(self, **request: Any) -> Any:
        return self.client.put_metric_data(**request)


async def test_metrics_wait_until_cloudwatch_is_there_again(aws_url: str, executor: ThreadPoolExecutor) -> None:
    route = Route("http://127.0.0.1:9")
    cloudwatch = CloudWatch(route, NAMESPACE, executor, SystemClock())
    at = datetime.now(UTC)
    cloudwatch.add(report("patient", at, ms=1.0))
    await cloudwatch.flush()
    assert cloudwatch.failures == 1
    route.client = open_client("eu-central-1", aws_url)
    await cloudwatch.flush()
    assert read_back(route.client, "Up", "patient", "SampleCount", at) == [1.0]
