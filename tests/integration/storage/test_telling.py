"""Who is told of incidents, on a real database: mutes, people, dependencies, outages, and what time brings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.incidents.lifecycle import Seen
from prober.incidents.notice import Route
from prober.incidents.outages import LOOK_EVERY
from prober.incidents.policy import AlertPolicy
from prober.incidents.rules import Alerting, Rules, Severity
from prober.incidents.windows import MaintenanceWindow
from prober.settings.model import EndpointOptions
from prober.storage import endpoints, incidents, mutes, outages, queries
from prober.storage.identity import endpoint_id
from prober.storage.incidents import Observed
from tests.integration.storage.builders import Store, endpoint

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
UP, DOWN = Verdict.UP, Verdict.DOWN
CHAT = Route(channel="chat")
POLICY = AlertPolicy(rules=Rules(fail_after=1, recover_after=1, flaky=None, flap_changes=100), routes=(CHAT,))


@dataclass
class Desk:
    """Workers' database with a clock that the test moves, and what channels were told."""

    store: Store
    policy: AlertPolicy = POLICY
    now: datetime = NOON
    probes: int = 0
    read: set[Any] = field(default_factory=set)

    @property
    def db(self) -> AsyncEngine:
        return self.store.db

    async def watch(self, *names: str, labels: Mapping[str, str] | None = None, **options: EndpointOptions) -> None:
        named = [endpoint(name, labels=dict(labels or {})) for name in names]
        await endpoints.sync(self.db, named, options=options)

    async def see(self, verdict: Verdict, *names: str, cause: str = "not-mcp", held_s: float = 0.0) -> None:
        """What a worker does with a batch of reports, as far as incidents are concerned."""
        self.probes += 1
        seen = [
            Observed(endpoint_id=endpoint_id(name), seen=self.seen(name, verdict, cause), held_s=held_s)
            for name in names
        ]
        async with self.db.begin() as connection:
            for name in names:
                await self.store.sql(
                    "insert into endpoint_state (endpoint_id, verdict, slot, since, cause, cause_summary, bad_since)"
                    " values (:id, :verdict, :at, :at, :cause, '', :bad) on conflict (endpoint_id) do update set"
                    " verdict = :verdict, slot = :at, cause = :cause,"
                    " bad_since = case when cast(:bad as timestamptz) is null then null"
                    " else coalesce(endpoint_state.bad_since, :bad) end",
                    id=endpoint_id(name),
                    verdict=verdict.value,
                    at=self.now,
                    cause=None if verdict is UP else cause,
                    bad=None if verdict is UP else self.now,
                )
            await incidents.record(connection, seen, self.policy, self.now)

    def seen(self, name: str, verdict: Verdict, cause: str) -> Seen:
        return Seen(
            verdict=verdict,
            cause_id=None if verdict is UP else cause,
            cause_summary="",
            fix="",
            report_id=uuid5(endpoint_id(name), str(self.probes)),
            at=self.now,
        )

    async def passes(self, minutes: float) -> None:
        """Time passes, and a worker attends to what it brings."""
        self.now += timedelta(minutes=minutes)
        await self.attend()

    async def attend(self) -> None:
        await incidents.attend(self.db, self.policy, self.now)
        await outages.attend(self.db, self.policy, self.now)
        await self.rewound()
        await incidents.attend(self.db, self.policy, self.now)

    async def rewound(self) -> None:
        """What the database stamps with its own clock is due on the test's clock as well."""
        await self.store.sql("update incident set reconsider_at = :now where reconsider_at > :soon", now=self.now,
                             soon=self.now + timedelta(days=30))  # fmt: skip

    async def told(self) -> list[tuple[str, str, str]]:
        """What channels were told since the last look: channel, kind, endpoint."""
        rows = await self.store.sql(
            "select id, channel, payload ->> 'kind', payload ->> 'endpoint', payload ->> 'title' from notice"
            " order by number"
        )
        fresh = [row for row in rows if row[0] not in self.read]
        self.read |= {row[0] for row in fresh}
        return [(row[1], row[2], row[3]) for row in fresh]

    async def acknowledge(self, names: Sequence[str], *, by: str) -> tuple[str, ...]:
        """Whose incidents that were."""
        async with self.db.begin() as connection:
            decided = await incidents.acknowledge(connection, incidents.open_of(names), by=by)
        return tuple(each.endpoint for each in decided)

    async def snooze(self, names: Sequence[str], lasts: timedelta | None) -> tuple[str, ...]:
        async with self.db.begin() as connection:
            decided = await incidents.snooze(connection, incidents.open_of(names), lasts)
        return tuple(each.endpoint for each in decided)

    async def incident(self, name: str) -> Any:
        (row,) = await self.store.sql(
            "select incident.* from incident join endpoint on endpoint.id = endpoint_id"
            " where name = :name order by opened_at desc limit 1",
            name=name,
        )
        return row


@pytest.fixture
async def desk(store: Store) -> Desk:
    desk = Desk(store)
    await desk.watch("shop")
    return desk


async def mute(desk: Desk, *names: str, minutes: float = 60, kind: str = mutes.MAINTENANCE, **labels: str) -> UUID:
    async with desk.db.begin() as connection:
        return await mutes.add(
            connection,
            kind=kind,
            endpoints=names,
            labels=labels,
            starts_at=desk.now,
            ends_at=desk.now + timedelta(minutes=minutes),
            reason="move",
            by="ada",
        )


async def test_an_incident_is_told_when_it_opens_and_when_it_ends_and_a_replay_tells_nothing(desk: Desk) -> None:
    await desk.see(DOWN, "shop")
    assert await desk.told() == [("chat", "opened", "shop")]
    await desk.see(DOWN, "shop")
    await desk.passes(60)
    assert await desk.told() == []
    await desk.see(UP, "shop")
    assert await desk.told() == [("chat", "closed", "shop")]
    await desk.passes(60)
    assert await desk.told() == []
    row = await desk.incident("shop")
    assert (row.ended_at, row.reconsider_at, row.muted) == (NOON + timedelta(hours=1), None, None)


async def test_an_incident_that_opened_and_closed_in_one_batch_is_told_as_both(desk: Desk) -> None:
    down, up = desk.seen("shop", DOWN, "x"), replace(desk.seen("shop", UP, "x"), report_id=UUID(int=5))
    await desk.see(UP, "shop")
    async with desk.db.begin() as connection:
        both = [Observed(endpoint_id=endpoint_id("shop"), seen=each) for each in (down, up)]
        changes = await incidents.record(connection, both, desk.policy, desk.now)
    assert [each.transition.kind.value for each in changes] == ["opened", "closed"]
    assert await desk.told() == [("chat", "opened", "shop"), ("chat", "closed", "shop")]


async def test_maintenance_mutes_telling_and_what_lasts_longer_is_told_afterwards(desk: Desk) -> None:
    await mute(desk, "shop", minutes=60)
    await desk.see(DOWN, "shop")
    assert await desk.told() == []
    row = await desk.incident("shop")
    assert (row.muted, row.muted_until) == ("maintenance: move", NOON + timedelta(hours=1))
    await desk.passes(59)
    assert await desk.told() == []
    await desk.passes(1)
    assert await desk.told() == [("chat", "opened", "shop")]
    assert (await desk.incident("shop")).muted is None


async def test_what_ends_before_the_maintenance_does_is_told_to_nobody(desk: Desk) -> None:
    await mute(desk)
    await desk.see(DOWN, "shop")
    await desk.see(UP, "shop")
    await desk.passes(120)
    assert await desk.told() == []


async def test_a_resolution_is_told_in_the_middle_of_a_mute(desk: Desk) -> None:
    await desk.see(DOWN, "shop")
    await mute(desk, kind=mutes.DEPLOY)
    await desk.see(UP, "shop")
    assert [kind for _, kind, _ in await desk.told()] == ["opened", "closed"]


async def test_a_mute_by_labels_is_for_those_who_bear_them(desk: Desk) -> None:
    await desk.watch("shop", "search", labels={"team": "pay"})
    await endpoints.sync(desk.db, [endpoint("shop", labels={"team": "pay"}), endpoint("search")])
    await mute(desk, team="pay")
    await desk.see(DOWN, "shop", "search")
    assert await desk.told() == [("chat", "opened", "search")]


async def test_a_mute_that_is_ended_early_ends_at_once(desk: Desk) -> None:
    desk.now = datetime.now(UTC)
    identity = await mute(desk)
    await desk.see(DOWN, "shop")
    assert [each.reason for each in await mutes.coming(desk.db)] == ["move"]
    async with desk.db.begin() as connection:
        assert await mutes.end(connection, "nothing") is None
        assert await mutes.end(connection, str(identity)[:8]) is not None
    assert await mutes.coming(desk.db) == ()
    await desk.passes(0.1)
    assert await desk.told() == [("chat", "opened", "shop")]


async def test_the_later_mark_of_a_deploy_counts_also_where_it_is_the_shorter_one(desk: Desk) -> None:
    await desk.watch("shop", "search")
    for names, minutes in ((["search", "shop"], 60), (["shop"], 60), (["shop", "search"], 5)):
        async with desk.db.begin() as connection:
            lasts = timedelta(minutes=minutes)
            await mutes.mark_deploy(connection, endpoints=names, labels={}, lasts=lasts, by="ada")
    coming = await mutes.coming(desk.db)
    assert [each.endpoints for each in coming] == [("shop", "search"), ("shop",)], "that of shop alone is another"
    assert all(each.kind == mutes.DEPLOY for each in coming)
    assert coming[0].ends_at - coming[0].starts_at == timedelta(minutes=5)


async def test_a_mute_for_nobody_is_refused(desk: Desk) -> None:
    with pytest.raises(mutes.NobodyMeant, match="shp"):
        await mute(desk, "shp")


async def test_a_recurring_window_of_the_configuration_mutes(desk: Desk) -> None:
    noon = MaintenanceWindow(name="lunch", zone="Europe/Berlin", at_minute=780, lasts_s=1800)
    desk.policy = replace(desk.policy, windows=(noon,))
    await desk.see(DOWN, "shop")
    row = await desk.incident("shop")
    assert (row.muted, row.muted_until) == ("maintenance lunch", NOON + timedelta(minutes=30))
    await desk.passes(30)
    assert await desk.told() == [("chat", "opened", "shop")]


async def test_windows_are_stored_for_who_only_reads(desk: Desk) -> None:
    lunch = MaintenanceWindow(name="lunch", zone="Europe/Berlin", at_minute=780, lasts_s=1800, labels={"team": "pay"})
    night = replace(lunch, name="night", at_minute=120, month_days=(-1,))
    await mutes.sync_windows(desk.db, [night, lunch])
    assert await mutes.stored_windows(desk.db) == (lunch, night)
    await mutes.sync_windows(desk.db, [replace(night, zone="UTC")])
    assert await mutes.stored_windows(desk.db) == (replace(night, zone="UTC"),)


async def test_whoever_acknowledges_ends_reminders_and_escalation(desk: Desk) -> None:
    boss = Route(channel="boss", after_s=900)
    desk.policy = replace(desk.policy, routes=(replace(CHAT, remind_every_s=600), boss))
    await desk.see(DOWN, "shop")
    await desk.passes(10)
    await desk.passes(5)
    assert await desk.told() == [
        ("chat", "opened", "shop"),
        ("chat", "reminder", "shop"),
        ("boss", "escalated", "shop"),
    ]
    assert await desk.acknowledge(["shop", "nobody"], by="ada") == ("shop",)
    await desk.acknowledge(["shop"], by="bob")
    assert (await desk.incident("shop")).acknowledged_by == "ada"
    await desk.passes(600)
    assert await desk.told() == []
    await desk.see(UP, "shop")
    assert sorted(await desk.told()) == [("boss", "closed", "shop"), ("chat", "closed", "shop")]
    assert await desk.acknowledge(["shop"], by="ada") == ()


async def test_what_is_acknowledged_in_time_is_not_escalated(desk: Desk) -> None:
    desk.policy = replace(desk.policy, routes=(Route(channel="boss", after_s=900),))
    await desk.see(DOWN, "shop")
    await desk.acknowledge(["shop"], by="ada")
    await desk.passes(20)
    await desk.see(UP, "shop")
    assert await desk.told() == []


async def test_a_snooze_mutes_until_its_end(desk: Desk) -> None:
    await desk.see(DOWN, "shop")
    await desk.told()
    assert await desk.snooze(["shop"], timedelta(hours=1)) == ("shop",)
    await desk.store.sql("update incident set snoozed_until = :at", at=NOON + timedelta(hours=1))
    desk.policy = replace(desk.policy, routes=(CHAT, Route(channel="late")))
    await desk.passes(30)
    assert await desk.told() == []
    assert (await desk.incident("shop")).muted == "snoozed"
    await desk.passes(30)
    assert await desk.told() == [("late", "opened", "shop")]
    await desk.snooze(["shop"], None)
    assert (await desk.incident("shop")).snoozed_until is None


async def test_nobody_is_told_of_what_a_parent_explains_until_the_parent_is_well(desk: Desk) -> None:
    await desk.watch("gateway", "shop", shop=EndpointOptions(depends_on=("gateway",)))
    await desk.see(DOWN, "gateway")
    await desk.see(DOWN, "shop")
    assert await desk.told() == [("chat", "opened", "gateway")]
    assert (await desk.incident("shop")).muted == "it depends on gateway, which is not well or was not until just now"
    await desk.passes(1)
    await desk.see(UP, "gateway")
    await desk.passes(4)
    assert await desk.told() == [("chat", "closed", "gateway")]
    await desk.see(DOWN, "shop")
    await desk.passes(1)
    assert await desk.told() == [("chat", "opened", "shop")]


async def test_a_child_that_recovers_soon_after_its_parent_is_never_told(desk: Desk) -> None:
    await desk.watch("gateway", "shop", shop=EndpointOptions(depends_on=("gateway",)))
    await desk.see(DOWN, "gateway", "shop")
    await desk.see(UP, "gateway")
    await desk.passes(2)
    await desk.see(UP, "shop")
    await desk.passes(10)
    assert await desk.told() == [("chat", "opened", "gateway"), ("chat", "closed", "gateway")]


async def test_a_parent_that_was_well_again_in_a_time_to_come_hides_nobody(desk: Desk) -> None:
    await desk.watch("gateway", "shop", shop=EndpointOptions(depends_on=("gateway",)))
    await desk.see(DOWN, "gateway")
    await desk.see(UP, "gateway")
    await desk.told()
    desk.now -= timedelta(hours=1)  # the clock was set back
    await desk.see(DOWN, "shop")
    assert await desk.told() == [("chat", "opened", "shop")]


async def test_a_parent_that_begins_to_fail_mutes_no_end(desk: Desk) -> None:
    await desk.watch("gateway", "shop", shop=EndpointOptions(depends_on=("gateway",)))
    await desk.see(DOWN, "shop")
    await desk.see(DOWN, "gateway")
    await desk.see(UP, "shop")
    assert await desk.told() == [
        ("chat", "opened", "shop"),
        ("chat", "opened", "gateway"),
        ("chat", "closed", "shop"),
    ]


def fleet(number: int) -> Sequence[str]:
    return [f"shop-{each:03}" for each in range(number)]


async def test_a_hundred_that_fail_at_once_are_one_message_and_one_when_it_is_over(desk: Desk) -> None:
    names = fleet(100)
    await desk.watch(*names)
    await desk.see(DOWN, *names[:50])
    await desk.see(DOWN, *names[50:])
    assert await desk.told() == [("chat", "outage-opened", "all endpoints")]
    assert (await desk.incident("shop-099")).muted == "told as one outage"
    await desk.passes(5)
    assert await desk.told() == []
    await desk.passes(6)
    assert await desk.told() == [("chat", "outage-changed", "all endpoints")]
    await desk.see(UP, *names[3:])
    await desk.passes(1)
    assert await desk.told() == []
    await desk.passes(5)
    over, *rest = await desk.told()
    assert over == ("chat", "outage-closed", "all endpoints")
    assert sorted(rest) == [("chat", "opened", name) for name in names[:3]]
    await desk.see(UP, *names[:3])
    assert await desk.told() == [("chat", "closed", name) for name in names[:3]]
    await desk.passes(60)
    assert await desk.told() == []


async def test_workers_that_see_the_outage_one_by_one_tell_no_more_than_make_none(desk: Desk) -> None:
    names = fleet(10)
    await desk.watch(*names)
    desk.policy = replace(desk.policy, rules=Rules(fail_after=3, recover_after=2))
    for _ in range(3):
        for name in names:
            await desk.see(DOWN, name)
        desk.now += timedelta(minutes=1)
    assert await desk.told() == [("chat", "outage-opened", "all endpoints")]


async def test_an_outage_that_lasts_for_days_hides_nothing(desk: Desk) -> None:
    old, late, single = fleet(8), [f"late-{each}" for each in range(6)], "single"
    await desk.watch(*old, *late, single)
    await desk.see(DOWN, *old)
    assert await desk.told() == [("chat", "outage-opened", "all endpoints")]
    await desk.passes(2 * 24 * 60)
    await desk.see(DOWN, single)
    assert await desk.told() == [("chat", "opened", "single")]
    await desk.passes(60)
    await desk.see(DOWN, *late)
    assert await desk.told() == [("chat", "outage-changed", "all endpoints")]
    await desk.passes(1)
    await desk.see(UP, *old)
    await desk.passes(1)
    assert await desk.told() == [], "six of them still fail together"
    await desk.see(UP, *late, single)
    await desk.passes(1)
    assert sorted(await desk.told()) == [("chat", "closed", "single"), ("chat", "outage-closed", "all endpoints")]


async def test_where_nobody_wants_outages_each_is_told(desk: Desk) -> None:
    desk.policy = replace(desk.policy, alerting=Alerting(mass_after=None))
    names = fleet(8)
    await desk.watch(*names)
    await desk.see(DOWN, *names)
    assert [kind for _, kind, _ in await desk.told()] == ["opened"] * 8


async def test_an_outage_that_cannot_be_read_is_over_and_hides_nobody(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    names = fleet(5)
    await desk.watch(*names, "late")
    await desk.see(DOWN, *names)
    assert [kind for _, kind, _ in await desk.told()] == ["outage-opened"]
    await desk.store.sql("""update outage set facts = jsonb_build_object('of', 'a later release')""")
    assert await outages.recent(desk.db) == ()
    await desk.see(DOWN, "late")
    assert ("chat", "opened", "late") in await desk.told()
    await desk.passes(2)
    assert await desk.store.sql("select count(*) from outage where ended_at is null") == [(0,)]
    assert "not as this release writes them" in caplog.text


async def test_groups_are_told_apart(desk: Desk) -> None:
    desk.policy = replace(desk.policy, alerting=Alerting(mass_after=3, group_by=("team",)))
    pay, find = fleet(3), [f"find-{each}" for each in range(3)]
    await endpoints.sync(
        desk.db,
        [endpoint(name, labels={"team": team}) for team, names in (("pay", pay), ("find", find)) for name in names],
    )
    await desk.see(DOWN, *pay, *find[:2])
    assert sorted(await desk.told()) == [
        ("chat", "opened", "find-0"),
        ("chat", "opened", "find-1"),
        ("chat", "outage-opened", "team=pay"),
    ]


async def test_children_of_one_parent_make_no_outage(desk: Desk) -> None:
    names = fleet(20)
    await desk.watch("gateway", *names, **{name: EndpointOptions(depends_on=("gateway",)) for name in names})
    await desk.see(DOWN, "gateway", *names)
    assert await desk.told() == [("chat", "opened", "gateway")]


async def test_what_is_in_maintenance_makes_no_outage(desk: Desk) -> None:
    names = fleet(8)
    await desk.watch(*names)
    await mute(desk, *names[:4])
    await desk.see(DOWN, *names)
    assert [kind for _, kind, _ in await desk.told()] == ["opened"] * 4


async def test_an_outage_that_somebody_acknowledges_is_not_repeated(desk: Desk) -> None:
    names = fleet(5)
    desk.policy = replace(desk.policy, routes=(replace(CHAT, remind_every_s=600),))
    await desk.watch(*names)
    await desk.see(DOWN, *names)
    await desk.passes(10)
    assert [kind for _, kind, _ in await desk.told()] == ["outage-opened", "reminder"]
    await desk.acknowledge(names[:1], by="ada")
    await desk.passes(60)
    assert await desk.told() == []


async def test_an_endpoint_that_is_removed_ends_for_those_who_heard_of_it(desk: Desk) -> None:
    await desk.see(DOWN, "shop")
    await desk.watch("other")
    desk.now = datetime.now(UTC) + timedelta(minutes=1)
    await desk.attend()
    assert await desk.told() == [("chat", "opened", "shop"), ("chat", "closed", "shop")]
    ((title,),) = await desk.store.sql("select payload ->> 'title' from notice order by number desc limit 1")
    assert title == "shop is no longer watched"


async def test_an_endpoint_has_rules_of_its_own(desk: Desk) -> None:
    await desk.watch("shop", shop=EndpointOptions(fail_after=3))
    for _ in range(3):
        await desk.see(DOWN, "shop")
    assert len(await desk.store.sql("select 1 from transition")) == 1
    assert await desk.told() == [("chat", "opened", "shop")]


async def test_a_state_that_cannot_be_read_begins_anew(desk: Desk) -> None:
    await desk.see(DOWN, "shop")
    await desk.store.sql("""update endpoint_state set incident = '{"streak": 7}'""")
    await desk.see(DOWN, "shop")
    assert await desk.told() == [("chat", "opened", "shop"), ("chat", "opened", "shop")]
    assert len(await desk.store.sql("select 1 from incident where ended_at is null")) == 1


async def test_a_channel_hears_of_an_outage_that_its_own_endpoints_are_part_of(desk: Desk) -> None:
    team = [Route(channel=name, labels={"team": name}) for name in ("pay", "find")]
    desk.policy = replace(desk.policy, routes=(Route(channel="pager", least=Severity.CRITICAL), *team))
    names = fleet(6)
    await desk.watch(*names, labels={"team": "pay"})
    await desk.see(DOWN, *names)
    assert sorted(await desk.told()) == [
        ("pager", "outage-opened", "all endpoints"),
        ("pay", "outage-opened", "all endpoints"),
    ]
    await desk.see(UP, *names)
    await desk.passes(1)
    assert sorted(channel for channel, _, _ in await desk.told()) == ["pager", "pay"]


async def test_a_parent_that_is_only_flaky_explains_nothing(desk: Desk) -> None:
    desk.policy = replace(desk.policy, rules=Rules(fail_after=2, recover_after=1, flap_changes=100))
    await desk.watch("gateway", "shop", shop=EndpointOptions(depends_on=("gateway",)))
    for verdict in [DOWN, UP] * 5:
        await desk.see(verdict, "gateway")
    for _ in range(2):
        await desk.see(DOWN, "shop")
    assert await desk.told() == [("chat", "opened", "gateway"), ("chat", "opened", "shop")]


async def test_two_workers_that_attend_at_once_tell_once(desk: Desk) -> None:
    await mute(desk)
    await desk.see(DOWN, "shop")
    desk.now += timedelta(hours=1)
    async with desk.db.begin() as first:
        await first.exec_driver_sql("select 1 from incident for update")
        assert await incidents.attend(desk.db, desk.policy, desk.now) == 0
    assert await incidents.attend(desk.db, desk.policy, desk.now) == 1
    assert await desk.told() == [("chat", "opened", "shop")]


async def test_a_transaction_that_is_rolled_back_tells_nobody(desk: Desk) -> None:
    desk.policy = replace(desk.policy, routes=(CHAT, Route(channel="a\x00b")))
    with pytest.raises(DBAPIError):
        await desk.see(DOWN, "shop")
    assert await desk.told() == []
    assert await queries.incidents(desk.db) == ()


async def test_open_incidents_come_first_and_stand_in_the_fleet(desk: Desk) -> None:
    await desk.watch("a", "b")
    await desk.see(DOWN, "a")
    desk.now += timedelta(minutes=5)
    await desk.see(DOWN, "b")
    await desk.see(UP, "b")
    first, second = await queries.incidents(desk.db)
    assert (first.endpoint_name, second.endpoint_name) == ("a", "b")
    assert [row.incident for row in await queries.fleet(desk.db)] == [first, None]


async def test_an_outage_that_newer_reports_may_end_is_held_until_it_was_looked_at_after_them(desk: Desk) -> None:
    names = [f"shop-{number}" for number in range(Alerting().mass_after)]
    await desk.watch(*names)
    await desk.see(DOWN, *names, held_s=3.0)
    await desk.see(UP, *names)
    await desk.passes(LOOK_EVERY / timedelta(minutes=1))
    rows = await desk.store.sql(
        "select payload ->> 'kind', extract(epoch from next_attempt_at - created_at) from notice order by number"
    )
    (opened, held_s), (closed, end_held_s) = rows
    assert (opened, closed) == ("outage-opened", "outage-closed")
    assert held_s > 3.0 + LOOK_EVERY.total_seconds()
    assert end_held_s == 0
