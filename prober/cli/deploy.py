"""`mcp-prober deploy NAME…`: marks a deploy, so that what it breaks for a short while wakes nobody."""

import argparse
import os
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from prober.cli.config import unusable
from prober.cli.database import add_database_arguments, in_database, migrated_url
from prober.cli.dispatch import Parser
from prober.cli.errors import ExitCode
from prober.cli.muting import add_mute_arguments, mute, span_of
from prober.clock import SystemClock
from prober.settings import ConfigError, load
from prober.storage import in_force
from prober.storage.in_force import InForce
from prober.storage.mutes import DEPLOY


def add_arguments(parser: Parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="endpoints that are deployed")
    parser.add_argument(
        "--for",
        dest="lasts",
        metavar="TIME",
        help="for how long; by default what incidents.deploy_mute says",
    )
    add_mute_arguments(parser)
    add_database_arguments(parser)
    parser.examples = (
        "mcp-prober deploy orders",
        "mcp-prober deploy --label team=shop --for 15m --reason 'release 1.4'",
    )
    parser.epilog = (
        "Run it in the pipeline, before the deploy. Probing goes on; what is still broken when the time ends is told "
        "then."
    )


def run(options: argparse.Namespace) -> int:
    url = migrated_url(options)
    print(mute(url, options, kind=DEPLOY, begins=SystemClock().now(), lasts=_lasts(options, url)))
    return ExitCode.UP


def _lasts(options: argparse.Namespace, url: str) -> timedelta:
    if options.lasts is not None:
        return span_of("--for", options.lasts)
    if options.config is None:
        return timedelta(seconds=in_database(url, _in_force).deploy_mute_s)
    try:
        return timedelta(seconds=load(options.config, os.environ).alerting.deploy_mute_s)
    except ConfigError as error:
        raise unusable(error) from None


async def _in_force(db: AsyncEngine) -> InForce:
    async with db.connect() as connection:
        return await in_force.known(connection)
