"""What people are told of hours in which the database was away, once the reports of them are saved."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.incidents.rules import Rules
from prober.probing.recorder import BATCH
from prober.storage import channels, outbox
from prober.storage.channels import ChannelSpec
from prober.storage.records import ReportRecord
from tests.integration.probing.line import Line, line
from tests.integration.storage.builders import Store, endpoint, record_on, report_on

UP, DOWN = Verdict.UP, Verdict.DOWN
RULES = Rules(fail_after=3, recover_after=2, flaky=None)
TOLD_WITHIN = timedelta(minutes=1)


@pytest.fixture
async def store(db: AsyncEngine) -> Store:
    made = Store(db)
    await made.watch(endpoint())
    await channels.register(db, [ChannelSpec(name="chat", kind="slack", fallback=None)], owns=True)
    return made


async def records(store: Store, verdicts: Sequence[Verdict]) -> list[ReportRecord]:
    claim, made = await store.claim_one(), []
    for verdict in verdicts:
        made.append(replace(record_on(claim, report_on(claim, verdict)), evidence=None))
        claim = claim.following()
    return made


async def replay(store: Store, directory: Path, kept: Sequence[ReportRecord], *, restarts: bool) -> list[str]:
    """Save these reports after the database was away, with or without a restart; what was sent meanwhile."""
    sent: list[str] = []
    async with line(store.db, directory, RULES, "chat") as made:
        if not restarts:
            async with store.db.begin() as connection:
                await connection.exec_driver_sql("lock table endpoint in access exclusive mode")
                await asyncio.gather(*(made.recorder.keep(each) for each in kept))
            await deliver_until_saved(store, made, sent)
            return sent
        await made.recorder.stop(1.0)
        await asyncio.gather(*(made.recorder.keep(each) for each in kept))
    async with line(store.db, directory, RULES, "chat") as made:
        await deliver_until_saved(store, made, sent)
    return sent


async def deliver_until_saved(store: Store, made: Line, sent: list[str]) -> None:
    saving = asyncio.create_task(made.saved())
    while not saving.done():
        await deliver(store, sent)
        await asyncio.sleep(0.005)
    await saving
    await deliver(store, sent)


async def deliver(store: Store, sent: list[str]) -> None:
    while (row := await outbox.claim(store.db, channel="chat", worker="one", lease_s=30)) is not None:
        await outbox.sent(store.db, row, took_ms=1.0)
        sent.append(row.notice.kind.value)


@pytest.mark.parametrize("restarts", [True, False])
async def test_what_began_and_ended_while_the_database_was_away_is_one_message(
    store: Store, tmp_path: Path, restarts: bool
) -> None:
    kept = await records(store, [DOWN] * (BATCH + 5) + [UP] * 2)
    assert await replay(store, tmp_path, kept, restarts=restarts) == ["closed"]


@pytest.mark.parametrize("restarts", [True, False])
async def test_what_lasts_after_a_replay_is_told_within_a_minute(store: Store, tmp_path: Path, restarts: bool) -> None:
    kept = await records(store, [DOWN] * (BATCH + 5))
    sent = await replay(store, tmp_path, kept, restarts=restarts)
    ((kind, due_in),) = await store.sql("select payload ->> 'kind', next_attempt_at - now() from notice")
    assert kind == "opened"
    assert due_in <= TOLD_WITHIN
    await store.sql("update notice set next_attempt_at = now()")
    await deliver(store, sent)
    assert sent == ["opened"]


async def test_an_incident_that_nothing_newer_follows_is_told_at_once(store: Store, tmp_path: Path) -> None:
    async with line(store.db, tmp_path, RULES, "chat") as made:
        for each in await records(store, [DOWN] * 3):
            await made.recorder.keep(each)
            await made.saved()
        sent: list[str] = []
        await deliver(store, sent)
    assert sent == ["opened"]
