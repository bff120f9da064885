"""The prober's own troubles are told once each, and never lost because nothing could be sent."""

from datetime import UTC, datetime, timedelta

from prober.incidents import impairment
from prober.incidents.impairment import Impairments, settled, step, to_save
from prober.incidents.notice import NoticeKind

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
OFFLINE = {"no-connectivity": "none of 3 canaries answers"}
FRESH = Impairments(worker="one")


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def kinds(state: Impairments, seconds: float) -> list[NoticeKind]:
    return [kind for _, kind in to_save(state, at(seconds))]


def test_a_short_trouble_is_told_to_nobody() -> None:
    state = step(step(FRESH, OFFLINE, at(0)), OFFLINE, at(59))
    assert kinds(state, 59) == []
    assert step(state, {}, at(59)) == FRESH


def test_a_trouble_is_told_once_and_its_end_once() -> None:
    state = step(step(FRESH, OFFLINE, at(0)), OFFLINE, at(60))
    assert kinds(state, 60) == [NoticeKind.IMPAIRED]
    state = settled(state, to_save(state, at(60)))
    assert kinds(step(state, OFFLINE, at(600)), 600) == []
    over = step(state, {}, at(700))
    assert [(trouble.since, trouble.ended_at, kind) for trouble, kind in to_save(over, at(700))] == [
        (at(0), at(700), NoticeKind.RESTORED)
    ]
    assert settled(over, to_save(over, at(700))) == FRESH


def test_what_could_not_be_saved_meanwhile_is_told_on_return_as_one() -> None:
    state = step(step(FRESH, OFFLINE, at(0)), {}, at(300))
    assert kinds(state, 300) == [NoticeKind.RESTORED]
    assert kinds(step(state, {}, at(400)), 400) == [NoticeKind.RESTORED], "until it is saved, it is due"
    assert settled(state, to_save(state, at(300))).troubles == ()


def test_the_same_trouble_again_is_another_one() -> None:
    state = step(step(FRESH, OFFLINE, at(0)), {}, at(300))
    again = step(state, OFFLINE, at(310))
    assert len({each.id for each in again.troubles}) == 2
    assert [each.since for each in again.current] == [at(310)]


def test_several_troubles_are_told_one_by_one() -> None:
    both = {**OFFLINE, "loop-lag": "its event loop is late by 3 s"}
    state = step(step(FRESH, OFFLINE, at(0)), both, at(40))
    assert kinds(state, 61) == [NoticeKind.IMPAIRED]
    assert kinds(state, 101) == [NoticeKind.IMPAIRED] * 2


def test_the_detail_is_the_newest_and_clean() -> None:
    state = step(step(FRESH, OFFLINE, at(0)), {"no-connectivity": "x\x1b[31m"}, at(9))
    assert state.current[0].detail == "x\\u{1b}[31m"
    assert timedelta(seconds=60) == impairment.TOLD_AFTER
    assert state.current[0].thing.news == (NoticeKind.IMPAIRED,)
