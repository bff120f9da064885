"""From evidence to diagnoses, and from results and diagnoses to the verdict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from checks.model import CheckResult, Diagnosis, Effect, Evidence, Outcome, Verdict
from checks.unit import Detector


@dataclass(frozen=True, slots=True)
class BrokenDetector:
    """A detector that raised: a bug of ours, which must not hide what the others found."""

    id: str
    exception: Exception


def diagnose(
    evidence: Evidence, detectors: Sequence[Detector]
) -> tuple[tuple[Diagnosis, ...], tuple[BrokenDetector, ...]]:
    """What the detectors find, in their order, and those that raised instead.

    Fallback detectors are asked only where a check failed and no other detector says more than information. Those that
    rest on our own clock are not asked where the prober was held up.
    """
    detectors = [each for each in detectors if not (each.timed and evidence.observer.is_late)]
    found, broken = _ask((each for each in detectors if not each.fallback), evidence)
    failed = any(result.outcome is Outcome.FAIL for result in evidence.results)
    for fallback in (each for each in detectors if each.fallback):
        if not failed or _explained(found):
            break
        more, more_broken = _ask((fallback,), evidence)
        found, broken = (*found, *more), (*broken, *more_broken)
    return found, broken


def verdict_of(results: Iterable[CheckResult], diagnoses: Iterable[Diagnosis]) -> Verdict:
    """The worst effect of the diagnoses; where they say nothing, what the outcomes say.

    A failed check that no detector explains is down: an unexplained outage is an outage. A check that broke by a bug
    of ours makes the verdict unknown, unless something else is wrong with the endpoint.
    """
    outcomes = {result.outcome for result in results}
    effects = {diagnosis.effect for diagnosis in diagnoses}
    if Effect.DOWN in effects:
        return Verdict.DOWN
    if Effect.DEGRADED in effects:
        return Verdict.DEGRADED
    if Effect.UNKNOWN in effects:
        return Verdict.UNKNOWN
    if Outcome.FAIL in outcomes:
        return Verdict.DOWN
    return Verdict.UNKNOWN if Outcome.ERROR in outcomes else Verdict.UP


def _explained(diagnoses: Iterable[Diagnosis]) -> bool:
    return any(diagnosis.effect is not Effect.INFORMATION for diagnosis in diagnoses)


def _ask(detectors: Iterable[Detector], evidence: Evidence) -> tuple[tuple[Diagnosis, ...], tuple[BrokenDetector, ...]]:
    found: list[Diagnosis] = []
    broken: list[BrokenDetector] = []
    for each in detectors:
        try:
            diagnosis = each.diagnose(evidence)
        except Exception as bug:  # a detector is our own code: its bug must cost one diagnosis, not the report
            broken.append(BrokenDetector(each.id, bug))
        else:
            found.extend([] if diagnosis is None else [diagnosis])
    return tuple(found), tuple(broken)
