"""The forms of a run, and where each of them goes. All are made of one frozen value."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Final

from prober.app.smoke import Run
from prober.cli.credentials import Arguments
from prober.cli.errors import CommandError
from prober.cli.files import append, attempt, refuse_unwritable, write
from prober.cli.terminal import terminal_width, wants_colour

STDOUT: Final = "-"
TEXT: Final = "text"
GITHUB: Final = "github"
FORMS: Final[Mapping[str, tuple[str, str]]] = {
    TEXT: ("report_text", "render_run"),
    "json": ("report_json", "render"),
    "ndjson": ("report_json", "render_lines"),
    "junit": ("report_junit", "render"),
    "sarif": ("report_sarif", "render"),
    "markdown": ("report_markdown", "render"),
    "tap": ("report_tap", "render"),
    GITHUB: ("report_github", "render"),
}
"""Each form with the module of this package and the function that make it."""

_VERBATIM: Final = frozenset({"json", "ndjson", "sarif", GITHUB})
"""Forms that keep a build's commands out of themselves."""
_COMMAND: Final = re.compile(r"^([^\S\n]*):(?=:)|#(?=#(?:vso)?\[)", re.MULTILINE | re.IGNORECASE)
"""How a line begins that GitHub Actions acts on, and what it and Azure Pipelines look for anywhere in one."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where which form goes."""

    on_stdout: str
    files: tuple[tuple[str, Path], ...]
    verbose: bool = False
    """Reports in text list every request."""
    annotates: bool = False
    """Annotations go to standard error, whose lines GitHub Actions reads as well."""
    summary: Path | None = None
    """The summary of a step of GitHub Actions."""


def add_report_arguments(parser: Arguments) -> None:
    parser.add_argument(
        "--format", metavar="FORM", choices=tuple(FORMS), help=f"report on stdout: {', '.join(FORMS)} (default: text)"
    )
    parser.add_argument(
        "--report",
        metavar="FORM=FILE",
        action="append",
        default=[],
        help="write the report in this form to a file as well, - for stdout; missing directories are made (repeatable)",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="in text, also list every request, and where its time went"
    )


def outputs_from(options: argparse.Namespace, env: Mapping[str, str] = os.environ) -> Outputs:
    """What the options and the surroundings ask for. Raises CommandError, before anything is asked of a server."""
    on_stdout, files = options.format, []
    for written in options.report:
        form, equals, name = written.partition("=")
        if form not in FORMS or not (equals and name):
            raise CommandError(f"--report wants FORM=FILE, not {written}", f"FORM is one of {', '.join(FORMS)}")
        if name == STDOUT:
            if on_stdout not in (None, form):
                raise CommandError("two reports would go to standard output", "write all but one to files")
            on_stdout = form
            continue
        path = Path(name)
        refuse_unwritable("--report", path)
        files.append((form, path))
    if len({path.absolute() for _, path in files}) < len(files):
        raise CommandError("two reports would go to one file", "name another file for one of them")
    in_actions = env.get("GITHUB_ACTIONS") == "true"
    asked = GITHUB in (on_stdout, *(form for form, _ in files))
    summary = env.get("GITHUB_STEP_SUMMARY") if in_actions or asked else None
    return Outputs(
        on_stdout or TEXT,
        tuple(files),
        verbose=options.verbose,
        annotates=in_actions and not asked,
        summary=Path(summary) if summary else None,
    )


def deliver(run: Run, outputs: Outputs) -> None:
    """Write every report. Raises CommandError for a file that cannot be written, after the others."""
    print(shown(rendered(run, outputs.on_stdout, at_terminal=True, verbose=outputs.verbose), outputs.on_stdout))
    if outputs.annotates:
        sys.stdout.flush()
        print(rendered(run, GITHUB), file=sys.stderr)
    attempt([*_summary(run, outputs), *(partial(_report, run, form, path, outputs) for form, path in outputs.files)])


def _summary(run: Run, outputs: Outputs) -> Iterator[Callable[[], None]]:
    if outputs.summary is not None:
        from prober.cli.report_github import SUMMARY_LIMIT

        text = rendered(run, "markdown").encode()[:SUMMARY_LIMIT].decode(errors="ignore")
        yield partial(append, outputs.summary, f"{text}\n")


def _report(run: Run, form: str, path: Path, outputs: Outputs) -> None:
    write(path, f"{rendered(run, form, verbose=outputs.verbose)}\n".encode(errors="backslashreplace"))


def rendered(run: Run, form: str, *, at_terminal: bool = False, verbose: bool = False) -> str:
    """The run in one form."""
    module, function = FORMS[form]
    render = getattr(import_module(f"prober.cli.{module}"), function)
    if form != TEXT:
        return str(render(run))
    layout = {"width": terminal_width(), "colour": wants_colour()} if at_terminal else {}
    return str(render(run, **layout, verbose=verbose))


def shown(text: str, form: str) -> str:
    """The text as it goes to standard output, where a build reads along: nothing in it is a command to that."""
    if form in _VERBATIM:
        return text
    return _COMMAND.sub(lambda found: "# " if found[0] == "#" else f"{found[1]}: ", text)
