"""What becomes a metric of a report, and that names do not meet."""

import re
from itertools import pairwise

import pytest
from botocore.session import get_session

from checks.model import ProbeReport, Verdict
from prober.metrics.catalog import (
    ENDPOINT_METRICS,
    FLEET_METRICS,
    PROBER_METRICS,
    SIGNS,
    UNITS,
    Kind,
    Unit,
    metrics_of,
)
from prober.metrics.prometheus import HELP
from prober.settings import MetricSet
from tests.unit.metrics.reports import report, silent


def said(found: ProbeReport, chosen: MetricSet = MetricSet.FULL) -> dict[str, list[float]]:
    values = {metric.name: list(metric.values(found)) for metric in metrics_of(chosen)}
    return {name: each for name, each in values.items() if each}


def test_a_report_says_each_thing_that_was_measured() -> None:
    assert said(report()) == {
        "Up": [1.0],
        "Degraded": [0.0],
        "WarmWaitMs": [30.0],
        "HandshakeMs": [12.5],
        "ToolsListMs": [7.0],
        "SentinelMs": [5.0, 6.0],
        "ColdStart": [0.0],
        "ToolCount": [0.0],
        "FirstEventMs": [3.0],
        "DnsMs": [1.0],
        "ConnectMs": [2.0],
        "TlsMs": [4.0],
        "ProbeMs": [100.0],
    }


def test_waits_of_cold_starts_are_told_apart() -> None:
    found = said(report(cold=True))
    assert (found["ColdStart"], found["ColdWaitMs"], "WarmWaitMs" in found) == ([1.0], [30.0], False)


@pytest.mark.parametrize(
    ("verdict", "up", "degraded"), [(Verdict.UP, 1, 0), (Verdict.DEGRADED, 1, 1), (Verdict.DOWN, 0, 0)]
)
def test_up_is_zero_only_when_down(verdict: Verdict, up: int, degraded: int) -> None:
    found = said(report(verdict=verdict))
    assert (found["Up"], found["Degraded"]) == ([up], [degraded])


def test_what_we_could_not_observe_says_nothing_of_the_endpoint() -> None:
    assert said(report(verdict=Verdict.UNKNOWN)) == {}


def test_a_probe_that_got_no_answer_has_no_times_but_its_own() -> None:
    assert said(silent()) == {"Up": [0.0], "Degraded": [0.0], "ColdStart": [0.0], "ProbeMs": [1.0]}


@pytest.mark.parametrize("ms", [float("nan"), float("inf"), -float("inf"), 2.0**361])
def test_a_figure_that_cloudwatch_refuses_is_left_out(ms: float) -> None:
    assert "HandshakeMs" not in said(report(ms=ms))


def test_each_set_holds_the_smaller_ones() -> None:
    sets = [set(metrics_of(chosen)) for chosen in (*MetricSet,)]
    assert all(smaller < larger for smaller, larger in pairwise(sets))
    assert [len(each) for each in sets] == [0, 2, 8, 14]


def test_unknown_probes_count_in_the_fleet_and_are_neither_good_nor_bad() -> None:
    by_name = {each.name: each for each in FLEET_METRICS}
    unknown, down = report(verdict=Verdict.UNKNOWN), report(verdict=Verdict.DOWN)
    assert [list(by_name[name].values(unknown)) for name in ("Probes", "ProbesBad", "ProbesUnknown")] == [[1], [], [1]]
    assert [list(by_name[name].values(down)) for name in ("Probes", "ProbesBad", "ProbesUnknown")] == [[1], [1], [0]]


def test_units_are_those_of_cloudwatch() -> None:
    units = get_session().get_service_model("cloudwatch").shape_for("StandardUnit").enum
    assert {unit.value for unit in Unit} <= set(units)


def test_a_name_has_one_unit_wherever_it_stands() -> None:
    published = [each for each in PROBER_METRICS if each.name is not None]
    for each in (*ENDPOINT_METRICS, *FLEET_METRICS, *SIGNS, *published):
        assert UNITS[each.name or ""] is each.unit


def test_series_are_well_named_and_different() -> None:
    names = [each.series for each in (*ENDPOINT_METRICS, *PROBER_METRICS)] + list(HELP)
    names += list({each.series for each in FLEET_METRICS if each.series is not None})
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"mcp_(endpoint|fleet|prober)(_[a-z]+)+", name) for name in names)
    for metric in PROBER_METRICS:
        assert metric.series.endswith("_total") is (metric.kind is Kind.COUNTER)
