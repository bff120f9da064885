"""`mcp-prober deploy NAME…`: marks a deploy, so that what it breaks for a short while wakes nobody."""

import argparse
import os
from datetime import timedelta

from prober.cli.config import unusable
from prober.cli.database import add_database_arguments, migrated_url
from prober.cli.errors import ExitCode
from prober.cli.muting import add_mute_arguments, mute, span_of
from prober.clock import SystemClock
from prober.incidents.rules import Alerting
from prober.settings import ConfigError, load
from prober.storage.mutes import DEPLOY


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="endpoints that are deployed")
    parser.add_argument(
        "--for", dest="lasts", metavar="TIME", help="for how long; by default what incidents.deploy_mute says, or 10m"
    )
    add_mute_arguments(parser)
    add_database_arguments(parser)
    parser.epilog = (
        "Run it in the pipeline, before the deploy. Probing goes on; what is still broken when the time ends is told "
        "then."
    )


def run(options: argparse.Namespace) -> int:
    url = migrated_url(options)
    print(mute(url, options, kind=DEPLOY, begins=SystemClock().now(), lasts=_lasts(options)))
    return ExitCode.UP


def _lasts(options: argparse.Namespace) -> timedelta:
    if options.lasts is not None:
        return span_of("--for", options.lasts)
    if options.config is None:
        return timedelta(seconds=Alerting().deploy_mute_s)
    try:
        return timedelta(seconds=load(options.config, os.environ).alerting.deploy_mute_s)
    except ConfigError as error:
        raise unusable(error) from None
