"""What is published comes through a gate with the limits of CloudWatch, and can be read back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checks.model import Verdict
from prober.clock import SystemClock
from prober.metrics.cloudwatch import CloudWatch, open_client
from prober.metrics.publishing import Publisher
from prober.settings import MetricSet
from prober.vitals import Vitals
from tests.integration.metrics.gate import Gate, problems_of
from tests.unit.metrics.reports import report

NAMESPACE = "McpProber/Test"


class Route:
    """A client whose way to CloudWatch can be mended."""

    def __init__(self, url: str) -> None:
        self.client: Any = open_client("eu-central-1", url)

    def put_metric_data(self, **request: Any) -> Any:
        return self.client.put_metric_data(**request)


Publishing = Callable[[Route], Publisher]


@pytest.fixture
def vitals() -> Vitals:
    return Vitals()


@pytest.fixture
def publishing(executor: ThreadPoolExecutor, vitals: Vitals) -> Publishing:
    def make(route: Route) -> Publisher:
        sink = CloudWatch(route, NAMESPACE, vitals)
        return Publisher(sink, executor=executor, location="eu", clock=SystemClock(), vitals=vitals, alive=lambda: True)

    return make


def read_back(route: Route, metric: str, name: str, value: str, statistic: str, at: datetime) -> list[float]:
    query = {
        "Metric": {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": [{"Name": name, "Value": value}]},
        "Period": 60,
        "Stat": statistic,
    }
    answer = route.client.get_metric_data(
        MetricDataQueries=[{"Id": "q", "MetricStat": query}],
        StartTime=at - timedelta(minutes=10),
        EndTime=at + timedelta(minutes=10),
    )
    values: list[float] = answer["MetricDataResults"][0]["Values"]
    return values


async def test_measurements_come_back_with_their_counts(gate: Gate, publishing: Publishing) -> None:
    route = Route(gate.url)
    publisher = publishing(route)
    at = datetime.now(UTC).replace(second=5)
    for ms in (10.0, 10.0, 40.0):
        publisher.add(report(endpoint="orders", at=at, ms=ms), MetricSet.FULL)
    publisher.add(report(endpoint="billing", at=at, verdict=Verdict.DOWN), MetricSet.MINIMAL)
    await publisher.flush()
    assert gate.refused == []
    assert len(gate.puts()) == 1
    assert read_back(route, "HandshakeMs", "Endpoint", "orders", "Average", at) == [20.0]
    assert read_back(route, "HandshakeMs", "Endpoint", "orders", "SampleCount", at) == [3.0]
    assert read_back(route, "Up", "Endpoint", "billing", "Maximum", at) == [0.0]
    assert read_back(route, "HandshakeMs", "Endpoint", "billing", "SampleCount", at) == []
    assert read_back(route, "Probes", "Location", "eu", "Sum", at) == [4.0]
    assert sum(read_back(route, "Heartbeat", "Location", "eu", "Sum", at)) == 1


async def test_a_hundred_endpoints_are_one_compressed_call(gate: Gate, publishing: Publishing) -> None:
    publisher = publishing(Route(gate.url))
    at = datetime.now(UTC)
    for number in range(100):
        for second in range(3):
            publisher.add(report(endpoint=f"e{number}", at=at, ms=number + second / 7), MetricSet.STANDARD)
    await publisher.flush()
    (call,) = gate.puts()
    assert (call.encoding, len(call.data) > 800, call.size < 20_000) == ("gzip", True, True)
    assert gate.refused == []


async def test_whatever_a_name_is_no_call_is_refused_for_it(gate: Gate, publishing: Publishing, vitals: Vitals) -> None:
    publisher = publishing(Route(gate.url))
    at = datetime.now(UTC)
    for number in range(500):
        name = f"bücher \x00\u2028 {number} {'x' * number * 4}"
        publisher.add(report(endpoint=name, at=at, ms=float(number)), MetricSet.FULL)
    publisher.add(report(endpoint=": ", at=at), MetricSet.FULL)
    await publisher.flush()
    assert gate.refused == []
    assert {"metrics_failures", "metrics_dropped"}.isdisjoint(name for name, _ in vitals.counters)
    assert len({each["Dimensions"][0]["Value"] for call in gate.puts() for each in call.data}) == 502


async def test_more_than_a_call_takes_is_spread_over_as_few_as_can_be(gate: Gate, publishing: Publishing) -> None:
    publisher = publishing(Route(gate.url))
    at = datetime.now(UTC)
    for number in range(1, 5001):
        publisher.add(report(endpoint=f"e{number % 200}", at=at, ms=1 / number), MetricSet.STANDARD)
    await publisher.flush()
    assert gate.refused == []
    assert len(gate.puts()) == 2


async def test_metrics_wait_until_cloudwatch_is_there_again(gate: Gate, publishing: Publishing, vitals: Vitals) -> None:
    route = Route("http://127.0.0.1:9")
    publisher = publishing(route)
    at = datetime.now(UTC)
    publisher.add(report(endpoint="patient", at=at), MetricSet.MINIMAL)
    await publisher.flush()
    assert vitals.counters["metrics_failures", ""] == 1
    route.client = open_client("eu-central-1", gate.url)
    await publisher.flush()
    assert read_back(route, "Up", "Endpoint", "patient", "SampleCount", at) == [1.0]


def test_the_gate_knows_what_cloudwatch_refuses() -> None:
    datum = {
        "MetricName": "Up",
        "Dimensions": [{"Name": "Endpoint", "Value": "orders"}],
        "Timestamp": datetime.now(UTC).timestamp(),
        "Unit": "None",
        "Values": [1.0],
        "Counts": [1.0],
    }
    assert list(problems_of({"Namespace": "Mine", "MetricData": [datum]}, 100)) == []
    for change in (
        {"Values": [float(each) for each in range(151)], "Counts": [1.0] * 151},
        {"Values": [2.0**361]},
        {"Timestamp": 0},
        {"Unit": "Moons"},
        {"Dimensions": [{"Name": "Endpoint", "Value": "bücher"}]},
        {"Dimensions": [{"Name": "Endpoint", "Value": "x" * 1025}]},
    ):
        assert list(problems_of({"Namespace": "Mine", "MetricData": [{**datum, **change}]}, 100)), change
    assert list(problems_of({"Namespace": "Mine", "MetricData": [datum] * 1001}, 100))
    assert list(problems_of({"Namespace": "Mine", "MetricData": [datum]}, 1_000_001))
