"""`mcp-prober config check|schema`: what is wrong with a configuration, and what may stand in one."""

import argparse
import json
import os
from pathlib import Path

from checks.proofs import counted
from prober.cli.errors import CommandError, ExitCode
from prober.settings import ConfigError, json_schema, load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    check = actions.add_parser("check", help="name every problem of a file", description="Names every problem at once.")
    check.add_argument(
        "file", metavar="FILE", type=Path, nargs="?", default=Path("prober.yaml"), help="default: prober.yaml"
    )
    actions.add_parser("schema", help="print the JSON Schema of the file", description="For editors; to stdout.")


def run(options: argparse.Namespace) -> int:
    # The kinds of notifiers bring in HTTP; no other command needs both them and the file's schema.
    from prober.app.channels import problems_with
    from prober.notifiers.catalog import settings_models

    if options.action == "schema":
        print(json.dumps(json_schema(settings_models()), indent=2))
        return ExitCode.UP
    try:
        settings = load(options.file, os.environ, judge=problems_with)
    except ConfigError as error:
        raise unusable(error) from None
    enabled = sum(endpoint.enabled for endpoint in settings.endpoints)
    print(f"{options.file} is fine: {enabled} of {counted(len(settings.endpoints), 'endpoint')} enabled", end="")
    print(f", {counted(len(settings.notifiers), 'notifier')}" if settings.notifiers else ", nobody is notified")
    return ExitCode.UP


def unusable(error: ConfigError) -> CommandError:
    """The error of a command that cannot use its configuration: every problem on lines of its own."""
    count = len(error.problems)
    details = []
    for problem in error.problems:
        details.append(f"{problem.place}: {problem.message}")
        if problem.hint:
            details.append(f"  {problem.hint}")
    return CommandError(f"the configuration has {count} problem{'s' if count > 1 else ''}", details=details)
