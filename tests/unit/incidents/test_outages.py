"""Many that fail together are one outage; few, or those that began long ago, are none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from prober.incidents.notice import NoticeKind
from prober.incidents.outages import Affected, Outage, begun, followed, group_of, joined, labels_of, part_of, together
from prober.incidents.rules import Alerting, Severity

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ALERTING = Alerting(mass_after=5)
FIRST = UUID(int=1)


def affected(number: int, *, cause: str = "not-mcp", minutes: float = 0) -> list[Affected]:
    since = NOON + timedelta(minutes=minutes)
    return [Affected(name=f"shop-{each:03}", cause_id=cause, since=since) for each in range(number)]


def outage(number: int = 100) -> Outage:
    found = begun(FIRST, "", {}, affected(number), ALERTING, NOON)
    assert found is not None
    return found


def test_enough_that_fail_together_are_one_outage() -> None:
    assert begun(FIRST, "", {}, affected(4), ALERTING, NOON) is None
    found = outage(5)
    assert (found.affected, found.since, found.severity) == (5, NOON, Severity.CRITICAL)
    assert found.thing.news == (NoticeKind.OUTAGE_OPENED,)
    assert outage(5).id == found.id, "computed twice, it is the same"


def test_names_and_causes_are_few_and_the_most_common_come_first() -> None:
    mixed = affected(7, cause="timeout") + affected(30) + affected(2, cause="slow") + affected(1, cause="throttled")
    found = begun(FIRST, "", {}, mixed, ALERTING, NOON)
    assert found is not None
    assert found.causes == (("not-mcp", 30), ("timeout", 7), ("slow", 2))
    assert len(found.names) == 10
    assert found.affected == 40


def test_what_began_long_before_does_not_belong_to_it() -> None:
    rows = affected(1, minutes=-5) + affected(1, minutes=-5.1) + affected(1, minutes=3)
    assert len(together(rows, NOON)) == 2


def test_growth_is_news_when_it_is_large_and_not_too_often() -> None:
    grown = followed(outage(10), affected(15), ALERTING, NOON + timedelta(minutes=9))
    assert grown.counts == (10,)
    assert grown.affected == 15
    grown = followed(grown, affected(14), ALERTING, NOON + timedelta(minutes=11))
    assert grown.counts == (10,)
    grown = followed(grown, affected(15), ALERTING, NOON + timedelta(minutes=12))
    assert grown.counts == (10, 15)
    assert grown.thing.news == (NoticeKind.OUTAGE_OPENED, NoticeKind.OUTAGE_CHANGED)
    assert followed(grown, affected(90), ALERTING, NOON + timedelta(minutes=13)).counts == (10, 15)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_it_is_over_when_nobody_is_left_and_stays_so() -> None:
    assert followed(outage(), affected(5), ALERTING, at(1)).ended_at is None
    over = followed(outage(), [], ALERTING, at(3))
    assert over.ended_at == at(3)
    assert over.thing.ended
    assert over.causes == (("not-mcp", 100),), "what it was remains to be told"
    assert followed(over, affected(50), ALERTING, at(9)) == over


def test_it_waits_for_the_last_few_and_not_for_ever() -> None:
    fading = followed(outage(), affected(4), ALERTING, at(3))
    assert fading.ended_at is None
    assert followed(fading, affected(3), ALERTING, at(7.9)).ended_at is None
    assert followed(fading, affected(3), ALERTING, at(8)).ended_at == at(8)
    again = followed(followed(fading, affected(5), ALERTING, at(7)), affected(4), ALERTING, at(8))
    assert again.ended_at is None, "it had come back meanwhile"


def test_what_fails_much_later_is_no_part_of_it_unless_it_is_known_to_be() -> None:
    found = outage(10)
    late = affected(12, minutes=16)
    assert part_of(found, late) == ()
    member = replace(late[11], outage=found.id)
    assert part_of(found, [*affected(3, minutes=15), member]) == (*affected(3, minutes=15), member)


def test_again_as_many_that_fail_together_join_an_outage_that_lasts_and_are_news() -> None:
    later = NOON + timedelta(hours=9)
    fresh = [replace(each, name=f"late-{each.name}", since=later) for each in affected(6)]
    grown = joined(outage(10), affected(10), fresh, later)
    assert grown.counts == (10, 16)
    assert grown.joins_until == later + timedelta(minutes=15)
    assert len(part_of(grown, [*affected(10), *fresh])) == 16
    assert joined(outage(100), affected(5), fresh, later).counts == (100, 101), "counts of news only rise"


def test_groups_are_the_values_of_labels() -> None:
    alerting = replace(ALERTING, group_by=("team", "region"))
    assert group_of({"team": "pay", "region": "eu"}, alerting) == "team=pay, region=eu"
    assert group_of({"team": "pay"}, alerting) == "team=pay, region="
    assert group_of({"team": "pay"}, ALERTING) == ""
    assert labels_of({"team": "pay", "x": "y"}, alerting) == {"team": "pay"}


def test_an_outage_survives_a_restart() -> None:
    found = followed(outage(), affected(160), ALERTING, NOON + timedelta(minutes=20))
    assert Outage.from_json(found.to_json()) == found
    with pytest.raises(ValueError, match="group"):
        Outage.from_json({})
