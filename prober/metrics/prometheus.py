"""The metrics as Prometheus scrapes them. Labels are bounded: names of endpoints and locations, and fixed words."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from checks.model import Verdict
from prober.clock import Clock
from prober.metrics.board import Board, Newest
from prober.metrics.catalog import ENDPOINT_METRICS, FLEET_METRICS, PROBER_METRICS, EndpointMetric, Kind, ProberMetric
from prober.vitals import Vitals

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus, "Exposition formats"."""

VERDICTS: Final = {Verdict.UNKNOWN: 0, Verdict.DOWN: 1, Verdict.DEGRADED: 2, Verdict.UP: 3}

VERDICT: Final = "mcp_endpoint_verdict"
LAST_PROBE: Final = "mcp_endpoint_last_probe_timestamp_seconds"
PROBES: Final = "mcp_endpoint_probes_total"
INCIDENT: Final = "mcp_endpoint_incident_open"
TROUBLE: Final = "mcp_prober_trouble"

_PER_ENDPOINT: Final = ("endpoint", "location")


class Exposition(Collector):
    """Offers everything that there is now. `render` may be called from any thread."""

    def __init__(self, board: Board, vitals: Vitals, clock: Clock) -> None:
        self._board = board
        self._vitals = vitals
        self._clock = clock
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def render(self) -> bytes:
        """The whole exposition, of the type `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance, so that registering it reads nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every metric with its samples, made one after the other; those without any are left out."""
        newest = self._board.newest(self._clock.now())
        for metric in chain(_of_endpoints(newest), self._of_fleet(newest), self._of_prober()):
            if metric.samples:
                yield metric

    def _of_fleet(self, newest: Sequence[Newest]) -> Iterator[Metric]:
        census = self._board.census
        if census is None:
            return
        families: dict[str, GaugeMetricFamily] = {}
        for figure in FLEET_METRICS:
            if figure.series is not None and figure.count is not None:
                label, value = figure.label or (None, None)
                labels = () if label is None else (label,)
                made = GaugeMetricFamily(figure.series, _FLEET_HELP.get(figure.series, figure.help), labels=labels)
                family = families.setdefault(figure.series, made)
                family.add_metric(() if value is None else (value,), figure.count(census))
        yield from families.values()
        open_ones = GaugeMetricFamily(INCIDENT, HELP[INCIDENT], labels=_PER_ENDPOINT)
        for each in newest:
            open_ones.add_metric((each.endpoint, each.location), float(each.endpoint in census.in_incident))
        yield open_ones

    def _of_prober(self) -> Iterator[Metric]:
        counters: dict[str, dict[str, int]] = defaultdict(dict)
        for (name, label), count in self._vitals.counters.items():
            counters[name][label] = count
        gauges = self._vitals.gauges
        for metric in PROBER_METRICS:
            if metric.kind is Kind.COUNTER:
                yield _counter(metric, counters.get(metric.vital, {}))
            elif metric.kind is Kind.GAUGE and metric.vital in gauges:
                yield GaugeMetricFamily(metric.series, metric.help, value=gauges[metric.vital])
            elif metric.kind is Kind.AGE and (at := self._vitals.last(metric.vital)) is not None:
                age_s = max(self._clock.monotonic() - at, 0.0)
                yield GaugeMetricFamily(metric.series, metric.help, value=age_s)
        troubles = GaugeMetricFamily(TROUBLE, HELP[TROUBLE], labels=("reason",))
        for reason in sorted(self._vitals.troubles):
            troubles.add_metric((reason,), 1)
        yield troubles


HELP: Final = {
    VERDICT: "The latest verdict: 3 up, 2 degraded, 1 down, 0 unknown.",
    LAST_PROBE: "When the latest probe began, in seconds since 1970.",
    PROBES: "Probes that this worker made.",
    INCIDENT: "1 while the endpoint has an open incident.",
    TROUBLE: "1 for each thing that keeps the prober from its work now.",
}
"""Of the series that only Prometheus has."""

_FLEET_HELP: Final = {"mcp_fleet_endpoints": "Endpoints by the latest verdict."}


def _of_endpoints(newest: Sequence[Newest]) -> Iterator[Metric]:
    verdict = GaugeMetricFamily(VERDICT, HELP[VERDICT], labels=_PER_ENDPOINT)
    last = GaugeMetricFamily(LAST_PROBE, HELP[LAST_PROBE], labels=_PER_ENDPOINT)
    probes = CounterMetricFamily(PROBES, HELP[PROBES], labels=_PER_ENDPOINT)
    for each in newest:
        labels = (each.endpoint, each.location)
        verdict.add_metric(labels, VERDICTS[each.verdict])
        last.add_metric(labels, each.at.timestamp())
        probes.add_metric(labels, each.probes)
    yield from (verdict, last, probes)
    yield from (_measured(metric, newest) for metric in ENDPOINT_METRICS)


def _measured(metric: EndpointMetric, newest: Sequence[Newest]) -> Metric:
    family = GaugeMetricFamily(metric.series, metric.help, labels=_PER_ENDPOINT)
    for each in newest:
        if metric.series in each.values:
            family.add_metric((each.endpoint, each.location), each.values[metric.series])
    return family


def _counter(metric: ProberMetric, counts: dict[str, int]) -> Metric:
    """Without a label it begins at 0, so that the first time is an increase."""
    if not metric.labels:
        return CounterMetricFamily(metric.series, metric.help, value=sum(counts.values()))
    family = CounterMetricFamily(metric.series, metric.help, labels=metric.labels)
    for label, count in sorted(counts.items()):
        words = label.split(" ", len(metric.labels) - 1)
        family.add_metric(words + [""] * (len(metric.labels) - len(words)), count)
    return family
