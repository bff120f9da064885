"""What the past costs once it is large: pages, figures, saving and dropping over millions of reports, in milliseconds.

`--reports 10000000` loads ten million into a PostgreSQL of its own, those of `--endpoints` at one probe a minute up to
now, which takes some minutes and 6 GB; the default is a tenth of it. Rows are made in the server, in the order in which
probes would come. Every figure is the middle one of some runs, on a warm cache.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.model import Verdict
from prober.incidents.lifecycle import Seen
from prober.storage import migrations, partitions, queries, recording, rollups, series
from prober.storage.database import open_engine
from prober.storage.embedded import EmbeddedPostgres
from prober.storage.partitions import EVIDENCE, REPORTS, drop_expired, ensure_partitions
from prober.storage.records import ReportRecord

PAGE = 200
DAYS = 90
BATCH = 100
SAVED = 10_000
EVIDENCE_BYTES = 4096
SERVER = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}
"""The rest as the prober's own database has it: with fsync, and commits that wait for it."""


def shown(name: str, figure: str, more: str = "") -> None:
    print(f"  {name:<58} {figure:>12}  {more}", flush=True)


async def middle_ms(run: Callable[[], Awaitable[object]], times: int) -> float:
    found = []
    for _ in range(times + 1):
        began = time.perf_counter()
        await run()
        found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found[1:])


def processor_s(postmaster: int) -> float:
    """What the server's processes have used so far, with those that are gone: see proc_pid_stat(5)."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        own, parent = int(path.parent.name), int(fields[1])
        if postmaster in (own, parent):
            ticks += sum(map(int, fields[11:15] if own == postmaster else fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


# Loading


async def load(db: AsyncEngine, reports: int, endpoints: int) -> None:
    began = time.perf_counter()
    minutes = reports // endpoints
    async with db.begin() as connection:
        await connection.execute(text("set local statement_timeout = 0"))
        await connection.execute(text(_ENDPOINTS), {"count": endpoints})
        await connection.execute(text(_STATES))
        now = (await connection.execute(text("select date_trunc('minute', now())"))).scalar_one()
    first = now - timedelta(minutes=minutes - 1)
    day = first.replace(hour=0, minute=0)
    while day <= now:
        await _load_day(db, max(day, first), min(day + timedelta(days=1, minutes=-1), now))
        day += timedelta(days=1)
    async with db.begin() as connection:
        await connection.execute(text("set local statement_timeout = 0"))
        await connection.execute(text(_DUE))
        await connection.execute(text("analyze"))
    print(f"{minutes * endpoints:,} reports of {endpoints:,} endpoints in {time.perf_counter() - began:.0f} s")


async def _load_day(db: AsyncEngine, first: datetime, last: datetime) -> None:
    """Fill a table without indexes and attach it then."""
    name, day = REPORTS.partition(first.date()), first.date()
    bounds = f"for values from ('{day} 00:00+00') to ('{day + timedelta(days=1)} 00:00+00')"
    async with db.begin() as connection:
        await connection.execute(text("set local statement_timeout = 0"))
        await connection.execute(text("set local maintenance_work_mem = '1GB'"))
        await connection.execute(text(f"create table {name} (like report including defaults including constraints)"))
        await connection.execute(text(_REPORTS.format(table=name)), {"first": first, "last": last})
        await connection.execute(text(f"alter table report attach partition {name} {bounds}"))


_ENDPOINTS = """
    insert into endpoint (id, name, spec, source, enabled, interval_s, timeout_s, labels, phase_s, next_due)
    select md5('endpoint' || n)::uuid, 'endpoint-' || n,
           jsonb_build_object('name', 'endpoint-' || n, 'url', 'https://e' || n || '.example/mcp'),
           'file', true, 60, 10, '{"team": "a"}', 0, now() + interval '1 day'
    from generate_series(1, :count) as n
"""
_STATES = """
    insert into endpoint_state (endpoint_id, verdict, since, cause_summary, slot, latency_ms, spark, marks, report_id,
                                era, protocol_version, transport, server_name, server_version, tool_count)
    select id, 'up', now(), '', now(), 120, array(select 100 + random() * 50 from generate_series(1, 30)),
           repeat('u', 60), gen_random_uuid(), 'stateless', '2026-07-28', 'streamable-http', 'shop', '1.2.3', 12
    from endpoint
"""
_REPORTS = """
    insert into {table} (id, endpoint_id, slot, location, started_at, verdict, cause, cold, lag_ms, duration_ms, dns_ms,
                         connect_ms, tls_ms, wait_ms, handshake_ms, tools_list_ms, sentinel_ms, era, protocol_version,
                         transport, tool_count)
    select gen_random_uuid(), endpoint.id, slot, 'local', slot, case when luck < 0.995 then 'up'
               when luck < 0.998 then 'degraded' else 'down' end,
           case when luck < 0.995 then null else 'timeout' end, luck < 0.01, 1, 200 + 50 * luck, 3, 12, 25,
           case when luck < 0.01 then 800 + 900 * random() else exp(4 + 0.3 * random_normal()) end,
           90, 40, 60, 'stateless', '2026-07-28', 'streamable-http', 12
    from generate_series(:first, :last, interval '1 minute') as slot cross join endpoint
    cross join lateral (select random() + 0 * extract(epoch from slot) as luck) as chance
"""
_DUE = """
    insert into rollup_due (hour) select hour from generate_series(
        (select date_trunc('hour', min(slot), 'UTC') from report), now(), interval '1 hour') as hour
"""
_EARLIER_DAYS = """
    insert into figures_day select endpoint_id, day - n, up, degraded, down, unknown, warm_buckets, warm_counts,
           cold_buckets, cold_counts
    from figures_day cross join generate_series(1, :days - 1) as n where day = (now() at time zone 'utc')::date
    on conflict do nothing
"""


# Figures


async def figures(db: AsyncEngine) -> None:
    print("Rolling up")
    began = time.perf_counter()
    hours = await rollups.roll_up(db, lag_ms=250.0, reports_days=30, every_s=0.0)
    took = time.perf_counter() - began
    shown("everything, with the figures of every endpoint", f"{took:.1f} s", f"{hours} hours")
    async with db.begin() as connection:
        earliest = "select date_trunc('hour', now(), 'UTC') - interval '2 hours'"
        hour = (await connection.execute(text(earliest))).scalar_one()
    whole = hour.replace(hour=0)
    works = (
        ("one hour", _hour(db, hour)),
        ("one day, of its hours", _day(db, whole)),
        ("figures of every endpoint", _all(db)),
    )
    for name, work in works:
        shown(name, f"{await middle_ms(work, 2) / 1000:.2f} s")


def _hour(db: AsyncEngine, hour: datetime) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        async with db.begin() as connection:
            await connection.execute(text("set local statement_timeout = 0"))
            await connection.execute(text(f"set local work_mem = '{rollups._MEMORY}'"))
            await rollups._roll_hour(connection, hour=hour, lag_ms=250.0)

    return run


def _day(db: AsyncEngine, day: datetime) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        async with db.begin() as connection:
            await connection.execute(text("set local statement_timeout = 0"))
            await connection.execute(text(f"set local work_mem = '{rollups._MEMORY}'"))
            await rollups._roll_day(connection, day=day.date(), done=[])

    return run


def _all(db: AsyncEngine) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        await rollups._refresh(db)

    return run


async def remember_ninety_days(db: AsyncEngine) -> None:
    """The figures of today, again and again, in partitions of their months."""
    async with db.begin() as connection:
        few = _EARLIER_DAYS.replace("where day", "where endpoint_id = (select id from endpoint limit 1) and day")
        await connection.execute(text(few), {"days": DAYS})
    await ensure_partitions(db)
    async with db.begin() as connection:
        await connection.execute(text("set local statement_timeout = 0"))
        await connection.execute(text(_EARLIER_DAYS), {"days": DAYS})
        await connection.execute(text("analyze figures_day"))


# Reading


async def reading(db: AsyncEngine) -> None:
    print("Reading")
    fleet = await queries.fleet(db)
    identities = [row.id for row in fleet]
    async with db.connect() as connection:
        now = (await connection.execute(text("select now()"))).scalar_one()
        asked: Sequence[tuple[str, Callable[[], Awaitable[object]], int]] = (
            (f"fleet page, {len(fleet):,} endpoints", lambda: queries.fleet(db), 5),
            ("endpoint page, with all that it reads", lambda: queries.endpoint_page(db, fleet[0].name), 11),
            ("24 h series of one endpoint", lambda: series.points(connection, identities[0]), 11),
            (f"{DAYS}-day bars of one endpoint", lambda: series.bars(connection, identities[:1]), 11),
            (f"{DAYS}-day bars of {PAGE}", lambda: series.bars(connection, identities[:PAGE]), 11),
            (f"{DAYS}-day bars of all {len(fleet):,}", lambda: series.bars(connection, identities), 3),
            ("30-day percentiles of one", lambda: _span(connection, now, identities[:1]), 11),
            (f"30-day percentiles of {PAGE} together", lambda: _span(connection, now, identities[:PAGE]), 5),
        )
        for name, run, times in asked:
            shown(name, f"{await middle_ms(run, times):.1f} ms")


async def _span(connection: AsyncConnection, now: datetime, endpoints: Sequence[UUID]) -> object:
    found = await series.figures(connection, now - timedelta(days=30), now, endpoints)
    return found.warm.percentile(0.95)


# Saving


def records(endpoints: Sequence[tuple[UUID, str]], first: datetime) -> Iterator[list[ReportRecord]]:
    evidence = json.dumps({"results": "x" * EVIDENCE_BYTES})
    for start in range(0, SAVED, BATCH):
        slot = first + timedelta(seconds=start // len(endpoints) + 1)
        yield [_record(*endpoints[(start + n) % len(endpoints)], slot, evidence) for n in range(BATCH)]


def _record(endpoint: UUID, name: str, slot: datetime, evidence: str) -> ReportRecord:
    seen = Seen(verdict=Verdict.UP, cause_id=None, cause_summary="", fix="", report_id=UUID(int=0), at=slot)
    timings = dict.fromkeys(("duration_ms", "dns_ms", "connect_ms", "tls_ms", "wait_ms", "handshake_ms"), 12.5)
    row = {
        "started_at": slot.isoformat(), "verdict": "up", "cause": None, "cause_summary": "", "confirmed": None,
        "cold": False, "profile": "standard", **timings,
    }  # fmt: skip
    state = {
        "latency_ms": 12.5, "spark": [12.5], "marks": "u", "warm_wait_ms": [12.5], "sentinels": [], "cold_starts": [],
        "log_streams": [],
    }  # fmt: skip
    return ReportRecord(
        endpoint_id=endpoint, name=name, edition=0, worker="bench", location="bench", slot=slot,
        next_slot=slot + timedelta(seconds=60), labels={}, seen=seen, is_routine=True, row=row, state=state,
        evidence=evidence,
    )  # fmt: skip


async def saving(db: AsyncEngine, server: int) -> None:
    async with db.begin() as connection:
        some = await connection.execute(text("select id, name from endpoint limit 2000"))
        endpoints = [(row.id, row.name) for row in some]
        now = (await connection.execute(text("select now()"))).scalar_one()
    batches = list(records(endpoints, now))
    client, whole = time.process_time(), processor_s(server)
    began = time.perf_counter()
    for batch in batches:
        async with db.begin() as connection:
            await recording.save(connection, batch)
    took = time.perf_counter() - began
    client, whole = time.process_time() - client, processor_s(server) - whole
    print(f"Saving, in batches of {BATCH} with states and {EVIDENCE_BYTES >> 10} KiB of evidence each, one connection")
    shown("reports a second", f"{SAVED / took:,.0f}")
    for whose, used in (("ours", client), ("PostgreSQL's", whole)):
        share = f"{used / SAVED * 10_000 / 60:.1%} of a core for 10,000 endpoints at a probe a minute"
        shown(f"processor time a report, {whose}", f"{used / SAVED * 1e6:.0f} µs", share)


async def dropping(db: AsyncEngine) -> None:
    print("Dropping")
    async with db.connect() as connection:
        counted = text("select count(*) from report")
        leaves = "from pg_partition_tree('report') where isleaf"
        size = text(f"select pg_size_pretty(sum(pg_total_relation_size(relid))) {leaves}")
        shown("reports on the disk, with indexes", str(await connection.scalar(size)))
        await connection.execute(text("set statement_timeout = 0"))
        old = (await connection.execute(counted)).scalar_one()
    began = time.perf_counter()
    names = await drop_expired(db, REPORTS, days_kept=-1)
    took = f"{(time.perf_counter() - began) * 1000:.0f} ms"
    shown("detaching and dropping", took, f"{old:,} reports in {len(names)} partitions")
    began = time.perf_counter()
    await drop_expired(db, EVIDENCE, days_kept=partitions.DAYS_AHEAD)
    shown("looking for what to drop where there is nothing", f"{(time.perf_counter() - began) * 1000:.0f} ms")


@contextmanager
def database() -> Iterator[tuple[str, int]]:
    directory = Path(tempfile.mkdtemp(prefix="prober-bench-"))
    directory.chmod(0o711)
    try:
        with EmbeddedPostgres(directory / "postgres", settings=SERVER) as server:
            pid = int((directory / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])
            yield server.url, pid
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def measure(url: str, server: int, reports: int, endpoints: int) -> None:
    db = open_engine(url)
    await load(db, reports, endpoints)
    await ensure_partitions(db)
    await figures(db)
    await remember_ninety_days(db)
    await reading(db)
    await saving(db, server)
    await dropping(db)
    await db.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=1_000_000)
    parser.add_argument("--endpoints", type=int, default=1000)
    arguments = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
    with database() as (url, server):
        migrations.upgrade(url)
        asyncio.run(measure(url, server, arguments.reports, arguments.endpoints))


if __name__ == "__main__":
    main()
