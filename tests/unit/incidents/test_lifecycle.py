"""When an incident opens, worsens, changes its cause and closes, and that nothing else is ever told."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from checks.model import CheckResult, Diagnosis, Effect, Opening, Outcome, ProbeReport, Proof, Verdict
from prober.incidents.lifecycle import IncidentState, Seen, Transition, seen_of, step
from prober.incidents.rules import Rules

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
RULES = Rules(fail_after=3, recover_after=2, flaky=None, flap_changes=100)
Word = tuple[Verdict, str | None]
U, G, D = (Verdict.UP, None), (Verdict.DEGRADED, "slow"), (Verdict.DOWN, "not-mcp")
UNKNOWN = (Verdict.UNKNOWN, "observer-impaired")
CRASH = (Verdict.DOWN, "function-crash")


def run(
    probe: Callable[..., Seen], words: Sequence[Word], rules: Rules = RULES
) -> tuple[IncidentState, list[tuple[int, Transition]]]:
    """All transitions of a row of verdicts, each with the number of the probe that tipped it."""
    state, told = IncidentState(), []
    for number, word in enumerate(words, start=1):
        state, transitions = step(state, probe(number, *word), rules, NOW)
        told += [(number, each) for each in transitions]
    return state, told


def kinds(told: list[tuple[int, Transition]]) -> list[tuple[int, str]]:
    return [(number, each.kind.value) for number, each in told]


def test_an_incident_opens_at_the_third_bad_verdict_and_counts_from_the_first(probe: Callable[..., Seen]) -> None:
    state, told = run(probe, [U, D, D, D, D])
    assert kinds(told) == [(4, "opened")]
    incident = told[0][1].incident
    assert incident.since == probe(2, *D).at
    assert incident.opened_at == NOW
    assert (incident.verdict, incident.shown.cause_id) == (Verdict.DOWN, "not-mcp")
    assert state.incident == incident


def test_it_closes_at_the_second_good_verdict_and_ends_with_the_first(probe: Callable[..., Seen]) -> None:
    state, told = run(probe, [D, D, D, U, U, U])
    assert kinds(told) == [(3, "opened"), (5, "closed")]
    assert told[1][1].incident.ended_at == probe(4, *U).at
    assert told[1][1].incident.id == told[0][1].incident.id
    assert state.incident is None


@pytest.mark.parametrize("words", [[D, D, U, D, D], [D, U] * 20, [U] * 20, [UNKNOWN] * 20])
def test_too_few_bad_verdicts_in_a_row_tell_nobody(probe: Callable[..., Seen], words: list[Word]) -> None:
    assert run(probe, words)[1] == []


def test_one_good_verdict_does_not_close_an_incident(probe: Callable[..., Seen]) -> None:
    assert kinds(run(probe, [D, D, D, U, D, U, D, U, U])[1]) == [(3, "opened"), (9, "closed")]


def test_what_we_could_not_observe_neither_counts_nor_interrupts(probe: Callable[..., Seen]) -> None:
    assert kinds(run(probe, [D, UNKNOWN, D, UNKNOWN, D, U, UNKNOWN, UNKNOWN, U])[1]) == [(5, "opened"), (9, "closed")]
    state, _ = run(probe, [D, D])
    assert step(state, probe(9, *UNKNOWN), RULES, NOW) == (state, ())


def test_the_same_report_counts_once(probe: Callable[..., Seen]) -> None:
    state, _ = run(probe, [D, D])
    assert step(state, probe(2, *D), RULES, NOW) == (state, ())


def test_a_degraded_incident_worsens_once_and_only_when_confirmed(probe: Callable[..., Seen]) -> None:
    told = run(probe, [G, G, G, D, D, G, D, D, D, G, G, G, D, D, D])[1]
    assert kinds(told) == [(3, "opened"), (9, "worsened")]
    opened, worsened = told[0][1].incident, told[1][1].incident
    assert (opened.verdict, worsened.verdict) == (Verdict.DEGRADED, Verdict.DOWN)
    assert worsened.shown.cause_id == "not-mcp"
    assert worsened.before == opened.shown


def test_bad_verdicts_of_both_kinds_open_a_degraded_incident(probe: Callable[..., Seen]) -> None:
    state, told = run(probe, [D, G, D])
    assert kinds(told) == [(3, "opened")]
    assert state.incident is not None
    assert state.incident.verdict is Verdict.DEGRADED


def test_another_cause_is_told_once_it_stays(probe: Callable[..., Seen]) -> None:
    told = run(probe, [D, D, D, CRASH, CRASH, D, CRASH, CRASH, CRASH, CRASH])[1]
    assert kinds(told) == [(3, "opened"), (9, "cause-changed")]
    change = told[1][1].incident
    assert change.before is not None
    assert (change.before.cause_id, change.shown.cause_id) == ("not-mcp", "function-crash")


def test_causes_that_take_turns_are_told_once_each(probe: Callable[..., Seen]) -> None:
    state, told = run(probe, ([D] * 3 + [CRASH] * 3) * 10 + [D] * 3)
    assert kinds(told) == [(3, "opened"), (6, "cause-changed")]
    assert state.incident is not None
    assert state.incident.shown.cause_id == "not-mcp", "the page shows the cause of today all the same"


def test_the_absence_of_a_cause_is_no_news(probe: Callable[..., Seen]) -> None:
    state, told = run(probe, [D] * 3 + [(Verdict.DOWN, None)] * 5)
    assert kinds(told) == [(3, "opened")]
    assert state.incident is not None
    assert state.incident.shown.cause_id == "not-mcp"


def test_ids_do_not_depend_on_how_often_a_step_is_computed(probe: Callable[..., Seen]) -> None:
    words = [D, D, D, U, U, D, D, D]
    first, again = run(probe, words)[1], run(probe, words)[1]
    assert [each.id for _, each in first] == [each.id for _, each in again]
    assert len({each.id for _, each in first}) == 3
    assert len({each.incident.id for _, each in first}) == 2


def test_a_restart_in_the_middle_tells_the_same(probe: Callable[..., Seen]) -> None:
    words = [U, G, G, G, D, UNKNOWN, D, D, CRASH, CRASH, CRASH, U, U, D]
    straight, state, told = run(probe, words)[1], IncidentState(), []
    for number, word in enumerate(words, start=1):
        state = IncidentState.from_json(state.to_json())
        state, transitions = step(state, probe(number, *word), RULES, NOW)
        told += [(number, each) for each in transitions]
    assert told == straight


def test_a_state_holds_nothing_that_postgres_refuses(probe: Callable[..., Seen]) -> None:
    hostile = replace(probe(1, *D), cause_summary="a\x00b\ud800c")
    state, _ = step(IncidentState(), hostile, Rules(fail_after=1), NOW)
    assert state.incident is not None
    assert "\x00" not in str(state.to_json())
    assert IncidentState.from_json(state.to_json()).incident is not None


def test_an_unreadable_state_is_refused_and_a_missing_one_is_fresh() -> None:
    assert IncidentState.from_json(None) == IncidentState()
    with pytest.raises(ValueError, match="streak"):
        IncidentState.from_json({"streak": 7})


@pytest.mark.parametrize("rules", [{"fail_after": 0}, {"recover_after": 0}, {"fail_after": -1}])
def test_rules_below_one_are_refused_by_name(rules: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(rules))):
        Rules(**rules)


def diagnosis(name: str, effect: Effect, confidence: float = 0.9) -> Diagnosis:
    return Diagnosis(
        id=name,
        effect=effect,
        confidence=confidence,
        summary=f"{name} \x1b[31m",
        evidence=tuple(Proof(text=f"proof {number}") for number in range(9)),
        fix="line one\nline two",
    )


def report(verdict: Verdict, *diagnoses: Diagnosis) -> ProbeReport:
    failed = CheckResult(check="lifecycle", outcome=Outcome.FAIL, summary="no answer")
    return ProbeReport(
        endpoint="orders",
        slot=NOW,
        started_at=NOW + timedelta(seconds=1),
        duration_ms=5,
        verdict=verdict,
        opening=Opening(),
        results=(failed,),
        diagnoses=diagnoses,
    )


def test_the_cause_is_what_explains_the_verdict_and_its_texts_are_clean_and_few() -> None:
    found = seen_of(
        report(
            Verdict.DEGRADED,
            diagnosis("cold-start", Effect.INFORMATION, 1.0),
            diagnosis("observer-impaired", Effect.UNKNOWN, 1.0),
            diagnosis("slow", Effect.DEGRADED, 0.5),
        ),
        UUID(int=1),
    )
    assert (found.cause_id, found.cause_summary) == ("slow", "slow \\u{1b}[31m")
    assert found.fix == "line one\nline two"
    assert len(found.evidence) == 5
    assert found.at == NOW


def test_a_failure_that_no_diagnosis_explains_speaks_in_the_words_of_its_check() -> None:
    found = seen_of(report(Verdict.DOWN), UUID(int=1))
    assert (found.cause_id, found.cause_summary, found.fix) == (None, "no answer", "")


def test_a_good_report_has_no_cause() -> None:
    assert seen_of(report(Verdict.UP, diagnosis("slow", Effect.DEGRADED)), UUID(int=1)).cause_id is None
