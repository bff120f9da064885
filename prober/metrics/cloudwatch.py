"""CloudWatch custom metrics by PutMetricData: everything that waits goes out in one call while it fits into one."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from checks.text import clean
from prober.metrics.catalog import UNITS
from prober.metrics.pending import Pending, Series, parts
from prober.secrets.aws import session
from prober.vitals import Vitals

log = logging.getLogger(__name__)

# CloudWatch API reference, PutMetricData and MetricDatum.
METRICS_PER_CALL: Final = 1000
BYTES_PER_CALL: Final = 900_000
"""The limit is 1 MB of request; what a datum takes is estimated, so some room is left."""
VALUES_PER_METRIC: Final = 150

FAILURES: Final = "metrics_failures"

_BAD_REQUEST: Final = frozenset(
    {
        "InvalidParameterCombination", "InvalidParameterCombinationException", "InvalidParameterValue",
        "InvalidParameterValueException", "MissingParameter", "MissingRequiredParameterException",
        "RequestEntityTooLarge", "SerializationException", "ValidationError",
    }
)  # fmt: skip
"""Error codes that the same data would meet again."""

Batch = Sequence[tuple[Series, Counter[float]]]


class Puts(Protocol):
    """The part of boto3's CloudWatch client that is used."""

    def put_metric_data(self, **request: Any) -> Any: ...


class CloudWatch:
    """Implements `prober.metrics.pending.Sink`."""

    def __init__(self, client: Puts, namespace: str, vitals: Vitals) -> None:
        self._client = client
        self._namespace = namespace
        self._vitals = vitals

    def send(self, pending: Pending) -> int:
        """In as few calls as the limits allow, up to the first that CloudWatch does not take for now."""
        refused = 0
        for batch in batches(pending):
            taken = self._put(batch)
            if taken is None:
                break
            if not taken:
                refused += sum(part.total() for _, part in batch)
            for series, part in batch:
                pending.done(series, part)
        return refused

    def _put(self, batch: Batch) -> bool | None:
        """Whether the call was taken; None where a later one may be."""
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        request = {"Namespace": self._namespace, "MetricData": [_datum(series, part) for series, part in batch]}
        try:
            self._client.put_metric_data(**request)
        except (ClientError, BotoCoreError, OSError) as error:
            self._vitals.add(FAILURES)
            code = str(error.response.get("Error", {}).get("Code")) if isinstance(error, ClientError) else ""
            if code in _BAD_REQUEST or isinstance(error, ParamValidationError):
                log.error("CloudWatch refuses metrics: %s", clean(str(error), 300))  # noqa: TRY400 - AWS's word says it
                return False
            log.warning("CloudWatch does not take metrics, they wait: %s", clean(str(error), 300))
            return None
        return True


def open_client(region: str | None, endpoint_url: str | None = None) -> Puts:
    """A client with the credentials of the process, which compresses what it sends. Takes more than 100 ms of CPU:
    call it once, in a thread."""
    from botocore.config import Config

    config = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})
    client: Puts = session().client("cloudwatch", region_name=region, endpoint_url=endpoint_url, config=config)
    return client


def batches(pending: Pending) -> Iterator[Batch]:
    """The data in calls that CloudWatch takes, oldest first."""
    batch: list[tuple[Series, Counter[float]]] = []
    room = BYTES_PER_CALL
    for series, values in list(pending.items()):
        for part in parts(values, VALUES_PER_METRIC):
            size = 300 + 2 * len(series.value) + 50 * len(part)
            if batch and (len(batch) == METRICS_PER_CALL or size > room):
                yield batch
                batch, room = [], BYTES_PER_CALL
            batch.append((series, part))
            room -= size
    if batch:
        yield batch


def _datum(series: Series, values: Counter[float]) -> dict[str, Any]:
    return {
        "MetricName": series.metric,
        "Dimensions": [{"Name": series.dimension, "Value": series.value}],
        "Timestamp": series.minute,
        "Unit": UNITS[series.metric].value,
        "Values": list(values),
        "Counts": [float(count) for count in values.values()],
        "StorageResolution": 60,
    }
