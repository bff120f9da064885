"""The documents about metrics, made from the catalog.

`python -m tests.contract.metrics_documents --write` puts them into `docs/metrics/`, and a contract test compares them.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from checks.model import Endpoint
from prober.metrics import cdk, cloudformation
from prober.metrics.catalog import (
    ENDPOINT_METRICS,
    FLEET_METRICS,
    PROBER_METRICS,
    SIGNS,
    EndpointMetric,
    FleetMetric,
    ProberMetric,
)
from prober.metrics.grafana import dashboard
from prober.metrics.prometheus import HELP
from prober.settings import Settings
from tests.contract.documents.tables import table

FOLDER: Final = Path(__file__).parents[2] / "docs" / "metrics"
COMMAND: Final = "python -m tests.contract.metrics_documents --write"
EXAMPLE: Final = Settings(
    endpoints=(
        Endpoint(name="orders", url="https://orders.example.com/mcp"),
        Endpoint(name="search", url="https://search.example.com/mcp", interval_s=300.0),
    )
)
"""What the templates are made for; `mcp-prober cloudwatch template` makes them for a configuration."""

_INTRODUCTION: Final = """\
# Metrics

Generated from the catalog in `prober/metrics/catalog.py`.

CloudWatch takes metrics with one dimension, where `cloudwatch.enabled` is set: `Endpoint`, as many as the set of the
endpoint holds, and `Location`, what a prober says of its fleet and of itself. `mcp-prober cloudwatch price` says what
that costs before it is switched on, `mcp-prober cloudwatch template` writes alarms and a dashboard. Prometheus finds
everything under `/metrics` of a worker, where `status.port` is set, for nothing. Times are in milliseconds in
CloudWatch and in seconds in Prometheus.
"""


def documents() -> Mapping[str, str]:
    """The content of each file."""
    return {
        "metrics.md": markdown(),
        "grafana.json": json.dumps(dashboard(), indent=2) + "\n",
        "cloudformation.yaml": cloudformation.text(EXAMPLE),
        "cdk.py.txt": cdk.text(EXAMPLE),
    }


def markdown() -> str:
    """The tables of all metrics."""
    endpoint = table(("CloudWatch", "Prometheus", "unit", "set", "meaning"), map(_of_endpoint, ENDPOINT_METRICS))
    fleet = table(("CloudWatch", "Prometheus", "unit", "meaning"), map(_of_fleet, (*SIGNS, *FLEET_METRICS)))
    prober = table(("Prometheus", "CloudWatch", "meaning"), map(_of_prober, PROBER_METRICS))
    more = table(("Prometheus", "meaning"), ((f"`{name}`", text) for name, text in HELP.items()))
    parts: Iterable[tuple[str, str]] = (
        ("Of each endpoint", endpoint),
        ("Of the fleet", fleet),
        ("Of the prober itself", prober),
        ("In Prometheus alone", more),
    )
    return "\n".join([_INTRODUCTION, *(f"## {title}\n\n{content}\n" for title, content in parts)])


def _of_endpoint(metric: EndpointMetric) -> tuple[str, ...]:
    return f"`{metric.name}`", f"`{metric.series}`", metric.unit.value, metric.smallest.value, metric.help


def _of_fleet(metric: FleetMetric) -> tuple[str, ...]:
    label = "" if metric.label is None else f'{{{metric.label[0]}="{metric.label[1]}"}}'
    series = "" if metric.series is None else f"`{metric.series}{label}`"
    return f"`{metric.name}`", series, metric.unit.value, metric.help


def _of_prober(metric: ProberMetric) -> tuple[str, ...]:
    labels = f"{{{', '.join(metric.labels)}}}" if metric.labels else ""
    return f"`{metric.series}{labels}`", "" if metric.name is None else f"`{metric.name}`", metric.help


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the documents about metrics.")
    parser.add_argument("--write", action="store_true", help="renew docs/metrics")
    if parser.parse_args().write:
        FOLDER.mkdir(exist_ok=True)
        for name, content in documents().items():
            (FOLDER / name).write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
