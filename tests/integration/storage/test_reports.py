"""Saving reports on a real server: once is enough, the newest state follows, hostile text does no harm."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

from checks.model import CheckResult, ColdStart, Effect, Exchange, Opening, Outcome, Profile, Sentinel, Timings, Verdict
from prober.storage import queries, reports
from prober.storage.database import listening
from prober.storage.recording import Fate
from prober.storage.records import SPARK_KEPT, WARM_WAITS_KEPT
from prober.storage.reports import CHANNEL, LogEntry
from tests.integration.storage.builders import NOON, OPENER, Store, diagnosis, endpoint, report_on

FIRST_BYTE_MS = 47.0
"""Of `opened(40)`, its connection included."""


def exchange(wait_ms: float = 40.0) -> Exchange:
    timings = Timings(dns_ms=1, connect_ms=2, tls_ms=3, sent_ms=7, first_byte_ms=7 + wait_ms, total_ms=60)
    return Exchange(id="x1", method="POST", url="https://shop.example/mcp", started_at=NOON, timings=timings)


def opened(wait_ms: float = 40.0) -> Opening:
    return Opening(exchanges=(exchange(wait_ms),), opener=OPENER, server_name="shop", server_version="1.2")


def result(check: str, **facts: object) -> CheckResult:
    return CheckResult(check=check, outcome=Outcome.PASS, summary="", ms=12.5, exchanges=(exchange(),), facts=facts)


async def test_every_figure_has_its_column(watched: Store) -> None:
    results = (
        result("lifecycle"),
        result("tools_list", tool_count=3),
        result("sentinel_call"),
        result("streaming", first_event_ms=5.5, last_event_ms=None),
    )
    _, saved = await watched.probe(opening=opened(), results=results)
    page = await queries.probe_page(watched.db, saved.report_id)
    assert page is not None
    seen = page.report
    assert (seen.dns_ms, seen.connect_ms, seen.tls_ms, seen.wait_ms) == (1, 2, 3, 40)
    assert (seen.handshake_ms, seen.tools_list_ms, seen.sentinel_ms) == (12.5, 12.5, 12.5)
    assert (seen.first_event_ms, seen.last_event_ms, seen.duration_ms, seen.tool_count) == (5.5, None, 120, 3)
    assert (page.era, page.protocol_version, page.transport) == ("handshake", "2025-11-25", "streamable-http")
    assert page.detail is not None
    assert [each["check"] for each in page.detail["results"]] == [each.check for each in results]


async def test_slots_that_went_by_before_a_probe_from_memory_are_recorded_until_their_reports_turn_up(
    watched: Store,
) -> None:
    claim, _ = await watched.probe()
    passed_by = claim.following()
    later = passed_by.following().following()
    await watched.save(report_on(later), later)
    runs = "select slot, missed, unknown_reason from report where missed > 0"
    assert await watched.sql(runs) == [(passed_by.slot, 2, "missed")]
    await watched.save(report_on(passed_by), passed_by)
    assert await watched.sql(runs) == [(passed_by.next_slot, 1, "missed")]


async def test_the_exchanges_of_the_opening_are_stored_once(watched: Store) -> None:
    _, whole = await watched.probe(opening=opened(), results=(result("lifecycle"),))
    page = await queries.probe_page(watched.db, whole.report_id)
    assert page is not None
    assert page.detail is not None
    assert [each["id"] for each in page.detail["results"][0]["exchanges"]] == ["x1"]
    assert page.detail["opening"]["exchanges"] == []

    broken_check = CheckResult(check="lifecycle", outcome=Outcome.ERROR, summary="")
    await watched.sql("delete from report")
    _, kept = await watched.probe(opening=opened(), results=(broken_check,))
    page = await queries.probe_page(watched.db, kept.report_id)
    assert page is not None
    assert page.detail is not None
    assert [each["id"] for each in page.detail["opening"]["exchanges"]] == ["x1"]


async def test_saving_twice_is_harmless(watched: Store) -> None:
    claim = await watched.claim_one()
    first = await watched.save(report_on(claim), claim)
    again = await watched.save(replace(report_on(claim), verdict=Verdict.DOWN), claim)
    assert (first.is_new, again.is_new) == (True, False)
    assert first.report_id == again.report_id
    assert await watched.sql("select verdict from report") == [("up",)]
    assert await watched.sql("select marks from endpoint_state") == [("u",)]


async def test_a_report_that_was_saved_is_recognised_after_the_next_claim(watched: Store) -> None:
    """The reply to a commit can get lost: the worker then saves again, maybe after another one took over."""
    claim, _ = await watched.probe()
    await watched.claim_one(worker="two")
    assert not (await watched.save(report_on(claim), claim)).is_new
    ((owner,),) = await watched.sql("select lease_owner from endpoint")
    assert owner == "two"


async def test_saving_gives_the_lease_back(watched: Store) -> None:
    await watched.probe()
    assert await watched.sql("select lease_owner, lease_until, claimed_slot from endpoint") == [(None, None, None)]


async def test_a_report_on_an_endpoint_that_was_removed_before_is_dropped(watched: Store) -> None:
    claim = await watched.claim_one()
    await watched.watch()
    await watched.sql("update endpoint set removed_at = :slot", slot=claim.slot)
    assert (await watched.save(report_on(claim), claim)).fate is Fate.OUTDATED
    assert await watched.sql("select 1 from report") == []


async def test_the_state_follows_the_newest_report_and_remembers_since_when(watched: Store) -> None:
    await watched.probe(opening=opened(40))
    first_down, _ = await watched.probe(opening=opened(40), verdict=Verdict.DOWN, diagnoses=(diagnosis(),))
    _, newest = await watched.probe(verdict=Verdict.DOWN, diagnoses=(diagnosis("timeout"),))
    row = (await queries.fleet(watched.db))[0]
    assert (row.verdict, row.cause, row.report_id) == (Verdict.DOWN, "timeout", newest.report_id)
    assert row.since == first_down.slot
    assert row.marks == (Verdict.UP, Verdict.DOWN, Verdict.DOWN)
    assert row.spark == (FIRST_BYTE_MS, None, None), "a probe that failed has no latency"
    assert row.latency_ms is None


async def test_what_a_failed_probe_did_not_see_is_kept(watched: Store) -> None:
    await watched.probe(opening=opened(), results=(result("tools_list", tool_count=3),))
    await watched.probe(verdict=Verdict.DOWN)
    row = (await queries.fleet(watched.db))[0]
    assert (row.era, row.server_name, row.server_version, row.tool_count) == ("handshake", "shop", "1.2", 3)
    assert (await watched.claim_one()).remembered == OPENER


async def test_a_full_probe_is_marked_and_its_duration_compares_with_no_other(watched: Store) -> None:
    await watched.probe(opening=opened(40), duration_ms=120.0)
    _, saved = await watched.probe(opening=opened(40), duration_ms=4000.0, profile=Profile.FULL)
    assert await watched.sql("select profile from report order by slot") == [("standard",), ("full",)]
    row = (await queries.fleet(watched.db))[0]
    assert (row.latency_ms, row.spark, row.report_id) == (120, (FIRST_BYTE_MS,) * 2, saved.report_id)


async def test_only_warm_openings_become_history(watched: Store) -> None:
    cold = diagnosis("cold-start", Effect.INFORMATION)
    await watched.probe(opening=opened(30))
    _, saved = await watched.probe(opening=opened(3000), diagnoses=(cold,))
    await watched.probe(opening=replace(opened(5), opener=None))
    assert (await watched.claim_one()).history.warm_wait_ms == (30,)
    page = await queries.probe_page(watched.db, saved.report_id)
    assert page is not None
    assert page.report.cold


async def test_each_sentinel_stands_for_itself_until_a_probe_comes_to_it_again(store: Store) -> None:
    await store.watch(endpoint(sentinels=(Sentinel(tool="a"), Sentinel(tool="b"))))
    first, _ = await store.probe(opening=opened(), results=(called("ok", "failed"),))
    second, _ = await store.probe(opening=opened(), results=(called("ok", "ok"),))
    await store.probe(verdict=Verdict.DOWN)
    claim = await store.claim_one()
    page = await queries.endpoint_page(store.db, claim.endpoint.name)
    assert page is not None
    assert page.sentinels == claim.sentinels
    assert [(each.tool, each.outcome, each.since, each.at) for each in page.sentinels] == [
        ("a", "ok", first.slot, second.slot),
        ("b", "ok", second.slot, second.slot),
    ]


async def test_states_of_sentinels_that_cannot_be_read_are_forgotten(watched: Store) -> None:
    await watched.probe(opening=opened())
    await watched.sql("""update endpoint_state set sentinels = '[{"tool": 7}]'""")
    assert (await watched.claim_one()).sentinels == ()


def called(*outcomes: str) -> CheckResult:
    facts = [
        {"tool": tool, "outcome": each, "ms": 5.0, "summary": each, "exchange": None}
        for tool, each in zip("ab", outcomes, strict=True)
    ]
    return result("sentinel_call", sentinels=facts)


async def test_a_cold_start_is_remembered_with_its_slot_and_the_clients_wait(watched: Store) -> None:
    cold = diagnosis("cold-start", Effect.INFORMATION)
    await watched.probe(opening=opened(30))
    first, _ = await watched.probe(opening=opened(3000), diagnoses=(cold,))
    second, _ = await watched.probe(opening=opened(2000), diagnoses=(cold,))
    await watched.probe(opening=opened(31))
    answers = [opened(each).exchanges[0].timings.first_byte_ms for each in (3000, 2000)]
    history = (await watched.claim_one()).history
    assert history.cold_starts == (
        ColdStart(at=first.slot, answer_ms=answers[0]),
        ColdStart(at=second.slot, answer_ms=answers[1]),
    )


async def test_the_log_confirms_a_cold_start_beside_the_probe(watched: Store) -> None:
    cold = diagnosis("cold-start", Effect.INFORMATION)
    claim = await watched.claim_one()
    found = report_on(claim, opening=opened(3000), diagnoses=(cold,))
    await watched.save(found, claim)
    entry = LogEntry(cold=True, init_ms=2600.0, function_ms=40.0, memory_mb=91.0)
    async with watched.db.begin() as connection:
        await reports.complete(connection, claim.endpoint_id, found, entry)
    columns = "cold, cold_confirmed, init_ms, restore_ms, function_ms, memory_mb"
    assert await watched.sql(f"select {columns} from report") == [(True, True, 2600, None, 40, 91)]
    assert [each.at for each in (await watched.claim_one()).history.cold_starts] == [claim.slot]


async def test_the_log_refutes_one_suspicion_and_brings_another_cold_start(watched: Store) -> None:
    cold = diagnosis("cold-start", Effect.INFORMATION)
    await watched.probe(opening=opened(3000), diagnoses=(cold,))
    claim = await watched.claim_one()
    refuted = report_on(claim, opening=opened(2000), diagnoses=(cold,))
    await watched.save(refuted, claim)
    async with watched.db.begin() as connection:
        await reports.complete(connection, claim.endpoint_id, refuted, LogEntry(cold=False, function_ms=1990.0))
    assert [each.answer_ms for each in (await watched.claim_one()).history.cold_starts] == [3007]

    await watched.sql("update endpoint set lease_owner = null, lease_until = null")
    claim = await watched.claim_one()
    unnoticed = report_on(claim, opening=opened(90))
    await watched.save(unnoticed, claim)
    async with watched.db.begin() as connection:
        await reports.complete(connection, claim.endpoint_id, unnoticed, LogEntry(cold=True, init_ms=60.0))
    assert [each.answer_ms for each in (await watched.claim_one()).history.cold_starts] == [3007, 97]


async def test_only_the_latest_cold_starts_are_remembered(watched: Store) -> None:
    cold = diagnosis("cold-start", Effect.INFORMATION)
    for _ in range(reports.COLD_STARTS_KEPT + 2):
        newest, _ = await watched.probe(opening=opened(3000), diagnoses=(cold,))
    history = (await watched.claim_one()).history
    assert len(history.cold_starts) == reports.COLD_STARTS_KEPT
    assert history.cold_starts[-1].at == newest.slot


async def test_the_usual_wait_grows_by_a_median_for_each_half_hour(watched: Store) -> None:
    await watched.probe(opening=opened(30))
    assert (await watched.claim_one()).history.usual_wait_ms == ()
    await watched.sql(
        "update endpoint_state set baseline = jsonb_set(baseline, '{span}', to_jsonb((baseline->>'span')::int - 1))"
    )
    await watched.sql("update endpoint set lease_owner = null, lease_until = null")
    await watched.probe(opening=opened(40))
    claim = await watched.claim_one()
    assert (claim.history.usual_wait_ms, claim.baseline.waits) == ((30,), (40,))


async def test_what_another_release_wrote_of_the_past_is_forgotten(watched: Store) -> None:
    await watched.probe(opening=opened(30))
    await watched.sql("""update endpoint_state set baseline = '{"span": "x"}', cold_starts = '["x"]'""")
    history = (await watched.claim_one()).history
    assert (history.usual_wait_ms, history.cold_starts, history.warm_wait_ms) == ((), (), (30,))


async def test_the_log_streams_of_instances_are_remembered_once_each(watched: Store) -> None:
    for stream in ("one", "two", "one", "three", "four", "five", "six", "six"):
        opening = opened(30)
        told = (("lambda-web-request-id", "r"), ("lambda-web-logstream", stream))
        await watched.probe(opening=replace(opening, exchanges=(replace(opening.exchanges[0], headers=told),)))
    assert (await watched.claim_one()).history.log_streams == ("two", "three", "four", "five", "six")


async def test_when_the_endpoint_last_let_us_in_is_remembered(watched: Store) -> None:
    claim, _ = await watched.probe(opening=opened(30))
    await watched.probe(verdict=Verdict.DOWN)
    assert (await watched.claim_one()).history.answered_at == claim.slot


async def test_the_remembered_past_is_bounded(watched: Store) -> None:
    for _ in range(SPARK_KEPT + 3):
        await watched.probe(opening=opened())
    assert await watched.sql("select cardinality(spark), cardinality(warm_wait_ms) from endpoint_state") == [
        (SPARK_KEPT, WARM_WAITS_KEPT)
    ]
    await watched.sql("update endpoint_state set marks = repeat('d', 60)")
    await watched.probe()
    row = (await queries.fleet(watched.db))[0]
    assert (len(row.marks), row.marks[0], row.marks[-1]) == (60, Verdict.DOWN, Verdict.UP)


async def test_text_that_postgresql_refuses_is_saved_in_escapes(watched: Store) -> None:
    hostile = "a\x00b\ud800c"
    opening = Opening(opener=replace(OPENER, protocol_version=hostile), server_name=hostile, server_version=hostile)
    results = (result("tools_list", tools=[hostile], **{hostile: hostile}),)
    _, saved = await watched.probe(opening=opening, results=results, diagnoses=(diagnosis(summary=hostile),))
    page = await queries.probe_page(watched.db, saved.report_id)
    assert page is not None
    assert page.detail is not None
    assert page.detail["results"][0]["facts"]["tools"] == ["a\\u0000b\\ud800c"]


async def test_listeners_hear_of_a_report_once_it_is_committed(watched: Store, database_url: str) -> None:
    claim = await watched.claim_one()
    async with listening(database_url, CHANNEL) as payloads:
        await watched.save(report_on(claim), claim)
        async with asyncio.timeout(20):
            assert await anext(payloads) == str(claim.endpoint_id)


async def test_a_listener_learns_that_the_database_went_away(store: Store, database_url: str) -> None:
    async with listening(database_url, CHANNEL) as payloads:
        await store.sql("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'")
        with pytest.raises(psycopg.OperationalError):
            async with asyncio.timeout(20):
                await anext(payloads)


async def test_endpoints_of_one_slot_do_not_share_a_report(store: Store) -> None:
    await store.watch(endpoint("a"), endpoint("b"))
    _, one = await store.probe("a")
    _, other = await store.probe("b")
    assert one.report_id != other.report_id
