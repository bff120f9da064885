"""How the demo judges itself: by the lab's catalog, and only by probes of this run."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.app.demo import SHOWN, until_right, wrong_verdicts
from prober.clock import SystemClock
from tests.integration.storage.builders import Store, diagnosis, endpoint


@pytest.fixture
async def store(db: AsyncEngine) -> Store:
    store = Store(db)
    await store.watch(*(endpoint(scenario.id) for scenario in SHOWN))
    await store.sql("update endpoint set next_due = now() + interval '1 hour'")
    return store


async def found(store: Store, since: datetime) -> Mapping[str, str]:
    return {wrong.name: wrong.found for wrong in await wrong_verdicts(store.db, since)}


async def test_until_they_are_probed_all_are_wrong(store: Store) -> None:
    wrong = await until_right(store.db, SystemClock(), within_s=0.0)
    assert [each.name for each in wrong] == [scenario.id for scenario in SHOWN]
    assert str(wrong[0]) == "stateless-streaming: should be up (no diagnosis), is not probed yet"


async def test_verdict_and_diagnosis_must_both_be_the_labs(store: Store) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    await store.probe("stateless-json")
    await store.probe("cold-start")
    await store.probe("tools-empty", Verdict.DOWN, diagnoses=(diagnosis("tools-empty"),))
    await store.probe("not-mcp", Verdict.DOWN, diagnoses=(diagnosis("tools-empty"),))
    await store.probe("adapter-missing", Verdict.UP)
    await store.probe("flapping", Verdict.DOWN, diagnoses=(diagnosis("function-crash"),))
    wrong = await found(store, since)
    assert {"stateless-json", "cold-start", "tools-empty", "flapping"}.isdisjoint(wrong)
    assert wrong["not-mcp"] == "down (tools-empty)"
    assert wrong["adapter-missing"] == "up (no diagnosis)"


async def test_a_probe_that_could_not_observe_takes_no_right_verdict_back(store: Store) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    await store.probe("stateless-json", Verdict.UNKNOWN)
    assert (await found(store, since))["stateless-json"] == "unknown (no diagnosis)"
    assert "stateless-json" not in {each.name for each in await wrong_verdicts(store.db, since, {"stateless-json"})}


async def test_what_an_earlier_run_found_does_not_count(store: Store) -> None:
    await store.probe("stateless-json")
    assert (await found(store, datetime.now(UTC) + timedelta(minutes=1)))["stateless-json"] == "not probed yet"
