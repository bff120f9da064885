"""CloudWatch custom metrics: probe reports are collected and published together, one PutMetricData per flush.

A metric costs money for every combination of its dimensions, so there is one dimension, `Endpoint`; causes, tools and
locations belong into notices and pages.
"""

import asyncio
import hashlib
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from checks.model import ProbeReport, Verdict
from checks.protocol.sentinel_call import Called
from checks.text import clean
from prober.clock import Clock
from prober.secrets.aws import session

log = logging.getLogger(__name__)

METRICS: Final[Mapping[str, str]] = {
    "Up": "None",
    "HandshakeMs": "Milliseconds",
    "ToolsListMs": "Milliseconds",
    "SentinelMs": "Milliseconds",
    "FirstEventMs": "Milliseconds",
    "ColdStart": "None",
    "ToolCount": "Count",
}
"""Every metric with its unit."""

# CloudWatch API reference, PutMetricData and MetricDatum.
METRICS_PER_CALL: Final = 1000
BYTES_PER_CALL: Final = 900_000
"""The limit is 1 MB of request; what a datum takes is estimated, so some room is left."""
VALUES_PER_METRIC: Final = 150
LARGEST: Final = 2.0**360
DIMENSION_LIMIT: Final = 1024
OLDEST: Final = timedelta(days=13)
"""One datum older than two weeks has the whole call refused."""

VALUES_KEPT: Final = 100_000
"""Different values that wait while CloudWatch is away; beyond it the oldest minutes are given up."""

_PRICE_TIERS: Final = ((10_000, 0.30), (240_000, 0.10), (750_000, 0.05), (math.inf, 0.02))
"""US dollars for a custom metric and month, for the first so many, the next so many, and so on (us-east-1)."""
_PRICE_PER_CALL: Final = 0.01 / 1000
_MONTH_S: Final = 30 * 86_400

_BAD_REQUEST: Final = frozenset(
    {
        "InvalidParameterCombination", "InvalidParameterCombinationException", "InvalidParameterValue",
        "InvalidParameterValueException", "MissingParameter", "MissingRequiredParameterException",
        "RequestEntityTooLarge", "SerializationException", "ValidationError",
    }
)  # fmt: skip
"""Error codes that the same data would meet again."""


class Puts(Protocol):
    """The part of boto3's CloudWatch client that is used."""

    def put_metric_data(self, **request: Any) -> Any: ...


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """One metric of one endpoint in one minute, the finest that CloudWatch keeps at the usual resolution."""

    minute: datetime
    endpoint: str
    metric: str


Pending = dict[Series, Counter[float]]


class CloudWatch:
    """Collects what probes measured and publishes it. Failing to publish never disturbs a probe."""

    def __init__(
        self, client: Puts, namespace: str, executor: Executor, clock: Clock, *, keep: int = VALUES_KEPT
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._executor = executor
        self._clock = clock
        self._keep = keep
        self._pending: Pending = {}
        self._flushing = asyncio.Lock()
        self.failures = 0
        """Calls that CloudWatch did not take."""
        self.dropped = 0
        """Values that were given up: refused for their content, too old, or beyond what may wait."""

    def add(self, report: ProbeReport) -> None:
        """Take the measurements of a report; they go out with the next flush."""
        minute = report.started_at.replace(second=0, microsecond=0)
        for metric, value in measurements(report):
            self._merge(Series(minute, dimension(report.endpoint), metric), Counter((value,)))

    async def flush(self) -> None:
        """Publish all that was added. Never raises for AWS or the network: what was not taken stays for next time."""
        async with self._flushing:
            self._drop_too_old()
            waiting, self._pending = self._pending, {}
            try:
                for batch in batches(waiting):
                    if not await self._put(batch):
                        break
                    for series in {series for series, _ in batch}:
                        del waiting[series]
            finally:
                for series, values in waiting.items():
                    self._merge(series, values)
                self._drop_beyond_bound()

    async def _put(self, batch: "Batch") -> bool:
        """Whether this batch is done with, so that the next can follow."""
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        request = {"Namespace": self._namespace, "MetricData": [_datum(series, part) for series, part in batch]}
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._send, request)
        except ClientError as error:
            self.failures += 1
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            if code not in _BAD_REQUEST:
                log.warning("CloudWatch does not take metrics, they wait: %s", clean(str(error), 300))
                return False
            self._give_up(_size(batch), clean(str(error), 300))
        except ParamValidationError as error:
            self._give_up(_size(batch), clean(str(error), 300))
        except (BotoCoreError, OSError) as error:
            self.failures += 1
            log.warning("CloudWatch cannot be reached, metrics wait: %s", clean(str(error), 300))
            return False
        return True

    def _send(self, request: dict[str, Any]) -> None:
        """In a thread: a full call costs some 60 ms of CPU."""
        self._client.put_metric_data(**request)

    def _merge(self, series: Series, values: Counter[float]) -> None:
        self._pending.setdefault(series, Counter()).update(values)

    def _drop_too_old(self) -> None:
        floor = self._clock.now() - OLDEST
        old = [series for series in self._pending if series.minute < floor]
        if old:
            self._give_up(sum(self._pending.pop(series).total() for series in old), "they are two weeks old")

    def _drop_beyond_bound(self) -> None:
        kept = sum(len(values) for values in self._pending.values())
        lost = 0
        for series in sorted(self._pending) if kept > self._keep else ():
            values = self._pending.pop(series)
            kept, lost = kept - len(values), lost + values.total()
            if kept <= self._keep:
                break
        if lost:
            self._give_up(lost, "CloudWatch has been away for too long")

    def _give_up(self, values: int, reason: str) -> None:
        self.dropped += values
        log.error("%d measurements are not published: %s", values, reason)


def open_client(region: str | None, endpoint_url: str | None = None) -> Puts:
    """A client with the credentials of the process. Takes more than 100 ms of CPU: call it once, in a thread."""
    from botocore.config import Config

    config = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})
    client: Puts = session().client("cloudwatch", region_name=region, endpoint_url=endpoint_url, config=config)
    return client


def monthly_price_usd(endpoints: int, flush_s: float = 60.0) -> float:
    """What publishing costs at most in a month, in US dollars by the list prices: every metric, and the calls."""
    left, price = float(endpoints * len(METRICS)), 0.0
    calls = _MONTH_S / flush_s * max(1, math.ceil(left / METRICS_PER_CALL)) if left else 0.0
    for size, each in _PRICE_TIERS:
        price += min(left, size) * each
        left = max(left - size, 0.0)
    return round(price + calls * _PRICE_PER_CALL, 2)


def measurements(report: ProbeReport) -> Iterator[tuple[str, float]]:
    """What a report says in figures, without those that it does not know or that CloudWatch would refuse.

    `Up` is 0 for a verdict of `down` and else 1: a degraded endpoint answers. A probe that could not observe says
    nothing about the endpoint, so it publishes nothing. `HandshakeMs`, `ToolsListMs` and `ToolCount` are published
    where the server answered, `SentinelMs` for every sentinel that answered as expected.
    """
    if report.verdict is Verdict.UNKNOWN:
        return
    for metric, value in _readings(report):
        if isinstance(value, int | float) and math.isfinite(value) and abs(value) <= LARGEST:
            yield metric, float(value)


def _readings(report: ProbeReport) -> Iterator[tuple[str, Any]]:
    yield "Up", int(report.verdict is not Verdict.DOWN)
    yield "ColdStart", int(any(each.id == "cold-start" for each in report.diagnoses))
    lifecycle, tools, sentinels = (report.result(check) for check in ("lifecycle", "tools_list", "sentinel_call"))
    if lifecycle is not None and report.opening.established:
        yield "HandshakeMs", lifecycle.ms
    if tools is not None and tools.facts.get("complete"):
        yield "ToolsListMs", tools.ms
        yield "ToolCount", tools.facts.get("tool_count")
    for call in sentinels.facts.get("sentinels", ()) if sentinels is not None else ():
        if call.get("outcome") == Called.OK:
            yield "SentinelMs", call.get("ms")
    if (streaming := report.result("streaming")) is not None:
        yield "FirstEventMs", streaming.facts.get("first_event_ms")


def dimension(name: str) -> str:
    """`name` as CloudWatch takes it: printable ASCII, not blank, no leading colon; different names stay different."""
    written = name.encode("ascii", "backslashreplace").decode("ascii")
    allowed = written.isprintable() and written.strip() and not written.startswith(":")
    if written == name and allowed and len(written) <= DIMENSION_LIMIT:
        return name
    shown = "".join(character if character.isprintable() else "?" for character in written).lstrip(": ")
    digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:12]
    return f"{shown[: DIMENSION_LIMIT - 20]}#{digest}"


Batch = Sequence[tuple[Series, Counter[float]]]


def batches(pending: Pending) -> Iterator[Batch]:
    """The data in calls that CloudWatch takes, oldest first; all parts of one series stay in one call."""
    batch: list[tuple[Series, Counter[float]]] = []
    room = BYTES_PER_CALL
    for series in sorted(pending):
        parts = list(_parts(pending[series]))
        size = sum(300 + 2 * len(series.endpoint) + 50 * len(part) for part in parts)
        if batch and (len(batch) + len(parts) > METRICS_PER_CALL or size > room):
            yield batch
            batch, room = [], BYTES_PER_CALL
        batch += [(series, part) for part in parts]
        room -= size
    if batch:
        yield batch


def _size(batch: Batch) -> int:
    return sum(part.total() for _, part in batch)


def _parts(values: Counter[float]) -> Iterator[Counter[float]]:
    items = sorted(values.items())
    for start in range(0, len(items), VALUES_PER_METRIC):
        yield Counter(dict(items[start : start + VALUES_PER_METRIC]))


def _datum(series: Series, values: Counter[float]) -> dict[str, Any]:
    return {
        "MetricName": series.metric,
        "Dimensions": [{"Name": "Endpoint", "Value": series.endpoint}],
        "Timestamp": series.minute,
        "Unit": METRICS[series.metric],
        "Values": list(values),
        "Counts": [float(count) for count in values.values()],
        "StorageResolution": 60,
    }
