"""`mcp-prober cloudwatch price|template`: what the metrics cost, and alarms and a dashboard on them."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from checks.proofs import counted
from prober.cli.config import unusable
from prober.cli.dispatch import Parser
from prober.cli.errors import ExitCode
from prober.settings import ConfigError, MetricSet, Settings, load


def add_arguments(parser: Parser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    price = actions.add_parser(
        "price",
        help="what the configured metrics cost in a month",
        description="What the configured metrics cost in a month, by list prices, before anything is published.",
    )
    parser.examples = ("mcp-prober cloudwatch price", "mcp-prober cloudwatch template > alarms.yaml")
    template = actions.add_parser(
        "template",
        help="print alarms and a dashboard for the configured metrics",
        description="Prints alarms and a dashboard for the configured metrics.",
    )
    template.add_argument(
        "--format",
        choices=("cloudformation", "cdk"),
        default="cloudformation",
        help="a CloudFormation template, or a construct for the AWS CDK in Python (default: %(default)s)",
    )
    for each in (price, template):
        each.add_argument(
            "-c",
            "--config",
            metavar="FILE",
            type=Path,
            default=Path("prober.yaml"),
            help="the configuration (default: %(default)s)",
        )


def run(options: argparse.Namespace) -> int:
    # The kinds of notifiers bring in HTTP, and the templates YAML; no other command needs them with the metrics.
    from prober.app.channels import problems_with
    from prober.metrics import cdk, cloudformation

    try:
        settings = load(options.config, os.environ, judge=problems_with)
    except ConfigError as error:
        raise unusable(error) from None
    if options.action == "price":
        print(price_table(settings))
    else:
        written = cdk.text(settings) if options.format == "cdk" else cloudformation.text(settings)
        print(written, end="")
    return ExitCode.UP


def price_table(settings: Settings) -> str:
    """What is configured costs so much, part by part and in all, and so much with another set for every endpoint."""
    from prober.metrics import price
    from prober.metrics.alarms import alarms
    from prober.metrics.catalog import metrics_of

    found = price.estimate(settings)
    each = price.metrics_usd(found.metrics) / max(found.metrics, 1)
    rows: list[Row] = []
    for chosen, endpoints in sorted(found.endpoints.items(), key=lambda item: len(metrics_of(item[0]))):
        count = endpoints * len(metrics_of(chosen))
        rows.append((f"{counted(endpoints, 'endpoint')}: {chosen.value}", count, count * each))
    rows.append(("the fleet and the prober itself", found.aggregates, found.aggregates * each))
    if found.calls:
        rows.append((f"{found.calls:,} calls of PutMetricData", None, found.calls * price.PER_CALL))
    rows.append(("in all", found.metrics, found.usd))
    watched = len(alarms(settings))
    rows.append((f"beside it, {counted(watched, 'alarm')} of the template", None, watched * price.PER_ALARM))
    for chosen in MetricSet:
        other = price.estimate(_with(settings, chosen))
        rows.append((f"in all, were every endpoint: {chosen.value}", other.metrics, other.usd))
    notes = [f"List prices of us-east-1 without the free tier: {price.SOURCE}"]
    if settings.cloudwatch.emf_file is not None:
        notes.append("What CloudWatch Logs asks for the lines of emf_file comes on top.")
    if not settings.cloudwatch.enabled:
        notes.append("Nothing is published yet: cloudwatch.enabled is false.")
    return "\n".join([f"{'':<46} METRICS  USD A MONTH", *map(_line, rows), "", *notes])


Row = tuple[str, int | None, float]


def _line(row: Row) -> str:
    what, metrics, usd = row
    return f"{what:<46} {'' if metrics is None else metrics:>7} {usd:>12.2f}"


def _with(settings: Settings, chosen: MetricSet) -> Settings:
    """The settings with this set for every endpoint."""
    options = {name: replace(each, metrics=None) for name, each in settings.options.items()}
    return replace(settings, options=options, cloudwatch=replace(settings.cloudwatch, metrics=chosen))
