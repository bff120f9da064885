"""Figures by the hour and by the day against the reports that they were made of."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.storage import rollups
from prober.storage.sketches import BUCKET_SQL, RANK_SQL, VALUE_SQL, Sketch, bucket_of, value_of
from tests.integration.storage.history import Past, past_of

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def past(db: AsyncEngine) -> Past:
    return await past_of(db)


async def hours(past: Past, endpoint: UUID) -> dict[datetime, tuple[int, ...]]:
    rows = await past.sql(
        "select hour, up, degraded, down, unknown from figures_hour where endpoint_id = :id order by 1", id=endpoint
    )
    return {hour: tuple(counts) for hour, *counts in rows}


async def sketches(past: Past, table: str = "figures_hour") -> tuple[Sketch, Sketch]:
    """Warm and cold, of the only row."""
    ((warm_buckets, warm_counts, cold_buckets, cold_counts),) = await past.sql(
        f"select warm_buckets, warm_counts, cold_buckets, cold_counts from {table} where up + degraded + down > 0"
    )
    return Sketch(tuple(warm_buckets), tuple(warm_counts)), Sketch(tuple(cold_buckets), tuple(cold_counts))


async def everything(past: Past) -> list[Any]:
    hour = await past.sql("select * from figures_hour order by endpoint_id, hour")
    day = await past.sql("select * from figures_day order by endpoint_id, day")
    state = await past.sql("select endpoint_id, stats from endpoint_state order by endpoint_id")
    return [*hour, *day, *state]


@given(st.lists(st.floats(min_value=0.01, max_value=3_600_000), min_size=1, max_size=50))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_buckets_values_and_ranks_are_the_same_in_sql(postgres_url: str, values: list[float]) -> None:
    address = make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    sketch = Sketch.of(values)
    with psycopg.connect(address) as connection:
        buckets = connection.execute(
            f"select {BUCKET_SQL.format(ms='ms')} from unnest(%s::double precision[]) as ms", [values]
        ).fetchall()
        percentile = connection.execute(
            f"select min({VALUE_SQL.format(bucket='bucket')}) filter (where below >="
            f" {RANK_SQL.format(share='0.95', count='total')})"
            " from (select bucket, sum(count) over (order by bucket) as below, sum(count) over () as total"
            " from unnest(%s::smallint[], %s::integer[]) as own (bucket, count)) as running",
            [list(sketch.buckets), list(sketch.counts)],
        ).fetchone()
    assert [bucket for (bucket,) in buckets] == [bucket_of(value) for value in values]
    assert percentile is not None
    assert percentile[0] == pytest.approx(sketch.percentile(0.95), rel=1e-12)
    assert value_of(sketch.buckets[0]) <= percentile[0] * (1 + 1e-12)


async def test_an_hour_counts_verdicts_and_sketches_the_first_answers_cold_and_warm_apart(past: Past) -> None:
    shop = await past.watch()
    for minute, wait in enumerate((10.0, 20.0, 40.0)):
        await past.report(shop, past.hour + minute * MINUTE, wait, dns_ms=1.0, connect_ms=2.0, tls_ms=3.0)
    await past.report(shop, past.hour + 3 * MINUTE, 1500.0, cold=True)
    await past.report(shop, past.hour + 4 * MINUTE, 800.0, cold=False, cold_confirmed=True)
    await past.report(shop, past.hour + 5 * MINUTE, 90.0, cold=True, cold_confirmed=False)
    await past.report(shop, past.hour + 6 * MINUTE, 50.0, verdict="degraded", burst_ms=[1200.0, 1300.0])
    await past.report(shop, past.hour + 7 * MINUTE, 9000.0, verdict="down")
    await past.report(shop, past.hour + 8 * MINUTE, verdict="unknown")
    await past.roll_up()

    assert (await hours(past, shop))[past.hour] == (6, 1, 1, 1)
    warm, cold = Sketch.of([16.0, 26.0, 46.0, 90.0, 50.0]), Sketch.of([1500.0, 800.0, 1200.0, 1300.0])
    assert await sketches(past) == (warm, cold)
    assert await sketches(past, "figures_day") == (warm, cold)


async def test_what_a_busy_prober_measured_counts_for_uptime_and_for_no_percentile(past: Past) -> None:
    shop = await past.watch()
    await past.report(shop, past.hour, 100.0, lag_ms=LAG_MS_AT_THE_LIMIT)
    await past.report(shop, past.hour + MINUTE, 4000.0, lag_ms=LAG_MS_AT_THE_LIMIT + 1, burst_ms=[5000.0])
    await past.roll_up()
    assert (await hours(past, shop))[past.hour] == (2, 0, 0, 0)
    assert await sketches(past) == (Sketch.of([100.0]), Sketch())


async def test_rolling_up_twice_changes_nothing(past: Past) -> None:
    for name in ("shop", "bank"):
        endpoint = await past.watch(name)
        for minute in range(30):
            await past.report(endpoint, past.hour + minute * MINUTE, 10.0 + minute, cold=minute % 7 == 0)
    await past.roll_up()
    before = await everything(past)
    await past.sql("insert into rollup_due (hour) values (:hour), (:hour)", hour=past.hour)
    await past.roll_up()
    assert await everything(past) == before


async def test_a_report_that_comes_late_is_added(past: Past) -> None:
    shop = await past.watch()
    await past.report(shop, past.hour, 10.0)
    await past.roll_up()
    await past.report(shop, past.hour + MINUTE, 30.0, verdict="degraded")
    assert (await hours(past, shop))[past.hour] == (1, 0, 0, 0)
    await past.roll_up()
    assert (await hours(past, shop))[past.hour] == (1, 1, 0, 0)
    assert await sketches(past, "figures_day") == (Sketch.of([10.0, 30.0]), Sketch())


async def test_a_report_whose_transaction_ends_while_its_hour_is_rolled_up_is_added_the_next_time(past: Past) -> None:
    shop = await past.watch()
    await past.report(shop, past.hour, 10.0)
    async with past.db.begin() as slow:
        await slow.execute(
            text(
                "insert into report (id, endpoint_id, slot, location, verdict)"
                " values (gen_random_uuid(), :shop, :slot, 'local', 'up')"
            ),
            {"shop": shop, "slot": past.hour + MINUTE},
        )
        await rollups.outdate(slow, [(past.hour + MINUTE, past.hour + MINUTE)])
        await rollups.roll_up(past.db, lag_ms=250.0, reports_days=30, every_s=0.0)
        assert (await hours(past, shop))[past.hour] == (1, 0, 0, 0)
    await past.roll_up()
    assert (await hours(past, shop))[past.hour] == (2, 0, 0, 0)


async def test_what_a_process_that_dies_has_not_finished_stays_due(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = await past.watch()
    await past.report(shop, past.hour, 10.0)

    async def killed(*_: object, **__: object) -> None:
        raise RuntimeError("killed between the hours and their day")

    with monkeypatch.context() as patched:
        patched.setattr(rollups, "_roll_day", killed)
        with pytest.raises(RuntimeError):
            await past.roll_up()
    assert await past.sql("select count(*) from figures_day") == [(0,)]
    await past.roll_up()
    assert await past.sql("select up from figures_day where up > 0") == [(1,)]


async def test_a_run_of_slots_without_a_probe_counts_in_every_hour_that_it_touches(past: Past) -> None:
    shop, last = await past.watch(), timedelta(minutes=149)
    first = past.hour - timedelta(hours=1, minutes=10)
    await past.report(shop, first, verdict="unknown", missed=150, last_slot=first + last, unknown_reason="missed")
    await past.roll_up()
    found = await hours(past, shop)
    hour = timedelta(hours=1)
    assert {when: counts for when, counts in found.items() if counts != (0, 0, 0, 0)} == {
        past.hour - 2 * hour: (0, 0, 0, 10),
        past.hour - hour: (0, 0, 0, 60),
        past.hour: (0, 0, 0, 60),
        past.hour + hour: (0, 0, 0, 20),
    }


@given(
    offset_s=st.integers(0, 3599),
    step_ms=st.integers(1000, 1_000_000),
    count=st.integers(1, 200),
    wider=st.sampled_from(["missed", "coalesced"]),
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_a_run_is_shared_out_slot_by_slot(
    past: Past, offset_s: int, step_ms: int, count: int, wider: str
) -> None:
    await past.sql("truncate report, figures_hour, figures_day, rollup_due")
    await past.sql("delete from endpoint")
    shop = await past.watch()
    first = past.hour - timedelta(hours=80) + timedelta(seconds=offset_s)
    slots = [first + n * timedelta(milliseconds=step_ms) for n in range(count)]
    columns = {"missed": count} if wider == "missed" else {"coalesced": count - 1}
    verdict = "unknown" if wider == "missed" else "up"
    await past.report(shop, first, verdict=verdict, last_slot=slots[-1] if count > 1 else None, **columns)
    await past.roll_up()
    expected: dict[datetime, int] = {}
    for slot in slots:
        hour = slot.replace(minute=0, second=0, microsecond=0)
        expected[hour] = expected.get(hour, 0) + 1
    assert {hour: sum(counts) for hour, counts in (await hours(past, shop)).items() if sum(counts)} == expected


async def test_the_running_hour_stays_due_until_it_is_over(past: Past) -> None:
    shop = await past.watch()
    running = past.hour + timedelta(hours=2)
    await past.report(shop, past.now, 10.0)
    await past.roll_up()
    assert (await hours(past, shop))[running] == (1, 0, 0, 0)
    assert await past.sql("select hour from rollup_due") == [(running,)]
    await past.roll_up()
    assert await past.sql("select count(*) from rollup_due") == [(1,)]


async def test_days_are_days_of_utc_whatever_clocks_do_elsewhere(past: Past) -> None:
    """A day in which the clocks of Berlin go back has 24 hours here."""
    shop, day = await past.watch(), datetime(2026, 10, 25, tzinfo=UTC)
    await past.sql("set timezone = 'Europe/Berlin'")
    for hour in range(-1, 25):
        await past.report(shop, day + timedelta(hours=hour, minutes=59), 10.0)
    await past.roll_up(reports_days=3650)
    assert await past.sql("select up from figures_day where day = '2026-10-25'") == [(24,)]


async def test_hours_whose_reports_are_no_longer_kept_stay_as_they_are(past: Past) -> None:
    shop = await past.watch()
    await past.report(shop, past.hour - timedelta(days=20), 10.0)
    await past.roll_up()
    await past.sql("truncate report")
    await past.report(shop, past.hour - timedelta(days=20), verdict="down")
    await past.roll_up(reports_days=10)
    assert await past.sql("select up, down from figures_day where up + down > 0") == [(1, 0)]


async def test_one_worker_rolls_up_for_all(past: Past) -> None:
    arguments = {"lag_ms": 250.0, "reports_days": 30}
    assert await rollups.roll_up(past.db, **arguments, every_s=290.0) is not None
    assert await rollups.roll_up(past.db, **arguments, every_s=290.0) is None
    await past.sql("update housekeeping set begun_at = begun_at - interval '5 minutes'")
    assert await rollups.roll_up(past.db, **arguments, every_s=290.0) is not None


async def test_the_state_of_an_endpoint_has_figures_of_the_last_day(past: Past) -> None:
    shop, idle = await past.watch(), await past.watch("idle")
    for minute in range(10):
        await past.report(shop, past.hour + minute * MINUTE, 100.0 + minute)
    await past.report(shop, past.hour + 10 * MINUTE, verdict="down")
    await past.report(shop, past.hour + 11 * MINUTE, verdict="unknown")
    await past.report(shop, past.hour + 12 * MINUTE, 2000.0, cold=True)
    await past.report(shop, past.hour - timedelta(days=6), verdict="down")
    await past.report(shop, past.hour - timedelta(days=40), verdict="down")
    await past.roll_up(reports_days=60)

    found = dict(await past.sql("select endpoint_id, stats from endpoint_state"))
    assert found[shop]["uptime_24h"] == pytest.approx(11 / 12)
    assert found[shop]["uptime_30d"] == pytest.approx(11 / 13)
    assert found[shop]["warm_p50_ms"] == pytest.approx(104, rel=0.025)
    assert found[shop]["warm_p95_ms"] == pytest.approx(109, rel=0.025)
    assert found[shop]["cold_p95_ms"] == pytest.approx(2000, rel=0.025)
    assert set(found[idle].values()) == {None}


async def test_a_state_that_somebody_is_writing_is_left_to_the_next_time(past: Past) -> None:
    shop, bank = await past.watch(), await past.watch("bank")
    async with past.db.begin() as writer:
        await writer.execute(text("select from endpoint_state where endpoint_id = :id for update"), {"id": shop})
        await past.roll_up()
    stats = dict(await past.sql("select endpoint_id, stats is not null from endpoint_state"))
    assert stats == {shop: False, bank: True}


LAG_MS_AT_THE_LIMIT = 250.0


async def test_hours_in_which_nobody_rolled_up_are_made_up_for(past: Past) -> None:
    shop = await past.watch()
    await past.report(shop, past.hour + 3 * MINUTE, 10.0)
    await past.sql("delete from rollup_due")
    await past.sql(
        "insert into housekeeping (job, begun_at) values ('rollup', :before)"
        " on conflict (job) do update set begun_at = excluded.begun_at",
        before=past.hour - timedelta(hours=1),
    )
    await past.roll_up()
    assert await hours(past, shop) == {past.hour: (1, 0, 0, 0)}
    assert await past.sql("select count(*) from rollup_due where hour <= :hour", hour=past.hour) == [(0,)]


async def test_rolling_up_goes_on_after_the_clock_of_the_database_was_set_back(past: Past) -> None:
    await past.roll_up()
    await past.sql("delete from rollup_due")
    await past.sql("update housekeeping set begun_at = now() + interval '1 year'")
    assert await rollups.roll_up(past.db, lag_ms=250.0, reports_days=30, every_s=290.0) == 1
    assert await rollups.roll_up(past.db, lag_ms=250.0, reports_days=30, every_s=290.0) is None
