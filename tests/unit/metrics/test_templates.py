"""Alarms and dashboards: on metrics that are published, within what CloudWatch takes."""

import ast
import json
import re
from typing import Any

import pytest

from checks.model import Endpoint
from prober.incidents.rules import Rules
from prober.metrics import cdk, cloudformation
from prober.metrics.alarms import MOST_ENDPOINTS, Alarm, Missing, alarms
from prober.metrics.catalog import FLEET_METRICS, PROBER_METRICS, SIGNS, metrics_of
from prober.metrics.cloudwatch_dashboard import body
from prober.metrics.price import chosen_for
from prober.settings import CloudWatchSettings, EndpointOptions, MetricSet, Settings

ORDERS = Endpoint(name="orders", url="https://orders.example.com/mcp")
SLOW = Endpoint(name="slow-one", url="https://slow.example.com/mcp", interval_s=86_400 * 3)
PLAIN = Settings(endpoints=(ORDERS, SLOW))
ODD = Settings(
    endpoints=(ORDERS,),
    options={"orders": EndpointOptions(metrics=MetricSet.FULL, fail_after=7)},
    location="a.b-c",
    cloudwatch=CloudWatchSettings(namespace="Mine/${x} \"'\\", flush_s=90),
)
MANY = Settings(endpoints=tuple(Endpoint(name=f"e{number}", url="https://example.com/mcp") for number in range(1000)))
QUIET = Settings(endpoints=(ORDERS,), cloudwatch=CloudWatchSettings(metrics=MetricSet.NONE))
BARE = Settings(
    endpoints=(ORDERS,), cloudwatch=CloudWatchSettings(metrics=MetricSet.MINIMAL, aggregates=False, flush_s=3600)
)
EVERY = pytest.mark.parametrize(
    "settings", [PLAIN, ODD, MANY, QUIET, BARE], ids=["plain", "odd", "many", "quiet", "bare"]
)


def named(settings: Settings, name: str) -> Alarm:
    return next(each for each in alarms(settings) if each.id == name)


def published(settings: Settings) -> set[tuple[str, str, str]]:
    """Every metric that a prober of these settings publishes."""
    found = {("Location", settings.location, each.name) for each in SIGNS}
    if settings.cloudwatch.aggregates:
        found |= {("Location", settings.location, each.name) for each in FLEET_METRICS}
        found |= {("Location", settings.location, each.name) for each in PROBER_METRICS if each.name is not None}
    for endpoint in settings.endpoints:
        chosen = metrics_of(chosen_for(settings, endpoint.name))
        found |= {("Endpoint", endpoint.name, each.name) for each in chosen}
    return found


@pytest.mark.parametrize("settings", [PLAIN, ODD, QUIET], ids=["plain", "odd", "quiet"])
def test_cloudformation_has_nothing_to_say_against_the_template(settings: Settings) -> None:
    from cfnlint.api import lint  # takes its time, which those who only collect the tests are spared

    assert [str(match) for match in lint(cloudformation.text(settings))] == []


def test_the_template_of_many_endpoints_is_one_that_cloudformation_takes() -> None:
    assert len(cloudformation.text(MANY)) < 1_000_000, "a template has 1 MB (CloudFormation quotas)"
    assert len(cloudformation.template(MANY)["Resources"]) <= 500


@EVERY
def test_every_alarm_is_on_a_metric_that_is_published(settings: Settings) -> None:
    assert {(each.dimension, each.value, each.metric) for each in alarms(settings)} <= published(settings)


@EVERY
def test_no_alarm_looks_further_back_than_it_may(settings: Settings) -> None:
    for each in alarms(settings):
        assert each.period_s % 60 == 0
        assert each.period_s * each.periods <= 86_400
        assert len(each.name) <= 255
    assert len({each.id for each in alarms(settings)}) == len(alarms(settings))


@EVERY
def test_every_chart_shows_metrics_that_are_published(settings: Settings) -> None:
    names = {name for _, _, name in published(settings)}
    lines = [line for each in body(settings, "eu-west-1")["widgets"] for line in each["properties"]["metrics"]]
    for line in lines:
        if isinstance(line[0], dict):
            found = re.search(r'MetricName="(\w+)"', line[0]["expression"])
            assert found is not None
            assert found[1] in names
        else:
            assert (line[2], line[3], line[1]) in published(settings)


@EVERY
def test_the_snippet_for_the_cdk_is_python_with_the_same_alarms(settings: Settings) -> None:
    tree = ast.parse(cdk.text(settings))
    assigned = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    listed = assigned["ALARMS"]
    assert isinstance(listed, ast.List)
    assert [first_value(each) for each in listed.elts] == [each.id for each in alarms(settings)]
    assert ast.literal_eval(assigned["DASHBOARD"]) == body(settings, "@region@")
    assert ast.literal_eval(assigned["NAMESPACE"]) == settings.cloudwatch.namespace


def first_value(node: ast.expr) -> Any:
    assert isinstance(node, ast.Dict)
    return ast.literal_eval(node.values[0])


def test_silence_is_an_alarm_and_what_could_not_be_observed_changes_none() -> None:
    by_missing = {each.id: each.missing for each in alarms(PLAIN)}
    assert by_missing.pop("NoHeartbeat") is Missing.BREACHING
    assert set(by_missing.values()) == {Missing.IGNORE}


def test_a_prober_is_missed_after_five_minutes_or_two_probes() -> None:
    heartbeat = named(PLAIN, "NoHeartbeat")
    assert (heartbeat.statistic, heartbeat.is_below, heartbeat.period_s, heartbeat.periods) == ("Sum", True, 60, 5)
    assert named(Settings(endpoints=(Endpoint(name="a", url="u", interval_s=600),)), "NoHeartbeat").periods == 20


def test_an_endpoint_is_down_after_as_many_probes_as_open_an_incident() -> None:
    down = named(PLAIN, "Endpoint1Down")
    assert (down.metric, down.value, down.period_s, down.periods) == ("Up", "orders", 60, 3)
    assert (named(ODD, "Endpoint1Down").period_s, named(ODD, "Endpoint1Down").periods) == (120, 7)
    assert named(Settings(endpoints=(ORDERS,), rules=Rules(fail_after=5)), "Endpoint1Down").periods == 5
    assert (named(PLAIN, "Endpoint2Down").period_s, named(PLAIN, "Endpoint2Down").periods) == (86_400, 1)


def test_endpoints_that_are_too_many_or_publish_nothing_are_watched_together() -> None:
    ids = [each.id for each in alarms(MANY)]
    assert "EndpointsDown" in ids
    assert len(ids) == 3 + 2 * MOST_ENDPOINTS
    assert [each.id for each in alarms(QUIET)] == ["NoHeartbeat", "Impaired", "EndpointsDown"]
    assert "EndpointsDown" not in [each.id for each in alarms(PLAIN)]


def test_the_dashboard_within_the_template_names_the_region_of_the_stack() -> None:
    made = cloudformation.template(ODD)["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert re.findall(r"\$\{(?!!)[^}]*\}", made) == ["${AWS::Region}"] * made.count("AWS::Region")
    substituted = made.replace("${AWS::Region}", "eu-west-1").replace("${!", "${")
    assert json.loads(substituted) == body(ODD, "eu-west-1")
