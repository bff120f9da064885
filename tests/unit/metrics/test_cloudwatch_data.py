"""What becomes a metric, how it is batched, and that nothing about publishing disturbs or is forgotten."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from checks.model import CheckResult, Diagnosis, Effect, Opener, Opening, Outcome, ProbeReport, Verdict
from checks.spec import Era, Transport
from prober.metrics import cloudwatch
from prober.metrics.cloudwatch import CloudWatch, Series, batches, dimension, measurements, monthly_price_usd

NOW = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)
OPENED = Opening(
    opener=Opener(
        transport=Transport.STREAMABLE_HTTP,
        era=Era.STATELESS,
        protocol_version="2026-07-28",
        reason="it answered",
        chosen_at=NOW,
    )
)


class Clock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class Calls:
    """Stands for boto3's client: keeps what it is given, or raises."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self.threads: set[int] = set()

    def put_metric_data(self, **request: Any) -> None:
        self.threads.add(threading.get_ident())
        if self.failure:
            raise self.failure
        self.requests.append(request)

    def values(self, metric: str) -> Counter[float]:
        found: Counter[float] = Counter()
        for datum in (each for request in self.requests for each in request["MetricData"]):
            if datum["MetricName"] == metric:
                found.update(dict(zip(datum["Values"], datum["Counts"], strict=True)))
        return found


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def published(calls: Calls, executor: ThreadPoolExecutor) -> CloudWatch:
    return CloudWatch(calls, "McpProber", executor, Clock())


def report(
    *, verdict: Verdict = Verdict.UP, endpoint: str = "orders", at: datetime = NOW, cold: bool = False, ms: float = 12.5
) -> ProbeReport:
    cause = Diagnosis(
        id="cold-start", effect=Effect.INFORMATION, confidence=0.6, summary="cold", evidence=(), fix="none"
    )
    calls = [{"tool": "ping", "outcome": "ok", "ms": 5.0}, {"tool": "pong", "outcome": "error", "ms": 9000.0}]
    return ProbeReport(
        endpoint=endpoint,
        slot=at,
        started_at=at,
        duration_ms=100,
        verdict=verdict,
        opening=OPENED,
        results=(
            CheckResult(check="lifecycle", outcome=Outcome.PASS, summary="", ms=ms),
            CheckResult(
                check="tools_list", outcome=Outcome.FAIL, summary="", ms=7.0, facts={"complete": True, "tool_count": 0}
            ),
            CheckResult(check="sentinel_call", outcome=Outcome.FAIL, summary="", facts={"sentinels": calls}),
            CheckResult(check="streaming", outcome=Outcome.PASS, summary="", facts={"first_event_ms": 3.0}),
        ),
        diagnoses=(cause,) if cold else (),
    )


def test_a_report_becomes_one_figure_per_thing_measured() -> None:
    assert dict(measurements(report(cold=True))) == {
        "Up": 1.0,
        "ColdStart": 1.0,
        "HandshakeMs": 12.5,
        "ToolsListMs": 7.0,
        "ToolCount": 0.0,
        "SentinelMs": 5.0,
        "FirstEventMs": 3.0,
    }


@pytest.mark.parametrize(("verdict", "up"), [(Verdict.UP, 1), (Verdict.DEGRADED, 1), (Verdict.DOWN, 0)])
def test_up_is_zero_only_when_down(verdict: Verdict, up: int) -> None:
    assert dict(measurements(report(verdict=verdict)))["Up"] == up


def test_what_we_could_not_observe_publishes_nothing() -> None:
    assert list(measurements(report(verdict=Verdict.UNKNOWN))) == []


def test_a_probe_that_got_no_answer_has_no_times() -> None:
    failed = CheckResult(check="lifecycle", outcome=Outcome.FAIL, summary="", ms=10_000)
    silent = ProbeReport(
        endpoint="orders",
        slot=NOW,
        started_at=NOW,
        duration_ms=1,
        verdict=Verdict.DOWN,
        opening=Opening(),
        results=(failed,),
    )
    assert dict(measurements(silent)) == {"Up": 0.0, "ColdStart": 0.0}


@pytest.mark.parametrize("ms", [float("nan"), float("inf"), -float("inf"), 2.0**361])
def test_a_figure_that_cloudwatch_refuses_is_left_out(ms: float) -> None:
    assert "HandshakeMs" not in dict(measurements(report(ms=ms)))


@given(name=st.text(), other=st.text())
def test_any_name_becomes_a_dimension_that_cloudwatch_takes(name: str, other: str) -> None:
    written = dimension(name)
    assert 1 <= len(written) <= 1024
    assert written.isascii()
    assert written.isprintable()
    assert written.strip()
    assert not written.startswith(":")
    assert (dimension(other) == written) is (other == name)


def test_a_usual_name_stays_as_it_is_and_a_long_one_stays_apart() -> None:
    assert dimension("orders-prod.eu") == "orders-prod.eu"
    assert dimension("a" * 2000) != dimension("a" * 2001)


async def test_many_reports_are_one_call_with_values_and_counts(published: CloudWatch, calls: Calls) -> None:
    for number in range(6):
        published.add(report(ms=10.0 if number < 4 else 20.0))
        published.add(report(endpoint="billing", verdict=Verdict.DOWN))
    await published.flush()
    (request,) = calls.requests
    assert request["Namespace"] == "McpProber"
    handshake = next(
        each
        for each in request["MetricData"]
        if each["MetricName"] == "HandshakeMs" and each["Dimensions"] == [{"Name": "Endpoint", "Value": "orders"}]
    )
    assert dict(zip(handshake["Values"], handshake["Counts"], strict=True)) == {10.0: 4.0, 20.0: 2.0}
    assert handshake["Unit"] == "Milliseconds"
    assert handshake["Timestamp"] == NOW.replace(second=0)
    assert calls.threads != {threading.get_ident()}, "boto3 blocks, so it stays off the event loop"
    await published.flush()
    assert len(calls.requests) == 1, "nothing new, nothing sent"


async def test_metrics_wait_with_their_own_time_while_cloudwatch_is_away(published: CloudWatch, calls: Calls) -> None:
    calls.failure = EndpointConnectionError(endpoint_url="https://monitoring.example")
    published.add(report(at=NOW - timedelta(minutes=5)))
    await published.flush()
    published.add(report())
    await published.flush()
    assert published.failures == 2
    calls.failure = None
    await published.flush()
    assert calls.values("Up") == {1.0: 2}
    stamps = {each["Timestamp"] for each in calls.requests[0]["MetricData"]}
    assert stamps == {NOW.replace(second=0), NOW.replace(second=0) - timedelta(minutes=5)}
    assert published.dropped == 0


@pytest.mark.parametrize(
    ("code", "kept"), [("ThrottlingException", True), ("AccessDenied", True), ("InvalidParameterValue", False)]
)
async def test_only_data_that_would_be_refused_again_is_given_up(
    published: CloudWatch, calls: Calls, code: str, kept: bool
) -> None:
    calls.failure = ClientError({"Error": {"Code": code, "Message": "no"}}, "PutMetricData")
    published.add(report())
    await published.flush()
    calls.failure = None
    await published.flush()
    assert bool(calls.requests) is kept
    assert published.dropped == (0 if kept else 7)


async def test_what_is_older_than_cloudwatch_takes_does_not_spoil_the_rest(published: CloudWatch, calls: Calls) -> None:
    published.add(report(at=NOW - timedelta(days=15)))
    published.add(report())
    await published.flush()
    assert calls.values("Up") == {1.0: 1}
    assert published.dropped == 7


async def test_what_waits_is_bounded_and_the_oldest_goes_first(executor: ThreadPoolExecutor, calls: Calls) -> None:
    published = CloudWatch(calls, "McpProber", executor, Clock(), keep=14)
    calls.failure = EndpointConnectionError(endpoint_url="https://monitoring.example")
    for age in (3, 2, 1):
        published.add(report(at=NOW - timedelta(minutes=age)))
    await published.flush()
    assert published.dropped == 7
    calls.failure = None
    await published.flush()
    stamps = {each["Timestamp"].minute for each in calls.requests[0]["MetricData"]}
    assert stamps == {58, 59}


@given(
    series=st.dictionaries(
        st.builds(Series, st.just(NOW), st.text("ab", max_size=4), st.sampled_from(["Up", "HandshakeMs"])),
        st.integers(1, 400),
        max_size=12,
    )
)
def test_no_batch_exceeds_a_limit_and_no_value_is_lost(series: dict[Series, int]) -> None:
    pending = {each: Counter(float(value) for value in range(size)) for each, size in series.items()}
    found: Counter[Series] = Counter()
    for batch in batches(pending):
        assert 0 < len(batch) <= cloudwatch.METRICS_PER_CALL
        for each, part in batch:
            assert 0 < len(part) <= cloudwatch.VALUES_PER_METRIC
            found[each] += len(part)
    assert found == Counter(series)


def test_a_thousand_endpoints_take_more_than_one_call_of_a_thousand_metrics() -> None:
    pending = {Series(NOW, f"e{number}", metric): Counter((1.0,)) for number in range(1000) for metric in ("Up", "X")}
    sizes = [len(batch) for batch in batches(pending)]
    assert sizes == [1000, 1000]


def test_the_price_follows_the_tiers() -> None:
    assert monthly_price_usd(0) == 0
    assert monthly_price_usd(50) == pytest.approx(350 * 0.30 + 43_200 * 0.01 / 1000, abs=0.01)
    assert monthly_price_usd(10_000) == pytest.approx(10_000 * 0.30 + 60_000 * 0.10 + 70 * 0.432, abs=0.01)
