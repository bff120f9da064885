"""What a full probe alone can see: found twice it stands, and is carried until a full probe misses it."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from checks.judgement import diagnose, verdict_of
from checks.model import (
    CheckResult,
    Diagnosis,
    Effect,
    Evidence,
    Failure,
    Opening,
    Outcome,
    ProbeReport,
    Profile,
    Proof,
    Verdict,
)
from checks.standing import STANDING_KEPT, FullDue, FullFindings, Standing, Told, found_by, own_checks, tell
from checks.unit import Cause, Check, CheckContext, Detector
from tests.unit.checks.conversations import ENDPOINT, NOW, failed, opened

PASS, WARN, FAIL, SKIP, ERROR = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.SKIP, Outcome.ERROR
NOTHING = FullFindings()


async def unasked(ctx: CheckContext) -> CheckResult:
    raise AssertionError("no check is run here")


CHECKS = (
    Check("lifecycle", "?", frozenset(Profile), unasked),
    Check("session", "?", frozenset({Profile.FULL}), unasked),
    Check("cors", "?", frozenset({Profile.FULL}), unasked),
)


def warns(diagnosis_id: str, *checks: str, effect: Effect = Effect.DEGRADED) -> Detector:
    """Names its cause where one of these checks warns."""

    def find(evidence: Evidence) -> Cause | None:
        warned = any(result.check in checks and result.outcome is WARN for result in evidence.results)
        return Cause(confidence=0.9, summary=f"{diagnosis_id} it is.", evidence=(), fix="Mend it.") if warned else None

    return Detector(diagnosis_id, "a fault", effect, False, find)


def impaired() -> Detector:
    cause = Cause(confidence=1, summary="We could not look.", evidence=(), fix="")
    return Detector("observer-impaired", "a fault", Effect.UNKNOWN, False, lambda evidence: cause)


DETECTORS = (warns("a", "session"), warns("b", "cors"), warns("always", "lifecycle"), warns("note", "cors"))


def results(*, cut: bool = False, **outcomes: Outcome) -> tuple[CheckResult, ...]:
    """`cut` gives each check that skips an exchange that failed."""
    broken = (failed(Failure.DEADLINE, "exhausted", "ping"),) if cut else ()
    return tuple(
        CheckResult(check=check, outcome=outcome, summary="", exchanges=broken if outcome is SKIP else ())
        for check, outcome in outcomes.items()
    )


def probe(
    profile: Profile,
    found: tuple[CheckResult, ...],
    before: FullFindings = NOTHING,
    *,
    at: int = 0,
    opening: Opening | None = None,
    detectors: tuple[Detector, ...] = DETECTORS,
) -> Told:
    evidence = Evidence(endpoint=ENDPOINT, opening=opening or opened(), results=found)
    diagnoses, _ = diagnose(evidence, detectors)
    report = ProbeReport(
        endpoint="orders",
        slot=NOW + timedelta(minutes=at),
        profile=profile,
        started_at=NOW,
        duration_ms=1.0,
        verdict=verdict_of(found, diagnoses),
        opening=evidence.opening,
        results=found,
        diagnoses=diagnoses,
    )
    return tell(report, evidence, before, CHECKS, detectors)


def full(before: FullFindings = NOTHING, *, cut: bool = False, at: int = 0, **outcomes: Outcome) -> Told:
    whole = {"lifecycle": PASS, "session": PASS, "cors": PASS, **outcomes}
    return probe(Profile.FULL, results(cut=cut, **whole), before, at=at)


def standard(before: FullFindings, *, at: int = 0, **outcomes: Outcome) -> Told:
    return probe(Profile.STANDARD, results(**{"lifecycle": PASS, **outcomes}), before, at=at)


def remembered(found: FullFindings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return found.suspected, tuple(each.diagnosis.id for each in found.standing)


def standing(diagnosis_id: str, *checks: str, effect: Effect = Effect.DEGRADED) -> Standing:
    diagnosis = Diagnosis(
        id=diagnosis_id, effect=effect, confidence=0.9, summary="It is so.", evidence=(), fix="Mend it."
    )
    return Standing(diagnosis=diagnosis, checks=checks, seen_at=NOW - timedelta(hours=1))


SUSPECTS_A = FullFindings(suspected=("a",))
A_STANDS = FullFindings(standing=(standing("a", "session"),))


@pytest.mark.parametrize(
    ("before", "outcomes", "after", "due"),
    [
        (NOTHING, {}, ((), ()), FullDue.IN_TIME),
        (NOTHING, {"session": WARN}, (("a",), ()), FullDue.NEXT_SLOT),
        (SUSPECTS_A, {"session": WARN}, ((), ("a",)), FullDue.NEXT_TURN),
        (SUSPECTS_A, {}, ((), ()), FullDue.IN_TIME),
        (A_STANDS, {"session": WARN}, ((), ("a",)), FullDue.NEXT_TURN),
        (A_STANDS, {}, ((), ()), FullDue.IN_TIME),
        (A_STANDS, {"session": SKIP}, ((), ()), FullDue.IN_TIME),
        (A_STANDS, {"session": WARN, "cors": WARN}, (("b", "note"), ("a",)), FullDue.NEXT_SLOT),
        (A_STANDS, {"session": ERROR, "cors": WARN}, (("b", "note"), ("a",)), FullDue.NEXT_SLOT),
        (SUSPECTS_A, {"cors": WARN}, (("b", "note"), ()), FullDue.NEXT_SLOT),
        (NOTHING, {"lifecycle": WARN}, ((), ()), FullDue.IN_TIME),
    ],
)
def test_what_a_full_probe_finds_twice_in_a_row_stands_until_one_finds_it_no_more(
    before: FullFindings, outcomes: Mapping[str, Outcome], after: tuple[tuple[str, ...], ...], due: FullDue
) -> None:
    told = full(before, **outcomes)
    assert remembered(told.findings) == after
    assert told.findings.due is due
    assert told.is_full


@pytest.mark.parametrize("before", [NOTHING, A_STANDS, SUSPECTS_A])
@pytest.mark.parametrize(
    "blind",
    [
        lambda before: probe(Profile.FULL, results(lifecycle=FAIL, session=SKIP, cors=SKIP), before, opening=Opening()),
        lambda before: full(before, cut=True, session=SKIP, cors=SKIP),
        lambda before: full(before, session=ERROR, cors=ERROR),
        lambda before: full(before, lifecycle=ERROR),
        lambda before: probe(
            Profile.FULL, results(lifecycle=PASS, session=PASS, cors=PASS), before, detectors=(impaired(),)
        ),
    ],
)
def test_a_full_probe_that_could_not_look_changes_nothing_and_does_not_count(
    before: FullFindings, blind: Callable[[FullFindings], Told]
) -> None:
    told = blind(before)
    assert not told.is_full
    assert remembered(told.findings) == remembered(before)


def test_a_confirmation_that_could_not_look_waits_for_the_next_turn() -> None:
    """An endpoint that went down would get the long deadline at every slot."""
    told = full(SUSPECTS_A, session=ERROR, cors=ERROR)
    assert told.findings.due is FullDue.NEXT_TURN
    assert full(told.findings, session=WARN).findings.due is FullDue.NEXT_TURN


def test_what_one_check_could_not_look_for_stands_while_others_are_judged() -> None:
    both = FullFindings(standing=(standing("a", "session"), standing("b", "cors")))
    told = full(both, cut=True, session=SKIP)
    assert remembered(told.findings) == ((), ("a",))
    assert [each.id for each in told.report.diagnoses] == ["a"], "it is carried, as by a standard probe"


def test_a_standard_probe_carries_what_stands_and_says_when_it_was_seen() -> None:
    told = standard(A_STANDS)
    assert told.report.verdict is Verdict.DEGRADED
    (carried,) = told.report.diagnoses
    assert carried.evidence[0].text == "seen at 2026-11-20 11:00 UTC by the last full probe that looked for it"
    assert carried.seen_at == NOW - timedelta(hours=1)
    assert told.findings is A_STANDS
    assert not told.is_full


def test_a_suspicion_is_carried_by_nothing() -> None:
    told = standard(SUSPECTS_A)
    assert (told.report.verdict, told.report.diagnoses) == (Verdict.UP, ())


def test_what_the_probe_finds_by_itself_is_not_carried_beside_it() -> None:
    told = standard(FullFindings(standing=(standing("always", "cors"),)), lifecycle=WARN)
    assert [(each.id, each.seen_at) for each in told.report.diagnoses] == [("always", None)]


def test_where_nothing_was_observed_or_nobody_gets_in_nothing_is_carried() -> None:
    assert standard(A_STANDS, lifecycle=ERROR).report.verdict is Verdict.UNKNOWN
    shut = probe(Profile.STANDARD, results(lifecycle=FAIL), A_STANDS, opening=Opening())
    assert (shut.report.verdict, shut.report.diagnoses) == (Verdict.DOWN, ())
    assert shut.findings is A_STANDS


def test_a_note_that_stands_hurries_nobody() -> None:
    note = FullFindings(standing=(standing("note", "cors", effect=Effect.INFORMATION),))
    assert note.due is FullDue.IN_TIME
    assert standard(note).report.verdict is Verdict.UP


def test_each_diagnosis_knows_the_checks_that_it_rests_on() -> None:
    both = warns("both", "session", "cors")

    def two(evidence: Evidence) -> Cause | None:
        warned = {each.check for each in evidence.results if each.outcome is WARN}
        return Cause(confidence=1, summary="", evidence=(), fix="") if {"session", "cors"} <= warned else None

    together = Detector("together", "a fault", Effect.DEGRADED, False, two)
    found = results(lifecycle=PASS, session=WARN, cors=WARN)
    evidence = Evidence(endpoint=ENDPOINT, opening=opened(), results=found)
    named = found_by(evidence, own_checks(CHECKS), (*DETECTORS, both, together))
    assert {each.diagnosis.id: each.checks for each in named} == {
        "a": ("session",),
        "b": ("cors",),
        "note": ("cors",),
        "both": ("cors", "session"),
        "together": ("cors", "session"),
    }


def test_what_stands_is_bounded_and_names_no_exchange_of_another_report() -> None:
    many = tuple(warns(f"d{number}", "session") for number in range(STANDING_KEPT + 5))
    found = results(lifecycle=PASS, session=WARN, cors=PASS)
    once = probe(Profile.FULL, found, detectors=many)
    twice = probe(Profile.FULL, found, once.findings, detectors=many)
    assert len(twice.findings.standing) == STANDING_KEPT


def test_texts_of_what_stands_are_bounded_and_name_no_exchange_of_another_report() -> None:
    proof = Proof(text="p" * 9000, exchange="x7")
    cause = Cause(
        confidence=1, summary="s" * 9000, evidence=(proof,) * 9, fix="f" * 9000, reproduce="r" * 9000,
        alternatives=("a" * 9000,) * 9,
    )  # fmt: skip
    wordy = Detector(
        "wordy", "", Effect.DEGRADED, False, lambda evidence: cause if evidence.result("session") else None
    )
    found = results(lifecycle=PASS, session=PASS, cors=PASS)
    once = probe(Profile.FULL, found, detectors=(wordy,))
    (kept,) = probe(Profile.FULL, found, once.findings, detectors=(wordy,)).findings.standing
    assert len(repr(kept)) < 15_000
    assert {each.exchange for each in kept.diagnosis.evidence} == {None}
    assert kept.diagnosis.reproduce == "", "half a command helps nobody"
