"""`mcp-prober config check|schema`: what is wrong with a configuration, and what may stand in one."""

import argparse
import json
import os
import sys
from pathlib import Path

from checks.proofs import counted
from checks.text import clean
from prober.cli.dispatch import Parser
from prober.cli.errors import PROGRAM, CommandError, ExitCode
from prober.settings import ConfigError, json_schema, load


def add_arguments(parser: Parser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    parser.examples = ("mcp-prober config check prober.yaml", "mcp-prober config schema > prober.schema.json")
    check = actions.add_parser("check", help="name every problem of a file", description="Names every problem at once.")
    check.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        nargs="?",
        default=Path("prober.yaml"),
        help="the configuration (default: prober.yaml)",
    )
    check.add_argument(
        "--strict", action="store_true", help="end with 5 where a secret is not to be had here that the file refers to"
    )
    check.epilog = (
        "Secrets in the environment and in files are looked for, and those of AWS are not: a file may be checked where "
        "they are not to be had."
    )
    actions.add_parser("schema", help="print the JSON Schema of the file", description="For editors; to stdout.")


def run(options: argparse.Namespace) -> int:
    # The kinds of notifiers bring in HTTP; no other command needs both them and the file's schema.
    from prober.app.channels import problems_with
    from prober.app.references import missing
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
    unresolved = tuple(missing(settings))
    for sentence in unresolved:
        print(f"{PROGRAM}: warning: {clean(sentence, 500)}", file=sys.stderr)
    return ExitCode.WARNINGS if unresolved and options.strict else ExitCode.UP


def unusable(error: ConfigError) -> CommandError:
    """The error of a command that cannot use its configuration: every problem on lines of its own."""
    count = len(error.problems)
    details = []
    for problem in error.problems:
        details.append(f"{problem.place}: {problem.message}")
        if problem.hint:
            details.append(f"  {problem.hint}")
    return CommandError(f"the configuration has {count} problem{'s' if count > 1 else ''}", details=details)
