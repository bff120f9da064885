"""How the findings about templates and live deployments are told, as text and as JSON."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from checks.proofs import counted
from checks.templates.judging import Finding
from checks.templates.unit import Severity
from checks.text import clean
from prober.cli.errors import ExitCode

JSON_VERSION: Final = 1


def lines_of(finding: Finding, place: str) -> Iterator[str]:
    """A finding as lines: where, what, on what evidence, and what mends it."""
    diagnosis = f", {finding.diagnosis}" if finding.diagnosis else ", the deployment fails"
    yield f"{clean(place, 400)}: {finding.severity.value}: {finding.fault} [{finding.rule}{diagnosis}]"
    yield f"    {where(finding)}: {finding.evidence}"
    if finding.under:
        yield f"    where {finding.under}"
    first, *rest = finding.fix.splitlines() or [""]
    yield f"    fix: {first}"
    yield from (f"         {line}" for line in rest)


def where(finding: Finding) -> str:
    """The thing and its property."""
    name = clean(finding.subject.id, 200)
    return f"{name}.{finding.at}" if finding.at else name


def as_json(finding: Finding, file: str | None = None) -> dict[str, Any]:
    """A finding as JSON; what is not told is null."""
    return {
        "rule": finding.rule,
        "diagnosis": finding.diagnosis,
        "severity": finding.severity.value,
        "fault": finding.fault,
        "file": file,
        "line": finding.line,
        "subject": clean(finding.subject.id, 300),
        "type": clean(finding.subject.kind, 100),
        "property": finding.at or None,
        "evidence": finding.evidence,
        "under": finding.under or None,
        "fix": finding.fix,
    }


def counts(findings: Iterable[Finding]) -> Mapping[Severity, int]:
    """How many there are of each severity."""
    found = [each.severity for each in findings]
    return {each: found.count(each) for each in Severity}


def in_words(findings: Iterable[Finding]) -> str:
    """How many there are, in words."""
    return ", ".join(counted(number, each.value) for each, number in counts(findings).items())


def exit_code(findings: Iterable[Finding], *, strict: bool) -> int:
    """What a pipeline is told: errors fail, and where one is strict warnings have a code of their own."""
    number = counts(findings)
    if number[Severity.ERROR]:
        return ExitCode.NOT_UP
    return ExitCode.WARNINGS if strict and number[Severity.WARNING] else ExitCode.UP
