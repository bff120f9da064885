"""Probes that a person asks for out of turn."""

from uuid import UUID, uuid4

import pytest

from checks.model import Profile
from prober.storage import probe_requests
from prober.storage.probe_requests import AlreadyAsked, NoSuchEndpoint, ProbeRequest, Stage, SwitchedOff
from tests.integration.storage.builders import Store, endpoint


@pytest.fixture
async def watched(store: Store) -> Store:
    """One endpoint whose next slot is half a minute away."""
    await store.watch(endpoint())
    await store.sql("update endpoint set next_due = now() + interval '30 seconds'")
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
