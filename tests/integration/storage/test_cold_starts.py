"""Cold and warm first answers are kept apart, over real reports."""

from datetime import timedelta

from checks.model import CheckResult, Effect, Exchange, Opening, Outcome, Timings, Verdict
from prober.storage import reports
from prober.storage.cold_starts import FirstAnswers, first_answers
from prober.storage.reports import LogEntry
from tests.integration.storage.builders import NOON, OPENER, Store, diagnosis, report_on

COLD = diagnosis("cold-start", Effect.INFORMATION)


def opened(wait_ms: float) -> Opening:
    timings = Timings(dns_ms=1, connect_ms=2, tls_ms=3, sent_ms=6, first_byte_ms=6 + wait_ms, total_ms=6 + wait_ms)
    first = Exchange(id="x1", method="POST", url="https://shop.example/mcp", started_at=NOON, timings=timings)
    return Opening(exchanges=(first,), opener=OPENER)


async def probe(store: Store, wait_ms: float, *, cold: bool = False, log: LogEntry | None = None) -> None:
    claim = await store.claim_one()
    found = report_on(claim, opening=opened(wait_ms), diagnoses=(COLD,) if cold else ())
    await store.save(found, claim)
    if log is not None:
        async with store.db.begin() as connection:
            await reports.complete(connection, claim.endpoint_id, found, log)


async def seen(store: Store, days: float = 7.0) -> FirstAnswers:
    ((identity,),) = await store.sql("select id from endpoint")
    async with store.db.connect() as connection:
        return await first_answers(connection, identity, days)


async def test_without_a_probe_there_is_nothing(watched: Store) -> None:
    found = await seen(watched)

    assert (found.warm, found.warm_ms, found.cold_ms, found.probes_cold, found.start_ms) == (0, None, (), 0, ())


async def test_cold_and_warm_answers_have_percentiles_of_their_own(watched: Store) -> None:
    for wait in (14, 24, 34, 44):
        await probe(watched, wait)
    await probe(watched, 1494, cold=True)
    found = await seen(watched)

    assert (found.warm, found.warm_ms) == (4, (30, 50, 50))
    assert (found.cold_ms, found.probes_cold, found.confirmed) == ((1500,), 1, 0)


async def test_an_answer_counts_where_the_prober_was_held_up_for_less_than_its_configuration_says(
    watched: Store,
) -> None:
    await probe(watched, 14)
    await watched.sql("update report set lag_ms = 400")
    assert (await seen(watched)).warm == 0
    await watched.sql(
        "insert into worker (name, location, version, started_at, seen_at, vitals)"
        """ values ('w', 'l', '1', now(), now(), '{"in_force": {"lag_ms": 500}}')"""
    )
    assert (await seen(watched)).warm == 1


async def test_the_log_decides_where_it_was_asked(watched: Store) -> None:
    await probe(watched, 994, cold=True, log=LogEntry(cold=True, init_ms=800.0))
    await probe(watched, 1994, cold=True, log=LogEntry(cold=False, function_ms=1990.0))
    await probe(watched, 94, log=LogEntry(cold=True, restore_ms=60.0, init_ms=None))
    found = await seen(watched)

    assert (sorted(found.cold_ms), found.probes_cold, found.confirmed) == ([100, 1000], 2, 2)
    assert sorted(found.start_ms) == [60, 800]
    assert found.warm_ms == (2000, 2000, 2000)


async def test_bursts_are_cold_starts_that_no_probe_met_by_chance(watched: Store) -> None:
    burst = CheckResult(check="cold_starts", outcome=Outcome.PASS, summary="", facts={"cold_ms": [1200.0, 1300.0]})
    claim = await watched.claim_one()
    await watched.save(report_on(claim, opening=opened(14), results=(burst,)), claim)
    found = await seen(watched)

    assert (sorted(found.cold_ms), found.probes_cold, found.warm) == ([1200, 1300], 0, 1)


async def test_what_a_prober_measured_that_was_held_up_itself_does_not_count(watched: Store) -> None:
    await probe(watched, 14)
    await probe(watched, 3994)
    await probe(watched, 4994, cold=True)
    await watched.sql("update report set lag_ms = case when wait_ms > 1000 then 251 else 250 end")
    found = await seen(watched)

    assert (found.warm, found.warm_ms, found.cold_ms) == (1, (20, 20, 20), ())


async def test_what_was_not_answered_well_or_is_long_ago_does_not_count(watched: Store) -> None:
    await probe(watched, 14)
    claim = await watched.claim_one()
    await watched.save(report_on(claim, Verdict.DOWN, opening=opened(9000)), claim)
    found = await seen(watched)

    assert (found.warm, found.warm_ms) == (1, (20, 20, 20))
    assert (await seen(watched, days=timedelta(milliseconds=1) / timedelta(days=1))).warm == 0
