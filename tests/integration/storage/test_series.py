"""What charts and figures show of the past, against the reports behind it."""

import random
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.incidents.availability import Slots
from prober.storage import series
from prober.storage.sketches import Sketch, merged
from tests.integration.storage.history import Past, past_of

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
async def past(db: AsyncEngine) -> Past:
    return await past_of(db)


async def test_a_series_has_every_probe_of_the_span_oldest_first(past: Past) -> None:
    shop, other = await past.watch(), await past.watch("other")
    await past.report(shop, past.now - 25 * HOUR, 10.0)
    first = await past.report(shop, past.now - 3 * HOUR, 10.0, dns_ms=1.0, connect_ms=2.0, duration_ms=70.0, cold=True)
    await past.report(shop, past.now - 2 * HOUR, verdict="down", cause="timeout")
    run = past.now - HOUR
    await past.report(shop, run, verdict="unknown", missed=3, last_slot=run + 2 * MINUTE)
    await past.report(other, past.now - HOUR, 10.0)

    async with past.db.connect() as connection:
        found = await series.points(connection, shop)
        assert await series.points(connection, shop, hours=0.5) == ()
    assert [each.verdict for each in found] == [Verdict.UP, Verdict.DOWN, Verdict.UNKNOWN]
    assert found[0] == series.Point(
        report_id=first,
        slot=past.now - 3 * HOUR,
        last_slot=past.now - 3 * HOUR,
        verdict=Verdict.UP,
        cause=None,
        cold=True,
        first_answer_ms=13.0,
        duration_ms=70.0,
    )
    assert (found[1].cause, found[1].first_answer_ms) == ("timeout", None)
    assert found[2].last_slot == run + 2 * MINUTE


async def test_the_hours_of_a_day_are_its_own(past: Past) -> None:
    shop, other = await past.watch(), await past.watch("other")
    hour = past.hour
    await past.report(shop, hour, 40.0)
    await past.report(shop, hour + MINUTE, 1800.0, cold=True)
    await past.report(shop, hour + 2 * MINUTE, verdict="down")
    await past.report(shop, hour - DAY, 40.0)
    await past.report(other, hour, 40.0)
    await past.roll_up()

    async with past.db.connect() as connection:
        (found,) = await series.hours(connection, shop, hour.date())
        assert len(await series.hours(connection, shop, (hour - DAY).date())) == 1
        assert await series.hours(connection, shop, (hour + DAY).date()) == ()
    assert (found.hour, found.slots) == (hour, Slots(up=2, down=1))
    assert (found.warm, found.cold) == (Sketch.of([40.0]), Sketch.of([1800.0]))


async def test_bars_are_of_one_or_of_many_endpoints(past: Past) -> None:
    shop, bank, mill = [await past.watch(name) for name in ("shop", "bank", "mill")]
    oldest = 89 - (past.now.date() - past.hour.date()).days  # in the first hour of a day, the last one is of yesterday
    for days, verdict in ((0, "up"), (1, "down"), (1, "up"), (oldest, "degraded"), (oldest + 1, "down")):
        await past.report(shop, past.hour - days * DAY + (days and len(verdict)) * MINUTE, verdict=verdict)
    await past.report(bank, past.hour, verdict="unknown")
    await past.roll_up(reports_days=100)

    today = past.hour.date()
    async with past.db.connect() as connection:
        one = await series.bars(connection, [shop])
        many = await series.bars(connection, [shop, mill, bank])
        none = await series.bars(connection, [])
    assert {bar.day: bar.slots for bar in one[shop] if bar.day <= today} == {
        today - oldest * DAY: Slots(degraded=1),
        today - DAY: Slots(up=1, down=1),
        today: Slots(up=1),
    }
    assert (many[shop], set(many), none) == (one[shop], {shop, bank}, {})
    assert [bar.slots.uptime for bar in many[bank]] == [None]


async def test_figures_of_any_span_are_those_of_its_reports(past: Past) -> None:
    shop, bank = await past.watch(), await past.watch("bank")
    chance = random.Random(7)
    start = past.hour - 5 * DAY
    waits: list[tuple[int, bool, float]] = []
    for hour in range(0, 5 * 24, 3):
        cold = chance.random() < 0.3
        waits.append((hour, cold, chance.lognormvariate(4, 1)))
        await past.report(shop, start + hour * HOUR, waits[-1][2], cold=cold)
        await past.report(bank, start + hour * HOUR, 10.0, verdict="down" if hour % 2 else "up")
    await past.roll_up()

    async with past.db.connect() as connection:
        for first, last in ((0, 1), (0, 120), (5, 40), (13, 14), (30, 90), (1, 100), (50, 50)):
            inside = [(cold, wait) for hour, cold, wait in waits if first <= hour < last]
            found = await series.figures(connection, start + first * HOUR, start + last * HOUR, [shop])
            assert found.slots == Slots(up=len(inside))
            assert found.warm == Sketch.of(wait for cold, wait in inside if not cold)
            assert found.cold == Sketch.of(wait for cold, wait in inside if cold)
        whole = await series.figures(connection, start, past.now)
        both = await series.figures(connection, start, past.now, [shop, bank])
        alone = [await series.figures(connection, start, past.now, [each]) for each in (shop, bank)]
    assert whole == both
    assert whole.warm == merged(each.warm for each in alone)
    assert whole.slots.down == alone[1].slots.down > 0


async def test_minutes_of_a_span_are_rounded_down_to_hours(past: Past) -> None:
    shop = await past.watch()
    await past.report(shop, past.hour + 5 * MINUTE, 10.0)
    await past.roll_up()
    async with past.db.connect() as connection:
        within = await series.figures(connection, past.hour + 30 * MINUTE, past.hour + 90 * MINUTE, [shop])
        before = await series.figures(connection, past.hour - HOUR, past.hour + 59 * MINUTE, [shop])
    assert (within.slots.up, before.slots.up) == (1, 0)
