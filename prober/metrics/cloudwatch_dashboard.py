"""A dashboard for CloudWatch: the fleet, the prober itself, and each endpoint's measurements.

Source: CloudWatch API reference, "Dashboard Body Structure and Syntax"; for SEARCH, CloudWatch user guide, "CloudWatch
search expression syntax".
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from checks.model import Verdict
from prober.metrics.catalog import (
    ENDPOINT_DIMENSION,
    ENDPOINT_METRICS,
    FLEET_METRICS,
    LOCATION_DIMENSION,
    PUBLISHED_GAUGES,
    SIGNS,
    EndpointMetric,
    Unit,
    metrics_of,
)
from prober.metrics.pending import dimension_value
from prober.settings import Settings

_WIDTH: Final = 12
_HEIGHT: Final = 6
_COLUMNS: Final = 24
_PERIOD_S: Final = 300
_COLORS: Final = {
    Verdict.UP: "#2ca02c",
    Verdict.DEGRADED: "#ff7f0e",
    Verdict.DOWN: "#d62728",
    Verdict.UNKNOWN: "#7f7f7f",
}
_CALM: Final = {"Up": "Minimum", "Degraded": "Maximum", "ColdStart": "Sum", "ToolCount": "Minimum"}
"""By which statistic an endpoint's metric is charted; times by their 95th percentile."""


def body(settings: Settings, region: str) -> dict[str, Any]:
    """The body of a dashboard. `region` may be a placeholder."""
    charts = [*_of_fleet(settings), *_of_endpoints(settings)]
    return {"widgets": [_placed(number, {"region": region, **each}) for number, each in enumerate(charts)]}


def _of_fleet(settings: Settings) -> list[dict[str, Any]]:
    place = [LOCATION_DIMENSION, dimension_value(settings.location)]

    def line(metric: str, **options: Any) -> list[Any]:
        return [settings.cloudwatch.namespace, metric, *place, options]

    signs = [line(each.name, label=each.name, stat="Maximum") for each in SIGNS]
    if not settings.cloudwatch.aggregates:
        return [_chart("The prober itself", signs)]
    gauges = [line(name, label=name, stat="Maximum") for name in (each.name for each in PUBLISHED_GAUGES) if name]
    shares = [line(name, label=name, stat="Average") for name in ("ProbesBad", "ProbesUnknown")]
    waits = [figure for figure in FLEET_METRICS if figure.unit is Unit.MILLISECONDS]
    return [
        _chart("Endpoints by verdict", [line(name, **options) for name, options in _by_verdict()]),
        _chart("Share of probes", shares),
        *(
            _chart(figure.help, [line(figure.name, label=stat, stat=stat) for stat in ("p50", "p95", "p99")])
            for figure in waits
        ),
        _chart("The prober itself", [*signs, *gauges]),
    ]


def _by_verdict() -> Iterator[tuple[str, dict[str, Any]]]:
    for figure in FLEET_METRICS:
        if figure.label is not None:
            verdict = Verdict(figure.label[1])
            yield figure.name, {"label": verdict.value, "stat": "Maximum", "color": _COLORS[verdict]}


def _of_endpoints(settings: Settings) -> list[dict[str, Any]]:
    """One chart for each metric that any endpoint publishes; it finds the endpoints by itself."""
    sets = [settings.cloudwatch.metrics, *(each.metrics for each in settings.options.values() if each.metrics)]
    published = max((metrics_of(chosen) for chosen in sets), key=len, default=())
    return [_found(settings.cloudwatch.namespace, metric) for metric in ENDPOINT_METRICS if metric in published]


def _found(namespace: str, metric: EndpointMetric) -> dict[str, Any]:
    quoted = namespace.replace("\\", "\\\\").replace('"', '\\"')
    where = f'{{"{quoted}",{ENDPOINT_DIMENSION}}} MetricName="{metric.name}"'
    search = f"SEARCH('{where}', '{_CALM.get(metric.name, 'p95')}', {_PERIOD_S})"
    return _chart(metric.help, [[{"expression": search, "label": "", "id": "found"}]])


def _chart(title: str, metrics: Sequence[Any]) -> dict[str, Any]:
    return {
        "title": title.removesuffix("."),
        "view": "timeSeries",
        "stacked": False,
        "period": _PERIOD_S,
        "metrics": list(metrics),
    }


def _placed(number: int, properties: dict[str, Any]) -> dict[str, Any]:
    columns = _COLUMNS // _WIDTH
    return {
        "type": "metric",
        "x": number % columns * _WIDTH,
        "y": number // columns * _HEIGHT,
        "width": _WIDTH,
        "height": _HEIGHT,
        "properties": properties,
    }
