"""Who is told what and when: one thing, several channels, and everything that people may decide meanwhile."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from prober.incidents.notice import NoticeKind, Route
from prober.incidents.rules import Severity
from prober.incidents.telling import LOOK_AGAIN, Circumstances, Mute, Tell, Telling, Thing, consider

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHAT = Route(channel="chat")
PAGER = Route(channel="pager", least=Severity.CRITICAL)
BOSS = Route(channel="boss", after_s=900.0)
NAGGING = Route(channel="nagging", remind_every_s=600.0)
THING = Thing(
    id=UUID(int=7), news=(NoticeKind.OPENED,), end=NoticeKind.CLOSED, ended=False, severity=Severity.WARNING, labels={}
)
ENDED = replace(THING, ended=True)
CALM = Circumstances()
IN_HAND = Circumstances(acknowledged=True)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def told(tells: tuple[Tell, ...]) -> list[tuple[str, str]]:
    return [(each.channel, each.kind.value) for each in tells]


def test_a_channel_hears_of_the_beginning_once_and_of_the_end_once() -> None:
    first = consider(Telling(), THING, CALM, [CHAT], at(0))
    assert told(first.tells) == [("chat", "opened")]
    assert first.reconsider_at is None
    again = consider(first.telling, THING, CALM, [CHAT], at(1))
    assert again.tells == ()
    end = consider(again.telling, ENDED, CALM, [CHAT], at(2))
    assert told(end.tells) == [("chat", "closed")]
    assert all(each.over for each in end.telling.told)
    assert consider(end.telling, ENDED, CALM, [CHAT], at(3)).tells == ()


def test_who_heard_of_no_beginning_hears_of_no_end() -> None:
    opened = consider(Telling(), THING, CALM, [CHAT, PAGER], at(0)).telling
    assert told(consider(opened, replace(ENDED, severity=Severity.CRITICAL), CALM, [CHAT, PAGER], at(1)).tells) == [
        ("chat", "closed")
    ]


def test_the_end_reaches_a_channel_that_takes_it_no_more_and_nothing_mutes_it() -> None:
    opened = consider(Telling(), THING, CALM, [CHAT], at(0)).telling
    muted = Circumstances(mutes=(Mute("maintenance", at(99)),))
    assert told(consider(opened, ENDED, muted, [], at(1)).tells) == [("chat", "closed")]


def test_what_gets_worse_is_for_others_as_well_and_they_hear_of_it_as_it_is() -> None:
    opened = consider(Telling(), THING, CALM, [CHAT, PAGER], at(0)).telling
    worse = replace(THING, severity=Severity.CRITICAL, news=(NoticeKind.OPENED, NoticeKind.WORSENED))
    assert told(consider(opened, worse, CALM, [CHAT, PAGER], at(1)).tells) == [
        ("chat", "worsened"),
        ("pager", "opened"),
    ]


@pytest.mark.parametrize(
    ("missed", "kind"),
    [
        ((NoticeKind.WORSENED, NoticeKind.CAUSE_CHANGED), "worsened"),
        ((NoticeKind.CAUSE_CHANGED, NoticeKind.CAUSE_CHANGED), "cause-changed"),
        ((NoticeKind.WORSENED, NoticeKind.FLAPPING), "flapping"),
        ((NoticeKind.FLAPPING, NoticeKind.WORSENED), "worsened"),
    ],
)
def test_of_several_changes_that_were_missed_one_notice_speaks(missed: tuple[NoticeKind, ...], kind: str) -> None:
    opened = consider(Telling(), THING, CALM, [CHAT], at(0)).telling
    after = consider(opened, replace(THING, news=(NoticeKind.OPENED, *missed)), CALM, [CHAT], at(9))
    assert told(after.tells) == [("chat", kind)]


def test_what_flapped_before_anybody_heard_of_it_is_told_as_it_is() -> None:
    flapping = replace(THING, news=(NoticeKind.FLAPPING,))
    assert told(consider(Telling(), flapping, CALM, [CHAT], at(0)).tells) == [("chat", "flapping")]
    settled = replace(THING, news=(NoticeKind.FLAPPING, NoticeKind.WORSENED))
    assert told(consider(Telling(), settled, CALM, [CHAT], at(0)).tells) == [("chat", "opened")]


def test_nothing_is_told_while_muted_and_afterwards_what_is_still_so() -> None:
    mute = Circumstances(mutes=(Mute("snoozed", at(30)), Mute("deploy", at(10))))
    muted = consider(Telling(), THING, mute, [CHAT], at(0))
    assert (muted.tells, muted.reconsider_at) == ((), at(10))
    assert muted.muted == Mute("snoozed", at(30)), "the reason that lasts longest is shown"
    assert told(consider(muted.telling, THING, CALM, [CHAT], at(30)).tells) == [("chat", "opened")]
    assert consider(muted.telling, ENDED, CALM, [CHAT], at(30)).tells == ()


def test_a_mute_without_an_end_is_looked_at_again_soon() -> None:
    mute = Circumstances(mutes=(Mute("parent is not well"),))
    assert consider(Telling(), THING, mute, [CHAT], at(0)).reconsider_at == NOON + LOOK_AGAIN


def test_escalation_waits_for_somebody_to_acknowledge_it() -> None:
    opened = consider(Telling(), THING, CALM, [CHAT, BOSS], at(0))
    assert (told(opened.tells), opened.reconsider_at) == ([("chat", "opened")], at(15))
    assert told(consider(opened.telling, THING, CALM, [CHAT, BOSS], at(15)).tells) == [("boss", "escalated")]
    assert consider(opened.telling, THING, IN_HAND, [CHAT, BOSS], at(15)).tells == ()
    assert consider(opened.telling, THING, IN_HAND, [CHAT, BOSS], at(15)).reconsider_at is None


def test_time_to_acknowledge_counts_from_when_it_could_be_told() -> None:
    muted = consider(Telling(), THING, Circumstances(mutes=(Mute("deploy", at(60)),)), [CHAT, BOSS], at(0)).telling
    opened = consider(muted, THING, CALM, [CHAT, BOSS], at(60))
    assert (told(opened.tells), opened.reconsider_at) == ([("chat", "opened")], at(75))


def test_reminders_come_until_somebody_has_it_in_hand() -> None:
    state, kinds = Telling(), []
    for minute in range(0, 35, 5):
        considered = consider(state, THING, CALM, [NAGGING], at(minute))
        state = considered.telling
        kinds += [(minute, kind) for _, kind in told(considered.tells)]
    assert kinds == [(0, "opened"), (10, "reminder"), (20, "reminder"), (30, "reminder")]
    assert consider(state, THING, CALM, [NAGGING], at(31)).reconsider_at == at(40)
    assert consider(state, THING, IN_HAND, [NAGGING], at(99)).tells == ()
    worse = replace(THING, news=(NoticeKind.OPENED, NoticeKind.WORSENED))
    assert told(consider(state, worse, IN_HAND, [NAGGING], at(99)).tells) == [("nagging", "worsened")]


def test_after_a_clock_was_set_back_reminders_and_escalation_wait_no_longer_than_they_are_configured() -> None:
    before = consider(Telling(), THING, CALM, [NAGGING, BOSS], at(180)).telling
    looked = consider(before, THING, CALM, [NAGGING, BOSS], at(0))
    assert (looked.tells, looked.reconsider_at) == ((), at(10))
    reminded = consider(looked.telling, THING, CALM, [NAGGING, BOSS], at(10))
    assert told(reminded.tells) == [("nagging", "reminder")]
    assert told(consider(reminded.telling, THING, CALM, [NAGGING, BOSS], at(15)).tells) == [("boss", "escalated")]


def test_labels_decide_whose_trouble_a_channel_hears_of() -> None:
    theirs = replace(CHAT, labels={"team": "pay"})
    assert consider(Telling(), THING, CALM, [theirs], at(0)).tells == ()
    ours = replace(THING, labels={"team": "pay", "stage": "live"})
    assert told(consider(Telling(), ours, CALM, [theirs], at(0)).tells) == [("chat", "opened")]


def test_what_was_told_survives_a_restart() -> None:
    state = consider(Telling(), THING, CALM, [CHAT, BOSS], at(0)).telling
    assert Telling.from_json(state.to_json()) == state
    assert Telling.from_json(None) == Telling()
    with pytest.raises(ValueError, match="told"):
        Telling.from_json({"told": 7})


ROUTES = (
    CHAT,
    PAGER,
    BOSS,
    NAGGING,
    Route(channel="loud-boss", after_s=1200.0, remind_every_s=300.0, least=Severity.CRITICAL),
)


@dataclass
class Heard:
    """What a channel has heard, as its reader would note it down."""

    kinds: list[str] = field(default_factory=list)
    news: int = 0
    at: datetime = NOON


class Conversation(RuleBasedStateMachine):
    """An incident with all that may happen to it, told by the engine and by a reader of the rules side by side."""

    @initialize(routes=st.lists(st.sampled_from(ROUTES), unique_by=lambda each: each.channel, min_size=1))
    def open(self, routes: list[Route]) -> None:
        self.routes, self.now, self.thing = routes, NOON, THING
        self.mutes: list[Mute] = []
        self.acknowledged = False
        self.tellable: datetime | None = None
        self.telling = Telling()
        self.heard = {route.channel: Heard() for route in routes}
        self.ids: set[tuple[UUID, str]] = set()
        self.look()

    @precondition(lambda self: not self.thing.ended)
    @rule(kind=st.sampled_from([NoticeKind.WORSENED, NoticeKind.CAUSE_CHANGED, NoticeKind.FLAPPING]))
    def change(self, kind: NoticeKind) -> None:
        severity = Severity.CRITICAL if kind is NoticeKind.WORSENED else self.thing.severity
        self.thing = replace(self.thing, news=(*self.thing.news, kind), severity=severity)
        self.look()

    @rule(minutes=st.integers(1, 60), until=st.none() | st.just(True))
    def mute(self, minutes: int, until: bool | None) -> None:
        self.mutes.append(Mute("quiet", self.now + timedelta(minutes=minutes) if until else None))
        self.look()

    @rule()
    def unmute(self) -> None:
        self.mutes = []
        self.look()

    @rule()
    def acknowledge(self) -> None:
        self.acknowledged = True
        self.look()

    @rule(minutes=st.integers(1, 30))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.mutes = [each for each in self.mutes if each.until is None or each.until > self.now]
        self.look()

    @rule()
    def restart(self) -> None:
        self.telling = Telling.from_json(self.telling.to_json())
        self.look()

    @rule()
    def end(self) -> None:
        self.thing = replace(self.thing, ended=True)
        self.look()

    def look(self) -> None:
        circumstances = Circumstances(acknowledged=self.acknowledged, mutes=tuple(self.mutes))
        expected = self.expected()
        considered = consider(self.telling, self.thing, circumstances, self.routes, self.now)
        once_more = consider(self.telling, self.thing, circumstances, self.routes, self.now)
        assert considered == once_more, "computed twice, it is the same"
        assert {each.channel: each.kind for each in considered.tells} == expected
        assert len(considered.tells) == len(expected)
        self.telling = considered.telling
        assert consider(self.telling, self.thing, circumstances, self.routes, self.now).tells == ()
        for each in considered.tells:
            assert (each.id, each.channel) not in self.ids
            self.ids.add((each.id, each.channel))
            heard = self.heard[each.channel]
            heard.kinds.append(each.kind.value)
            heard.news, heard.at = len(self.thing.news), self.now
        self.next_look = considered.reconsider_at

    def expected(self) -> dict[str, NoticeKind]:
        """What a reader of the rules would send now."""
        if self.thing.ended:
            return {name: NoticeKind.CLOSED for name, heard in self.heard.items() if self.is_waiting(heard)}
        if self.mutes:
            return {}
        self.tellable = self.tellable or self.now
        due = {}
        for route in self.routes:
            kind = self.due(route, self.heard[route.channel])
            if kind is not None and route.takes(self.thing.severity, {}):
                due[route.channel] = kind
        return due

    def due(self, route: Route, heard: Heard) -> NoticeKind | None:
        assert self.tellable is not None
        missed = self.thing.news[heard.news :]
        if not heard.kinds and route.after_s is None:
            return NoticeKind.FLAPPING if self.thing.news[-1] is NoticeKind.FLAPPING else NoticeKind.OPENED
        if not heard.kinds:
            is_time = self.now >= self.tellable + timedelta(seconds=route.after_s or 0)
            return NoticeKind.ESCALATED if is_time and not self.acknowledged else None
        if missed:
            worse = NoticeKind.WORSENED in missed and missed[-1] is not NoticeKind.FLAPPING
            return NoticeKind.WORSENED if worse else missed[-1]
        if route.remind_every_s is None or self.acknowledged:
            return None
        is_time = self.now >= heard.at + timedelta(seconds=route.remind_every_s)
        return NoticeKind.REMINDER if is_time else None

    @staticmethod
    def is_waiting(heard: Heard) -> bool:
        return bool(heard.kinds) and heard.kinds[-1] != "closed"

    @invariant()
    def an_end_is_told_once_to_exactly_those_who_heard_of_it(self) -> None:
        for heard in getattr(self, "heard", {}).values():
            assert heard.kinds.count("closed") <= 1
            assert heard.kinds[:1] != ["closed"]
            assert not (self.thing.ended and self.is_waiting(heard))

    @invariant()
    def whatever_is_open_and_not_muted_has_been_told(self) -> None:
        if not hasattr(self, "thing") or self.thing.ended or self.mutes:
            return
        for route in self.routes:
            if route.after_s is None and route.takes(self.thing.severity, {}):
                assert self.heard[route.channel].news == len(self.thing.news)

    @invariant()
    def what_comes_by_itself_is_not_forgotten(self) -> None:
        if hasattr(self, "thing") and not self.thing.ended and self.mutes:
            assert self.next_look is not None
        if getattr(self, "next_look", None) is not None:
            assert self.next_look > self.now


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
