"""What a worker's configuration says reaches whoever only reads the database."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.clock import SystemClock
from prober.storage import in_force, workers
from prober.storage.in_force import InForce


async def known(db: AsyncEngine) -> InForce:
    async with db.connect() as connection:
        return await in_force.known(connection)


async def greet(db: AsyncEngine, name: str, says: InForce, *, minutes_ago: float = 0.0) -> None:
    now = SystemClock().now()
    started_at = now - timedelta(minutes=minutes_ago)
    said = workers.Greeting(name=name, location="l", version="1", started_at=started_at, vitals={}, in_force=says)
    async with db.begin() as connection:
        await workers.greet(connection, said)


async def test_the_worker_that_was_started_last_is_believed(db: AsyncEngine) -> None:
    assert await known(db) == InForce()
    new, old = InForce(lag_ms=900.0, deploy_mute_s=120.0), InForce(lag_ms=50.0)
    await greet(db, "new", new, minutes_ago=1)
    await greet(db, "old", old, minutes_ago=60)
    assert await known(db) == new


async def test_one_that_is_there_is_believed_before_one_that_is_gone(db: AsyncEngine) -> None:
    await greet(db, "gone", InForce(lag_ms=1.0))
    await greet(db, "there", InForce(lag_ms=900.0), minutes_ago=60)
    async with db.begin() as connection:
        await connection.execute(text("update worker set seen_at = now() - interval '1 hour' where name = 'gone'"))
    assert (await known(db)).lag_ms == 900.0
    async with db.begin() as connection:
        await connection.execute(text("delete from worker where name = 'there'"))
    assert (await known(db)).lag_ms == 1.0


async def test_what_another_release_wrote_has_its_default(db: AsyncEngine) -> None:
    await greet(db, "old", InForce(lag_ms=900.0))
    for written, found in (
        ("{}", InForce()),
        ('{"in_force": [1]}', InForce()),
        ('{"in_force": {"lag_ms": "1 s", "deploy_mute_s": 60, "more": 1}}', InForce(deploy_mute_s=60.0)),
    ):
        async with db.begin() as connection:
            await connection.execute(text("update worker set vitals = cast(:written as jsonb)"), {"written": written})
        assert await known(db) == found
