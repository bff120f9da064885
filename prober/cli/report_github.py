"""A run for GitHub Actions: annotations by workflow commands, and the job's summary.

Source: GitHub documentation, "Workflow commands for GitHub Actions"; how data and properties are escaped is said by
`packages/core/src/command.ts` of actions/toolkit. GitHub shows ten annotations of each kind for a step.
"""

from typing import Final

from prober.app.smoke import Run
from prober.cli.outcome import tally
from prober.cli.problems import Level, Problem, problems_of

_COMMANDS: Final = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}
_ORDER: Final = tuple(Level)
MOST_SHOWN: Final = 10
_DETAILS: Final = 5
SUMMARY_LIMIT: Final = 1_000_000
"""Bytes of a step's summary that GitHub takes, 1 MiB, with some room."""


def render(run: Run) -> str:
    """One annotation for each problem, the worst first, and a last one for the run where all passed."""
    problems = [problem for examined in run.examined for problem in problems_of(run, examined)]
    lines: list[str] = []
    for level in _ORDER:
        lines += [_annotation(each) for each in problems if each.level is level][:MOST_SHOWN]
    return "\n".join(lines or [f"::notice title=mcp-prober::{data(tally(run))}"])


def _annotation(problem: Problem) -> str:
    fix = f"\nFix: {problem.fix}" if problem.fix else ""
    title = attribute(f"{problem.endpoint}: {problem.id}")
    text = "\n- ".join([problem.summary, *problem.detail[:_DETAILS]])
    return f"::{_COMMANDS[problem.level]} title={title}::{data(text + fix)}"


def data(text: str) -> str:
    """Text after the second pair of colons. The older form of commands, `##[…]`, is read anywhere in a line."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.replace("##", "# #")


def attribute(text: str) -> str:
    """Text between the first pair of colons, after an equals sign."""
    return data(text).replace(":", "%3A").replace(",", "%2C")
