"""Drift over real probes: the first list is accepted, a later one is an incident until somebody accepts it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Endpoint
from prober.incidents.rules import Rules
from prober.lab.servers import toolbox
from prober.lab.servers.stateless import StatelessServer
from prober.storage import accepted_tools
from tests.integration.probing.line import Line, line
from tests.integration.probing.servers import Switched, serving
from tests.integration.storage.builders import Store

WHOLE = {"a": {"type": "integer"}, "b": {"type": "integer"}}
NEW_TOOLS = (replace(toolbox.ADD, properties=WHOLE), *toolbox.STANDARD_TOOLS[1:])


@dataclass
class Stage:
    """One endpoint, the switch between its two versions, and the cycle that probes it."""

    store: Store
    server: Switched
    line: Line

    async def probe(self, *, is_new: bool = False) -> list[tuple[str, str]]:
        """Probe the old or the new version: each diagnosis with its effect."""
        self.server.is_well = not is_new
        await self.line.run(await self.store.claim_one())
        return [(each.id, each.effect.value) for each in self.line.published[-1].diagnoses]


@pytest.fixture
async def stage(db: AsyncEngine, tmp_path: Path) -> AsyncIterator[Stage]:
    old, new = StatelessServer(streams=False), StatelessServer(streams=False, tools=NEW_TOOLS)
    store, server = Store(db), Switched(server=old, ill=new)
    rules = Rules(fail_after=1, recover_after=1)
    async with serving(server) as (_, url), line(db, tmp_path, rules) as made:
        await store.watch(Endpoint(name="shop", url=url, timeout_s=10.0, full_every_s=None))
        yield Stage(store, server, made)


async def test_a_deploy_that_breaks_clients_degrades_until_its_list_is_accepted(stage: Stage) -> None:
    for _ in range(3):
        assert await stage.probe() == []
    lists = await accepted_tools.known(stage.store.db, "shop")
    assert lists.accepted is not None
    assert [tool.name for tool in lists.accepted.tools] == ["add", "slow_count", "whoami"]

    assert await stage.probe(is_new=True) == [("tools-drift", "information")]
    assert await stage.probe(is_new=True) == [("tools-drift", "information")]
    assert await stage.probe(is_new=True) == [("tools-drift", "degraded")]
    assert await stage.store.sql("select cause, ended_at from incident") == [("tools-drift", None)]
    facts = await stage.store.sql("select detail->'diagnoses'->0->'facts'->>'breaking' from evidence order by slot")
    assert facts[-1] == ("2",)
    lists = await accepted_tools.known(stage.store.db, "shop")
    assert [each.what for each in lists.memory.deploys] == ["another list of tools"]

    async with stage.store.db.begin() as connection:
        await accepted_tools.accept(connection, "shop", by="a test")

    assert await stage.probe(is_new=True) == []
    assert await stage.store.sql("select count(*) from incident where ended_at is null") == [(0,)]


async def test_a_list_that_was_taken_back_was_no_drift(stage: Stage) -> None:
    for _ in range(3):
        await stage.probe()
    assert await stage.probe(is_new=True) == [("tools-drift", "information")]

    assert await stage.probe() == []
    assert await stage.probe() == []


async def test_versions_that_take_turns_are_no_drift(stage: Stage) -> None:
    for _ in range(3):
        await stage.probe()
    for number in range(6):
        found = await stage.probe(is_new=number % 2 == 0)

    assert found == [("tools-drift", "information")]
    assert "take turns" in stage.line.published[-1].diagnoses[0].summary
