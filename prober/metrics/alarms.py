"""The alarms that a configuration wants, from which every template is made."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from checks.model import Endpoint
from prober.metrics.catalog import (
    ENDPOINT_DIMENSION,
    ENDPOINT_METRICS,
    FLEET_METRICS,
    HEARTBEAT,
    IMPAIRED,
    LOCATION_DIMENSION,
)
from prober.metrics.pending import dimension_value
from prober.metrics.price import chosen_for
from prober.settings import MetricSet, Settings

MOST_ENDPOINTS: Final = 200
"""With alarms of their own. A stack holds 500 resources (CloudFormation quotas), and each alarm has its price."""

_DAY_S: Final = 86_400
"""The longest time that an alarm looks back (CloudWatch API reference, PutMetricAlarm, EvaluationPeriods)."""
_SILENT_S: Final = 300.0
"""For how long a prober must say nothing before it counts as gone, and in any case for two probes."""

UP, DEGRADED = (next(each for each in ENDPOINT_METRICS if each.name == name) for name in ("Up", "Degraded"))
DOWN_COUNT: Final = next(each for each in FLEET_METRICS if each.name == "EndpointsDown")


class Missing(StrEnum):
    """What an alarm makes of a time without data (CloudWatch API reference, PutMetricAlarm, TreatMissingData)."""

    IGNORE = "ignore"
    """Stays as it is: what could not be observed changes nothing."""
    BREACHING = "breaching"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm on one metric."""

    id: str
    """Letters and digits, unique within a configuration."""
    name: str
    text: str
    metric: str
    dimension: str
    value: str
    statistic: str
    is_below: bool
    """Whether it is raised below the threshold, else at and above it."""
    threshold: float
    period_s: int
    periods: int
    missing: Missing


def alarms(settings: Settings) -> Sequence[Alarm]:
    """What is worth waking somebody for. Endpoints without metrics of their own, and those that are too many, are
    watched together, where the figures of the fleet are published."""
    watched = [each for each in settings.endpoints if each.enabled]
    own = [each for each in watched if chosen_for(settings, each.name) is not MetricSet.NONE][:MOST_ENDPOINTS]
    found = list(_of_prober(settings, watched))
    if len(own) < len(watched) and settings.cloudwatch.aggregates:
        found.append(_any_down(settings, watched))
    for number, endpoint in enumerate(own, start=1):
        found += _of_endpoint(settings, number, endpoint)
    return found


def _of_prober(settings: Settings, watched: Sequence[Endpoint]) -> Iterator[Alarm]:
    place = dimension_value(settings.location)
    period_s = _period_s(settings.cloudwatch.flush_s)
    silent_s = max(_SILENT_S, 2 * min((each.interval_s for each in watched), default=0.0))
    yield Alarm(
        id="NoHeartbeat",
        name=f"mcp-prober {place}: no heartbeat",
        text="No probe with its commit and the delivery of notices has worked: nobody watches.",
        metric=HEARTBEAT.name,
        dimension=LOCATION_DIMENSION,
        value=place,
        statistic="Sum",
        is_below=True,
        threshold=1,
        period_s=period_s,
        periods=_periods(math.ceil(silent_s / period_s), period_s),
        missing=Missing.BREACHING,
    )
    yield Alarm(
        id="Impaired",
        name=f"mcp-prober {place}: impaired",
        text="Something keeps the prober from its work; its log and its status page say what.",
        metric=IMPAIRED.name,
        dimension=LOCATION_DIMENSION,
        value=place,
        statistic="Minimum",
        is_below=False,
        threshold=1,
        period_s=period_s,
        periods=_periods(3, period_s),
        missing=Missing.IGNORE,
    )


def _any_down(settings: Settings, watched: Sequence[Endpoint]) -> Alarm:
    place = dimension_value(settings.location)
    slowest = max((each.interval_s for each in watched), default=60.0)
    period_s = _period_s(min(slowest, 3600.0))
    return Alarm(
        id="EndpointsDown",
        name=f"mcp-prober {place}: endpoints down",
        text="At least one endpoint is down; the prober's dashboard and its notices name it.",
        metric=DOWN_COUNT.name,
        dimension=LOCATION_DIMENSION,
        value=place,
        statistic="Minimum",
        is_below=False,
        threshold=1,
        period_s=period_s,
        periods=_periods(settings.rules.fail_after, period_s),
        missing=Missing.IGNORE,
    )


def _of_endpoint(settings: Settings, number: int, endpoint: Endpoint) -> Iterator[Alarm]:
    options = settings.options.get(endpoint.name)
    fail_after = (options.fail_after if options is not None else None) or settings.rules.fail_after
    period_s = _period_s(max(endpoint.interval_s, settings.cloudwatch.flush_s))
    shared: dict[str, Any] = {
        "dimension": ENDPOINT_DIMENSION,
        "value": dimension_value(endpoint.name),
        "period_s": period_s,
        "periods": _periods(fail_after, period_s),
        "missing": Missing.IGNORE,
    }
    yield Alarm(
        id=f"Endpoint{number}Down",
        name=f"mcp-prober: {endpoint.name} is down",
        text=f"{endpoint.name} does not answer as MCP; the prober's dashboard and its notices name the cause.",
        metric=UP.name,
        statistic="Maximum",
        is_below=True,
        threshold=1,
        **shared,
    )
    yield Alarm(
        id=f"Endpoint{number}Degraded",
        name=f"mcp-prober: {endpoint.name} is degraded",
        text=f"{endpoint.name} answers, but not as it should; the prober's dashboard and its notices name the cause.",
        metric=DEGRADED.name,
        statistic="Minimum",
        is_below=False,
        threshold=1,
        **shared,
    )


def _period_s(seconds: float) -> int:
    """A period of whole minutes in which there is a figure, at most a day."""
    return min(60 * math.ceil(seconds / 60), _DAY_S)


def _periods(wanted: int, period_s: int) -> int:
    return max(1, min(wanted, _DAY_S // period_s))
