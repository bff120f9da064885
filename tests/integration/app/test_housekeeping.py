"""What a worker does for the database beside probing."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.app.housekeeping import KEEPS_EVERY_S, ROLLS_UP_EVERY_S, UNLOCKED_AFTER_S, Housekeeping
from prober.settings import Retention, Settings
from prober.storage import partitions
from prober.storage.database import open_engine
from tests.integration.storage.history import Past, past_of


@dataclass
class Scripted:
    """A clock that a test moves, and settings that it edits."""

    at_s: float = 1000.0
    settings: Settings = field(default_factory=Settings)

    def now(self) -> datetime:
        return datetime(2026, 1, 31, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at_s

    def keep(self, **days: int) -> None:
        self.settings = replace(self.settings, retention=Retention(**days))


@pytest.fixture
async def past(db: AsyncEngine) -> Past:
    return await past_of(db)


@pytest.fixture
def script() -> Scripted:
    return Scripted()


def house(db: AsyncEngine, script: Scripted) -> Housekeeping:
    return Housekeeping(db, settings=lambda: script.settings, clock=script)


async def kept(past: Past) -> list[int]:
    rows = await past.sql("select extract(day from now() - slot)::integer from report order by 1")
    return [age for (age,) in rows]


async def test_an_edit_of_what_is_kept_counts_at_the_next_look(past: Past, script: Scripted) -> None:
    shop = await past.watch()
    for age in (0, 5, 20, 60):
        await past.report(shop, past.now - timedelta(days=age))
    housekeeping = house(past.db, script)
    await housekeeping.begin()
    await housekeeping.keep()
    assert await kept(past) == [0, 5, 20]
    script.keep(evidence_days=1, reports_days=10)
    await housekeeping.keep()
    assert await kept(past) == [0, 5]


async def test_otherwise_it_is_done_once_an_hour(past: Past, script: Scripted) -> None:
    shop = await past.watch()
    housekeeping = house(past.db, script)
    await housekeeping.keep()
    await past.report(shop, past.now - timedelta(days=60))
    script.at_s += KEEPS_EVERY_S - 1
    await housekeeping.keep()
    assert await kept(past) == [60]
    script.at_s += 1
    await housekeeping.keep()
    assert await kept(past) == []


async def test_what_others_hold_up_keeps_no_worker_from_starting_and_is_tried_again_later(
    past: Past, script: Scripted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(partitions, "TRIES", 1)
    housekeeping = house(past.db, script)
    async with past.db.begin() as other:
        await other.execute(text("lock table report in access exclusive mode"))
        await housekeeping.begin()
        assert "another session holds a lock" in caplog.text
        await housekeeping.keep()
    made = "select count(*) > 14 from pg_inherits where inhparent = 'report'::regclass"
    await housekeeping.keep()
    assert await past.sql(made) == [(False,)], "not yet"
    script.at_s += UNLOCKED_AFTER_S
    await housekeeping.keep()
    assert await past.sql(made) == [(True,)]


async def test_figures_are_rolled_up_every_five_minutes_by_whoever_is_there(past: Past, script: Scripted) -> None:
    shop = await past.watch()
    one, other = house(past.db, script), house(past.db, Scripted())
    await one.begin()

    async def rolled_up() -> int:
        ((count,),) = await past.sql("select coalesce(sum(up), 0) from figures_hour")
        return int(count)

    await past.report(shop, past.now, 10.0)
    await one.roll_up()
    assert await rolled_up() == 1
    await past.report(shop, past.now - timedelta(seconds=1), 10.0)
    await other.roll_up()
    assert await rolled_up() == 1, "one of them has just done it"
    script.at_s += ROLLS_UP_EVERY_S
    await past.sql("update housekeeping set begun_at = begun_at - make_interval(secs => :age)", age=ROLLS_UP_EVERY_S)
    await one.roll_up()
    assert await rolled_up() == 2


async def test_a_late_report_does_not_make_a_day_anew_whose_hours_are_no_longer_kept(
    past: Past, script: Scripted
) -> None:
    shop, noon = await past.watch(), past.now.astimezone(UTC).replace(hour=12, minute=0) - timedelta(days=20)
    for hours in range(3):
        await past.report(shop, noon + timedelta(hours=hours), 10.0)
    await past.roll_up()
    await past.sql("truncate figures_hour")
    await past.sql("truncate housekeeping")
    await past.report(shop, noon + timedelta(minutes=1), 10.0)
    script.keep(reports_days=30, hours_days=7)
    await house(past.db, script).roll_up()
    assert await past.sql("select up from figures_day where up > 0") == [(3,)]


async def test_a_database_that_is_away_is_asked_again_at_every_look(script: Scripted) -> None:
    db = open_engine("postgresql://prober@127.0.0.1:1/prober")
    housekeeping = house(db, script)
    for job in (housekeeping.keep, housekeeping.roll_up) * 2:
        with pytest.raises(DBAPIError):
            await job()
    await db.dispose()


async def test_a_clock_that_was_set_back_is_noticed_by_whoever_looks_next_and_said_once(
    db: AsyncEngine, script: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    await house(db, script).follow_clock()
    async with db.begin() as connection:
        await connection.execute(text("update housekeeping set begun_at = begun_at + interval '1 hour'"))
    started_anew = house(db, script)
    await started_anew.follow_clock()
    await started_anew.follow_clock()
    assert [each.message for each in caplog.records] == [
        "the clock of the database was set back by 3600 s: no notice, reminder or channel waits longer for it"
    ]
