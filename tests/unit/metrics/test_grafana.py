"""The dashboard for Grafana asks for series that there are."""

import re
from itertools import combinations
from typing import Any

from prober.metrics.catalog import ENDPOINT_METRICS, FLEET_METRICS, PROBER_METRICS
from prober.metrics.grafana import SCHEMA_VERSION, dashboard
from prober.metrics.prometheus import HELP

SERIES = re.compile(r"\bmcp_[a-z_]+")
LABELS = {"endpoint", "location", "instance", "verdict", "reason", "kind", "outcome"}


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dashboard()["panels"]
    return found


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_its_expressions_name_only_series_that_there_are() -> None:
    known = {each.series for each in (*ENDPOINT_METRICS, *PROBER_METRICS)} | set(HELP)
    known |= {each.series for each in FLEET_METRICS if each.series is not None}
    asked = {name for each in expressions() for name in SERIES.findall(each)}
    assert asked <= known
    assert len(asked) > 30


def test_its_variables_are_taken_from_a_series_that_there_is() -> None:
    source, *others = dashboard()["templating"]["list"]
    assert (source["type"], source["query"], source["name"]) == ("datasource", "prometheus", "datasource")
    assert {each["name"] for each in others} == {"location", "endpoint"}
    assert {name for each in others for name in SERIES.findall(each["definition"])} <= set(HELP)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels())


def test_expressions_are_balanced_and_group_by_labels_that_there_are() -> None:
    for each in expressions():
        assert each.count("(") == each.count(")")
        assert each.count("{") == each.count("}")
        for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", each):
            assert {label.strip() for label in group.split(",")} <= LABELS


def test_it_can_be_imported_as_it_is() -> None:
    found = dashboard()
    assert found["schemaVersion"] == SCHEMA_VERSION
    assert "id" not in found, "Grafana gives one"
    assert len({panel["id"] for panel in panels()}) == len(panels())
    assert all(panel["title"] and panel["type"] for panel in panels())


def test_panels_do_not_overlap() -> None:
    for one, other in combinations([panel["gridPos"] for panel in panels()], 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels())
