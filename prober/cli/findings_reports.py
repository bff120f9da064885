"""The findings about templates for code hosts: as SARIF 2.1.0 (OASIS), and as annotations of GitHub Actions.

Both name file and line, so that a finding stands beside the line of a pull request that makes it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from checks.templates.catalog import RULES
from checks.templates.judging import Finding
from checks.templates.unit import Severity
from checks.text import clean
from prober.cli.errors import PROGRAM
from prober.cli.findings import where
from prober.cli.report_github import MOST_SHOWN, attribute, data
from prober.cli.report_json import plain
from prober.cli.report_sarif import SCHEMA, digest

Placed = Sequence[tuple[str, Finding]]
"""Findings with the paths of their templates; relative ones start in the checkout."""

_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def as_sarif(found: Placed, *, is_judged: bool, version: str) -> str:
    """One SARIF log. Where no server was known, nothing was judged, and the log says so."""
    rules = [each for each in RULES if each.id in {finding.rule for _, finding in found}]
    order = [each.id for each in rules]
    driver = {
        "name": PROGRAM,
        "version": version,
        "rules": [{"id": each.id, "shortDescription": {"text": each.fault}} for each in rules],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": is_judged}],
        "results": [_result(order, path, finding) for path, finding in found],
    }
    return plain({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(rules: Sequence[str], path: str, finding: Finding) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(clean(path, 1000))}}
    if finding.line is not None:
        place["region"] = {"startLine": finding.line}
    named = {"fullyQualifiedName": where(finding), "kind": "resource"}
    return {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": finding.severity.value,
        "message": {"text": _text(finding)},
        "locations": [{"physicalLocation": place, "logicalLocations": [named]}],
        "partialFingerprints": {"placeAndRule/v1": digest(path, finding.subject.id, finding.at, finding.rule)},
    }


def _uri(path: str) -> str:
    """A path without a scheme is a relative one (SARIF 2.1.0 section 3.4.3)."""
    return Path(path).as_uri() if Path(path).is_absolute() else quote(path)


def as_annotations(found: Placed, tally: str) -> str:
    """One annotation for each finding, the worst first; where there is none, one with the tally."""
    lines: list[str] = []
    for severity in Severity:
        lines += [_annotation(*each) for each in found if each[1].severity is severity][:MOST_SHOWN]
    return "\n".join(lines or [f"::notice title={PROGRAM}::{data(tally)}"])


def _annotation(path: str, finding: Finding) -> str:
    line = "" if finding.line is None else f",line={finding.line}"
    place = f"file={attribute(clean(path, 1000))}{line},title={attribute(finding.rule)}"
    return f"::{_COMMANDS[finding.severity]} {place}::{data(_text(finding))}"


def _text(finding: Finding) -> str:
    under = f"\nWhere {finding.under}" if finding.under else ""
    return f"{finding.fault}\n{where(finding)}: {finding.evidence}{under}\nFix: {finding.fix}"
