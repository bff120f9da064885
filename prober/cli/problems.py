"""What a run found wrong, endpoint by endpoint, in the one form that all reports for machines and pages are made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from checks.model import CheckResult, Diagnosis, Effect, Outcome
from checks.text import clean
from prober.app.smoke import Conclusion, Examined, FailOn, Run

_LONGEST: Final = 4000
_LINE: Final = 500


class Level(StrEnum):
    """How much a problem weighs in this run."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem of one endpoint. All texts are cleaned; `detail` and `fix` may have several lines."""

    level: Level
    endpoint: str
    id: str
    """Of the diagnosis, of the check, or `unobserved`."""
    summary: str
    detail: tuple[str, ...] = ()
    fix: str = ""
    reproduce: str = ""
    rule: str | None = None
    """Link to what it is measured by."""


_WEIGHTS: Final = (Effect.DOWN, Effect.UNKNOWN, Effect.DEGRADED, Effect.INFORMATION)


def named(examined: Examined) -> str:
    """The endpoint as reports call it."""
    return clean(examined.endpoint.name, 120)


def problems_of(run: Run, examined: Examined) -> Iterator[Problem]:
    """The worst first: diagnoses, then what no diagnosis explains, then what could not be asked."""
    diagnoses = () if examined.report is None else examined.report.diagnoses
    for diagnosis in sorted(diagnoses, key=lambda each: (_WEIGHTS.index(each.effect), -each.confidence)):
        yield _of_diagnosis(run, examined, diagnosis)
    explained = any(each.effect is not Effect.INFORMATION for each in diagnoses)
    for result in examined.results:
        is_demand = result in examined.judged.demands
        if result.outcome is Outcome.FAIL and (is_demand or not explained):
            yield _of_result(examined, result, Level.ERROR)
        elif result.outcome is Outcome.WARN:
            strict = run.demands.fail_on is FailOn.WARNING
            yield _of_result(examined, result, Level.ERROR if strict else Level.WARNING)
    if examined.conclusion is Conclusion.UNOBSERVED:
        why = tuple(clean(each, _LINE) for each in examined.judged.why)
        summary = "not all that was asked for could be observed, which says nothing about the endpoint"
        yield Problem(level=Level.WARNING, endpoint=named(examined), id="unobserved", summary=summary, detail=why)


def _of_diagnosis(run: Run, examined: Examined, diagnosis: Diagnosis) -> Problem:
    levels = {
        Effect.DOWN: Level.ERROR,
        Effect.DEGRADED: Level.WARNING if run.demands.fail_on is FailOn.DOWN else Level.ERROR,
        Effect.UNKNOWN: Level.WARNING,
        Effect.INFORMATION: Level.NOTE,
    }
    return Problem(
        level=levels[diagnosis.effect],
        endpoint=named(examined),
        id=clean(diagnosis.id, 60),
        summary=clean(diagnosis.summary, _LONGEST),
        detail=tuple(clean(proof.text, _LINE) for proof in diagnosis.evidence),
        fix=clean(diagnosis.fix, _LONGEST, keep_lines=True),
        reproduce=clean(diagnosis.reproduce, _LONGEST * 4),
    )


def _of_result(examined: Examined, result: CheckResult, level: Level) -> Problem:
    rule = next((finding.rule for finding in result.findings if finding.rule), None)
    return Problem(
        level=level,
        endpoint=named(examined),
        id=clean(result.check, 60),
        summary=clean(result.summary, _LONGEST),
        detail=tuple(clean(finding.text, _LINE) for finding in result.findings if finding.text != result.summary),
        rule=rule if rule is not None and rule.startswith("https://") else None,
    )
