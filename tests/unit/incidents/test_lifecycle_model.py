"""A second opinion on the state machine: the same rules, told by looking back over the whole history."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from checks.model import Verdict
from prober.incidents.lifecycle import CALM, FLAKY, GAP_INTERVALS, IncidentState, Seen, Transition, TransitionKind, step
from prober.incidents.rules import Rules, Window

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
UP, DEGRADED, DOWN, UNKNOWN = Verdict.UP, Verdict.DEGRADED, Verdict.DOWN, Verdict.UNKNOWN


@dataclass(frozen=True)
class Word:
    verdict: Verdict
    first: Verdict
    cause: str | None
    at: datetime = START
    interval_s: float | None = None

    @property
    def bad(self) -> bool:
        return self.verdict is not UP


G, D, CRASH = Word(DEGRADED, DEGRADED, "slow"), Word(DOWN, DOWN, "not-mcp"), Word(DOWN, DOWN, "function-crash")
U, HARD = Word(UP, UP, None), Word(UP, DOWN, "timeout")
"""`HARD` needed a second attempt."""
WORDS = (U, G, D, CRASH, HARD, Word(DEGRADED, DOWN, "not-mcp"), Word(DOWN, DOWN, None), Word(UNKNOWN, DOWN, None))


def timed(words: Sequence[Word], minutes: float) -> list[Word]:
    return [
        replace(word, at=START + number * timedelta(minutes=minutes), interval_s=60 * minutes)
        for number, word in enumerate(words)
    ]


def run(words: Sequence[Word], rules: Rules) -> tuple[IncidentState, list[tuple[int, Transition]]]:
    state, told = IncidentState(), []
    for number, word in enumerate(words):
        seen = Seen(
            verdict=word.verdict,
            first=word.first,
            cause_id=word.cause,
            cause_summary="",
            fix="",
            report_id=UUID(int=number + 1),
            at=word.at,
            interval_s=word.interval_s,
        )
        state, transitions = step(IncidentState.from_json(state.to_json()), seen, rules, word.at)
        assert step(state, seen, rules, word.at) == (state, ()), "the same report counts once"
        told += [(number, each) for each in transitions]
    return state, told


def kinds(words: Sequence[Word], rules: Rules) -> list[tuple[int, str]]:
    return [(number, each.kind.value) for number, each in run(words, rules)[1]]


@dataclass
class Open:
    verdict: Verdict
    cause: str | None
    announced: set[str]
    flapping: bool = False
    restless: datetime = START


def reference(words: Sequence[Word], rules: Rules) -> list[tuple[int, str]]:  # noqa: C901 - it tells all rules in a row
    known: list[Word] = []
    told: list[tuple[int, str]] = []
    changes: list[datetime] = []
    now: Open | None = None
    fresh = begun = 0
    for number, word in enumerate(words):
        if word.verdict is UNKNOWN:
            continue
        if known and word.interval_s and (word.at - known[-1].at).total_seconds() > GAP_INTERVALS * word.interval_s:
            begun = len(known)
            fresh = fresh if now else begun
        known.append(word)

        def row(like: Callable[[Word], bool], begun: int = begun) -> int:
            return len(list(takewhile(like, reversed(known[begun:]))))

        bad, good = row(lambda each: each.bad), row(lambda each: not each.bad)
        down = row(lambda each: each.verdict is DOWN)
        same = row(lambda each, cause=word.cause: each.bad and each.cause == cause)
        calm = word.at - known[-(bad or good)].at >= CALM
        changes = [each for each in changes if word.at - each < timedelta(hours=1)]
        window = known[fresh:][-rules.window.of :] if rules.window else []
        flaky = sum(each.first is not UP for each in known[fresh:][-rules.flaky.of :]) if rules.flaky else 0
        kind = None
        if now is None:
            if bad >= rules.fail_after:
                now = Open(DOWN if down >= rules.fail_after else DEGRADED, word.cause, {word.cause or ""})
            elif rules.window and word.bad and sum(each.bad for each in window) >= rules.window.bad:
                is_down = sum(each.verdict is DOWN for each in window) >= rules.window.bad
                now = Open(DOWN if is_down else DEGRADED, word.cause, {word.cause or ""})
            elif rules.flaky and flaky >= rules.flaky.bad:
                now = Open(DEGRADED, FLAKY, {FLAKY})
            kind = "opened" if now else None
        elif now.flapping:
            if word.bad or word.first is not UP:
                now.restless = word.at
            if good >= rules.recover_after and calm and word.at - now.restless >= CALM:
                kind, now, fresh = "closed", None, len(known)
            elif bad >= rules.fail_after and calm:
                kind, now.flapping, now.cause = "worsened", False, word.cause
                now.announced.add(word.cause or "")
                now.verdict = DOWN if down >= rules.fail_after else now.verdict
            else:
                now.verdict = DOWN if down >= rules.fail_after else now.verdict
                if word.cause and same >= rules.fail_after:
                    now.cause = word.cause
                    now.announced.add(word.cause)
            changes = []
        elif not word.bad:
            still = now.cause == FLAKY and rules.flaky and flaky > rules.flaky.bad // 2
            kind = "closed" if good >= rules.recover_after and not still else None
        elif now.verdict is DEGRADED and down >= rules.fail_after:
            kind, now.verdict, now.cause = "worsened", DOWN, word.cause
            now.announced.add(word.cause or "")
        elif word.cause and word.cause != now.cause and same >= rules.fail_after:
            kind = None if word.cause in now.announced else "cause-changed"
            now.cause = word.cause
            now.announced.add(word.cause)
        if now is not None and not now.flapping and kind in ("opened", "closed"):
            changes.append(word.at)
            if len(changes) >= rules.flap_changes:
                kind, now.flapping, now.restless, changes = "flapping", True, word.at, []
                now.cause = None if now.cause == FLAKY else now.cause
            elif kind == "closed":
                now, fresh = None, len(known)
        if kind:
            told.append((number, kind))
    return told


windows = st.tuples(st.integers(1, 4), st.integers(0, 6)).map(lambda each: Window(each[0], sum(each)))
any_rules = st.builds(
    Rules,
    fail_after=st.integers(1, 4),
    recover_after=st.integers(1, 4),
    window=st.none() | windows,
    flaky=st.none() | windows,
    flap_changes=st.integers(2, 6),
)
words_in_a_row = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(1, 6)), max_size=25).map(
    lambda runs: [word for word, times in runs for _ in range(times)]
)


@given(words=words_in_a_row, rules=any_rules, minutes=st.sampled_from([1, 4, 11]))
@example(words=[D, U] * 40 + [U] * 40, rules=Rules(fail_after=1, recover_after=1), minutes=1)
@example(words=[D, U] * 40 + [D] * 40, rules=Rules(fail_after=1, recover_after=1), minutes=1)
@example(words=[HARD, U] * 20 + [U] * 30, rules=Rules(), minutes=1)
@example(
    words=[U] * 40 + [HARD] * 6 + [U] * 40,
    rules=Rules(fail_after=1, recover_after=1, flaky=Window(1, 1), flap_changes=2),
    minutes=1,
)
def test_counting_agrees_with_looking_back(words: list[Word], rules: Rules, minutes: int) -> None:
    history = timed(words, minutes)
    state, told = run(history, rules)
    assert [(number, each.kind.value) for number, each in told] == reference(history, rules)
    open_incident = None
    for _, each in told:
        if open_incident is None:
            assert each.kind in (TransitionKind.OPENED, TransitionKind.FLAPPING)
            open_incident = each.incident.id
        assert each.incident.id == open_incident, "every transition belongs to the incident that is open"
        assert each.incident.since <= (each.incident.ended_at or each.at)
        if each.kind is TransitionKind.CLOSED:
            open_incident = None
        else:
            assert each.incident.news[-1] is each.kind
    assert (state.incident and state.incident.id) == open_incident
    assert len({each.id for _, each in told}) == len(told)


@pytest.mark.parametrize(("fail_after", "recover_after"), [(3, 2), (1, 1), (1, 2), (2, 1)])
def test_a_flap_of_each_probe_for_an_hour_is_told_four_times_at_most(fail_after: int, recover_after: int) -> None:
    rules = Rules(fail_after=fail_after, recover_after=recover_after)
    for every in (10, 60):
        hour = timed([D, U] * (1800 // every), every / 60)
        assert len(kinds(hour, rules)) <= 4
        calm = [replace(U, at=hour[-1].at + number * timedelta(minutes=1)) for number in range(1, 60)]
        state, told = run(hour + calm, rules)
        assert state.incident is None
        assert told[-1][1].kind is TransitionKind.CLOSED


def test_rows_that_are_long_enough_flap_as_well_and_one_summary_speaks_for_them() -> None:
    hour = timed(([D] * 3 + [U] * 2) * 12, 1)
    assert [kind for _, kind in kinds(hour, Rules())] == ["opened", "closed", "opened", "flapping"]


def test_an_endpoint_that_flaps_and_then_stays_down_is_told_once_more() -> None:
    words = timed([D, U] * 10 + [D] * 60, 1)
    state, told = run(words, Rules(fail_after=1, recover_after=1))
    assert [each.kind.value for _, each in told][-2:] == ["flapping", "worsened"]
    assert state.incident is not None
    assert (state.incident.verdict, state.incident.flapping_since) == (DOWN, None)


def test_every_other_first_attempt_that_fails_makes_an_endpoint_flaky_and_nothing_else() -> None:
    state, told = run(timed([HARD, U] * 100, 1), Rules())
    assert [(number, each.kind.value) for number, each in told] == [(8, "opened")]
    assert state.incident is not None
    assert (state.incident.verdict, state.incident.shown.cause_id) == (DEGRADED, FLAKY)
    assert state.incident.shown.cause_summary == "5 of the last 9 probes failed at the first attempt"
    assert state.incident.since == START


def test_a_flaky_endpoint_is_well_once_its_first_attempts_succeed_again() -> None:
    told = run(timed([HARD, U] * 10 + [U] * 30, 1), Rules())[1]
    assert [each.kind.value for _, each in told] == ["opened", "closed"]
    ended = told[-1][1].incident
    assert ended.ended_at == START + timedelta(minutes=told[-1][0])


def test_an_outage_leaves_no_endpoint_flaky_behind() -> None:
    assert [kind for _, kind in kinds(timed([D] * 15 + [U] * 40, 1), Rules())] == ["opened", "closed"]


def test_bad_verdicts_of_a_window_open_an_incident_whatever_lies_between() -> None:
    rules = Rules(window=Window(3, 5), flaky=None)
    words = timed([U, D, U, D, U, D, U, U, D, U, D], 1)
    state, told = run(words, rules)
    assert [(number, each.kind.value) for number, each in told] == [(5, "opened"), (7, "closed")]
    assert told[0][1].incident.since == words[1].at
    assert told[0][1].incident.verdict is DOWN
    assert state.incident is None, "what belonged to the last incident counts no more"


def test_the_repetition_of_a_bad_probe_decides_about_telling() -> None:
    assert kinds(timed([HARD] * 4 + [U] * 20, 1), Rules()) == []
    assert [kind for _, kind in kinds(timed([D] * 3, 1), Rules())] == ["opened"]


def test_verdicts_from_before_a_gap_confirm_nothing_after_it() -> None:
    unseen = [Word(UNKNOWN, UNKNOWN, None)] * 300
    words = timed([D, D, *unseen, D, D, D], 1)
    told = run(words, Rules())[1]
    assert [(number, each.kind.value) for number, each in told] == [(len(words) - 1, "opened")]
    assert told[0][1].incident.since == words[-3].at
    assert kinds(timed([D, *unseen, D, *unseen, D], 1), Rules(window=Window(2, 5), flaky=Window(2, 20))) == []


def test_an_incident_stays_open_over_a_gap_and_its_recovery_begins_anew() -> None:
    unseen = [Word(UNKNOWN, UNKNOWN, None)] * 300
    words = timed([D, D, D, U, *unseen, U, U], 1)
    told = run(words, Rules())[1]
    assert [(number, each.kind.value) for number, each in told] == [(2, "opened"), (len(words) - 1, "closed")]
    assert told[-1][1].incident.ended_at == words[-2].at


def test_a_run_of_which_only_the_number_is_known_is_no_gap() -> None:
    ids = (UUID(int=number) for number in range(10))
    state = IncidentState()
    for minute, until in ((0, None), (1, 40), (41, None)):
        seen = Seen(
            verdict=DOWN,
            cause_id=None,
            cause_summary="",
            fix="",
            report_id=next(ids),
            at=START + timedelta(minutes=minute),
            until=None if until is None else START + timedelta(minutes=until),
            interval_s=60,
        )
        state, _ = step(state, seen, Rules(), seen.at)
    assert state.incident is not None
    assert state.incident.since == START
