"""A run as TAP 14 (testanything.org): a line for each answer, and one for each verdict."""

from collections.abc import Iterator

from checks.model import Outcome
from checks.text import clean
from prober.app.smoke import PASSING, Examined, Run
from prober.cli.problems import named, problems_of
from prober.cli.report_json import plain


def render(run: Run) -> str:
    """The run as one stream."""
    points = [point for examined in run.examined for point in _points(run, examined)]
    lines = ["TAP version 14", f"1..{len(points)}"]
    for number, (is_ok, text, more) in enumerate(points, 1):
        lines.append(f"{'ok' if is_ok else 'not ok'} {number} - {text}")
        lines += more
    return "\n".join(lines)


def _points(run: Run, examined: Examined) -> Iterator[tuple[bool, str, list[str]]]:
    name = _escaped(named(examined))
    for result in examined.results:
        said = _escaped(clean(result.summary, 300))
        is_ok = result.outcome not in (Outcome.FAIL, Outcome.ERROR)
        directive = f" # SKIP {said}" if result.outcome is Outcome.SKIP else ""
        if not is_ok and examined.conclusion in PASSING:
            directive = f" # TODO {said}"
        more = [] if directive else _block({"outcome": result.outcome.value, "summary": clean(result.summary, 1000)})
        yield is_ok, f"{name}: {_escaped(result.check)}{directive}", more
    problems = [
        {"level": each.level.value, "id": each.id, "summary": each.summary, "detail": each.detail, "fix": each.fix}
        for each in problems_of(run, examined)
    ]
    block = _block({"conclusion": examined.conclusion.value, "problems": problems})
    yield examined.conclusion in PASSING, f"{name}: verdict", block


def _block(data: dict[str, object]) -> list[str]:
    """A YAML block, whose values are written in the subset of YAML that is JSON."""
    return ["  ---", *(f"  {key}: {plain(value)}" for key, value in data.items()), "  ..."]


def _escaped(text: str) -> str:
    """A backslash keeps a number sign from beginning a directive."""
    return text.replace("\\", "\\\\").replace("#", "\\#")
