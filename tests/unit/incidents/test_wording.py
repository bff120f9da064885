"""Notices: a person who reads nothing else knows what happened, why, since when and what to do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.model import Verdict
from prober.incidents.impairment import Trouble
from prober.incidents.lifecycle import IncidentState, Seen, Transition, step
from prober.incidents.notice import About, Notice, NoticeKind
from prober.incidents.outages import Affected, Outage, begun
from prober.incidents.rules import Alerting, Rules, Severity
from prober.incidents.telling import Tell
from prober.incidents.wording import duration_in_words, impairment_notice, incident_notice, outage_notice

RULES = Rules(fail_after=2, recover_after=1, flaky=None, flap_changes=3)
U, G, D = (Verdict.UP, None), (Verdict.DEGRADED, "slow"), (Verdict.DOWN, "not-mcp")
CRASH = (Verdict.DOWN, "function-crash")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def last_transition(probe: Callable[..., Seen], *words: tuple[Verdict, str | None], rules: Rules = RULES) -> Transition:
    state, told = IncidentState(), []
    for number, word in enumerate(words):
        seen = probe(number, *word)
        state, transitions = step(state, seen, rules, seen.at + timedelta(seconds=5))
        told += transitions
    return told[-1]


def notice_of(transition: Transition, name: str = "orders", kind: NoticeKind | None = None) -> Notice:
    tell = Tell(id=UUID(int=9), channel="chat", kind=kind or NoticeKind(transition.kind.value))
    return incident_notice(tell, transition.incident, name, {"team": "pay"}, transition.at)


def test_an_opening_says_cause_evidence_fix_and_since_when(probe: Callable[..., Seen]) -> None:
    transition = last_transition(probe, D, D)
    notice = notice_of(transition)
    assert notice.title == "orders is down"
    assert notice.lines == (
        "what not-mcp means (not-mcp)",
        "Evidence: proof of not-mcp",
        "Since 2026-11-20 12:00:00 UTC, 1 min before this notice.",
    )
    assert notice.fix == "mend not-mcp"
    assert (notice.verdict, notice.severity, notice.diagnosis) == (Verdict.DOWN, Severity.CRITICAL, "not-mcp")
    assert (notice.id, notice.thread, notice.labels) == (UUID(int=9), transition.incident.id, {"team": "pay"})
    assert notice.link("https://prober.example/") == f"https://prober.example/probes/{transition.report_id}"
    assert notice.link(None) is None


def test_worse_is_said_with_what_was_before(probe: Callable[..., Seen]) -> None:
    notice = notice_of(last_transition(probe, G, G, D, D))
    assert notice.title == "orders got worse: it is down now"
    assert "Before, the cause was slow." in notice.lines
    assert notice.fix == "mend not-mcp"


def test_another_cause_is_said_with_the_one_before(probe: Callable[..., Seen]) -> None:
    notice = notice_of(last_transition(probe, D, D, CRASH, CRASH))
    assert notice.title == "orders is still not well, for another reason"
    assert notice.lines[0] == "what function-crash means (function-crash)"
    assert "Before, the cause was not-mcp." in notice.lines


def test_a_reminder_and_an_escalation_say_again_what_is_wrong(probe: Callable[..., Seen]) -> None:
    transition = last_transition(probe, D, D, CRASH, CRASH)
    reminder, escalated = (notice_of(transition, kind=kind) for kind in (NoticeKind.REMINDER, NoticeKind.ESCALATED))
    assert reminder.title == "orders is still down after 3 min"
    assert escalated.title == "orders is down, and nobody has acknowledged it"
    assert reminder.lines[0] == escalated.lines[0] == "what function-crash means (function-crash)"
    assert reminder.fix == escalated.fix == "mend function-crash"
    assert (reminder.path, escalated.path) == ("/endpoints/orders", f"/probes/{transition.report_id}")


def test_flapping_is_said_with_how_often_and_what_comes_next(probe: Callable[..., Seen]) -> None:
    notice = notice_of(last_transition(probe, D, D, U, D, D))
    assert notice.title == "orders is flapping between up and not well"
    assert notice.lines[:2] == (
        "It failed and recovered again and again: 3 changes since 2026-11-20 12:01:00 UTC.",
        "Nothing more is told of each change. The next notice comes when it has stayed up, or down, for half an hour.",
    )
    settled = notice_of(last_transition(probe, D, D, U, *[D] * 40))
    assert settled.title == "orders flaps no more: it stays down"


def test_a_flaky_endpoint_is_called_so(probe: Callable[..., Seen]) -> None:
    words = [D, U] * 5
    rules = Rules()
    opened = notice_of(last_transition(probe, *words, rules=rules))
    assert opened.title == "orders is flaky"
    assert opened.lines[:2] == (
        "5 of the last 9 probes failed at the first attempt (flaky)",
        "Evidence: The newest of them: what not-mcp means",
    )
    assert opened.fix
    over = notice_of(last_transition(probe, *words, *[U] * 30, rules=rules))
    assert over.title == "orders is no longer flaky after 24 min"


def test_an_end_says_how_long_it_lasted_and_asks_for_nothing(probe: Callable[..., Seen]) -> None:
    notice = notice_of(last_transition(probe, D, D, D, U))
    assert notice.title == "orders is up again after 3 min"
    assert notice.lines == (
        "It began at 2026-11-20 12:00:00 UTC and ended at 2026-11-20 12:03:00 UTC: 3 min in all.",
        "The cause was not-mcp: what not-mcp means",
    )
    assert notice.fix == ""
    assert notice.verdict is Verdict.DOWN
    assert notice.is_end


def test_an_end_because_nobody_looks_any_more_claims_no_recovery(probe: Callable[..., Seen]) -> None:
    transition = last_transition(probe, D, D)
    tell = Tell(id=UUID(int=9), channel="chat", kind=NoticeKind.CLOSED)
    notice = incident_notice(tell, transition.incident, "orders", {}, transition.at, watched=False)
    assert notice.title == "orders is no longer watched"
    assert "Nobody has seen it recover." in notice.lines[0]


def test_an_unexplained_failure_says_so_and_where_to_look(probe: Callable[..., Seen]) -> None:
    unexplained = (Verdict.DOWN, None)
    opening = notice_of(last_transition(probe, unexplained, unexplained))
    assert "No known cause" in opening.lines[0]
    assert opening.diagnosis is None
    assert len(notice_of(last_transition(probe, unexplained, unexplained, U)).lines) == 1


def outage(group: str = "") -> Outage:
    rows = [Affected(name=f"shop-{each:03}", cause_id="not-mcp", since=NOON) for each in range(100)]
    found = begun(UUID(int=1), group, {}, rows, Alerting(), NOON + timedelta(minutes=2))
    assert found is not None
    return found


def of_outage(kind: NoticeKind, group: str = "", **changes: object) -> Notice:
    tell = Tell(id=UUID(int=9), channel="chat", kind=kind)
    still = ("shop-001", "shop-007") if changes else ()
    return outage_notice(tell, replace(outage(group), **changes), NOON + timedelta(minutes=9), still=still)


def test_an_outage_names_how_many_some_of_them_and_the_most_common_causes() -> None:
    notice = of_outage(NoticeKind.OUTAGE_OPENED)
    assert notice.title == "100 endpoints are failing together"
    assert notice.lines[0].startswith("Affected: shop-000, shop-001, ")
    assert notice.lines[0].endswith("shop-009 and 90 more.")
    assert notice.lines[1] == "The most common causes: not-mcp (100)."
    assert "share" in notice.fix
    assert (notice.about, notice.endpoint, notice.diagnosis) == (About.OUTAGE, "all endpoints", "not-mcp")
    assert of_outage(NoticeKind.OUTAGE_OPENED, "team=pay").title == "100 endpoints (team=pay) are failing together"


def test_the_end_of_an_outage_names_who_stays_behind() -> None:
    notice = of_outage(NoticeKind.OUTAGE_CLOSED, ended_at=NOON + timedelta(minutes=8))
    assert notice.title == "The outage of 100 endpoints is over after 8 min"
    assert notice.lines[1] == "Still failing: shop-001, shop-007; each is told on its own from here."
    assert notice.is_end
    assert "None of them is failing any more." in of_outage(NoticeKind.OUTAGE_CLOSED).lines[1]


def test_the_prober_says_what_it_cannot_do_and_that_nothing_is_known_meanwhile() -> None:
    trouble = Trouble(
        id=UUID(int=3), worker="one", reason="no-connectivity", detail="None of 3 canaries answers.", since=NOON
    )
    notice = impairment_notice(UUID(int=4), trouble, NoticeKind.IMPAIRED, NOON + timedelta(minutes=1))
    assert notice.title == "The prober one is impaired"
    assert notice.lines[:2] == (
        "None of 3 canaries answers.",
        "Nothing is known about the endpoints meanwhile: their verdicts are unknown, and nobody is told about them.",
    )
    assert (notice.about, notice.verdict, notice.is_end) == (About.PROBER, None, False)
    over = replace(trouble, ended_at=NOON + timedelta(minutes=10))
    restored = impairment_notice(UUID(int=5), over, NoticeKind.RESTORED, NOON + timedelta(minutes=11))
    assert restored.title == "The prober one can observe again after 10 min"
    assert "from 2026-11-20 12:00:00 UTC to 2026-11-20 12:10:00 UTC" in restored.lines[0]
    assert restored.is_end


@pytest.mark.parametrize("reason", ["database", "database-away", "migrations", "spool-full", "clock", "secret"])
def test_a_trouble_that_ends_no_probing_does_not_say_that_nothing_is_known(reason: str) -> None:
    trouble = Trouble(id=UUID(int=3), worker="one", reason=reason, detail="It is away.", since=NOON)
    begun = impairment_notice(UUID(int=4), trouble, NoticeKind.IMPAIRED, NOON)
    over = impairment_notice(UUID(int=4), replace(trouble, ended_at=NOON), NoticeKind.RESTORED, NOON)
    assert begun.lines[1].startswith("Probing goes on")
    assert not any("Nothing is known" in line for line in (*begun.lines, *over.lines))


def test_a_prober_that_is_gone_is_not_said_to_work_again() -> None:
    trouble = Trouble(id=UUID(int=3), worker="one", reason="secret", detail="No secret.", since=NOON, ended_at=NOON)
    notice = impairment_notice(UUID(int=4), trouble, NoticeKind.RESTORED, NOON, is_gone=True)
    assert notice.title == "The prober one is gone: nobody has seen it since it was impaired"
    assert notice.is_end


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
    changed = replace(transition, incident=replace(transition.incident, shown=hostile))
    for kind in (NoticeKind.OPENED, NoticeKind.FLAPPING, NoticeKind.REMINDER, NoticeKind.CLOSED):
        notice = notice_of(changed, text, kind)
        shown = "".join((notice.title, *notice.lines, notice.path))
        assert not any(character in shown for character in "\x00\x1b\r\n\u202e\u200b\u2028")
        assert "\x00" not in notice.fix
        assert Notice.from_json(notice.to_json()) == notice


@given(text=st.text())
def test_names_and_causes_of_an_outage_are_harmless(text: str) -> None:
    hostile = replace(outage(), group=text, names=(text,) * 10, causes=((text, 3),))
    for kind in (NoticeKind.OUTAGE_OPENED, NoticeKind.OUTAGE_CHANGED, NoticeKind.OUTAGE_CLOSED):
        tell = Tell(id=UUID(int=9), channel="chat", kind=kind)
        notice = outage_notice(tell, hostile, NOON, still=[text])
        shown = "".join((notice.title, notice.endpoint, *notice.lines))
        assert not any(character in shown for character in "\x00\x1b\r\n\u202e\u200b\u2028")
        assert Notice.from_json(notice.to_json()) == notice
