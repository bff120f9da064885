"""The service itself: full disks, its end, its capacity, a wedged loop, and days on end (lines 5, 39 to 42)."""

import fcntl
import os
import re
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations
from pathlib import Path
from typing import Final

import pytest

from tests.integration.toxic import toxic, upstream_of
from tests.reliability.audit import audit, settled
from tests.reliability.cluster import Database, Worker, Workers, document, until
from tests.reliability.conftest import Score, Size
from tests.reliability.fleet import ERROR, HANG, OK, Fleet

Probing = Callable[[int], bool]
SMALL_DISK: Final = 4 << 20
F_SETPIPE_SZ: Final = 1031  # fcntl(2)


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """4 MiB of memory as a disk."""
    if os.geteuid():
        pytest.skip("only root may mount a disk of 4 MiB")
    place.mkdir()
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(place)], capture_output=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"this machine lets nobody mount: {tried.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.number(5)
@pytest.mark.timeout(400)
def test_a_full_disk_while_the_database_is_away_costs_no_change(
    database: Database, servers: Fleet, workers: Workers, place: Path, size: Size, score: Score, probing: Probing
) -> None:
    """Some servers fail for a while meanwhile; what the servers saw says how many probes there were."""
    away_s, count = size((15, 30), (120, 50))
    with small_disk(place / "small") as disk:
        settings = document(servers.endpoints(count), spool={"quota": "4MiB"})
        worker = workers.start(settings, database.url, PROBER_DATA_DIR=str(disk))
        until(lambda: probing(count), 20, "every endpoint probed")
        database.stop_immediately()
        began = time.time()
        ballast = disk / "ballast"  # so that the short test fills the disk as well
        ballast.write_bytes(bytes(size(3 << 20, 1)))
        failing = servers.names[:5]
        time.sleep(away_s * 0.6)
        failed = servers.set(ERROR, failing)
        time.sleep(away_s * 0.2)
        well = servers.set(OK, failing)
        time.sleep(away_s * 0.2)
        ready, reasons = worker.status("/readyz")
        database.start()
        back = time.time()
        ballast.unlink()
        until(lambda: worker.status("/readyz")[0] == 200, 60, "the worker is ready again, without a restart")
        until(lambda: database.one("select max(slot) > to_timestamp(%s) from report", back + 1), 60, "it is caught up")
        dropped = _counted(worker.status("/metrics")[1], "dropped")
        seen = settled(database, servers, worker)
        found = audit(database, seen)
    during = [row for row in found.rows if row.slot >= began - 1 and row.slot < back]
    changes = {
        name: [
            row.verdict for row in sorted(during, key=lambda each: each.slot) if row.endpoint == name and not row.missed
        ]
        for name in failing
    }
    print({name: _turns(verdicts) for name, verdicts in changes.items()})
    kept = sum(_turns(verdicts) == ["up", "down", "up"] for verdicts in changes.values())
    counted = sum(row.coalesced for row in during)
    assert failed < well
    score(
        f"a disk of 4 MiB, the database away for {away_s} s, {count} servers at 1 s, 5 of which fail meanwhile",
        f"{kept} of 5 endpoints with every change, {counted} reports counted in others, {dropped:.0f} dropped, "
        f"{len(found.lost)} of {found.probes} not accounted for; /readyz {ready} meanwhile",
        kept == 5 and len(found.lost) == dropped and ready == 503 and "spool" in reasons,
    )


def _turns(verdicts: list[str]) -> list[str]:
    return [verdict for n, verdict in enumerate(verdicts) if n == 0 or verdicts[n - 1] != verdict]


def _counted(exposition: str, word: str) -> float:
    """The sum of the counters of the spool whose name has that word."""
    lines = re.findall(rf"^(mcp_prober_\S*{word}\S*?)(?:\{{.*\}})? ([0-9.e+]+)$", exposition, re.MULTILINE)
    return sum(float(value) for name, value in lines if not name.endswith("_created"))


@pytest.mark.number(39)
@pytest.mark.timeout(120)
def test_a_worker_that_is_told_to_stop_ends_in_time(
    database: Database, servers: Fleet, workers: Workers, score: Score, probing: Probing
) -> None:
    """50 probes that get no answer are under way each time."""
    count = 50
    endpoints = servers.endpoints(count, interval="3s", timeout="3s")
    took: dict[str, float] = {}
    leases = 0
    with toxic(upstream_of(database.url)) as proxy:
        worker = workers.make(document(endpoints), proxy.url_of(database.url))
        for how in ("once", "twice", "without a database"):
            worker.start()
            servers.set(HANG)
            began = time.time()
            _until_in_flight(servers, began, count)
            if how == "without a database":
                proxy.stall()
            took[how] = _stopped(worker, twice=how == "twice")
            proxy.mend()
            servers.set(OK)
            if how == "once":
                leases = database.one("select count(*) from endpoint where lease_owner is not null")
        worker.start()
        time.sleep(9)  # leases that nobody could hand back end, and what was interrupted is recorded
        worker.end()
    found = audit(database, servers.seen())
    unaccounted = found.missing + found.double
    score(
        f"{count} probes in flight",
        f"ends within {took['once']:.1f} s, without a database {took['without a database']:.1f} s, "
        f"{took['twice']:.1f} s after a second SIGTERM; {leases} leases left behind, "
        f"{unaccounted} slots missing or double",
        took["once"] <= 10 and took["without a database"] <= 10 and took["twice"] <= 1 and leases == unaccounted == 0,
    )


def _until_in_flight(servers: Fleet, since: float, count: int) -> None:
    until(
        lambda: len({each.server for each in servers.seen() if each.at >= since - 0.5}) >= count * 0.9,
        16,
        "probes are under way",
    )


def _stopped(worker: Worker, *, twice: bool) -> float:
    worker.send(signal.SIGTERM)
    if twice:
        time.sleep(0.3)
        worker.send(signal.SIGTERM)
    began = time.monotonic()
    assert worker.process is not None
    worker.process.wait(20)
    return time.monotonic() - began


@pytest.mark.number(41)
@pytest.mark.timeout(400)
def test_five_hundred_endpoints_take_half_a_core(
    database: Database, servers: Fleet, workers: Workers, size: Size, score: Score, probing: Probing
) -> None:
    """What the servers took themselves is taken off the wait that the reports tell."""
    count, interval_s, lasts_s = size((100, 6, 12), (500, 30, 120))
    defaults = {"interval": f"{interval_s}s", "timeout": "5s"}
    worker = workers.start(document(servers.endpoints(count), defaults=defaults), database.url)
    until(lambda: probing(count), interval_s + 15, "every endpoint probed")
    since, cpu = time.time(), worker.cpu_s
    time.sleep(lasts_s)
    share = 100 * (worker.cpu_s - cpu) / (time.time() - since)
    worker.end()
    found = audit(database, servers.seen(), since=since)
    waits = [
        wait
        for (wait,) in database.ask(
            "select wait_ms::float from report where missed = 0 and slot > to_timestamp(%s) and wait_ms is not null",
            since,
        )
    ]
    added = statistics.median(waits) - 5.0
    score(
        f"{count} endpoints at {interval_s} s for {lasts_s} s, each answer takes 5 ms",
        f"starts late by p50 {found.p(50):.0f} ms, p99 {found.p(99):.0f} ms; {share:.0f} % of a core; "
        f"own addition p50 {added:.1f} ms",
        share <= 50,
        timely=found.p(99) <= 250 and added <= 10,
    )


@dataclass
class Heart:
    """A watchdog's address, and when it was called."""

    url: str = ""
    beats: list[float] = field(default_factory=list)


@contextmanager
def heart() -> Iterator[Heart]:
    made = Heart()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.beats.append(time.time())
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives it
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}/beat"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.number(42)
@pytest.mark.timeout(200)
def test_a_wedged_loop_is_noticed_outside(
    database: Database, servers: Fleet, workers: Workers, score: Score, probing: Probing
) -> None:
    """Nobody reads the worker's log any more: the next line that it writes stops its event loop for good."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)
    with heart() as watchdog:
        settings = document(
            servers.endpoints(5), watchdog={"url": watchdog.url, "every": "1s"},
            incidents={"fail_after": 2, "recover_after": 1},
        )  # fmt: skip
        worker = workers.make(settings, database.url)
        worker.stderr = writing
        worker.start()
        until(lambda: len(watchdog.beats) >= 2, 40, "the heart beats")
        assert worker.status("/livez")[0] == 200
        _fill(writing)
        servers.set(ERROR)  # which is worth a line
        wedged_at = time.time()
        until(lambda: worker.status("/livez", 2.0)[0] == 503, 60, "/livez fails")
        noticed_s = time.time() - wedged_at
        time.sleep(5)
        last = max(watchdog.beats) - wedged_at
        worker.kill()
    os.close(reading)
    os.close(writing)
    score(
        "the worker's log is a pipe that nobody reads",
        f"/livez fails {noticed_s:.0f} s after the fault began, the last heartbeat came {max(0.0, last):.0f} s after",
        noticed_s <= 60 and last <= 60 and time.time() - wedged_at > last + 3,
    )


def _fill(pipe: int) -> None:
    """Write until it takes no more, without changing how others write to it."""
    own = os.open(f"/proc/self/fd/{pipe}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(own, b"x" * 256)
    except BlockingIOError:
        pass
    finally:
        os.close(own)


@dataclass
class Scales:
    """What a worker took, every five seconds."""

    sizes: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the beginning, and MiB."""
    files: list[int] = field(default_factory=list)


@contextmanager
def weighed(worker: Worker) -> Iterator[Scales]:
    """Weighs the worker meanwhile, whatever is done to it."""
    scales, ended, began = Scales(), threading.Event(), time.time()

    def weigh() -> None:
        while not ended.wait(5):
            scales.sizes.append((time.time() - began, worker.resident_mib))
            scales.files.append(worker.open_files)

    with ThreadPoolExecutor(1) as beside:
        weighing = beside.submit(weigh)
        try:
            yield scales
        finally:
            ended.set()
        weighing.result()


@pytest.mark.number(40)
@pytest.mark.soak
@pytest.mark.timeout(24 * 3600)
def test_a_long_run_keeps_its_size(
    request: pytest.FixtureRequest,
    database: Database,
    servers: Fleet,
    workers: Workers,
    score: Score,
    probing: Probing,
) -> None:
    """The database is stopped for a minute, twice an hour at least; the servers hang for a minute as often."""
    minutes, count = request.config.getoption("--minutes"), 100
    worker = workers.start(document(servers.endpoints(count)), database.url)
    until(lambda: probing(count), 30, "every endpoint probed")
    warm_s, faults = min(1800.0, minutes * 60 / 3), 0
    began = time.time()
    fault_every_s, next_fault = min(1800.0, minutes * 60 / 3), began + min(600.0, minutes * 60 / 6)
    with weighed(worker) as scales:
        # Here, not in a thread: the database ends with the thread that started it (PR_SET_PDEATHSIG).
        while time.time() - began < minutes * 60:
            time.sleep(5)
            if time.time() >= next_fault:
                next_fault += fault_every_s
                faults += 1
                _suffer(database, servers)
    sizes, files = scales.sizes, scales.files
    seen = settled(database, servers, worker)
    found = audit(database, seen)
    warm = [(at, mib) for at, mib in sizes if at > warm_s]
    floor = _floor(warm)
    slope, total = _slope(floor) * 3600, floor[-1][1] - floor[0][1]
    # Between two probes hardly any connection is open: what is left then and grows is lost.
    open_at_first, open_at_last = min(files[5:30]), min(files[-25:])
    score(
        f"{minutes:.0f} min instead of 6 h, {count} servers at 1 s, {found.probes:,} probes, "
        f"{faults} times without database and without answers for a minute each; "
        f"the least of every two minutes, after {warm_s / 60:.0f} min of warming up",
        f"{slope:+.1f} MiB an hour, {slope * minutes / 60 / found.probes * 1e5:+.2f} MiB in 100,000 probes, "
        f"{total:+.1f} MiB in all, by quarters {', '.join(f'{mib:.1f}' for mib in _quarters(floor))} MiB, "
        f"peak {max(mib for _, mib in sizes):.0f} MiB; "
        f"{open_at_first} open files at first, {open_at_last} at last, {max(files)} at most; "
        f"{len(found.lost)} lost, {found.missing} missing, {found.double} double",
        slope <= 1
        and total <= 20
        and abs(open_at_last - open_at_first) <= 5
        and not found.lost
        and found.missing == found.double == 0,
    )


def _floor(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The least of every two minutes, in which a worker gives back twice what it does not need: the rest is what it
    holds for longer than that."""
    kept: dict[int, tuple[float, float]] = {}
    for at, value in points:
        window = int(at // 120)
        kept[window] = min(kept.get(window, (at, value)), (at, value), key=lambda point: point[1])
    return list(kept.values())


def _quarters(points: list[tuple[float, float]]) -> list[float]:
    """The median of each quarter of a run: it tells a plateau from a slope."""
    values = [value for _, value in points]
    size = max(1, len(values) // 4)
    return [statistics.median(values[at * size : (at + 1) * size] or values[-1:]) for at in range(4)]


def _suffer(database: Database, servers: Fleet) -> None:
    database.stop_immediately()
    time.sleep(60)
    database.start()
    time.sleep(30)
    servers.set(HANG)
    time.sleep(60)
    servers.set(OK)


def _slope(points: list[tuple[float, float]]) -> float:
    """How much per second: the median over all pairs of points (Theil and Sen), so that the few minutes of a fault late
    in the run are no slope."""
    return statistics.median((b - a) / (then - before) for (before, a), (then, b) in combinations(points, 2))
