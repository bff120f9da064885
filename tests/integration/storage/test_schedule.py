"""The timetable on a real server: who gets which slot, and what becomes of those that nobody probed."""

import asyncio
import json
import math
from datetime import timedelta

import pytest

from checks.encode import as_json
from checks.model import History, Profile, Verdict
from checks.standing import FullFindings, Standing
from prober.storage import endpoints, schedule
from prober.storage.database import open_engine
from prober.storage.identity import endpoint_id, phase_s, report_id
from prober.storage.missed import Missed, MissedReason
from prober.storage.recording import Fate
from prober.storage.schedule import Claim
from tests.integration.storage.builders import NOON, Store, diagnosis, endpoint, report_on

SHOP = endpoint_id("shop")


async def off_the_grid_ms(store: Store) -> float:
    """How far the next slot lies from the endpoint's phase, in milliseconds."""
    ((off,),) = await store.sql(
        "select extract(epoch from next_due)::double precision - phase_s"
        " - interval_s * round((extract(epoch from next_due)::double precision - phase_s) / interval_s) from endpoint"
    )
    return abs(float(off)) * 1000


async def starts_in_s(store: Store, claim: Claim) -> float:
    """Seconds from now to the slot, by the clock of the database."""
    ((now,),) = await store.sql("select now()")
    return float((claim.slot - now).total_seconds())


@pytest.mark.parametrize("interval_s", [3.0, 60.0, 86_400.0])
async def test_a_new_endpoint_is_probed_soon_and_then_at_its_phase(store: Store, interval_s: float) -> None:
    await store.watch(endpoint(interval_s=interval_s))
    ((wait,),) = await store.sql("select extract(epoch from next_due - now()) from endpoint")
    assert 0 <= wait <= min(interval_s, schedule.FIRST_WITHIN_S)
    (claim,) = await store.claim(ahead_s=schedule.FIRST_WITHIN_S + 1)
    assert claim.missed == ()
    assert await off_the_grid_ms(store) < 1
    ((phase,),) = await store.sql("select phase_s from endpoint")
    assert phase == phase_s(SHOP, interval_s)


async def longest_wait_s(store: Store) -> float:
    """How long after now the last of the first slots begins."""
    ((wait,),) = await store.sql("select extract(epoch from max(next_due) - now())::double precision from endpoint")
    return float(wait)


async def test_a_few_new_endpoints_are_probed_at_once(store: Store) -> None:
    await store.watch(*(endpoint(f"e{number}", interval_s=60.0) for number in range(10)))
    assert await longest_wait_s(store) <= 2


async def test_whoever_starts_a_fleet_may_ask_for_its_first_probes_sooner(store: Store) -> None:
    fleet = [endpoint(f"e{number}") for number in range(100)]
    await endpoints.sync(store.db, fleet, soon_s=3.0)
    assert 2 < await longest_wait_s(store) <= 3


async def test_many_new_endpoints_do_not_start_together(store: Store) -> None:
    await store.watch(*(endpoint(f"e{number}") for number in range(200)))
    counts = await store.sql("select count(*) from endpoint group by date_trunc('second', next_due)")
    assert max(count for (count,) in counts) <= 20, "200 over 30 s are 7 a second on average"


async def test_a_slot_is_claimed_once_and_a_little_ahead_of_its_time(watched: Store) -> None:
    await watched.sql("update endpoint set next_due = now() + interval '5 s'")
    assert await watched.claim(ahead_s=1.1) == []
    (claim,) = await watched.claim(ahead_s=6)
    assert 1 < await starts_in_s(watched, claim) <= 5
    assert claim.endpoint == endpoint()
    assert await watched.claim("two", ahead_s=6) == []


async def test_workers_that_claim_at_the_same_time_share_without_overlap(store: Store, database_url: str) -> None:
    await store.watch(*(endpoint(f"e{number}") for number in range(60)))
    await store.sql("update endpoint set next_due = now()")
    other = Store(open_engine(database_url))
    try:
        shares = await asyncio.gather(
            *((store, other)[number % 2].claim(f"worker {number}", limit=8) for number in range(8))
        )
    finally:
        await other.db.dispose()
    claimed = [claim.endpoint.name for share in shares for claim in share]
    assert len(claimed) == len(set(claimed))
    rest = [claim.endpoint.name for claim in await store.claim("late", limit=60)]
    assert sorted(claimed + rest) == sorted(f"e{number}" for number in range(60))
    assert sum(bool(share) for share in shares) > 1


async def test_no_more_is_claimed_than_asked_for_and_the_longest_overdue_comes_first(store: Store) -> None:
    await store.watch(endpoint("late"), endpoint("later"))
    await store.due_now("late")
    await store.sql("update endpoint set next_due = next_due - interval '2 s' where name = 'late'")
    await store.due_now("later")
    assert [claim.endpoint.name for claim in await store.claim(limit=1)] == ["late"]


async def test_an_endpoint_is_never_probed_twice_at_once(watched: Store) -> None:
    await watched.claim_one()
    await watched.due_now()
    assert await watched.claim("two") == [], "the next slot is due, but the lease on the endpoint holds"


async def test_the_lease_outlasts_the_deadline_of_the_probe(store: Store) -> None:
    await store.watch(endpoint(timeout_s=42))
    await store.due_now()
    await store.claim(lease_margin_s=3)
    ((length,),) = await store.sql("select extract(epoch from lease_until - claimed_slot) from endpoint")
    assert 45 <= length < 46


async def test_a_killed_workers_endpoint_is_taken_over_and_its_slot_recorded(watched: Store) -> None:
    killed = await watched.claim_one(worker="killed")
    await watched.sql("update endpoint set lease_until = now() - interval '1 s', next_due = next_due + interval '1 h'")
    taken = await watched.claim_one(worker="alive")
    assert taken.fence == killed.fence + 1
    assert taken.missed == (Missed.one(killed.slot, MissedReason.INTERRUPTED),)
    rows = await watched.sql("select slot, verdict, missed, unknown_reason from report")
    assert rows == [(killed.slot, "unknown", 1, "interrupted")]


async def test_what_a_worker_brings_after_its_lease_went_to_another_counts_and_leaves_that_lease(
    watched: Store,
) -> None:
    slow = await watched.claim_one(worker="paused")
    await watched.sql("update endpoint set lease_until = now() - interval '1 s'")
    fresh = await watched.claim_one(worker="alive")
    assert (await watched.save(report_on(slow), slow, worker="paused")).fate is Fate.SAVED
    ((owner,),) = await watched.sql("select lease_owner from endpoint")
    assert owner == "alive", "the other worker's lease is untouched"
    rows = await watched.sql("select slot, verdict, missed from report")
    assert rows == [(slow.slot, "up", 0)], "it stands where the slot was recorded as interrupted"
    assert (await watched.save(report_on(fresh), fresh, worker="alive")).is_new


async def test_a_lease_that_ended_without_a_successor_still_lets_the_report_in(watched: Store) -> None:
    slow = await watched.claim_one()
    await watched.sql("update endpoint set lease_until = now() - interval '1 s'")
    assert (await watched.save(report_on(slow), slow)).is_new
    assert (await watched.claim_one()).missed == ()


async def test_slots_without_a_worker_are_recorded_as_one_run(watched: Store) -> None:
    await watched.probe()
    await watched.due_now()
    await watched.sql("update endpoint set next_due = next_due - interval '3 min'")
    (claim,) = await watched.claim(location="cellar")
    run = Missed(
        first_slot=claim.slot - timedelta(minutes=3),
        last_slot=claim.slot - timedelta(minutes=1),
        count=3,
        reason=MissedReason.MISSED,
    )
    assert claim.missed == (run,)
    rows = await watched.sql("select id, verdict, missed, unknown_reason from report where missed > 0")
    assert rows == [(report_id(SHOP, run.first_slot, "cellar"), "unknown", 3, "missed")]
    ((marks, verdict),) = await watched.sql("select marks, verdict from endpoint_state")
    assert (marks, verdict) == ("u???", "up"), "what is missing shows in the bars and decides nothing"


async def test_a_slot_that_is_long_past_waits_for_the_next_one_of_its_grid(watched: Store) -> None:
    """Otherwise a restart after a long stop would start all probes at once."""
    await watched.sql(
        "update endpoint set next_due = now() - interval '20 s', phase_s = mod("
        " extract(epoch from now() - interval '20 s'), 60)"
    )
    assert await watched.claim() == []
    (claim,) = await watched.claim(ahead_s=45)
    assert 25 < await starts_in_s(watched, claim) <= 40
    assert [(missed.count, missed.reason) for missed in claim.missed] == [(1, MissedReason.MISSED)]


async def test_a_slot_that_is_a_little_late_is_probed_at_once(watched: Store) -> None:
    await watched.due_now()
    await watched.sql(
        "update endpoint set next_due = next_due - interval '3 s', phase_s = mod("
        " extract(epoch from next_due - interval '3 s'), 60)"
    )
    (claim,) = await watched.claim()
    assert -4 < await starts_in_s(watched, claim) <= -3
    assert claim.missed == ()


async def test_a_slot_that_is_handed_back_goes_to_another_worker_at_once(watched: Store) -> None:
    given = await watched.claim_one(worker="stopping")
    await schedule.release(watched.db, given)
    (taken,) = await watched.claim("alive")
    assert (taken.slot, taken.missed) == (given.slot, ())
    await schedule.release(watched.db, given)
    ((owner,),) = await watched.sql("select lease_owner from endpoint")
    assert owner == "alive", "a claim that no longer holds hands nothing back"


async def test_what_is_disabled_is_not_probed(store: Store) -> None:
    await store.watch(endpoint(enabled=False))
    await store.due_now()
    assert await store.claim() == []


async def test_a_first_claim_remembers_nothing(watched: Store) -> None:
    claim = await watched.claim_one()
    assert (claim.remembered, claim.history) == (None, History())


SUSPECTED = FullFindings(suspected=("tools-empty",))
POSTPONED = FullFindings(suspected=("tools-empty",), postponed=True)


async def remember(store: Store, findings: FullFindings) -> None:
    await store.sql(
        "update endpoint_state set full_due = :due, full_findings = cast(:findings as jsonb)",
        due=findings.due.value,
        findings=json.dumps(as_json(findings)),
    )


async def full_was(store: Store, seconds_ago: float | None) -> None:
    await store.sql("update endpoint_state set full_at = now() - make_interval(secs => :ago)", ago=seconds_ago)


async def next_profile(store: Store) -> Profile:
    """Of the next slot, which is then handed back."""
    claim = await store.claim_one()
    await schedule.release(store.db, claim)
    return claim.profile


async def test_the_first_probe_of_an_endpoint_is_no_full_one(store: Store) -> None:
    await store.watch(endpoint(full_every_s=60.0))
    claim, _ = await store.probe()
    assert claim.profile is Profile.STANDARD
    assert await next_profile(store) is Profile.FULL, "with turns as close as slots, the second is"


@pytest.mark.parametrize(
    ("full_every_s", "seconds_ago", "profile"),
    [
        (60.0, None, Profile.FULL),
        (60.0, 59.0, Profile.FULL),
        (60.0, 10.0, Profile.STANDARD),
        (30.0, 29.0, Profile.FULL),
        (None, None, Profile.STANDARD),
        (None, 1e6, Profile.STANDARD),
    ],
)
async def test_a_full_probe_is_due_when_the_last_one_is_long_enough_ago(
    store: Store, full_every_s: float | None, seconds_ago: float | None, profile: Profile
) -> None:
    await store.watch(endpoint(full_every_s=full_every_s))
    await store.probe()
    await full_was(store, seconds_ago)
    assert await next_profile(store) is profile


async def test_a_fleet_does_not_run_its_full_probes_together(store: Store) -> None:
    """As after an upgrade: every endpoint is known, and none had a full probe yet."""
    fleet = [f"e{number}" for number in range(90)]
    await store.watch(*(endpoint(name) for name in fleet))
    await store.sql(
        "insert into endpoint_state (endpoint_id, verdict, since, cause_summary)"
        " select id, 'up', now(), '' from endpoint"
    )
    await store.sql("update endpoint set next_due = to_timestamp(phase_s + 60 * ceil(extract(epoch from now()) / 60))")
    full: list[list[str]] = []
    for minute in range(60):
        await store.sql("update endpoint set lease_until = null, lease_owner = null")
        claims = await store.claim(limit=100, ahead_s=60 * (minute + 2))
        assert len(claims) == len(fleet)
        full.append([claim.endpoint.name for claim in claims if claim.profile is Profile.FULL])
    assert max(len(each) for each in full) <= 8, "90 over 60 minutes are one or two a minute"
    assert sorted(name for each in full for name in each) == sorted(fleet), "each once within the hour"


async def test_a_day_apart_it_is_the_same_turn_of_the_day(watched: Store) -> None:
    """The end of a probe is later than its slot: without slack, a daily one would come an hour later every day."""
    await watched.probe()
    for minute in range(61):
        await watched.sql("update endpoint set lease_until = null, lease_owner = null")
        (claim,) = await watched.claim(ahead_s=60 * (minute + 2))
        if claim.profile is Profile.FULL:
            break
    assert claim.profile is Profile.FULL
    slot = claim.slot
    for seconds_ago, profile in ((86_400 - 20, Profile.FULL), (86_400 - 3600, Profile.STANDARD)):
        await watched.sql(
            "update endpoint_state set full_at = :slot - make_interval(secs => :ago)", slot=slot, ago=seconds_ago
        )
        await watched.sql("update endpoint set lease_until = null, lease_owner = null, next_due = :slot", slot=slot)
        (again,) = await watched.claim(ahead_s=3700)
        assert (again.slot, again.profile) == (slot, profile)


async def test_what_was_found_once_is_looked_for_at_the_next_slot(watched: Store) -> None:
    await watched.probe()
    await full_was(watched, 1)
    assert await next_profile(watched) is Profile.STANDARD
    await remember(watched, SUSPECTED)
    claim = await watched.claim_one()
    assert (claim.profile, claim.findings) == (Profile.FULL, SUSPECTED)


async def test_what_stands_or_could_not_be_confirmed_is_looked_for_at_every_turn(store: Store) -> None:
    await store.watch(endpoint(full_every_s=7200.0))
    await store.probe()
    await store.sql("update endpoint set full_every_s = 59")  # turns as close as slots
    await full_was(store, 1)
    kept = FullFindings(standing=(Standing(diagnosis=diagnosis(), checks=("session",), seen_at=NOON),))
    for findings, profile in ((FullFindings(), Profile.STANDARD), (POSTPONED, Profile.FULL), (kept, Profile.FULL)):
        await remember(store, findings)
        claim = await store.claim_one()
        assert (claim.profile, claim.findings) == (profile, findings)
        await schedule.release(store.db, claim)


@pytest.mark.parametrize(("full_every_s", "length"), [(60.0, 33), (None, 13)])
async def test_the_lease_of_a_full_probe_outlasts_its_longer_deadline(
    store: Store, full_every_s: float | None, length: int
) -> None:
    await store.watch(endpoint(timeout_s=10, full_every_s=full_every_s))
    await store.probe()
    await store.due_now()
    await store.claim(lease_margin_s=3)
    ((held,),) = await store.sql("select extract(epoch from lease_until - claimed_slot) from endpoint")
    assert length <= held < length + 1


async def test_an_owner_who_wants_no_more_full_probes_gets_rid_of_what_they_found(watched: Store) -> None:
    await watched.probe()
    await remember(watched, SUSPECTED)
    await watched.watch(endpoint(full_every_s=None))
    claim = await watched.claim_one()
    assert (claim.profile, claim.findings) == (Profile.STANDARD, FullFindings())


async def test_findings_that_this_release_cannot_read_hold_up_no_probe(watched: Store) -> None:
    await watched.probe()
    await remember(watched, SUSPECTED)
    await watched.sql("""update endpoint_state set full_findings = '{"standing": [{"diagnosis": 3}]}'""")
    assert (await watched.claim_one()).findings == FullFindings()


# cooling down


def cycle_of(claim: Claim, ends_in_s: tuple[float, float]) -> tuple[float, float]:
    """A `cold_every_s` by which the cooling pause ends so long after the claimed slot, and that time.

    When it ends follows from the phase, and the phase from the time of day.
    """
    slot = claim.slot.timestamp()
    phase = slot % 60 / 60
    for every in range(3600, 100_000, 60):
        ends = every * math.ceil((slot - phase * every) / every) + phase * every - slot
        if ends_in_s[0] <= ends <= ends_in_s[1]:
            return float(every), ends
    raise AssertionError("no cycle ends then")


async def next_due_in_s(store: Store, claim: Claim) -> float:
    ((due,),) = await store.sql("select next_due from endpoint")
    return float((due - claim.slot).total_seconds())


async def cooled(store: Store, ends_in_s: tuple[float, float], cool_down_s: float) -> tuple[float, float]:
    """After how long the next probe is due, of an endpoint whose pause ends within these limits; and when it ends."""
    first = await store.claim_one()
    await store.save(report_on(first), first)
    every, _ = cycle_of(first, ends_in_s)
    await store.watch(endpoint(cold_every_s=every, cool_down_s=cool_down_s))
    claim = await store.claim_one()
    slot, phase = claim.slot.timestamp(), claim.slot.timestamp() % 60 / 60
    return await next_due_in_s(store, claim), every * math.ceil((slot - phase * every) / every) + phase * every - slot


async def test_a_pause_is_left_out_and_the_next_probe_comes_at_its_end(watched: Store) -> None:
    due, ends = await cooled(watched, (300, 1000), cool_down_s=1200)

    assert ends <= due < ends + 60 + 1e-3
    assert due % 60 == pytest.approx(0, abs=1e-3)


async def test_before_a_pause_probes_come_as_ever(watched: Store) -> None:
    due, ends = await cooled(watched, (1000, 1600), cool_down_s=600)

    assert due == pytest.approx(60, abs=1e-3)
    assert ends > 600


async def test_an_endpoint_that_is_down_is_not_left_alone(watched: Store) -> None:
    claim = await watched.claim_one()
    await watched.save(report_on(claim, Verdict.DOWN), claim)
    every, _ = cycle_of(claim, (300, 1000))
    await watched.sql(
        "update endpoint set spec = spec || jsonb_build_object('cold_every_s', cast(:every as float), "
        "'cool_down_s', 1200)",
        every=every,
    )
    claim = await watched.claim_one()

    assert await next_due_in_s(watched, claim) == pytest.approx(60, abs=1e-3)


async def test_leaving_out_cold_every_ends_a_pause_at_once(watched: Store) -> None:
    await cooled(watched, (300, 1000), cool_down_s=1200)
    await watched.watch(endpoint())
    ((wait,),) = await watched.sql("select extract(epoch from next_due - now()) from endpoint")

    assert wait <= 30


@pytest.mark.parametrize("cold_every_s", [None, 600.0, 3600.0])
async def test_a_worker_computes_the_next_slots_as_the_database_does(store: Store, cold_every_s: float | None) -> None:
    await store.watch(endpoint(cold_every_s=cold_every_s, cool_down_s=300.0))
    await store.probe()
    await store.sql("update endpoint set phase_s = mod(extract(epoch from next_due)::numeric, 60)")
    (known,) = await store.claim(ahead_s=100_000)
    for _ in range(30):
        await store.sql("update endpoint set lease_until = null, lease_owner = null")
        (claim,) = await store.claim(ahead_s=100_000)
        known = known.following()
        assert (known.slot, known.next_slot) == (claim.slot, claim.next_slot)


async def set_back(store: Store, hours: int) -> None:
    """As if the clock of the database showed so much less than before."""
    span = f"interval '{hours} hours'"
    await store.sql(f"update endpoint set next_due = next_due + {span}, lease_until = lease_until + {span}")
    await store.sql(f"update endpoint_state set slot = slot + {span}")
    await store.sql(f"update report set slot = slot + {span}")


async def test_a_clock_that_was_set_back_by_an_hour_stops_nobody(watched: Store) -> None:
    claim, _ = await watched.probe()
    await watched.claim_one(worker="one")
    await set_back(watched, 1)
    assert await schedule.realign(watched.db) == 1
    ((ahead_s,),) = await watched.sql("select extract(epoch from next_due - now()) from endpoint")
    assert 0 <= ahead_s <= claim.endpoint.interval_s
    again = await watched.claim_one(worker="two")
    saved = await watched.save(report_on(again, Verdict.DOWN), again, worker="two")
    assert saved.fate is Fate.SAVED, "what was seen before in a time to come is not newer"
    assert await watched.sql("select verdict from endpoint_state") == [("down",)]


async def test_after_a_clock_was_set_back_no_slot_is_one_that_has_its_report(watched: Store) -> None:
    claim, _ = await watched.probe()
    await watched.sql("update endpoint set next_due = next_due + interval '1 hour'")
    await schedule.realign(watched.db)
    ((moved_ms,),) = await watched.sql(
        "select extract(epoch from next_due - :slot) * 1000 from endpoint", slot=claim.slot
    )
    assert float(moved_ms) % (claim.endpoint.interval_s * 1000) == pytest.approx(1.0, abs=0.01)


async def test_where_no_clock_was_set_nothing_is_moved(store: Store) -> None:
    await store.watch(
        endpoint("often", interval_s=1.0),
        endpoint("rare", interval_s=86400.0),
        endpoint("cold", interval_s=60.0, cold_every_s=3600.0, cool_down_s=1800.0),
    )
    await store.due_now("rare")
    await store.claim()
    assert await schedule.realign(store.db) == 0


async def test_a_lease_that_leaves_time_for_a_late_repetition_is_of_this_clock(watched: Store) -> None:
    await watched.due_now()
    assert await watched.claim(confirm_after_s=300.0)
    assert await schedule.realign(watched.db) == 0
