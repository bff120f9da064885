"""Notices: a person who reads nothing else knows what happened, why, since when and what to do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.model import Verdict
from prober.incidents.lifecycle import IncidentState, Seen, Transition, step
from prober.incidents.rules import Rules
from prober.incidents.wording import Notice, duration_in_words, notice_of

RULES = Rules(fail_after=2, recover_after=1)
U, G, D = (Verdict.UP, None), (Verdict.DEGRADED, "slow"), (Verdict.DOWN, "not-mcp")
CRASH = (Verdict.DOWN, "function-crash")


def last_transition(probe: Callable[..., Seen], *words: tuple[Verdict, str | None]) -> Transition:
    state, told = IncidentState(), []
    for number, word in enumerate(words):
        seen = probe(number, *word)
        state, transitions = step(state, seen, RULES, seen.at + timedelta(seconds=5))
        told += transitions
    return told[-1]


def test_an_opening_says_cause_evidence_fix_and_since_when(probe: Callable[..., Seen]) -> None:
    transition = last_transition(probe, D, D)
    notice = notice_of(transition, "orders")
    assert notice.title == "orders is down"
    assert notice.lines == (
        "what not-mcp means (not-mcp)",
        "Evidence: proof of not-mcp",
        "Since 2026-11-20 12:00:00 UTC, 1 min before this notice.",
    )
    assert notice.fix == "mend not-mcp"
    assert (notice.verdict, notice.diagnosis, notice.id) == (Verdict.DOWN, "not-mcp", transition.id)
    assert notice.link("https://prober.example/") == f"https://prober.example/probes/{transition.report_id}"
    assert notice.link(None) is None


def test_worse_is_said_with_what_was_before(probe: Callable[..., Seen]) -> None:
    notice = notice_of(last_transition(probe, G, G, D, D), "orders")
    assert notice.title == "orders got worse: it is down now"
    assert "Before, the cause was slow." in notice.lines
    assert notice.fix == "mend not-mcp"


def test_another_cause_is_said_with_the_one_before(probe: Callable[..., Seen]) -> None:
    notice = notice_of(last_transition(probe, D, D, CRASH, CRASH), "orders")
    assert notice.title == "orders is still not well, for another reason"
    assert notice.lines[0] == "what function-crash means (function-crash)"
    assert "Before, the cause was not-mcp." in notice.lines


def test_an_end_says_how_long_it_lasted_and_asks_for_nothing(probe: Callable[..., Seen]) -> None:
    notice = notice_of(last_transition(probe, D, D, D, U), "orders")
    assert notice.title == "orders is up again after 3 min"
    assert notice.lines == (
        "It began at 2026-11-20 12:00:00 UTC and ended at 2026-11-20 12:03:00 UTC: 3 min in all.",
        "The cause was not-mcp: what not-mcp means",
    )
    assert notice.fix == ""
    assert notice.verdict is Verdict.DOWN


def test_an_unexplained_failure_says_so_and_where_to_look(probe: Callable[..., Seen]) -> None:
    unexplained = (Verdict.DOWN, None)
    opening = notice_of(last_transition(probe, unexplained, unexplained), "orders")
    assert "No known cause" in opening.lines[0]
    assert opening.diagnosis is None
    assert len(notice_of(last_transition(probe, unexplained, unexplained, U), "orders").lines) == 1


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=-3), "0 s"),
        (timedelta(seconds=45.4), "45 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=59, seconds=59), "1 h"),
        (timedelta(hours=3, minutes=5), "3 h 5 min"),
        (timedelta(hours=23, minutes=59, seconds=50), "1 d"),
        (timedelta(days=2, hours=4, minutes=20), "2 d 4 h"),
    ],
)
def test_durations_read_as_people_say_them(length: timedelta, words: str) -> None:
    assert duration_in_words(length) == words


@given(text=st.text())
def test_remote_text_neither_acts_nor_is_lost_on_the_way_through_the_database(
    probe: Callable[..., Seen], text: str
) -> None:
    transition = last_transition(probe, D, D)
    hostile = replace(transition.incident.shown, cause_summary=text, evidence=(text,), fix=text)
    notice = notice_of(replace(transition, incident=replace(transition.incident, shown=hostile)), text)
    shown = "".join((notice.title, *notice.lines))
    assert not any(character in shown for character in "\x00\x1b\r\n\u202e\u200b\u2028")
    assert "\x00" not in notice.fix
    assert Notice.from_json(notice.to_json()) == notice
