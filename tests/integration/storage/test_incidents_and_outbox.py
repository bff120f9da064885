"""Incidents and their notices on a real server: written together, told in order, at least once."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from checks.model import Verdict
from prober.incidents.lifecycle import IncidentState, TransitionKind, seen_of, step
from prober.incidents.rules import Rules
from prober.storage import incidents, outbox, queries, reports
from prober.storage.identity import endpoint_id
from tests.integration.storage.builders import Store, diagnosis, endpoint, report_on

SHOP = endpoint_id("shop")
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
RULES = Rules(fail_after=1, recover_after=1)


async def probe(
    store: Store, verdict: Verdict, *, name: str = "shop", channels: tuple[str, ...] = ("slack",)
) -> tuple[IncidentState, tuple[TransitionKind, ...]]:
    """One cycle as a worker does it: the report, the step and the notices in one transaction."""
    claim = await store.claim_one(name)
    found = report_on(claim, verdict, diagnoses=(diagnosis(),) if verdict is Verdict.DOWN else ())
    async with store.db.begin() as connection:
        saved = await reports.save(connection, found, claim=claim)
        before = await incidents.load_state(connection, claim.endpoint_id)
        after, changes = step(before, seen_of(found, saved.report_id), RULES, NOW)
        for _ in range(2):
            await incidents.save_step(connection, claim.endpoint_id, name, after, changes, channels=channels)
    return after, tuple(change.kind for change in changes)


async def claim(store: Store, worker: str = "one", **fields: object) -> list[outbox.OutboxRow]:
    return await outbox.claim(store.db, **{"worker": worker, "limit": 10, "lease_s": 60, **fields})  # type: ignore[arg-type] # any of its own


async def test_an_incident_opens_and_closes_with_its_transitions_and_notices(watched: Store) -> None:
    opened, changes = await probe(watched, Verdict.DOWN, channels=("slack", "file"))
    assert changes == (TransitionKind.OPENED,)
    async with watched.db.begin() as connection:
        assert await incidents.load_state(connection, SHOP) == opened
    (incident,) = await queries.incidents(watched.db)
    assert (incident.endpoint_name, incident.cause, incident.ended_at) == ("shop", "tools-empty", None)
    assert (await queries.fleet(watched.db))[0].incident == incident
    _, changes = await probe(watched, Verdict.UP, channels=("slack", "file"))
    assert changes == (TransitionKind.CLOSED,)
    (incident,) = await queries.incidents(watched.db)
    assert incident.ended_at is not None
    assert (await queries.fleet(watched.db))[0].incident is None
    log = await queries.notices(watched.db)
    assert sorted((each.channel, each.kind) for each in log) == [
        ("file", "closed"),
        ("file", "opened"),
        ("slack", "closed"),
        ("slack", "opened"),
    ]
    assert [row[0] for row in await watched.sql("select kind from transition order by at, kind desc")] == [
        "opened",
        "closed",
    ]


async def test_a_step_that_is_rolled_back_tells_nobody(watched: Store) -> None:
    with pytest.raises(DBAPIError):
        await probe(watched, Verdict.DOWN, channels=("slack", "a\x00b"))
    assert await claim(watched) == []
    assert await queries.incidents(watched.db) == ()
    assert await watched.sql("select 1 from report") == []


async def test_open_incidents_come_first(store: Store) -> None:
    await store.watch(endpoint("a"), endpoint("b"))
    await probe(store, Verdict.DOWN, name="a")
    await probe(store, Verdict.DOWN, name="b")
    await probe(store, Verdict.UP, name="b")
    await store.sql("update incident set opened_at = opened_at - interval '1 d' where ended_at is null")
    assert [each.endpoint_name for each in await queries.incidents(store.db)] == ["a", "b"]


async def test_the_incident_of_an_endpoint_that_is_dropped_ends_without_a_notice(watched: Store) -> None:
    await probe(watched, Verdict.DOWN)
    await watched.watch()
    (incident,) = await queries.incidents(watched.db)
    assert incident.ended_at is not None
    assert len(await queries.notices(watched.db)) == 1
    await watched.watch(endpoint())
    _, changes = await probe(watched, Verdict.DOWN)
    assert changes == (TransitionKind.OPENED,), "a new incident, beside the old one"


async def test_a_notice_is_claimed_by_one_worker_and_gone_once_sent(watched: Store) -> None:
    await probe(watched, Verdict.DOWN)
    (row,) = await claim(watched)
    assert (row.channel, row.attempt, row.notice.endpoint) == ("slack", 1, "shop")
    assert await claim(watched, "two") == []
    await outbox.sent(watched.db, row)
    await watched.sql("update notice set lease_until = now() - interval '1 s'")
    assert await claim(watched, "two") == []
    (log,) = await queries.notices(watched.db)
    assert log.sent_at is not None


async def test_a_killed_senders_notice_goes_out_again_under_the_same_id(watched: Store) -> None:
    await probe(watched, Verdict.DOWN)
    (killed,) = await claim(watched, "killed")
    await watched.sql("update notice set lease_until = now() - interval '1 s'")
    (taken,) = await claim(watched, "alive")
    assert (taken.id, taken.notice.id, taken.attempt) == (killed.id, killed.notice.id, 2)
    await outbox.failed(watched.db, killed, "too late", retry_in_s=None)
    (log,) = await queries.notices(watched.db)
    assert log.failed_at is None, "who lost the lease decides nothing"


async def test_a_failed_attempt_waits_and_says_why(watched: Store) -> None:
    await probe(watched, Verdict.DOWN)
    (row,) = await claim(watched)
    await outbox.failed(watched.db, row, "HTTP 500\x1b[31m", retry_in_s=30)
    assert await claim(watched) == []
    ((wait,),) = await watched.sql("select extract(epoch from next_attempt_at - now()) from notice")
    assert 25 < wait <= 30
    await watched.sql("update notice set next_attempt_at = now()")
    (again,) = await claim(watched)
    assert again.attempt == 2
    (log,) = await queries.notices(watched.db)
    assert log.last_error == "HTTP 500\\u{1b}[31m"


async def test_what_is_refused_for_good_is_not_tried_again(watched: Store) -> None:
    await probe(watched, Verdict.DOWN)
    (row,) = await claim(watched)
    await outbox.failed(watched.db, row, "no such webhook", retry_in_s=None)
    assert await claim(watched) == []
    (log,) = await queries.notices(watched.db)
    assert log.failed_at is not None


async def test_nobody_hears_that_it_is_up_before_that_it_was_down(store: Store) -> None:
    await store.watch(endpoint("a"), endpoint("b"))
    await probe(store, Verdict.DOWN, name="a")
    await probe(store, Verdict.UP, name="a")
    await probe(store, Verdict.DOWN, name="b")
    rows = await claim(store)
    assert [(row.notice.endpoint, row.notice.kind) for row in rows] == [("a", "opened"), ("b", "opened")]
    await outbox.failed(store.db, rows[0], "HTTP 500", retry_in_s=30)
    assert await claim(store) == [], "the end of the incident waits behind its beginning"
    await store.sql("update notice set next_attempt_at = now()")
    (first,) = await claim(store)
    await outbox.sent(store.db, first)
    (second,) = await claim(store)
    assert second.notice.is_end


async def test_a_channel_takes_its_own_notices_only(watched: Store) -> None:
    await probe(watched, Verdict.DOWN, channels=("slack", "sns"))
    assert [row.channel for row in await claim(watched, channels=("sns",))] == ["sns"]
    assert [row.channel for row in await claim(watched, channels=("sns", "file"))] == []
    assert [row.channel for row in await claim(watched)] == ["slack"]


async def test_an_endpoint_without_reports_has_a_fresh_state(watched: Store) -> None:
    async with watched.db.begin() as connection:
        assert await incidents.load_state(connection, SHOP) == IncidentState()
        assert await incidents.load_state(connection, uuid4()) == IncidentState()


async def test_a_notice_that_this_release_cannot_read_is_given_up_and_holds_up_no_other(store: Store) -> None:
    await store.watch(endpoint("shop"), endpoint("search"))
    await probe(store, Verdict.DOWN, name="shop")
    await probe(store, Verdict.DOWN, name="search")
    await store.sql(
        """update notice set payload = '{"title": "of another release"}' where endpoint_id = :id""", id=SHOP
    )

    assert [row.notice.endpoint for row in await claim(store)] == ["search"]
    ((error, is_over),) = await store.sql(
        "select last_error, failed_at is not null from notice where endpoint_id = :id", id=SHOP
    )
    assert is_over
    assert "cannot read" in error
    assert await claim(store, worker="two") == []
