"""`mcp-prober lab`: local MCP servers in known states, to try `check` on."""

import argparse
import asyncio
import contextlib
from collections.abc import Mapping

from prober.cli.arguments import port
from prober.cli.dispatch import Parser
from prober.cli.errors import CommandError, ExitCode
from prober.cli.lab_commands import beyond_a_command, command_for
from prober.lab import SCENARIOS, LabError, list_text, serve


def add_arguments(parser: Parser) -> None:
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="*", help="what to serve (default: everything)")
    parser.add_argument("--list", action="store_true", help="print what there is and exit")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port, default=0, help="first of consecutive ports (default: any free ones)")
    parser.examples = ("mcp-prober lab --list", "mcp-prober lab streaming-buffered tools-empty")


def run(options: argparse.Namespace) -> int:
    if options.list:
        print(list_text())
        return ExitCode.UP
    # Ctrl-C is how a lab ends.
    with contextlib.suppress(KeyboardInterrupt):
        try:
            announce = _announce_commands if options.scenarios else _announce
            asyncio.run(serve(options.scenarios, options.host, options.port, announce))
        except LabError as error:
            raise CommandError(str(error)) from None
    return ExitCode.UP


def _announce(urls: Mapping[str, str]) -> None:
    _list(urls)
    print("Name scenarios to see the command for each. Ctrl-C ends the lab.", flush=True)


def _announce_commands(urls: Mapping[str, str]) -> None:
    """For scenarios that were named: what each should come to, and the command that shows it."""
    _list(urls)
    known = {scenario.id: scenario for scenario in SCENARIOS}
    for name, url in urls.items():
        scenario = known[name]
        print(f"\n{name}: {scenario.verdict}{f' ({scenario.diagnosis})' if scenario.diagnosis else ''}")
        if limit := beyond_a_command(scenario):
            print(f"  {limit}")
        print(f"  {command_for(scenario, url)}")
    print("\nCtrl-C ends the lab.", flush=True)


def _list(urls: Mapping[str, str]) -> None:
    width = max(len(scenario) for scenario in urls)
    for scenario, url in urls.items():
        print(f"{scenario:<{width}}  {url}")
