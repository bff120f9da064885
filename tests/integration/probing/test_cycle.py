"""From a claimed slot to state, incident and outbox: everything of a report is written, once, or waits in the spool."""

import asyncio
import gc
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Endpoint, Evidence, ProbeReport, Verdict
from checks.observing import Reviewed
from prober.clock import SystemClock
from prober.incidents.notice import Route
from prober.incidents.rules import Rules
from prober.probing.credentials import Credentials
from prober.probing.cycle import trust
from prober.secrets.allowance import Allowed, AllowList
from prober.secrets.vault import Vault
from prober.settings import EndpointOptions, endpoint_from
from prober.storage import endpoints
from prober.storage.spool_format import Entry
from tests.integration.probing.line import Line, line
from tests.integration.probing.servers import Switched, serving
from tests.integration.storage.builders import Store, record_on

RULES = Rules(fail_after=3, recover_after=2)
CHANNELS = ("slack", "pager")
MINUTE = timedelta(minutes=1)


@dataclass
class Stage:
    """One endpoint, the switch of its server, and the line under test."""

    store: Store
    server: Switched
    line: Line
    url: str

    async def probe(self, *, is_well: bool) -> None:
        self.server.is_well = is_well
        await self.line.run(await self.store.claim_one())

    async def count(self, table: str) -> int:
        ((count,),) = await self.store.sql(f"select count(*) from {table}")
        return int(count)

    async def is_leased(self) -> bool:
        ((owner,),) = await self.store.sql("select lease_owner from endpoint")
        return owner is not None

    async def waits_for_the_database(self) -> None:
        async with asyncio.timeout(20):
            while "database" not in self.line.vitals.troubles:  # noqa: ASYNC110 - a trouble sets no event
                await asyncio.sleep(0.02)


@pytest.fixture
async def stage(db: AsyncEngine, tmp_path: Path) -> AsyncIterator[Stage]:
    store, server = Store(db), Switched()
    async with serving(server) as (_, url), line(db, tmp_path, RULES, *CHANNELS) as made:
        await store.watch(Endpoint(name="shop", url=url, timeout_s=5.0, full_every_s=None))
        yield Stage(store, server, made, url)


async def test_a_report_is_saved_with_its_state_and_ends_the_lease(stage: Stage) -> None:
    await stage.probe(is_well=True)
    assert await stage.store.sql("select verdict, location, missed from report") == [("up", "test", 0)]
    assert await stage.store.sql("select verdict, era, bad_since from endpoint_state") == [("up", "stateless", None)]
    assert [report.verdict for report in stage.line.published] == ["up"]
    assert not await stage.is_leased()


async def test_probes_leave_nothing_in_memory_once_they_are_saved(stage: Stage) -> None:
    claim = await stage.store.claim_one()

    async def objects_after(probes: int) -> int:
        nonlocal claim
        for number in range(probes):
            stage.server.is_well = number % 10 < 5
            claim = await stage.line.cycle.run(claim)
        await stage.line.saved()
        stage.line.published.clear()
        gc.collect()
        return sum(_is_ours(type(each).__module__) for each in gc.get_objects())

    before = await objects_after(20)
    assert await objects_after(40) - before < 20


def _is_ours(module: str) -> bool:
    """Without the lab, whose servers keep what they were asked."""
    return module.startswith(("checks.", "prober.")) and not module.startswith("prober.lab.")


async def test_three_bad_reports_open_an_incident_and_two_good_ones_close_it(stage: Stage) -> None:
    for is_well, transitions in ((False, 0), (False, 0), (False, 1), (True, 1), (False, 1), (True, 1), (True, 2)):
        await stage.probe(is_well=is_well)
        assert await stage.count("transition") == transitions
    assert await stage.store.sql("select kind, cause from transition order by at") == [
        ("opened", "adapter-missing"),
        ("closed", "adapter-missing"),
    ]
    assert await stage.store.sql("select ended_at is not null from incident") == [(True,)]
    told = await stage.store.sql("select channel, payload->>'kind' from notice order by number")
    assert sorted(told) == [("pager", "closed"), ("pager", "opened"), ("slack", "closed"), ("slack", "opened")]


async def test_a_row_of_bad_reports_is_known_by_its_first_slot(stage: Stage) -> None:
    for is_well in (True, False, False, True, False):
        await stage.probe(is_well=is_well)
    ((since, newest),) = await stage.store.sql("select bad_since, slot from endpoint_state")
    assert since == newest


async def test_bad_reports_from_hours_ago_confirm_nothing(stage: Stage) -> None:
    for _ in range(2):
        await stage.probe(is_well=False)
    await stage.store.sql(
        "update endpoint_state set incident = jsonb_set(incident, '{streak,until}', to_jsonb(now() - interval '3 h'))"
    )
    await stage.probe(is_well=False)
    assert await stage.count("transition") == 0
    await stage.probe(is_well=False)
    await stage.probe(is_well=False)
    assert await stage.count("transition") == 1


async def test_report_state_transition_and_notices_are_one_transaction(stage: Stage) -> None:
    for _ in range(3):
        await stage.probe(is_well=False)
    written: set[Any] = set()
    for query in (
        "select xmin::text from report order by slot desc limit 1",
        "select xmin::text from evidence order by slot desc limit 1",
        "select xmin::text from endpoint_state",
        "select xmin::text from endpoint",
        "select xmin::text from incident",
        "select xmin::text from transition",
        "select distinct xmin::text from notice",
    ):
        written |= set(await stage.store.sql(query))
    assert len(written) == 1


async def test_when_the_notice_cannot_be_written_nothing_is_and_the_report_waits(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        await stage.probe(is_well=False)
    before = await stage.store.sql("select report_id, incident, marks from endpoint_state")
    claim = await stage.store.claim_one()
    await stage.store.sql("alter table notice rename to notice_away")
    await stage.line.cycle.run(claim)
    assert len(stage.line.published) == 3, "it is published once it is safe"
    await stage.waits_for_the_database()
    assert await stage.store.sql("select report_id, incident, marks from endpoint_state") == before
    assert await stage.count("report") == 2
    assert await stage.is_leased(), "the slot must not look as if it had been probed"
    assert claim.endpoint_id in stage.line.recorder.unsaved
    await stage.store.sql("alter table notice_away rename to notice")
    await stage.line.saved()
    assert await stage.count("incident") == 1
    assert "database" not in stage.line.vitals.troubles
    assert "Hello from Lambda" not in caplog.text


async def test_a_report_whose_commit_was_not_heard_of_counts_once(stage: Stage) -> None:
    stage.server.is_well = False
    claim = await stage.store.claim_one()
    for _ in range(3):
        await stage.line.run(claim)
    assert await stage.count("report") == 1
    assert await stage.store.sql("select incident->'streak'->'length', marks from endpoint_state") == [(1, "d")]


async def test_an_edited_policy_counts_for_the_next_report(stage: Stage) -> None:
    stage.line.policy = replace(stage.line.policy, location="elsewhere")
    stage.line.alerts = replace(stage.line.alerts, rules=Rules(fail_after=1), routes=(Route(channel="mail"),))
    await stage.probe(is_well=False)
    assert await stage.store.sql("select location from report") == [("elsewhere",)]
    assert await stage.store.sql("select channel from notice") == [("mail",)]


async def test_an_endpoint_may_have_rules_of_its_own(stage: Stage) -> None:
    watched = Endpoint(name="shop", url=stage.url, timeout_s=5.0)
    await stage.store.watch(watched, options={"shop": EndpointOptions(fail_after=1)})
    await stage.probe(is_well=False)
    assert await stage.count("incident") == 1


async def test_a_report_waits_for_a_database_that_is_away_for_a_moment(stage: Stage, postgres_url: str) -> None:
    claim = await stage.store.claim_one()
    name = stage.store.db.url.database
    plain = make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute(f'alter database "{name}" with allow_connections false')
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        await stage.line.cycle.run(claim)
        await stage.waits_for_the_database()
        assert [report.verdict for report in stage.line.published] == ["up"], "nobody who probes waits for it"
        admin.execute(f'alter database "{name}" with allow_connections true')
    await stage.line.saved()
    assert await stage.store.sql("select slot, verdict, missed from report") == [(claim.slot, "up", 0)]


async def test_a_worker_that_was_killed_before_it_saved_has_its_report_saved_by_the_next(
    stage: Stage, db: AsyncEngine, tmp_path: Path
) -> None:
    claim = await stage.store.claim_one()
    async with line(db, tmp_path / "dead", RULES) as dead:
        await dead.recorder.stop(0)
        await dead.cycle.run(claim)
    assert await stage.count("report") == 0
    async with line(db, tmp_path / "dead", RULES) as alive:
        await alive.saved()
        assert await stage.store.sql("select slot, verdict from report") == [(claim.slot, "up")]
        assert alive.recorder.has_caught_up


async def test_a_record_that_the_database_refuses_is_set_aside_and_holds_up_no_other(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await stage.store.watch(*(Endpoint(name=name, url=stage.url) for name in ("a", "b", "c")))
    records = []
    for name in ("a", "b", "c"):
        claim = await stage.store.claim_one(name)
        records.append(record_on(claim))
    records[1] = replace(records[1], row={**records[1].row, "verdict": "nonsense"})
    await asyncio.gather(*(stage.line.recorder.keep(record) for record in records))
    await stage.line.saved()
    assert await stage.count("report") == 2
    assert stage.line.vitals.counters["reports_refused", ""] == 1
    (aside,) = stage.line.directory.glob("refused-*")
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert "a report cannot be saved and is set aside" in caplog.text


async def test_reports_wait_for_a_database_that_refuses_every_one_of_them(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await stage.store.sql("alter table report add constraint wrong check (verdict = 'nonsense')")
    await stage.store.watch(*(Endpoint(name=name, url=stage.url) for name in ("a", "b")))
    records = [record_on(await stage.store.claim_one(name)) for name in ("a", "b")]
    await asyncio.gather(*(stage.line.recorder.keep(each) for each in records), stage.waits_for_the_database())
    assert stage.line.spool.status.records == 2
    assert stage.line.recorder.has_caught_up, "probing goes on"
    assert "refuses every one of them" in caplog.text
    await stage.store.sql("alter table report drop constraint wrong")
    await stage.line.saved()
    assert await stage.count("report") == 2
    assert not [*stage.line.directory.glob("refused-*")]
    assert not stage.line.vitals.troubles


async def test_what_a_slow_database_refuses_holds_up_no_other(stage: Stage) -> None:
    await stage.store.sql("create sequence tried")
    await stage.store.sql(
        "create function too_slow() returns trigger language plpgsql as $$ begin"
        " if nextval('tried') <= 2 then raise 'too slow' using errcode = 'query_canceled'; end if;"
        " return new; end $$"
    )
    await stage.store.sql("create trigger slow before insert on report for each row execute function too_slow()")
    await stage.store.watch(*(Endpoint(name=name, url=stage.url) for name in ("a", "b", "c")))
    claims = [await stage.store.claim_one(name) for name in ("a", "b", "c")]
    refused = [record_on(replace(each, slot=each.slot - n * MINUTE)) for n in range(13) for each in claims[:2]]
    refused = [replace(each, row={**each.row, "verdict": "nonsense"}) for each in refused]
    await asyncio.gather(*(stage.line.recorder.keep(each) for each in [*refused, record_on(claims[2])]))
    await stage.line.saved()
    assert await stage.count("report") == 1
    assert stage.line.vitals.counters["reports_refused", ""] == len(refused)


async def test_a_bug_after_the_commit_does_not_end_saving(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    claim = await stage.store.claim_one()
    record = record_on(claim)

    def broken() -> None:
        raise ValueError("a bug")

    stage.line.recorder.after_commit(record.report_id, broken)
    await stage.line.recorder.keep(record)
    await stage.line.saved()
    await stage.probe(is_well=True)
    assert await stage.count("report") == 2
    assert stage.line.vitals.counters["reports_stumbled", ""] == 1
    assert "goes on: please report this" in caplog.text


async def test_what_is_no_record_of_this_release_is_set_aside(stage: Stage) -> None:
    claim = await stage.store.claim_one()
    entry = Entry(key="k", slot=claim.slot, tone="t", is_up=True, payload=b'{"version": 99}', slim=b"")
    await stage.line.spool.append(entry)
    await stage.line.run(claim)
    assert await stage.count("report") == 1
    assert stage.line.vitals.counters["reports_refused", ""] == 1


async def test_a_bad_probe_is_repeated_and_the_repetition_decides_who_is_told(stage: Stage) -> None:
    stage.line.policy = replace(stage.line.policy, confirm_after_s=1.0)
    stage.line.alerts = replace(stage.line.alerts, rules=Rules(fail_after=1, recover_after=1))
    asked: list[float] = []

    async def mended(seconds: float) -> bool:
        asked.append(seconds)
        stage.server.is_well = True
        return True

    stage.line.cycle = replace(stage.line.cycle, rest=mended)
    await stage.probe(is_well=False)
    assert asked == [1.0]
    assert await stage.store.sql("select verdict, confirmed from report") == [("down", "up")]
    assert await stage.store.sql("select verdict, bad_since from endpoint_state") == [("down", None)]
    assert await stage.count("incident") == 0

    await stage.probe(is_well=True)
    assert asked == [1.0], "a good one is believed"


async def test_a_bad_probe_that_is_bad_again_is_told(stage: Stage) -> None:
    stage.line.policy = replace(stage.line.policy, confirm_after_s=1.0)
    stage.line.alerts = replace(stage.line.alerts, rules=Rules(fail_after=1, recover_after=1))
    await stage.probe(is_well=False)
    assert await stage.store.sql("select verdict, confirmed from report") == [("down", "down")]
    assert await stage.count("incident") == 1


async def test_a_repetition_that_could_not_observe_leaves_the_word_to_the_first_attempt(stage: Stage) -> None:
    stage.line.policy = replace(stage.line.policy, confirm_after_s=1.0)
    stage.line.alerts = replace(stage.line.alerts, rules=Rules(fail_after=1, recover_after=1))
    judged: list[ProbeReport] = []

    async def sees_once(report: ProbeReport, evidence: Evidence) -> Reviewed:
        judged.append(report)
        seen = report if len(judged) == 1 else replace(report, verdict=Verdict.UNKNOWN, diagnoses=())
        return await trust(seen, evidence)

    stage.line.cycle = replace(stage.line.cycle, observe=sees_once)
    await stage.probe(is_well=False)
    assert len(judged) == 2
    assert await stage.store.sql("select verdict, confirmed from report") == [("down", None)]
    assert await stage.count("incident") == 1


async def test_a_repetition_that_does_not_fit_before_the_next_slot_is_left_out(stage: Stage) -> None:
    stage.line.policy = replace(stage.line.policy, confirm_after_s=56.0)
    await stage.probe(is_well=False)
    assert await stage.store.sql("select verdict, confirmed from report") == [("down", None)]


async def test_what_was_learnt_is_remembered_for_the_next_probe(stage: Stage) -> None:
    following = await stage.line.run(await stage.store.claim_one())
    claim = await stage.store.claim_one()
    assert claim.remembered is not None
    assert claim.remembered.era == "stateless"
    assert len(claim.history.warm_wait_ms) == 1
    known = replace(following, slot=claim.slot, next_slot=claim.next_slot, fence=claim.fence, missed=claim.missed)
    rounded = replace(claim.history, warm_wait_ms=known.history.warm_wait_ms)  # the column has single precision
    assert known == replace(claim, history=rounded), "without the database, the next probe knows as much"


async def test_an_endpoint_that_people_keep_has_no_secret_that_is_not_allowed_by_name(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    written = {"name": "ours", "url": stage.url, "auth": {"bearer": "env:SHOP_TOKEN"}}
    endpoint, options = endpoint_from(written)
    async with stage.store.db.begin() as connection:
        await endpoints.add(connection, endpoint, options)
    await stage.line.run(await stage.store.claim_one("ours"))
    (report,) = stage.line.published
    assert (report.verdict, report.diagnoses[0].id) == (Verdict.UNKNOWN, "observer-impaired")
    assert "env:SHOP_TOKEN is not among the secrets that may be used here" in report.diagnoses[0].summary
    clock = SystemClock()
    vault = Vault(allow=AllowList((Allowed("env:SHOP_TOKEN"),)))
    named = Credentials(vault, net=stage.line.policy.net, clock=clock)
    stage.line.policy = replace(stage.line.policy, named=named)
    await stage.line.run(await stage.store.claim_one("ours"))
    assert stage.line.published[1].verdict is Verdict.UP
