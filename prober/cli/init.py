"""`mcp-prober init URL`: a configuration file from what a live server says about itself."""

import argparse
import os
import sys
from pathlib import Path

from checks.model import Profile
from prober.cli import report_text
from prober.cli.arguments import add_connection_arguments, endpoint_from
from prober.cli.check import probe
from prober.cli.credentials import add_credential_arguments
from prober.cli.dispatch import Parser
from prober.cli.errors import EXIT_OF_VERDICT, CommandError, ExitCode
from prober.cli.progress import progress
from prober.cli.starter_file import starter_file
from prober.cli.terminal import terminal_width
from prober.settings import ConfigError, parse

STDOUT = "-"


def add_arguments(parser: Parser) -> None:
    parser.usage = "%(prog)s URL [OPTION...]"
    parser.add_argument("url", metavar="URL", help="address of the MCP endpoint, with its path")
    parser.add_argument(
        "--output", metavar="FILE", default="prober.yaml", help="file to write, - for stdout (default: %(default)s)"
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there already")
    add_credential_arguments(parser.add_argument_group("credentials, each secret by reference"))
    add_connection_arguments(parser.add_argument_group("connection"))
    parser.examples = (
        "mcp-prober init https://abc123.lambda-url.eu-central-1.on.aws/mcp",
        "mcp-prober init URL --bearer env:MCP_TOKEN --output orders.yaml",
    )


def run(options: argparse.Namespace) -> int:
    endpoint = endpoint_from(options, options.url)
    path = Path(options.output)
    if options.output != STDOUT and not options.force:
        _refuse_what_is_there(path)
    with progress((endpoint,)) as tell:
        tell(endpoint, "asking")
        report = probe(endpoint, Profile.QUICK)
    if not report.opening.established:
        print(report_text.render(report, endpoint, width=terminal_width()), file=sys.stderr)
        code = EXIT_OF_VERDICT[report.verdict] or ExitCode.NOT_UP
        raise CommandError("nothing is written, because the server cannot be asked for its tools", code=code)
    text = starter_file(report, endpoint)
    _assert_usable(text)
    if options.output == STDOUT:
        print(text, end="")
        return ExitCode.UP
    _write(path, text, over=options.force)
    print(f"{path} is written; look through it, then run: mcp-prober up --config {path}")
    return ExitCode.UP


def _refuse_what_is_there(path: Path) -> None:
    try:
        is_there = path.exists()
    except OSError as error:
        raise _unwritable(path, error) from None
    if is_there:
        raise CommandError(f"{path} is there already", "name another file with --output, or write over it with --force")


def _unwritable(path: Path, error: OSError) -> CommandError:
    return CommandError(f"{path} cannot be written: {error.strerror}", "name another file with --output")


def _assert_usable(text: str) -> None:
    """What we write must pass our own check, whatever the server called its tools."""
    try:
        parse(text.encode(), "the new file", {})
    except ConfigError as error:
        raise AssertionError(f"init wrote a file that cannot be used: {error.problems[0].message}") from error


def _write(path: Path, text: str, *, over: bool) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            with draft.open("x", encoding="utf-8") as file:
                file.write(text)
            # A link fails where the name is taken by now; a rename would write over it.
            draft.replace(path) if over else os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise CommandError(f"{path} is there already", "write over it with --force") from None
    except OSError as error:
        raise _unwritable(path, error) from None
