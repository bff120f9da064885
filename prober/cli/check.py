"""`mcp-prober check URL`: one probe, at the prompt or as the last step of a deployment."""

import argparse
import asyncio
import os
import shutil
import sys
from dataclasses import replace
from typing import Final

from checks.costs import COSTS, TO_FIND
from checks.model import Endpoint, ProbeReport, Profile
from prober.cli import report_json, report_text
from prober.cli.arguments import DEFAULT_FULL_TIMEOUT_S, add_endpoint_arguments, add_question_arguments, endpoint_from
from prober.cli.errors import EXIT_OF_VERDICT, CommandError

EPILOG: Final = """\
profiles, and about how many requests each takes (up to {to_find} of them to find
out how the server wants to be spoken to; more for further pages of tools):
  quick     {quick}: the opening and the list of tools
  standard  {standard}: also calls each --sentinel, one request more for each
  full      {full}: also whether capabilities, versions, headers, order,
            session and credentials are as specified, what browsers may do, and
            which clients can connect. Much of that is refused on purpose: it
            counts as 4xx in the server's metrics. Default --timeout: {timeout_s:g}

exit codes: 0 up, 1 degraded or down, 2 usage or configuration, 3 we could not
observe
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_endpoint_arguments(parser)
    add_question_arguments(parser)
    parser.add_argument(
        "--profile",
        choices=[profile.value for profile in Profile],
        default=Profile.STANDARD.value,
        help="how much is asked (default: %(default)s)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="form of the report on stdout")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    costs = {profile.value: _requests(profile) for profile in Profile}
    parser.epilog = EPILOG.format(timeout_s=DEFAULT_FULL_TIMEOUT_S, to_find=TO_FIND, **costs)


def run(options: argparse.Namespace) -> int:
    endpoint = endpoint_from(options)
    profile = Profile(options.profile)
    if profile is Profile.FULL:
        endpoint = replace(endpoint, interval_s=endpoint.timeout_s)  # no slot follows: what was said is the limit
    if profile is Profile.QUICK and (endpoint.sentinels or endpoint.streaming is not None):
        raise CommandError("--profile quick calls no tools", "leave out --sentinel and --streaming, or take standard")
    report = probe(endpoint, profile)
    if options.format == "json":
        print(report_json.render(report, endpoint))
    else:
        print(report_text.render(report, endpoint, width=terminal_width(), colour=wants_colour()))
    return EXIT_OF_VERDICT[report.verdict]


def probe(endpoint: Endpoint, profile: Profile) -> ProbeReport:
    """One probe; imported here, because the import of the engine is most of the start-up time."""
    from prober.app.once import probe_once

    return asyncio.run(probe_once(endpoint, profile=profile))


def _requests(profile: Profile) -> str:
    counts = [each[profile].requests for each in COSTS.values()]
    return f"{min(counts)} to {max(counts) + TO_FIND}"


def terminal_width() -> int:
    """Columns to write in: those of the terminal within reason, 80 where there is none."""
    return min(max(shutil.get_terminal_size((80, 24)).columns, 60), 100)


def wants_colour() -> bool:
    """Colours only for people at a terminal who have not said no (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
