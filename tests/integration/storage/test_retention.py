"""What is kept, and for how long."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.settings import Retention
from prober.storage import retention
from prober.storage.partitions import ensure_partitions
from prober.storage.retention import expire
from tests.integration.storage.history import Past, past_of

KEPT = Retention(evidence_days=3, reports_days=30, hours_days=90, days_days=None)
AGES = (0, 2, 5, 29, 40, 80, 150, 500)


@pytest.fixture
async def past(db: AsyncEngine) -> Past:
    return await past_of(db)


async def ages(past: Past, table: str, at: str) -> list[int]:
    """Days that have passed since each row, youngest first."""
    rows = await past.sql(f"select extract(day from now() - {at})::integer from {table} order by 1")
    return [age for (age,) in rows]


async def of_every_age(past: Past, shop: UUID) -> None:
    for age in AGES:
        at = past.now - timedelta(days=age)
        values = {"at": at, "shop": shop}
        await past.report(shop, at)
        for name in ("evidence", "routine_evidence"):
            await past.sql(
                f"insert into {name} (report_id, slot, detail) values (gen_random_uuid(), :at, '{{}}')", at=at
            )
        for name, key in (("figures_hour", "hour"), ("figures_day", "day")):
            await past.sql(
                f"insert into {name} values (:shop, :at, 1, 0, 0, 0, '{{}}', '{{}}', '{{}}', '{{}}')", **values
            )
            assert key in ("hour", "day")
        await told(past, values)
    await ensure_partitions(past.db)


async def told(past: Past, values: dict[str, object]) -> None:
    """An incident that ended at that time, with all that hangs on it."""
    ((incident,),) = await past.sql(
        "insert into incident (id, endpoint_id, verdict, severity, since, opened_at, ended_at, cause_summary, fix,"
        " report_id) values (gen_random_uuid(), :shop, 'down', 'critical', :at, :at, :at, '', '', gen_random_uuid())"
        " returning id",
        **values,
    )
    ((transition,),) = await past.sql(
        "insert into transition (id, incident_id, kind, at, report_id, verdict, severity, cause_summary)"
        " values (gen_random_uuid(), :incident, 'opened', :at, gen_random_uuid(), 'down', 'critical', '') returning id",
        incident=incident,
        at=values["at"],
    )
    ((notice,),) = await past.sql(
        "insert into notice (id, transition_id, endpoint_id, thread, channel, payload, created_at, sent_at)"
        " values (gen_random_uuid(), :transition, :shop, gen_random_uuid(), 'slack', '{}', :at, :at) returning id",
        transition=transition,
        **values,
    )
    await past.sql(
        "insert into attempt (notice_id, channel, at, outcome, took_ms) values (:notice, 'slack', :at, 'sent', 1)",
        notice=notice,
        at=values["at"],
    )
    await past.sql(
        "insert into impairment (id, worker, reason, detail, since, ended_at)"
        " values (gen_random_uuid(), 'one', 'network', '', :at, :at)",
        at=values["at"],
    )


async def test_every_table_has_its_time(past: Past) -> None:
    shop = await past.watch()
    await of_every_age(past, shop)
    expired = await expire(past.db, KEPT)
    assert await ages(past, "routine_evidence", "slot") == [0, 2]
    assert await ages(past, "evidence", "slot") == [0, 2, 5, 29]
    assert await ages(past, "report", "slot") == [0, 2, 5, 29]
    # Months are dropped whole: what is younger than 90 days is there, what is four months older is not.
    assert [age for age in await ages(past, "figures_hour", "hour") if age <= 90] == [0, 2, 5, 29, 40, 80]
    assert max(await ages(past, "figures_hour", "hour")) <= 150
    assert await ages(past, "figures_day", "day::timestamptz") == list(AGES)
    for table, at in (("notice", "sent_at"), ("attempt", "at"), ("transition", "at")):
        assert await ages(past, table, at) == [0, 2, 5, 29]
    assert await ages(past, "incident", "ended_at") == list(AGES)
    assert await ages(past, "impairment", "ended_at") == [0, 2, 5, 29, 40, 80]
    assert expired.rows >= 4 + 4 + 2
    assert (await expire(past.db, KEPT)) == retention.Expired(partitions=(), rows=0)


async def test_another_length_counts_with_the_next_call(past: Past) -> None:
    shop = await past.watch()
    await of_every_age(past, shop)
    await expire(past.db, replace(KEPT, evidence_days=1, reports_days=4, hours_days=20, days_days=100))
    assert await ages(past, "routine_evidence", "slot") == [0]
    assert await ages(past, "report", "slot") == [0, 2]
    assert await ages(past, "incident", "ended_at") == [0, 2, 5, 29, 40, 80]
    assert max(await ages(past, "figures_day", "day::timestamptz")) <= 150


async def test_what_is_not_over_stays_however_old_it_is(past: Past) -> None:
    shop = await past.watch()
    values: dict[str, object] = {"at": past.now - timedelta(days=400), "shop": shop}
    await told(past, values)
    await past.sql("update notice set sent_at = null")
    await past.sql("update incident set ended_at = null")
    await past.sql("update impairment set ended_at = null")
    assert (await expire(past.db, replace(KEPT, days_days=90))).rows == 1, "the attempt, which is over"
    for table in ("notice", "transition", "incident", "impairment"):
        assert await past.sql(f"select count(*) from {table}") == [(1,)]
    await past.sql("update incident set ended_at = since")
    await expire(past.db, replace(KEPT, days_days=90))
    assert await past.sql("select count(*) from notice") == [(1,)], "it is still to be sent"


async def test_many_rows_go_in_batches(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 7)
    await past.sql(
        "insert into impairment (id, worker, reason, detail, since, ended_at)"
        " select gen_random_uuid(), 'one', 'lag', '',"
        " now() - interval '200 days', now() - interval '200 days' from generate_series(1, 20)"
    )
    assert (await expire(past.db, KEPT)).rows == 20


@pytest.mark.parametrize(("is_open", "left"), [(True, 1), (False, 0)])
async def test_who_hears_of_the_end_instead_of_another_channel_is_known_until_then(
    past: Past, is_open: bool, left: int
) -> None:
    shop = await past.watch()
    await told(past, {"at": past.now - timedelta(days=60), "shop": shop})
    if is_open:
        await past.sql("update incident set ended_at = null")
    await past.sql("update notice set thread = incident.id, handed_to = 'pager' from incident")
    await expire(past.db, KEPT)
    assert await past.sql("select count(*) from notice") == [(left,)]
