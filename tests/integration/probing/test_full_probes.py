"""What only a full probe sees, over real probes of a server whose sessions are lost on connections made at once."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Endpoint, ProbeReport, Profile, Verdict
from prober.incidents.rules import Rules
from prober.lab.faults.sessions import SESSION_FAULTS
from prober.lab.servers.handshake import HandshakeServer
from tests.integration.probing.line import Line, line
from tests.integration.probing.servers import Switched, serving
from tests.integration.storage.builders import Store

UP, DEGRADED, DOWN = Verdict.UP, Verdict.DEGRADED, Verdict.DOWN
FULL, STANDARD = Profile.FULL, Profile.STANDARD


@dataclass
class Stage:
    """One endpoint, the switch of its server, and the cycle that probes it."""

    store: Store
    server: Switched
    line: Line
    published: list[ProbeReport]

    async def probe(self, *, is_well: bool = True, is_turn: bool = False) -> tuple[Profile, Verdict, tuple[str, ...]]:
        """Probe at a slot that begins now, and that is or is not the endpoint's turn for a full probe."""
        self.server.is_well = is_well
        await self.store.due_now()
        # The turn follows from the phase as a share of the interval: this one is at the slot, or half an hour off.
        await self.store.sql(
            "update endpoint set phase_s = mod(extract(epoch from next_due) / 60 + :off, 60)", off=0 if is_turn else 30
        )
        (claim,) = await self.store.claim()
        await self.line.run(claim)
        report = self.published[-1]
        assert report.profile is claim.profile
        return report.profile, report.verdict, tuple(each.id for each in report.diagnoses)

    async def rows(self, query: str) -> list[Any]:
        return await self.store.sql(query)


@pytest.fixture
async def stage(db: AsyncEngine, tmp_path: Path) -> AsyncIterator[Stage]:
    forgetful = next(each for each in SESSION_FAULTS if each.id == "session-lost-at-once")
    assert forgetful.build is not None
    store, server = Store(db), Switched(server=HandshakeServer(streams=False), ill=forgetful.build())
    rules = Rules(fail_after=3, recover_after=2)
    async with serving(server) as (_, url), line(db, tmp_path, rules, "slack") as made:
        await store.watch(Endpoint(name="shop", url=url, timeout_s=10.0))
        yield Stage(store, server, made, made.published)


async def test_what_two_full_probes_find_opens_an_incident_and_a_third_that_finds_it_no_more_ends_it(
    stage: Stage,
) -> None:
    assert await stage.probe(is_well=False, is_turn=True) == (STANDARD, UP, ()), "the first probe is no full one"
    assert await stage.probe(is_well=False, is_turn=True) == (FULL, DEGRADED, ("session-lost",))
    assert await stage.rows("select full_due, full_at is not null from endpoint_state") == [("next-slot", True)]
    assert await stage.probe(is_well=False) == (FULL, DEGRADED, ("session-lost",))
    assert await stage.rows("select count(*) from incident") == [(0,)]

    assert await stage.probe(is_well=False) == (STANDARD, DEGRADED, ("session-lost",))
    assert await stage.rows("select cause, verdict, ended_at from incident") == [("session-lost", "degraded", None)]
    carried = stage.published[-1].diagnoses[0]
    assert carried.seen_at == stage.published[-2].slot
    ((lines,),) = await stage.rows("select payload->>'lines' from notice")
    assert "by the last full probe that looked for it" in lines

    assert await stage.probe() == (STANDARD, DEGRADED, ("session-lost",)), "it cannot see the mended"
    assert await stage.probe(is_turn=True) == (FULL, UP, ())
    assert await stage.probe(is_turn=True) == (STANDARD, UP, ())
    assert await stage.rows("select kind from transition order by at") == [("opened",), ("closed",)]
    profiles = await stage.rows("select profile from report order by slot")
    assert [profile for (profile,) in profiles] == [
        "standard", "full", "full", "standard", "standard", "full", "standard",
    ]  # fmt: skip


async def test_what_the_second_full_probe_does_not_find_again_was_a_glitch(stage: Stage) -> None:
    await stage.probe()
    assert await stage.probe(is_well=False, is_turn=True) == (FULL, DEGRADED, ("session-lost",))
    assert await stage.probe() == (FULL, UP, ())
    assert await stage.probe(is_turn=True) == (STANDARD, UP, ())
    assert await stage.rows("select full_due from endpoint_state") == [("in-time",)]


async def test_a_full_probe_of_an_endpoint_that_is_down_does_not_count(stage: Stage) -> None:
    await stage.probe()
    stage.server.ill = None
    assert (await stage.probe(is_well=False, is_turn=True))[:2] == (FULL, DOWN)
    assert await stage.rows("select full_at, full_report_id, full_due from endpoint_state") == [(None, None, "in-time")]
    assert (await stage.probe())[0] is STANDARD, "it is tried again at the next turn, and not at every slot"
    assert await stage.probe(is_turn=True) == (FULL, UP, ())
