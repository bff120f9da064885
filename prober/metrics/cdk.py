"""The alarms and the dashboard as a construct for the AWS CDK in Python."""

import json
import pprint
from typing import Final

from prober.metrics.alarms import Alarm, Missing, alarms
from prober.metrics.cloudwatch_dashboard import body
from prober.settings import Settings

_MARK: Final = "@region@"
_MISSING: Final = {
    Missing.IGNORE: "cloudwatch.TreatMissingData.IGNORE",
    Missing.BREACHING: "cloudwatch.TreatMissingData.BREACHING",
}

_BEGINNING: Final = '''\
"""Alarms and a dashboard for the metrics of mcp-prober."""

import json

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

'''

_CONSTRUCT: Final = '''

class McpProberAlarms(Construct):
    """Tells `topic` of every alarm, and when it is over."""

    def __init__(self, scope: Construct, construct_id: str, *, topic: sns.ITopic | None = None) -> None:
        super().__init__(scope, construct_id)
        for options in ALARMS:
            metric = cloudwatch.Metric(namespace=NAMESPACE, **options["metric"])
            alarm = metric.create_alarm(self, options["id"], **options["alarm"])
            if topic is not None:
                alarm.add_alarm_action(actions.SnsAction(topic))
                alarm.add_ok_action(actions.SnsAction(topic))
        body = json.dumps(DASHBOARD).replace("@region@", Stack.of(self).region)
        cloudwatch.CfnDashboard(self, "Dashboard", dashboard_body=body)
'''


def text(settings: Settings) -> str:
    """A module of Python."""
    listed = "".join(_alarm(each) for each in alarms(settings))
    dashboard = pprint.pformat(body(settings, _MARK), width=100, sort_dicts=False)
    return (
        f"{_BEGINNING}NAMESPACE = {json.dumps(settings.cloudwatch.namespace)}\n"
        f"ALARMS = [\n{listed}]\n"
        f"DASHBOARD = {dashboard}\n{_CONSTRUCT}"
    )


def _alarm(alarm: Alarm) -> str:
    below = "LESS_THAN_THRESHOLD" if alarm.is_below else "GREATER_THAN_OR_EQUAL_TO_THRESHOLD"
    return f"""\
    {{
        "id": {json.dumps(alarm.id)},
        "metric": {{
            "metric_name": {json.dumps(alarm.metric)},
            "dimensions_map": {{{json.dumps(alarm.dimension)}: {json.dumps(alarm.value)}}},
            "statistic": {json.dumps(alarm.statistic)},
            "period": Duration.seconds({alarm.period_s}),
        }},
        "alarm": {{
            "alarm_name": {json.dumps(alarm.name)},
            "alarm_description": {json.dumps(alarm.text)},
            "threshold": {alarm.threshold:g},
            "evaluation_periods": {alarm.periods},
            "comparison_operator": cloudwatch.ComparisonOperator.{below},
            "treat_missing_data": {_MISSING[alarm.missing]},
        }},
    }},
"""
