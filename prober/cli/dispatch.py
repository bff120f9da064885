"""Finds the command that was asked for and imports that one alone, so that `check` starts fast."""

import argparse
import errno
import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol, TextIO, cast

from checks.text import shown_url
from prober.cli.errors import PROGRAM, CommandError, ExitCode, say_error
from prober.cli.interrupting import ending_at_once

COMMANDS: Final[dict[str, str]] = {
    "check": "probe MCP servers now, name each fault and its fix",
    "init": "write a configuration file from a live server",
    "up": "watch the configured endpoints: database, scheduler and dashboard",
    "demo": "watch a local lab of healthy and broken servers, to see how it looks",
    "worker": "share the probing of another prober's database",
    "serve": "the dashboard alone",
    "config": "check a configuration file, or print its JSON Schema",
    "endpoints": "list the registered endpoints with their verdicts",
    "incidents": "list the incidents, acknowledge them, or have nobody told of them for a while",
    "maintenance": "list, add and end times in which nobody is told",
    "deploy": "mark a deploy: nobody is told of what it breaks for a short while",
    "baseline": "show or accept the list of tools that changes are measured by",
    "channels": "list the channels with their state, or send one a test notice",
    "access": "who may log in to the dashboard, and the tokens of programs",
    "cloudwatch": "what metrics cost in CloudWatch, and alarms and a dashboard on them",
    "template-check": "find in a SAM, CloudFormation or CDK template what would fail once it is deployed",
    "discover": "list the MCP servers of an AWS account, with what their configuration shows",
    "explain": "what a diagnosis means, how it is seen and what mends it; checks, rules and exit codes too",
    "lab": "local MCP servers that are broken on purpose",
    "migrate": "bring the database to this version's schema",
    "completion": "completion for bash, zsh or fish, on standard output",
}
"""Each command is the module of its name in this package, `-` as `_`, see `Command`."""

_UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""How writing fails where no bug of ours is to blame."""

SIGPIPE_EXIT: Final = 141
"""What a shell reports for a writer whose reader has gone."""


class Command(Protocol):
    """What the module of a command offers."""

    def add_arguments(self, parser: "Parser") -> None: ...

    def run(self, options: argparse.Namespace) -> int: ...


class Parser(argparse.ArgumentParser):
    """Says errors in the form of all commands, takes no abbreviated options, and options wherever they stand."""

    def __init__(self, *positional: Any, **named: Any) -> None:
        super().__init__(*positional, **{"allow_abbrev": False, **named})
        self._is_mixing = False
        self.examples: tuple[str, ...] = ()
        """Command lines that the help ends in."""
        self.default_action: str | None = None
        """What is done where none of the parser's actions is named. With one, options may stand before the action."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As argparse does, which by itself refuses a name behind an option where names before it were enough.

        Words behind a `--` are names already, and its way of mixing would lose that.
        """
        if self.default_action is not None:
            args = self._with_action(list(args), self.default_action)
        if self._is_mixing or self._subparsers is not None or "--" in (args or ()):
            return super().parse_known_args(args, namespace)
        self._is_mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_mixing = False

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse does, with the choice that looks like what was written."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as refused:
            if hint := _alike(str(value), map(str, action.choices or ())):
                refused.message += f": {hint}"
            raise

    def actions(self) -> Mapping[str, "Parser"]:
        """The parser of each action, where a command has some."""
        each = next((each for each in self._actions if isinstance(each, argparse._SubParsersAction)), None)
        return {} if each is None else each.choices

    def _with_action(self, args: list[str], default: str) -> list[str]:
        """The words with the action in front."""
        ends = args.index("--") if "--" in args else len(args)
        at = next((at for at, word in enumerate(args[:ends]) if word in self.actions()), None)
        if at is not None:
            return [args[at], *args[:at], *args[at + 1 :]]
        is_option = not args or (args[0].startswith("-") and args[0] not in ("-h", "--help"))
        return [default, *args] if is_option else args

    def format_help(self) -> str:
        """As argparse does, with the examples below."""
        shown = "".join(f"  {each}\n" for each in self.examples)
        return super().format_help() + (f"\nexamples:\n{shown}" if shown else "")

    def error(self, message: str) -> NoReturn:
        if message.endswith("required: ACTION"):
            message = f"what is to be done? {self.prog} {' | '.join(self.actions())}"
        say_error(message, f"see: {self.prog} --help")
        raise SystemExit(int(ExitCode.USAGE))

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """End for arguments that the command does not have, with the options that they look like."""
        written = next((word.partition("=")[0] for word in words if word.startswith("--")), "")
        hint = _alike(written, [name for name in self._option_string_actions if name.startswith("--")])
        self.error(f"unrecognized arguments: {' '.join(words)}{f': {hint}' if hint else ''}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code, see `prober.cli.errors.ExitCode`; never raises."""
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 must not cost the report
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except SystemExit as ended:
        return _status_of(ended)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except CommandError as error:
        say_error(error.message, error.hint, error.details)
        return error.code
    except BrokenPipeError:
        _leave_output()
        return SIGPIPE_EXIT
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            return _say_bug(error)
        _leave_output()
        say_error(f"what came of it cannot be written: {error.strerror}", "make room where standard output goes")
        return ExitCode.UNOBSERVED
    except Exception as bug:  # the last line of defence: a bug of ours must not show a traceback to users
        return _say_bug(bug)
    return code


def _nowhere() -> TextIO:
    """In the place of a stream that whoever started us has closed."""
    return Path(os.devnull).open("w", encoding="utf-8")


def _status_of(ended: SystemExit) -> int:
    """The exit code; the dashboard ends its server with a sentence in place of one."""
    if isinstance(ended.code, str):
        say_error(ended.code)
        return ExitCode.USAGE
    return ended.code if ended.code is not None else ExitCode.UP


def _leave_output() -> None:
    """Python flushes standard output at exit, which would fail again and print a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    arguments = _asking_for_help(arguments)
    name = next((word for word in arguments if not word.startswith("-")), None)
    parser = Parser(
        prog=PROGRAM,
        description="Watches MCP servers on AWS Lambda from outside, names the fault, its evidence and its fix.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    subparsers = parser.add_subparsers(metavar="COMMAND", dest="command", parser_class=Parser)
    command, asked = None, parser
    for each, summary in COMMANDS.items():
        subparser = subparsers.add_parser(each, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if each == name:
            with ending_at_once():
                command = cast("Command", importlib.import_module(f"prober.cli.{each.replace('-', '_')}"))
            command.add_arguments(subparser)
            asked = subparser
    if name is not None and command is None:
        if "://" in name:
            raise CommandError("an address is no command", f"write: {PROGRAM} check {shown_url(name, 200)}")
        parser.error(f"there is no command {name!r}: {_nearest(name)}")
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        for level in ("action", "token_action"):
            asked = asked.actions().get(getattr(options, level, ""), asked)
        asked.refuse(unknown)
    if options.version:
        print(f"{PROGRAM} {installed_version()}")
        return ExitCode.UP
    if command is None:
        parser.print_help(sys.stderr)
        return ExitCode.USAGE
    return command.run(options)


def _asking_for_help(arguments: list[str]) -> list[str]:
    """`help` and `help COMMAND` as `--help` says them."""
    return [*arguments[1:], "--help"] if arguments[:1] == ["help"] else arguments


def _nearest(name: str) -> str:
    return _alike(name, COMMANDS) or f"there are {', '.join(COMMANDS)}"


def _alike(written: str, known: Iterable[str]) -> str:
    """The known word that looks like the one written, as a question; empty where none does."""
    import difflib

    bare = {each.lstrip("-"): each for each in known}
    near = difflib.get_close_matches(written.lstrip("-"), list(bare), n=1)
    return f"did you mean {bare[near[0]]}?" if near else ""


def installed_version() -> str:
    """Of this program."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mcp-prober")
    except PackageNotFoundError:
        return "(not installed)"


def _say_bug(bug: Exception) -> int:
    if os.environ.get("PROBER_DEBUG"):
        traceback.print_exception(bug)
    frame = traceback.extract_tb(bug.__traceback__)[-1]
    # The text of the exception could hold anything, a secret too.
    where = f"{type(bug).__name__} in {os.path.basename(frame.filename)}:{frame.lineno}"  # noqa: PTH119 - a shown name
    say_error(f"a bug of the prober itself: {where}", "please report it; PROBER_DEBUG=1 shows the traceback")
    return ExitCode.UNOBSERVED
