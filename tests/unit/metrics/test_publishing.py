"""How measurements are put together, and that nothing about publishing disturbs or is forgotten."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from checks.model import Verdict
from prober.metrics import cloudwatch
from prober.metrics.cloudwatch import CloudWatch, batches
from prober.metrics.pending import VALUES_KEPT, Pending, Series, dimension_value
from prober.metrics.publishing import Publisher
from prober.settings import MetricSet
from prober.storage.census import Census
from prober.vitals import Vitals
from tests.unit.metrics.reports import NOW, Calls, Clock, report

MINUTE = NOW.replace(second=0)
AWAY = EndpointConnectionError(endpoint_url="https://monitoring.example")
PER_REPORT = 9
"""Values of one report in the standard set: two sentinels, no cold wait."""


class Beating:
    """Says whether a full cycle has worked."""

    def __init__(self) -> None:
        self.alive = False

    def __call__(self) -> bool:
        return self.alive


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def vitals() -> Vitals:
    return Vitals()


@pytest.fixture
def beating() -> Beating:
    return Beating()


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@dataclass
class Publishing:
    """Makes publishers that share what they speak to."""

    calls: Calls
    executor: ThreadPoolExecutor
    vitals: Vitals
    beating: Beating

    def publisher(self, *, aggregates: bool, keep: int = VALUES_KEPT) -> Publisher:
        sink = CloudWatch(self.calls, "McpProber", self.vitals)
        return Publisher(
            sink,
            executor=self.executor,
            location="eu",
            clock=Clock(),
            vitals=self.vitals,
            alive=self.beating,
            aggregates=aggregates,
            keep=keep,
        )


@pytest.fixture
def publishing(calls: Calls, executor: ThreadPoolExecutor, vitals: Vitals, beating: Beating) -> Publishing:
    return Publishing(calls, executor, vitals, beating)


@pytest.fixture
def alone(publishing: Publishing) -> Publisher:
    """Publishes endpoints and signs, no aggregates."""
    return publishing.publisher(aggregates=False)


@pytest.fixture
def whole(publishing: Publishing) -> Publisher:
    return publishing.publisher(aggregates=True)


async def test_many_reports_are_one_call_with_values_and_counts(alone: Publisher, calls: Calls) -> None:
    for number in range(6):
        alone.add(report(ms=10.0 if number < 4 else 20.0), MetricSet.STANDARD)
        alone.add(report(endpoint="billing", verdict=Verdict.DOWN), MetricSet.STANDARD)
    await alone.flush()
    (request,) = calls.requests
    assert request["Namespace"] == "McpProber"
    handshake = next(
        each
        for each in request["MetricData"]
        if each["MetricName"] == "HandshakeMs" and each["Dimensions"] == [{"Name": "Endpoint", "Value": "orders"}]
    )
    assert dict(zip(handshake["Values"], handshake["Counts"], strict=True)) == {10.0: 4.0, 20.0: 2.0}
    assert handshake["Unit"] == "Milliseconds"
    assert handshake["Timestamp"] == MINUTE
    assert calls.threads != {threading.get_ident()}, "boto3 blocks, so it stays off the event loop"


async def test_what_was_published_is_not_published_again(alone: Publisher, calls: Calls) -> None:
    alone.add(report(), MetricSet.STANDARD)
    await alone.flush()
    await alone.flush()
    assert calls.values("Up") == {1.0: 1}


async def test_an_endpoint_publishes_what_is_chosen_for_it(alone: Publisher, calls: Calls) -> None:
    alone.add(report(endpoint="quiet"), MetricSet.NONE)
    alone.add(report(endpoint="plain"), MetricSet.MINIMAL)
    await alone.flush()
    published = [each for each in calls.data if each["Dimensions"][0]["Name"] == "Endpoint"]
    assert {each["Dimensions"][0]["Value"] for each in published} == {"plain"}
    assert {each["MetricName"] for each in published} == {"Up", "Degraded"}


async def test_the_fleet_counts_endpoints_that_publish_nothing_of_their_own(whole: Publisher, calls: Calls) -> None:
    whole.add(report(endpoint="quiet"), MetricSet.NONE)
    whole.add(report(endpoint="other", verdict=Verdict.UNKNOWN), MetricSet.NONE)
    await whole.flush()
    assert calls.values("Probes", "Location") == {1.0: 2}
    assert calls.values("ProbesBad", "Location") == {0.0: 1}
    assert calls.values("ProbesUnknown", "Location") == {0.0: 1, 1.0: 1}
    assert calls.values("WarmWaitMs", "Location") == {30.0: 2}
    assert calls.values("EndpointsUp", "Location") == {}, "nobody has counted them"


async def test_a_census_says_how_many_endpoints_stand_how(whole: Publisher, calls: Calls) -> None:
    verdicts = {Verdict.UP: 3, Verdict.DOWN: 1}
    await whole.flush(Census(verdicts=verdicts, names=frozenset("abcd"), in_incident=frozenset("a")))
    found = {name: calls.values(name, "Location") for name in ("EndpointsUp", "EndpointsDown", "EndpointsDegraded")}
    assert found == {"EndpointsUp": {3.0: 1}, "EndpointsDown": {1.0: 1}, "EndpointsDegraded": {0.0: 1}}
    assert calls.values("IncidentsOpen", "Location") == {1.0: 1}


async def test_the_heart_beats_only_after_a_whole_cycle(alone: Publisher, calls: Calls, beating: Beating) -> None:
    alone.add(report(), MetricSet.STANDARD)
    await alone.flush()
    assert calls.values("Heartbeat", "Location") == {}
    beating.alive = True
    await alone.flush()
    assert calls.values("Heartbeat", "Location") == {1.0: 1}
    assert {each["Dimensions"][0]["Value"] for each in calls.data if each["MetricName"] == "Heartbeat"} == {"eu"}


async def test_what_keeps_the_prober_from_its_work_shows(alone: Publisher, calls: Calls, vitals: Vitals) -> None:
    await alone.flush()
    vitals.trouble("database", "it is away")
    await alone.flush()
    assert calls.values("Impaired", "Location") == {0.0: 1, 1.0: 1}


async def test_gauges_of_the_prober_go_with_the_aggregates(whole: Publisher, calls: Calls, vitals: Vitals) -> None:
    vitals.set("spool_records", 12)
    await whole.flush()
    assert calls.values("SpoolRecords", "Location") == {12.0: 1}
    assert calls.values("OutboxOldest", "Location") == {}, "nobody has measured it"


async def test_metrics_wait_with_their_own_time_while_cloudwatch_is_away(
    alone: Publisher, calls: Calls, vitals: Vitals
) -> None:
    calls.failure = AWAY
    alone.add(report(at=NOW - timedelta(minutes=5)), MetricSet.STANDARD)
    await alone.flush()
    alone.add(report(), MetricSet.STANDARD)
    await alone.flush()
    assert vitals.counters["metrics_failures", ""] == 2
    calls.failure = None
    await alone.flush()
    assert calls.values("Up") == {1.0: 2}
    assert {each["Timestamp"] for each in calls.data} == {MINUTE, MINUTE - timedelta(minutes=5)}
    assert ("metrics_dropped", "") not in vitals.counters


async def test_what_is_measured_while_others_are_sent_goes_out_next(alone: Publisher, calls: Calls) -> None:
    calls.may_go.clear()
    alone.add(report(), MetricSet.MINIMAL)
    sending = asyncio.create_task(alone.flush())
    await asyncio.to_thread(calls.came.wait)
    alone.add(report(verdict=Verdict.DOWN), MetricSet.MINIMAL)
    calls.may_go.set()
    await sending
    assert calls.values("Up") == {1.0: 1}
    await alone.flush()
    assert calls.values("Up") == {1.0: 1, 0.0: 1}


@pytest.mark.parametrize(
    ("code", "kept"), [("ThrottlingException", True), ("AccessDenied", True), ("InvalidParameterValue", False)]
)
async def test_only_data_that_would_be_refused_again_is_given_up(
    alone: Publisher, calls: Calls, vitals: Vitals, code: str, kept: bool
) -> None:
    calls.failure = ClientError({"Error": {"Code": code, "Message": "no"}}, "PutMetricData")
    alone.add(report(), MetricSet.STANDARD)
    await alone.flush()
    calls.failure = None
    await alone.flush()
    assert bool(calls.values("Up")) is kept
    assert vitals.counters.get(("metrics_dropped", ""), 0) == (0 if kept else PER_REPORT + 1)


@pytest.mark.parametrize("off", [-timedelta(days=15), timedelta(hours=3)])
async def test_what_cloudwatch_refuses_for_its_time_does_not_spoil_the_rest(
    alone: Publisher, calls: Calls, vitals: Vitals, off: timedelta
) -> None:
    alone.add(report(at=NOW + off), MetricSet.STANDARD)
    alone.add(report(), MetricSet.STANDARD)
    await alone.flush()
    assert calls.values("Up") == {1.0: 1}
    assert vitals.counters["metrics_dropped", ""] == PER_REPORT


async def test_what_waits_is_bounded_and_the_oldest_goes_first(
    publishing: Publishing, calls: Calls, vitals: Vitals
) -> None:
    published = publishing.publisher(aggregates=False, keep=2 * PER_REPORT + 1)
    calls.failure = AWAY
    for age in (3, 2, 1):
        published.add(report(at=NOW - timedelta(minutes=age)), MetricSet.STANDARD)
    await published.flush()
    assert vitals.counters["metrics_dropped", ""] == PER_REPORT
    calls.failure = None
    await published.flush()
    assert {each["Timestamp"].minute for each in calls.data} == {58, 59, 0}


@given(name=st.text(), other=st.text())
def test_any_name_becomes_a_dimension_that_cloudwatch_takes(name: str, other: str) -> None:
    written = dimension_value(name)
    assert 1 <= len(written) <= 1024
    assert written.isascii()
    assert written.isprintable()
    assert written.strip()
    assert not written.startswith(":")
    assert (dimension_value(other) == written) is (other == name)


def test_a_usual_name_stays_as_it_is_and_a_long_one_stays_apart() -> None:
    assert dimension_value("orders-prod.eu") == "orders-prod.eu"
    assert dimension_value("a" * 2000) != dimension_value("a" * 2001)


def waiting(sizes: dict[Series, int]) -> Pending:
    pending = Pending()
    for series, size in sizes.items():
        pending.add(series, *map(float, range(size)))
    return pending


@given(
    sizes=st.dictionaries(
        st.builds(
            Series, st.just(NOW), st.just("Endpoint"), st.text("ab", max_size=4), st.sampled_from(["Up", "Probes"])
        ),
        st.integers(1, 400),
        max_size=12,
    )
)
def test_no_batch_exceeds_a_limit_and_no_value_is_lost(sizes: dict[Series, int]) -> None:
    found: Counter[Series] = Counter()
    for batch in batches(waiting(sizes)):
        assert 0 < len(batch) <= cloudwatch.METRICS_PER_CALL
        for each, part in batch:
            assert 0 < len(part) <= cloudwatch.VALUES_PER_METRIC
            found[each] += len(part)
    assert found == Counter(sizes)


def test_a_series_with_very_many_values_is_spread_over_calls() -> None:
    series = Series(NOW, "Location", "eu", "WarmWaitMs")
    sizes = [sum(len(part) for _, part in batch) for batch in batches(waiting({series: 40_000}))]
    assert sum(sizes) == 40_000
    assert all(50 * size < cloudwatch.BYTES_PER_CALL for size in sizes)


def test_a_thousand_endpoints_take_more_than_one_call_of_a_thousand_metrics() -> None:
    names = [(f"e{number}", metric) for number in range(1000) for metric in ("Up", "ColdStart")]
    pending = waiting({Series(NOW, "Endpoint", name, metric): 1 for name, metric in names})
    assert [len(batch) for batch in batches(pending)] == [1000, 1000]
