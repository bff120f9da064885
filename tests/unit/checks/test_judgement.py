"""From evidence to a verdict: fallbacks wait, bugs of ours cost one diagnosis, the worst effect decides."""

import pytest

from checks.judgement import diagnose, verdict_of
from checks.model import CheckResult, Diagnosis, Effect, Evidence, Outcome, Verdict
from checks.unit import Cause, Detector
from tests.unit.checks.conversations import ENDPOINT, opened


def evidence(*outcomes: Outcome) -> Evidence:
    results = tuple(CheckResult(check=f"c{number}", outcome=each, summary="") for number, each in enumerate(outcomes))
    return Evidence(endpoint=ENDPOINT, opening=opened(), results=results)


def finds(diagnosis_id: str, effect: Effect, *, fallback: bool = False) -> Detector:
    cause = Cause(confidence=0.9, summary="It is so.", evidence=(), fix="Mend it.")
    return Detector(diagnosis_id, "a fault", effect, fallback, lambda evidence: cause)


def raises(diagnosis_id: str) -> Detector:
    def find(evidence: Evidence) -> Cause | None:
        raise KeyError(diagnosis_id)

    return Detector(diagnosis_id, "a fault", Effect.DOWN, False, find)


def diagnosed(effect: Effect) -> Diagnosis:
    return Diagnosis(id="d", effect=effect, confidence=1, summary="", evidence=(), fix="")


def test_a_fallback_is_asked_only_where_a_check_failed_and_nothing_explains_it() -> None:
    last_resort = finds("last-resort", Effect.DOWN, fallback=True)

    explained, _ = diagnose(evidence(Outcome.FAIL), [last_resort, finds("cause", Effect.DEGRADED)])
    healthy, _ = diagnose(evidence(Outcome.PASS, Outcome.WARN), [last_resort])
    unexplained, _ = diagnose(evidence(Outcome.FAIL), [last_resort, finds("note", Effect.INFORMATION)])

    assert [each.id for each in explained] == ["cause"]
    assert healthy == ()
    assert [each.id for each in unexplained] == ["note", "last-resort"]


def test_the_first_fallback_that_speaks_is_the_only_one() -> None:
    fallbacks = [finds("first", Effect.DOWN, fallback=True), finds("second", Effect.DOWN, fallback=True)]

    assert [each.id for each in diagnose(evidence(Outcome.FAIL), fallbacks)[0]] == ["first"]


def test_a_detector_that_raises_hides_no_other() -> None:
    found, broken = diagnose(evidence(Outcome.FAIL), [raises("bug"), finds("cause", Effect.DOWN)])

    assert [each.id for each in found] == ["cause"]
    assert [(each.id, type(each.exception)) for each in broken] == [("bug", KeyError)]


@pytest.mark.parametrize(
    ("outcomes", "effects", "verdict"),
    [
        ((Outcome.PASS,), (), Verdict.UP),
        ((Outcome.PASS, Outcome.WARN, Outcome.SKIP), (Effect.INFORMATION,), Verdict.UP),
        ((), (), Verdict.UP),
        ((Outcome.FAIL,), (Effect.DEGRADED, Effect.DOWN, Effect.UNKNOWN), Verdict.DOWN),
        ((Outcome.FAIL,), (Effect.DEGRADED, Effect.UNKNOWN), Verdict.DEGRADED),
        ((Outcome.FAIL,), (Effect.UNKNOWN, Effect.INFORMATION), Verdict.UNKNOWN),
        ((Outcome.FAIL,), (Effect.INFORMATION,), Verdict.DOWN),
        ((Outcome.FAIL, Outcome.ERROR), (), Verdict.DOWN),
        ((Outcome.ERROR, Outcome.PASS), (), Verdict.UNKNOWN),
        ((Outcome.ERROR,), (Effect.DEGRADED,), Verdict.DEGRADED),
        ((Outcome.WARN,), (Effect.DEGRADED,), Verdict.DEGRADED),
    ],
)
def test_the_worst_effect_decides(outcomes: tuple[Outcome, ...], effects: tuple[Effect, ...], verdict: Verdict) -> None:
    assert verdict_of(evidence(*outcomes).results, [diagnosed(effect) for effect in effects]) is verdict
