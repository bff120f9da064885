"""What the history of an incident tells of people's decisions, read from where each of them is written."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from checks.model import Verdict
from prober.incidents.windows import whom_in_words
from prober.storage import audit, decisions, incidents, mutes
from prober.storage.audit import Author, Via
from prober.storage.decisions import What
from tests.integration.storage.builders import Store
from tests.integration.storage.test_telling import Desk, mute

ADA, BOB = Author(name="ada", via=Via.COMMAND), Author(name="bob", via=Via.PAGE)
HOUR = timedelta(hours=1)


@pytest.fixture
async def desk(store: Store) -> Desk:
    desk = Desk(store, now=datetime.now(UTC))
    await desk.watch("shop", "bank", labels={"team": "pay"})
    await desk.see(Verdict.DOWN, "shop")
    return desk


async def decide(desk: Desk, author: Author, action: str, *, lasts: timedelta | None = None) -> list[bool]:
    """Whether that changed anything, of each incident of the shop."""
    which = incidents.open_of(["shop"])
    async with desk.db.begin() as connection:
        if action == "incident.acknowledge":
            decided = await incidents.acknowledge(connection, which, by=author.name)
        else:
            decided = await incidents.snooze(connection, which, lasts)
        for each in decided:
            if each.is_news:
                await audit.note(connection, author, action, each.endpoint, incidents.detail_of(each))
    return [each.is_news for each in decided]


async def told(desk: Desk) -> list[tuple[What, str]]:
    identity: UUID = (await desk.incident("shop")).id
    return [(each.what, each.author) for each in await decisions.about(desk.db, identity)]


async def test_who_took_an_incident_in_hand_snoozed_it_and_ended_that_stands_in_its_history(desk: Desk) -> None:
    assert await decide(desk, ADA, "incident.acknowledge") == [True]
    assert await decide(desk, BOB, "incident.snooze", lasts=HOUR) == [True]
    assert await decide(desk, ADA, "incident.wake") == [True]
    assert await told(desk) == [(What.ACKNOWLEDGE, "ada"), (What.SNOOZE, "bob"), (What.WAKE, "ada")]
    _, snooze, wake = await decisions.about(desk.db, (await desk.incident("shop")).id)
    assert snooze.until is not None
    assert timedelta() <= snooze.until - (snooze.at + HOUR) < timedelta(seconds=1)
    assert wake.until is None


async def test_what_was_decided_already_is_no_decision(desk: Desk) -> None:
    assert await decide(desk, ADA, "incident.wake") == [False]
    await decide(desk, ADA, "incident.acknowledge")
    assert await decide(desk, BOB, "incident.acknowledge") == [False]
    assert await told(desk) == [(What.ACKNOWLEDGE, "ada")]
    assert (await desk.incident("shop")).acknowledged_by == "ada"


async def test_times_in_which_nobody_was_told_of_the_endpoint_stand_there_too(desk: Desk) -> None:
    named = await mute(desk, "shop")
    await mute(desk, kind=mutes.DEPLOY, team="pay")
    await mute(desk)
    await mute(desk, "bank")
    await mute(desk, team="shop")
    assert await told(desk) == [(What.MAINTENANCE, "ada"), (What.DEPLOY, "ada"), (What.MAINTENANCE, "ada")]
    async with audit.change(desk.db, BOB, "maintenance.end", whom_in_words(["shop"], {}), {"mute": str(named)}) as ours:
        await mutes.end(ours, str(named))
    assert (What.END, "bob") in await told(desk)


async def test_times_that_were_over_before_it_or_never_began_do_not(desk: Desk) -> None:
    async with desk.db.begin() as connection:
        for begins, ends in ((-3 * HOUR, -HOUR), (HOUR, 2 * HOUR)):
            await mutes.add(
                connection,
                kind=mutes.MAINTENANCE,
                endpoints=["shop"],
                labels={},
                starts_at=desk.now + begins,
                ends_at=desk.now + ends,
                reason="",
                by="ada",
            )
    assert await told(desk) == []


async def test_of_an_incident_that_never_was_nothing_was_decided(desk: Desk) -> None:
    assert await decisions.about(desk.db, uuid4()) == ()
