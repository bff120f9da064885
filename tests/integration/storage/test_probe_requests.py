"""Probes that a person asks for out of turn."""

from uuid import UUID, uuid4

import pytest

from checks.model import Profile, Verdict
from prober.storage import probe_requests, schedule
from prober.storage.identity import endpoint_id
from prober.storage.probe_requests import AlreadyAsked, NoSuchEndpoint, ProbeRequest, Stage, SwitchedOff
from prober.storage.recording import Fate
from tests.integration.storage.builders import Store, endpoint, report_on


@pytest.fixture
async def watched(store: Store) -> Store:
    """One endpoint whose next slot is nearly a minute away."""
    await store.watch(endpoint())
    await store.sql("update endpoint set next_due = now() + interval '50 seconds'")
    return store


async def ask(store: Store, profile: Profile = Profile.STANDARD, name: str = "shop") -> UUID:
    async with store.db.begin() as connection:
        return await probe_requests.ask(connection, name, profile, "ana")


async def stage_of(store: Store, request: UUID) -> Stage:
    return (await known(store, request)).stage


async def known(store: Store, request: UUID) -> ProbeRequest:
    found = await probe_requests.known(store.db, request)
    assert found is not None
    return found


async def test_what_was_asked_for_waits_and_is_known_with_who_asked(watched: Store) -> None:
    request = await ask(watched, Profile.FULL)
    found = await known(watched, request)
    assert (found.endpoint, found.profile, found.asked_by, found.stage) == ("shop", Profile.FULL, "ana", Stage.WAITING)
    assert await probe_requests.newest(watched.db, "shop") == found
    assert await probe_requests.known(watched.db, uuid4()) is None


async def test_only_what_is_watched_can_be_asked_for(store: Store) -> None:
    await store.watch(endpoint("off", enabled=False))
    with pytest.raises(NoSuchEndpoint, match="shop"):
        await ask(store)
    with pytest.raises(SwitchedOff, match="switched off"):
        await ask(store, name="off")


async def test_one_request_at_a_time_waits_for_an_endpoint(watched: Store) -> None:
    request = await ask(watched)
    with pytest.raises(AlreadyAsked) as refused:
        await ask(watched, Profile.FULL)
    assert refused.value.request == request


async def test_one_that_nobody_took_stands_in_nobodys_way(watched: Store) -> None:
    request = await ask(watched)
    await watched.sql("update probe_request set asked_at = now() - interval '11 minutes'")
    assert await stage_of(watched, request) is Stage.LOST
    assert await ask(watched) != request


async def test_a_request_is_claimed_at_once_and_moves_no_slot(watched: Store) -> None:
    ((next_due,),) = await watched.sql("select next_due from endpoint")
    request = await ask(watched, Profile.FULL)
    (claim,) = await watched.claim()
    assert (claim.request, claim.profile, claim.next_slot) == (request, Profile.FULL, next_due)
    assert claim.following().slot == next_due
    assert claim.following().request is None
    assert await stage_of(watched, request) is Stage.UNDER_WAY
    assert await watched.claim("two") == [], "it is claimed once"
    saved = await watched.save(report_on(claim), claim)
    assert (saved.fate, (await known(watched, request)).report_id) == (Fate.SAVED, saved.report_id)
    assert await stage_of(watched, request) is Stage.DONE
    assert await watched.sql("select next_due, lease_owner from endpoint") == [(next_due, None)]
    assert await watched.sql("select count(*) from report where missed > 0") == [(0,)]


async def test_while_one_is_under_way_no_other_is_asked_for(watched: Store) -> None:
    await ask(watched)
    (claim,) = await watched.claim()
    with pytest.raises(AlreadyAsked):
        await ask(watched)
    await watched.save(report_on(claim), claim)
    await ask(watched)


async def test_no_request_is_taken_while_a_probe_of_its_endpoint_runs(watched: Store) -> None:
    regular = await watched.claim_one()
    await ask(watched)
    await watched.sql("update endpoint set next_due = now() + interval '50 seconds'")
    assert await watched.claim("two") == []
    await watched.save(report_on(regular), regular)
    (asked,) = await watched.claim("two")
    assert asked.out_of_turn


@pytest.mark.parametrize("profile", [Profile.STANDARD, Profile.FULL])
async def test_where_it_could_not_end_before_the_next_slot_that_slot_answers_it(
    watched: Store, profile: Profile
) -> None:
    await watched.sql("update endpoint set next_due = now() + interval '5 seconds'")
    request = await ask(watched, profile)
    assert await watched.claim() == []
    claim = await watched.claim_one()
    assert (claim.request, claim.profile, claim.out_of_turn) == (request, profile, False)
    saved = await watched.save(report_on(claim), claim)
    assert (await known(watched, request)).report_id == saved.report_id


async def test_endpoints_that_a_worker_leaves_out_are_left_out_here_too(watched: Store) -> None:
    await ask(watched)
    assert await watched.claim(busy=[endpoint_id("shop")]) == []


async def test_no_more_is_taken_than_there_is_room_for(watched: Store) -> None:
    await watched.watch(endpoint(), endpoint("blog"))
    await watched.sql("update endpoint set next_due = now() + interval '50 seconds'")
    await ask(watched)
    await ask(watched, name="blog")
    assert [claim.endpoint.name for claim in await watched.claim(limit=1)] == ["shop"], "who asked first comes first"


async def test_one_that_is_handed_back_is_taken_by_another_worker(watched: Store) -> None:
    request = await ask(watched)
    before = await watched.sql("select next_due from endpoint")
    (claim,) = await watched.claim()
    await schedule.release(watched.db, claim)
    assert await stage_of(watched, request) is Stage.WAITING
    assert await watched.sql("select next_due from endpoint") == before
    (again,) = await watched.claim("two")
    assert again.request == request


async def test_one_that_is_handed_back_after_another_was_asked_for_is_not_asked_twice(watched: Store) -> None:
    request = await ask(watched)
    (claim,) = await watched.claim()
    long_ago = "now() - interval '11 minutes'"
    await watched.sql(f"update probe_request set asked_at = {long_ago}, taken_at = {long_ago}")
    newer = await ask(watched)
    await schedule.release(watched.db, claim)
    assert (await stage_of(watched, request), await stage_of(watched, newer)) == (Stage.LOST, Stage.WAITING)


async def test_one_whose_worker_died_is_taken_by_another_when_the_lease_ends(watched: Store) -> None:
    request = await ask(watched)
    await watched.claim("killed")
    assert await stage_of(watched, request) is Stage.UNDER_WAY
    await watched.sql("update endpoint set lease_until = now()")
    assert await stage_of(watched, request) is Stage.WAITING
    with pytest.raises(AlreadyAsked):
        await ask(watched)
    (claim,) = await watched.claim("two")
    await watched.sql("update probe_request set asked_at = now() - interval '11 minutes'")
    assert (claim.request, claim.missed, await stage_of(watched, request)) == (request, (), Stage.UNDER_WAY)
    saved = await watched.save(report_on(claim), claim, worker="two")
    assert (await known(watched, request)).report_id == saved.report_id
    assert await watched.claim() == []


async def test_the_death_of_its_worker_makes_no_slot_a_missed_one_and_the_next_slot_answers_it(watched: Store) -> None:
    request = await ask(watched, Profile.FULL)
    await watched.claim("killed")
    await schedule.release_all(watched.db, ["killed"])
    claim = await watched.claim_one()
    assert (claim.missed, claim.request, claim.profile) == ((), request, Profile.FULL)


async def test_one_that_every_worker_dies_of_is_lost_in_the_end_and_blocks_no_other(watched: Store) -> None:
    request = await ask(watched)
    await watched.claim("killed")
    await watched.sql("update endpoint set lease_until = now()")
    await watched.sql("update probe_request set asked_at = now() - interval '11 minutes'")
    assert await stage_of(watched, request) is Stage.LOST
    assert await watched.claim() == []
    assert await ask(watched) != request


async def test_what_its_worker_saved_late_answers_it_all_the_same(watched: Store) -> None:
    request = await ask(watched)
    (late,) = await watched.claim("one")
    await watched.sql("update endpoint set lease_until = now()")
    saved = await watched.save(report_on(late), late)
    assert (await stage_of(watched, request), await watched.claim("two")) == (Stage.DONE, [])
    assert (await known(watched, request)).report_id == saved.report_id


async def test_the_answer_counts_for_the_endpoint_as_any_other(watched: Store) -> None:
    await watched.probe(verdict=Verdict.UP)
    await watched.sql("update endpoint set next_due = now() + interval '50 seconds'")
    await ask(watched)
    (claim,) = await watched.claim()
    await watched.save(report_on(claim, Verdict.DOWN), claim)
    assert await watched.sql("select verdict from endpoint_state") == [("down",)]
