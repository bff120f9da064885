"""Records that come late, twice, many at once, or after somebody has given up on them."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from checks.model import Endpoint, Verdict
from prober.settings import EndpointOptions, MetricSet
from prober.storage.recording import Fate
from prober.storage.records import ReportRecord, UnreadableRecord
from prober.storage.schedule import Claim
from tests.integration.storage.builders import NOON, Store, diagnosis, endpoint, record_on, report_on

MINUTE = timedelta(minutes=1)


def records(claim: Claim, *verdicts: Verdict) -> list[ReportRecord]:
    """One for each verdict, in consecutive slots, as of a worker that went on from memory."""
    made = []
    for verdict in verdicts:
        made.append(record_on(claim, report_on(claim, verdict)))
        claim = claim.following()
    return made


async def claimed_earlier(store: Store) -> Claim:
    """A claim of ten minutes ago: what is of a time to come is taken for the word of another clock."""
    claim, ago = await store.claim_one(), 10 * MINUTE
    await store.sql(
        "update endpoint set claimed_slot = claimed_slot - interval '10 min', next_due = next_due - interval '10 min'"
        " returning id"
    )
    return replace(claim, slot=claim.slot - ago, next_slot=claim.next_slot - ago)


UP, DOWN = Verdict.UP, Verdict.DOWN


async def rows(store: Store, columns: str = "slot, verdict, missed") -> list[object]:
    return await store.sql(f"select {columns} from report order by slot")


async def test_a_record_outlives_the_process_in_bytes(watched: Store) -> None:
    claim = await watched.claim_one()
    record = record_on(claim, report_on(claim, DOWN, diagnoses=(diagnosis(summary="a\x00b\ud800c"),)))
    assert ReportRecord.from_bytes(record.to_bytes()) == record
    assert ReportRecord.from_bytes(record.to_bytes(slim=True)) == replace(record, evidence=None)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"version": 2}', b"\xff\n{}", b"[]"])
def test_what_is_no_record_says_so(data: bytes) -> None:
    with pytest.raises(UnreadableRecord, match="not a record that this release can read"):
        ReportRecord.from_bytes(data)


async def test_many_records_of_one_endpoint_are_saved_in_their_order_at_once(watched: Store) -> None:
    claim = await watched.claim_one()
    batch = records(claim, UP, DOWN, DOWN, UP)
    assert await watched.save_all(*batch) == [Fate.SAVED] * 4
    ((marks, verdict, since, slot),) = await watched.sql("select marks, verdict, since, slot from endpoint_state")
    assert (marks, verdict, since, slot) == ("uddu", "up", claim.slot + 3 * MINUTE, claim.slot + 3 * MINUTE)
    ((due, owner),) = await watched.sql("select next_due, lease_owner from endpoint")
    assert (due, owner) == (claim.slot + 4 * MINUTE, None), "the timetable goes on after what was probed from memory"
    assert await watched.save_all(*batch) == [Fate.KNOWN] * 4


async def test_a_late_record_becomes_history_and_nothing_else(watched: Store) -> None:
    claim = await watched.claim_one()
    early, late = records(claim, DOWN, UP)
    await watched.save_all(late)
    state = await watched.sql("select verdict, marks, slot, bad_since from endpoint_state")
    assert await watched.save_all(early) == [Fate.LATE]
    assert await watched.sql("select verdict, marks, slot, bad_since from endpoint_state") == state
    assert [verdict for (verdict,) in await rows(watched, "verdict")] == ["down", "up"]
    assert await watched.sql("select count(*) from evidence") == [(1,)]


async def test_hours_that_were_over_have_their_figures_made_anew(watched: Store) -> None:
    claim = await watched.claim_one()
    old = replace(claim, slot=NOON, next_slot=NOON + MINUTE)
    await watched.save_all(record_on(old), record_on(claim))
    assert await watched.sql("select hour from rollup_due where hour <= :noon", noon=NOON) == [(NOON,)]
    assert await watched.sql("select 1 from rollup_due where hour >= date_trunc('hour', now())") == []


async def test_slots_that_were_recorded_as_missed_turn_into_what_was_found(watched: Store) -> None:
    dead = await watched.claim_one(worker="dead")
    await watched.sql(
        "update endpoint set lease_until = now(), phase_s = mod(extract(epoch from claimed_slot)::numeric, 60),"
        " claimed_slot = claimed_slot - interval '5 min', next_due = next_due - interval '5 min'"
    )
    (claim,) = await watched.claim("alive")
    first = dead.slot - 5 * MINUTE
    assert await rows(watched) == [(first, "unknown", 1), (first + MINUTE, "unknown", 4)]
    found = records(replace(dead, slot=first, next_slot=first + MINUTE), UP, UP, DOWN)
    fates = await watched.save_all(found[0], found[2], record_on(claim, worker="alive"), found[1])
    assert fates == [Fate.SAVED, Fate.SAVED, Fate.SAVED, Fate.LATE]
    assert await rows(watched) == [
        (first, "up", 0),
        (first + MINUTE, "up", 0),
        (first + 2 * MINUTE, "down", 0),
        (first + 3 * MINUTE, "unknown", 2),
        (claim.slot, "up", 0),
    ]
    assert await watched.sql("select last_slot from report where missed > 0") == [(first + 4 * MINUTE,)]


async def test_a_run_of_which_only_the_number_is_known_stands_in_one_row(watched: Store) -> None:
    claim = await watched.claim_one()
    last = claim.slot + 4 * MINUTE
    run = record_on(claim).standing_for(last, 5)
    assert run.seen.until == last, "or what follows would come after a gap"
    assert await watched.save_all(run) == [Fate.SAVED]
    assert await rows(watched, "slot, coalesced, last_slot") == [(claim.slot, 4, last)]
    assert await watched.sql("select marks, slot from endpoint_state") == [("uuuuu", last)]
    assert await watched.sql("select next_due from endpoint") == [(last + MINUTE,)]


async def test_a_run_of_which_the_first_slots_were_saved_before_a_crash_adds_the_others(watched: Store) -> None:
    claim = await watched.claim_one()
    first, second, *_ = alone = records(claim, UP, UP, UP, UP, UP)
    await watched.save_all(first, second)
    run = first.standing_for(alone[-1].slot, 5)
    assert await watched.save_all(run) == [Fate.SAVED]
    expected = [(claim.slot, 0), (claim.slot + MINUTE, 0), (claim.slot + 2 * MINUTE, 2)]
    assert await rows(watched, "slot, coalesced") == expected
    assert await watched.save_all(run) == [Fate.KNOWN]
    assert await rows(watched, "slot, coalesced") == expected
    assert await watched.sql("select marks, slot from endpoint_state") == [("uuuuu", alone[-1].slot)]


async def test_a_run_leaves_out_a_slot_that_another_worker_probed_meanwhile(watched: Store) -> None:
    claim = await claimed_earlier(watched)
    first, _, third, _, last = records(claim, UP, UP, DOWN, UP, UP)
    await watched.save_all(third)
    assert await watched.save_all(first.standing_for(last.slot, 5)) == [Fate.LATE, Fate.SAVED]
    assert await rows(watched, "slot, verdict, coalesced") == [
        (claim.slot, "up", 1),
        (third.slot, "down", 0),
        (claim.slot + 3 * MINUTE, "up", 1),
    ]


@pytest.mark.parametrize("after", [(), (endpoint(url="https://another.example/mcp"),)], ids=["removed", "replaced"])
async def test_what_was_probed_before_its_server_was_removed_or_replaced_is_history_and_the_rest_is_dropped(
    watched: Store, after: tuple[Endpoint, ...]
) -> None:
    claim = await claimed_earlier(watched)
    before = records(claim, UP, DOWN)
    later = record_on(replace(claim, slot=claim.slot + 12 * MINUTE, next_slot=claim.next_slot + 12 * MINUTE))
    await watched.watch(*after)
    changed = await watched.sql("select next_due, lease_owner, claimed_slot from endpoint")
    assert await watched.save_all(*before, later) == [Fate.LATE, Fate.LATE, Fate.OUTDATED]
    assert await watched.save_all(*before) == [Fate.KNOWN, Fate.KNOWN]
    assert await rows(watched, "slot, verdict") == [(each.slot, each.row["verdict"]) for each in before]
    assert await watched.sql("select 1 from endpoint_state") == []
    assert await watched.sql("select next_due, lease_owner, claimed_slot from endpoint") == changed


async def test_history_takes_the_place_of_a_slot_that_was_given_up_before_its_server_was_replaced(
    watched: Store,
) -> None:
    claim = await watched.claim_one()
    await watched.sql("update endpoint set lease_until = now()")
    await watched.claim_one(worker="two")
    assert await rows(watched, "slot, missed") == [(claim.slot, 1)]
    await watched.watch(endpoint(url="https://another.example/mcp"))
    assert await watched.save_all(record_on(claim)) == [Fate.LATE]
    assert await rows(watched, "slot, missed") == [(claim.slot, 0)]


async def test_an_endpoint_that_nobody_watches_any_more_keeps_its_state(watched: Store) -> None:
    claim = await watched.claim_one()
    await watched.watch(endpoint(enabled=False))
    assert await watched.save_all(record_on(claim)) == [Fate.LATE]
    assert await watched.sql("select 1 from endpoint_state") == []


async def test_bad_reports_count_from_the_first_that_was_confirmed(watched: Store) -> None:
    claim = await watched.claim_one()
    glitch = record_on(claim, report_on(claim, DOWN), confirmed=UP)
    await watched.save_all(glitch)
    assert await watched.sql("select verdict, bad_since from endpoint_state") == [("down", None)]
    second = claim.following()
    await watched.save_all(record_on(second, report_on(second, DOWN), confirmed=DOWN))
    assert await watched.sql("select bad_since from endpoint_state") == [(second.slot,)]
    third = second.following()
    await watched.save_all(record_on(third, report_on(third, Verdict.UNKNOWN)))
    assert await watched.sql("select bad_since from endpoint_state") == [(second.slot,)], "nothing was observed"


async def test_workers_that_save_the_same_endpoints_at_once_do_not_stop_each_other(store: Store) -> None:
    names = [f"e{number}" for number in range(20)]
    await store.watch(*(endpoint(name) for name in names))
    await store.sql("update endpoint set next_due = now()")
    claims = await store.claim(limit=20)
    batch = [record_on(claim) for claim in claims]
    fates = await asyncio.gather(*(store.save_all(*batch[::step]) for step in (1, -1)))
    assert sorted(fate for each in fates for fate in each) == [Fate.KNOWN] * 20 + [Fate.SAVED] * 20


async def test_what_is_decided_for_one_endpoint_comes_with_its_slots(store: Store) -> None:
    options = EndpointOptions(fail_after=1, depends_on=("bank",), metrics=MetricSet.FULL)
    assert (await store.watch(endpoint(), options={"shop": options})).added == ("shop",)
    assert (await store.watch(endpoint(), options={"shop": options})).changed == ()
    assert (await store.claim_one()).options == options
    assert (await store.watch(endpoint())).changed == ("shop",)


async def test_who_is_busy_is_not_asked_for(store: Store) -> None:
    await store.watch(endpoint("a"), endpoint("b"))
    await store.due_now("a")
    await store.due_now("b")
    claims = await store.claim()
    await store.sql("update endpoint set lease_owner = null, lease_until = null, next_due = now()")
    assert len(claims) == 2
    assert await store.claim(busy=[claim.endpoint_id for claim in claims]) == []
