"""The alarms and the dashboard as a CloudFormation template."""

import json
from typing import Any, Final

import yaml

from prober.metrics.alarms import Alarm, alarms
from prober.metrics.cloudwatch_dashboard import body
from prober.settings import Settings

_REGION: Final = "${AWS::Region}"
_MARK: Final = "@region@"


def template(settings: Settings) -> dict[str, Any]:
    """The template as plain values."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Alarms and a dashboard for the metrics of mcp-prober",
        "Parameters": {
            "TopicArn": {
                "Type": "String",
                "Default": "",
                "Description": "SNS topic that is told of alarms; empty for none",
            }
        },
        "Conditions": {"HasTopic": {"Fn::Not": [{"Fn::Equals": [{"Ref": "TopicArn"}, ""]}]}},
        "Resources": {
            "Dashboard": {
                "Type": "AWS::CloudWatch::Dashboard",
                "Properties": {"DashboardBody": {"Fn::Sub": _substituted(json.dumps(body(settings, _MARK), indent=1))}},
            },
            **{f"{each.id}Alarm": _resource(settings, each) for each in alarms(settings)},
        },
    }


def text(settings: Settings) -> str:
    """The template as YAML."""
    written: str = yaml.dump(template(settings), Dumper=_Dumper, sort_keys=False, width=110)
    return written


class _Dumper(yaml.SafeDumper):
    """Writes documents within the document line by line, and no anchors, which CloudFormation does not take."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def _substituted(document: str) -> str:
    """For Fn::Sub, which leaves `${!…}` as it is but for the exclamation mark."""
    return document.replace("${", "${!").replace(_MARK, _REGION)


def _resource(settings: Settings, alarm: Alarm) -> dict[str, Any]:
    told = {"Fn::If": ["HasTopic", [{"Ref": "TopicArn"}], {"Ref": "AWS::NoValue"}]}
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.text,
            "Namespace": settings.cloudwatch.namespace,
            "MetricName": alarm.metric,
            "Dimensions": [{"Name": alarm.dimension, "Value": alarm.value}],
            "Statistic": alarm.statistic,
            "Period": alarm.period_s,
            "EvaluationPeriods": alarm.periods,
            "Threshold": alarm.threshold,
            "ComparisonOperator": "LessThanThreshold" if alarm.is_below else "GreaterThanOrEqualToThreshold",
            "TreatMissingData": alarm.missing.value,
            "AlarmActions": told,
            "OKActions": told,
        },
    }
