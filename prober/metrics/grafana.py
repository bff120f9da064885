"""A dashboard for Grafana over the series that Prometheus scrapes."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from checks.model import Verdict
from prober.metrics.catalog import ENDPOINT_METRICS, PROBER_METRICS, Kind, ProberMetric, Unit
from prober.metrics.prometheus import INCIDENT, LAST_PROBE, TROUBLE, VERDICT, VERDICTS

SCHEMA_VERSION: Final = 39
"""Of Grafana 10.4 and 11; later ones migrate it on import."""

_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_CHOSEN: Final = '{endpoint=~"$endpoint",location=~"$location"}'
_LOCATED: Final = "endpoint, location"
_UNITS: Final = {Unit.MILLISECONDS: "s", Unit.SECONDS: "s", Unit.BYTES: "bytes"}
_COLUMNS: Final = 24
_HEIGHT: Final = 8
_COLORS: Final = {Verdict.UNKNOWN: "gray", Verdict.DOWN: "red", Verdict.DEGRADED: "orange", Verdict.UP: "green"}

NEWEST: Final = (
    f"{VERDICT}{_CHOSEN} and on ({_LOCATED}, instance) "
    f"({LAST_PROBE} == on ({_LOCATED}) group_left () max by ({_LOCATED}) ({LAST_PROBE}))"
)
"""The verdict as the worker has it that probed last."""


def dashboard() -> dict[str, Any]:
    """The dashboard, to be imported as it is."""
    return {
        "uid": "mcp-prober",
        "title": "MCP endpoints",
        "description": "What mcp-prober sees of MCP servers, and how it is itself.",
        "tags": ["mcp", "mcp-prober"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": list(_variables())},
        "panels": _placed([*_of_fleet(), *_of_endpoints(), *_of_prober()]),
    }


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0}
    for name in ("location", "endpoint"):
        yield {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": f"label_values({VERDICT}, {name})", "refId": name},
            "definition": f"label_values({VERDICT}, {name})",
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        }


def _of_fleet() -> Iterator[dict[str, Any]]:
    words = [
        {"type": "value", "options": {str(value): {"text": verdict.value, "color": _COLORS[verdict], "index": value}}}
        for verdict, value in VERDICTS.items()
    ]
    yield _panel(
        "state-timeline", "Verdicts", [(f"max by ({_LOCATED}) ({NEWEST})", "{{endpoint}}")], 24, mappings=words
    )
    by_verdict = [("max by (verdict) (mcp_fleet_endpoints)", "{{verdict}}")]
    yield _panel("stat", "Endpoints by verdict", by_verdict, 12)
    yield _panel("stat", "Open incidents", [("max(mcp_fleet_incidents_open)", "open")], 4)
    yield _panel(
        "timeseries",
        "Endpoints with an open incident",
        [(f"max by (endpoint) ({INCIDENT}{_CHOSEN})", "{{endpoint}}")],
        8,
    )


def _of_endpoints() -> Iterator[dict[str, Any]]:
    for metric in ENDPOINT_METRICS:
        if metric.name not in ("Up", "Degraded"):
            expression = f"max by ({_LOCATED}) ({metric.series}{_CHOSEN})"
            yield _panel("timeseries", metric.help, [(expression, "{{endpoint}}")], 12, unit=_UNITS.get(metric.unit))


def _of_prober() -> Iterator[dict[str, Any]]:
    yield _panel(
        "timeseries", "What keeps the prober from its work", [(f"max by (reason) ({TROUBLE})", "{{reason}}")], 24
    )
    for metric in PROBER_METRICS:
        yield _panel("timeseries", metric.help, [_asked(metric)], 8, unit=_UNITS.get(metric.unit))


def _asked(metric: ProberMetric) -> tuple[str, str]:
    """An expression and its legend."""
    by = metric.labels or ("instance",)
    if metric.kind is Kind.COUNTER:
        legend = " ".join(f"{{{{{label}}}}}" for label in by)
        return f"sum by ({', '.join(by)}) (increase({metric.series}[$__rate_interval]))", legend
    return metric.series, "{{instance}}"


def _panel(
    kind: str,
    title: str,
    targets: Sequence[tuple[str, str]],
    width: int,
    *,
    unit: str | None = None,
    mappings: Sequence[Any] = (),
) -> dict[str, Any]:
    return {
        "type": kind,
        "title": title.removesuffix("."),
        "datasource": _SOURCE,
        "gridPos": {"w": width, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit or "short", "mappings": list(mappings)}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for number, (expression, legend) in enumerate(targets)
        ],
    }


def _placed(panels: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The panels in rows as full as they get, with ids."""
    placed: list[dict[str, Any]] = []
    x = y = 0
    for number, panel in enumerate(panels, start=1):
        width = panel["gridPos"]["w"]
        if x + width > _COLUMNS:
            x, y = 0, y + _HEIGHT
        placed.append({"id": number, **panel, "gridPos": {"x": x, "y": y, **panel["gridPos"]}})
        x += width
    return placed
