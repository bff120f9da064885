"""A run as SARIF 2.1.0 (OASIS): rules are diagnoses and checks, results are what was found of an endpoint."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from checks.catalog import CHECKS, DETECTORS
from checks.text import shown_url
from prober.app.smoke import Conclusion, Examined, Run
from prober.cli.explanations import DEMANDS
from prober.cli.outcome import exit_of
from prober.cli.problems import Level, Problem, problems_of
from prober.cli.report_json import plain

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_DESCRIPTIONS: Final = {
    **{each.id: each.question for each in CHECKS},
    **{each.id: each.fault for each in DETECTORS},
    **DEMANDS,
    "unobserved": "Not all that was asked for could be observed.",
}


def render(run: Run) -> str:
    """The run as one SARIF log."""
    found = [(each, problem) for each in run.examined for problem in problems_of(run, each)]
    rules = list(dict.fromkeys(problem.id for _, problem in found))
    ended_at = run.started_at + timedelta(milliseconds=run.duration_ms)
    return plain(
        {
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "mcp-prober",
                            "version": run.version,
                            "rules": [_rule(each) for each in rules],
                        }
                    },
                    "invocations": [
                        {
                            "executionSuccessful": run.conclusion is not Conclusion.UNOBSERVED,
                            "exitCode": int(exit_of(run)),
                            "startTimeUtc": run.started_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                            "endTimeUtc": ended_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                        }
                    ],
                    "results": [_result(rules, each, problem) for each, problem in found],
                }
            ],
        },
        indent=2,
    )


def _rule(rule: str) -> dict[str, Any]:
    return {"id": rule, "shortDescription": {"text": _DESCRIPTIONS.get(rule, rule)}}


def _result(rules: Sequence[str], examined: Examined, problem: Problem) -> dict[str, Any]:
    url = shown_url(examined.endpoint.url)
    return {
        "ruleId": problem.id,
        "ruleIndex": rules.index(problem.id),
        "level": {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "note"}[problem.level],
        "message": {"text": _text(problem)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": _uri(url)}},
                "logicalLocations": [{"fullyQualifiedName": problem.endpoint, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"endpointAndCause/v1": digest(url, problem.id)},
    }


def _text(problem: Problem) -> str:
    fix = f"\nFix: {problem.fix}" if problem.fix else ""
    reproduce = f"\nReproduce: {problem.reproduce}" if problem.reproduce else ""
    return "\n".join([problem.summary, *(f"- {each}" for each in problem.detail)]) + fix + reproduce


def _uri(url: str) -> str:
    """An address without what no URI may hold, such as the brackets of what is left out of it."""
    return url.partition("?")[0]


def digest(*parts: str) -> str:
    """What knows a result again in a later run."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
