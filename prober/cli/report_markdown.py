"""A run as Markdown: for a pull request's comment, a job's summary or a ticket."""

import re
from collections.abc import Iterator
from typing import Final

from checks.model import CheckResult
from checks.proofs import counted, milliseconds
from checks.text import clean, shown_url
from prober.app.smoke import Conclusion, Examined, Run
from prober.cli.outcome import tally
from prober.cli.problems import Problem, named, problems_of

_ACTING: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&:])")
"""What would be markup, HTML, a mention of a person or an emoji."""
_MARKS: Final = {
    Conclusion.PASSED: "✅",
    Conclusion.WARNINGS: "⚠️",
    Conclusion.UNOBSERVED: "❔",
    Conclusion.AUTHENTICATION: "🔒",
    Conclusion.FAILED: "❌",
}
_LONGEST: Final = 1000


def render(run: Run) -> str:
    """The run as one document, the endpoints one after the other."""
    return "\n".join(_lines(run))


def _lines(run: Run) -> Iterator[str]:
    yield f"## {_MARKS[run.conclusion]} mcp-prober check: {tally(run)}"
    for examined in run.examined:
        yield ""
        yield from _endpoint(run, examined)
    yield ""
    yield f"mcp-prober {run.version}, {run.started_at:%Y-%m-%d %H:%M:%S} UTC, {milliseconds(run.duration_ms)}"


def _endpoint(run: Run, examined: Examined) -> Iterator[str]:
    yield f"### {_MARKS[examined.conclusion]} {plain(named(examined))}"
    yield ""
    verdict = "not asked" if examined.report is None else examined.report.verdict.value
    yield f"{plain(shown_url(examined.endpoint.url))}, {verdict}, {counted(len(examined.attempts), 'probe')}"
    if examined.results:
        yield ""
        yield "| | check | time | |"
        yield "| --- | --- | ---: | --- |"
        yield from (_row(each) for each in examined.results)
    for problem in problems_of(run, examined):
        yield ""
        yield from _problem(problem)


def _row(result: CheckResult) -> str:
    time = milliseconds(result.ms) if result.ms else ""
    return f"| {result.outcome} | {plain(result.check)} | {time} | {plain(result.summary)} |"


def _problem(problem: Problem) -> Iterator[str]:
    yield f"**{problem.level} {plain(problem.id)}**: {plain(problem.summary)}"
    if problem.detail:
        yield ""
        yield from (f"- {plain(each)}" for each in problem.detail)
    for heading, text in (("fix", problem.fix), ("reproduce", problem.reproduce)):
        if text:
            yield ""
            yield f"{heading}:"
            yield ""
            yield from (f"    {line}" for line in text.splitlines())


def plain(text: str) -> str:
    """A text that somebody else wrote, so that it shows as it is."""
    return _ACTING.sub(r"\\\1", clean(text, _LONGEST)).replace(r"\@", "&#64;")
