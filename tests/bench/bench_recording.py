"""What it costs to bring reports into PostgreSQL: how many a second, and the share of a core at 10,000 probes a minute.
And how long 10,000 endpoints take to be written at the start and after edits of the file that names them.

Reference: the same report rows and evidence by a bare executemany, without states, leases, incidents and notifications.
The client's CPU is this process's; the server's is that of its processes, from /proc.
"""

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvloop
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import CheckResult, Endpoint, Exchange, Opener, Opening, Outcome, ProbeReport, Timings, Verdict
from checks.spec import Era, Transport
from checks.standing import FullFindings, Told
from checks.tool_memory import ToolMemory
from prober.incidents.lifecycle import seen_of
from prober.incidents.policy import AlertPolicy
from prober.storage import endpoints, incidents, migrations, recording
from prober.storage.database import open_engine
from prober.storage.embedded import EmbeddedPostgres
from prober.storage.identity import endpoint_id, report_id
from prober.storage.incidents import Observed
from prober.storage.partitions import ensure_partitions
from prober.storage.records import ReportRecord, record_of
from prober.storage.schedule import Claim
from prober.storage.tables import report, routine_evidence

NEEDED_PER_S = 10_000 / 60
FLEET = 2000
"""Endpoints that are saved in turn."""
CONFIGURED = 10_000
"""Endpoints of the file that is followed."""
INTERVAL_S = 60.0
BODY = (
    b'{"jsonrpc":"2.0","id":1,"result":{"tools":['
    + b'{"name":"get_order","inputSchema":{"type":"object"}},' * 20
    + b"]}}"
)


def found_at(endpoint: Endpoint, slot: datetime) -> ProbeReport:
    exchange = Exchange(
        id="x1",
        method="POST",
        url=endpoint.url,
        started_at=slot,
        status=200,
        headers=(("content-type", "application/json"),),
        body=BODY,
        timings=Timings(dns_ms=1, connect_ms=2, tls_ms=3, sent_ms=7, first_byte_ms=47, total_ms=60),
    )
    opener = Opener(
        transport=Transport.STREAMABLE_HTTP,
        era=Era.HANDSHAKE,
        protocol_version="2025-11-25",
        reason="initialize was answered",
        chosen_at=slot,
    )
    names = ("lifecycle", "tools_list", "sentinel_call", "streaming", "session")
    results = tuple(
        CheckResult(check=name, outcome=Outcome.PASS, summary="as it should be", ms=12.5, exchanges=(exchange,))
        for name in names
    )
    return ProbeReport(
        endpoint=endpoint.name,
        endpoint_id=endpoint_id(endpoint.name),
        slot=slot,
        started_at=slot,
        duration_ms=120.0,
        verdict=Verdict.UP,
        opening=Opening(exchanges=(exchange,), opener=opener, server_name="shop", server_version="1"),
        results=results,
    )


def recorded(fleet: Sequence[Endpoint], slot: datetime) -> tuple[list[ReportRecord], float]:
    """A record of each endpoint, and the CPU seconds that making one takes."""
    began, records = time.process_time(), []
    for endpoint in fleet:
        claim = Claim(
            endpoint_id=endpoint_id(endpoint.name),
            endpoint=endpoint,
            slot=slot,
            next_slot=slot + timedelta(seconds=INTERVAL_S),
            fence=1,
        )
        found = found_at(endpoint, slot)
        told = Told(report=found, findings=FullFindings(), is_full=False)
        seen = seen_of(found, report_id(claim.endpoint_id, slot, found.location))
        record = record_of(told, claim, ToolMemory(), seen, worker="bench")
        records.append(ReportRecord.from_bytes(record.to_bytes()))
    return records, (time.process_time() - began) / len(fleet)


async def save(db: AsyncEngine, batch: Sequence[ReportRecord]) -> None:
    async with db.begin() as connection:
        saved = await recording.save(connection, batch)
        news = [Observed(endpoint_id=each.record.endpoint_id, seen=each.record.seen) for each in saved]
        await incidents.record(connection, news, AlertPolicy(), datetime.now(UTC))


async def save_bare(db: AsyncEngine, batch: Sequence[ReportRecord]) -> None:
    rows = [
        {
            **each.row,
            "started_at": each.slot,
            "id": uuid4(),
            "endpoint_id": each.endpoint_id,
            "slot": each.slot + timedelta(microseconds=number + 1),
            "location": "bare",
        }
        for number, each in enumerate(batch)
    ]
    details: list[dict[str, Any]] = [{"report_id": row["id"], "slot": row["slot"], "detail": {}} for row in rows]
    for each, detail in zip(batch, details, strict=True):
        detail["detail"] = each.evidence
    async with db.begin() as connection:
        await connection.execute(insert(report), rows)
        await connection.execute(
            text(
                f"insert into {routine_evidence.name} (report_id, slot, detail)"
                " values (:report_id, :slot, cast(:detail as jsonb))"
            ),
            details,
        )


def server_cpu_s(postgres: Path) -> float:
    """CPU seconds of all processes whose binary is a PostgreSQL server's, as far as they live."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = stat.read_text().rsplit(")", 1)
        except OSError:
            continue
        if name.endswith("(postgres"):
            ticks += sum(int(each) for each in fields.split()[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


async def measure(db: AsyncEngine, rounds: int, batch: int, directory: Path) -> None:
    fleet = [Endpoint(name=f"e{number}", url=f"https://e{number}.example/mcp") for number in range(FLEET)]
    await endpoints.sync(db, fleet)
    await ensure_partitions(db)
    start = datetime.now(UTC).replace(microsecond=0)
    made: list[float] = []
    sums: dict[str, list[float]] = {"saved": [0.0] * 4, "bare": [0.0] * 4}
    for number in range(rounds):
        records, cpu = recorded(fleet, start + timedelta(seconds=number * INTERVAL_S))
        made.append(cpu)
        for kind, work in (("saved", save), ("bare", save_bare)):
            began, client, server = time.perf_counter(), time.process_time(), server_cpu_s(directory)
            for at in range(0, len(records), batch):
                await work(db, records[at : at + batch])
            spent = (
                time.perf_counter() - began,
                time.process_time() - client,
                server_cpu_s(directory) - server,
                len(records),
            )
            sums[kind] = [one + other for one, other in zip(sums[kind], spent, strict=True)]
    print(f"batches of {batch}, {rounds} rounds of {FLEET:,} endpoints, evidence {len(records[0].evidence or '')} B")
    print(f"making and reading a record: {sum(made) / len(made) * 1e6:.0f} us of CPU")
    print(f"{'':8}{'reports/s':>11}{'client us':>11}{'server us':>11}{f'core at {NEEDED_PER_S:.0f}/s':>16}")
    for kind, (wall, client, server, count) in sums.items():
        share = (client / count) * NEEDED_PER_S
        print(
            f"{kind:8}{count / wall:>11,.0f}{client / count * 1e6:>11.0f}{server / count * 1e6:>11.0f}"
            f"{share:>9.1%} + {server / count * NEEDED_PER_S:.1%}"
        )
    saved, bare = sums["saved"], sums["bare"]
    print(f"saved / bare: {saved[0] / bare[0]:.1f} in time, {saved[1] / bare[1]:.1f} in the client's CPU")


async def follow(db: AsyncEngine) -> None:
    """Print the time of a first start, of another one, and of edits of one, of all and of the URLs of all endpoints."""
    fleet = [Endpoint(name=f"c{number}", url=f"https://c{number}.example/mcp") for number in range(CONFIGURED)]
    edits = {
        "start": fleet,
        "again": fleet,
        "one": [replace(fleet[0], timeout_s=5.0), *fleet[1:]],
        "all": [replace(each, timeout_s=5.0) for each in fleet],
        "moved": [replace(each, url=f"{each.url}/new") for each in fleet],
        "gone": [],
    }
    print(f"following a file of {CONFIGURED:,} endpoints\n{'':8}{'s':>8}{'CPU s':>8}{'loop held ms':>14}")
    for kind, edited in edits.items():
        held = asyncio.create_task(longest_hold_s())
        began, cpu = time.perf_counter(), time.process_time()
        await endpoints.sync(db, edited, source="followed")
        spent = time.perf_counter() - began, time.process_time() - cpu
        held.cancel()
        print(f"{kind:8}{spent[0]:>8.2f}{spent[1]:>8.2f}{await held * 1000:>14.0f}")


async def longest_hold_s() -> float:
    """The longest time, until this is cancelled, for which the event loop did not come back."""
    pause, longest = 0.005, 0.0
    while True:
        began = time.perf_counter()
        try:
            await asyncio.sleep(pause)
        except asyncio.CancelledError:
            return longest
        longest = max(longest, time.perf_counter() - began - pause)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=None, help="reports in a transaction; 17 and 100 by default")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="prober-bench-"))
    directory.chmod(0o711)
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, directory, ignore_errors=True)
        server = ending.enter_context(EmbeddedPostgres(directory / "postgres"))
        migrations.upgrade(server.url)

        async def run(batch: int) -> None:
            db = open_engine(server.url)
            try:
                await measure(db, options.rounds, batch, directory)
            finally:
                await db.dispose()

        async def run_follow() -> None:
            db = open_engine(server.url)
            try:
                await follow(db)
            finally:
                await db.dispose()

        uvloop.run(run_follow())
        for batch in (options.batch,) if options.batch else (17, 100):
            uvloop.run(run(batch))


if __name__ == "__main__":
    main()
