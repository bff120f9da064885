"""A run as JUnit XML, in the elements and attributes that Jenkins, GitLab, CodeBuild and GitHub's reporters read.

An endpoint is a suite; a check is a case, and the verdict with its diagnoses is one more.
"""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from checks.model import CheckResult, Outcome
from checks.text import clean, shown_url
from prober.app.smoke import PASSING, Conclusion, Examined, Run
from prober.cli.problems import Level, Problem, named, problems_of

_LONGEST = 4000


def render(run: Run) -> str:
    """The run as one XML document."""
    root = Element("testsuites", name="mcp-prober check", time=_seconds(run.duration_ms))
    for examined in run.examined:
        root.append(_suite(run, examined))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode")


def _suite(run: Run, examined: Examined) -> Element:
    problems = [each for each in problems_of(run, examined) if each.level is not Level.NOTE]
    cases = [_case(examined, result) for result in examined.results]
    cases.append(_verdict(examined, problems))
    ms = sum(each.ms for each in examined.attempts)
    suite = Element(
        "testsuite",
        name=named(examined),
        tests=str(len(cases)),
        failures=str(_count(cases, "failure")),
        errors=str(_count(cases, "error")),
        skipped=str(_count(cases, "skipped")),
        time=_seconds(ms),
        timestamp=run.started_at.strftime("%Y-%m-%dT%H:%M:%S"),
    )
    kept = SubElement(suite, "properties")
    for name, value in (
        ("url", shown_url(examined.endpoint.url)),
        ("conclusion", examined.conclusion.value),
        ("prober", run.version),
    ):
        SubElement(kept, "property", name=name, value=value)
    suite.extend(cases)
    return suite


def _case(examined: Examined, result: CheckResult) -> Element:
    """A case for one check. Where the endpoint passes all the same, such as one that may be degraded, none fails."""
    case = Element("testcase", classname=named(examined), name=clean(result.check, 60), time=_seconds(result.ms))
    summary = clean(result.summary, _LONGEST)
    if result.outcome is Outcome.SKIP:
        SubElement(case, "skipped", message=summary)
    elif result.outcome is Outcome.WARN or (result.outcome is Outcome.FAIL and examined.conclusion in PASSING):
        SubElement(case, "system-out").text = f"{result.outcome}: {summary}"
    elif result.outcome is Outcome.ERROR:
        SubElement(case, "error", message=summary, type="bug")
    elif result.outcome is Outcome.FAIL:
        texts = [clean(finding.text, _LONGEST) for finding in result.findings]
        SubElement(case, "failure", message=summary, type=clean(result.check, 60)).text = "\n".join([summary, *texts])
    return case


def _verdict(examined: Examined, problems: list[Problem]) -> Element:
    ms = 0.0 if examined.report is None else examined.report.duration_ms
    case = Element("testcase", classname=named(examined), name="verdict", time=_seconds(ms))
    text = "\n\n".join(_text(each) for each in problems)
    if examined.conclusion in PASSING:
        if text:
            SubElement(case, "system-out").text = text
        return case
    kind = "error" if examined.conclusion is Conclusion.UNOBSERVED else "failure"
    message = "; ".join(clean(each, 500) for each in examined.judged.why)
    SubElement(case, kind, message=message, type=examined.conclusion.value).text = text
    return case


def _text(problem: Problem) -> str:
    lines = [f"{problem.level} {problem.id}: {problem.summary}", *(f"  - {each}" for each in problem.detail)]
    lines += ["fix:", *(f"  {each}" for each in problem.fix.splitlines())] if problem.fix else []
    lines += [f"reproduce: {problem.reproduce}"] if problem.reproduce else []
    return "\n".join(lines)


def _count(cases: list[Element], kind: str) -> int:
    return sum(case.find(kind) is not None for case in cases)


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.3f}"
