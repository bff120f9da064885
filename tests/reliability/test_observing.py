"""Our own faults are nobody else's: lines 19 to 22, 23 and 28 of the scorecard."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.ports import free_ports
from tests.reliability import fleet
from tests.reliability.audit import audit, percentile
from tests.reliability.cluster import ROOT, Database, Workers, document, until
from tests.reliability.conftest import Score, Size
from tests.reliability.fleet import Fleet
from tests.reliability.sink import Expected, Inbox, unmet

INSIDE: Final = "10.231.77.2"
OUTSIDE: Final = "10.231.77.1"
Probing = Callable[[int], bool]


def ran(*command: str) -> None:
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"this machine does not let us: {' '.join(command)}: {tried.stderr.strip()}")


@contextmanager
def own_network(name: str) -> Iterator[Sequence[str]]:
    """A network namespace with one cable to us; what runs a command in it."""
    if os.geteuid() or shutil.which("ip") is None:
        pytest.skip("a network of one's own needs root and iproute2")
    inner, outer = f"{name}i", f"{name}o"
    ran("ip", "netns", "add", name)
    try:
        ran("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name)
        ran("ip", "addr", "add", f"{OUTSIDE}/30", "dev", outer)
        ran("ip", "link", "set", outer, "up")
        ran("ip", "-n", name, "addr", "add", f"{INSIDE}/30", "dev", inner)
        ran("ip", "-n", name, "link", "set", inner, "up")
        ran("ip", "-n", name, "link", "set", "lo", "up")
        yield ("ip", "netns", "exec", name)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.mark.number(19)
@pytest.mark.timeout(900)
def test_a_network_of_ours_that_is_down_is_nobody_elses_fault(
    database: Database, workers: Workers, inbox: Inbox, place: Path, size: Size, score: Score, probing: Probing
) -> None:
    """Receivers are told through a relay that is not cut: what is looked at is what would be said."""
    down_s, count = size((8, 10), (600, 30))
    name = f"rel{os.getpid() % 100_000}"
    with own_network(name) as prefix, fleet.running(place, host=OUTSIDE) as servers, _relay(prefix, inbox, place):
        canary = servers.url.removeprefix("http://")
        rules = {"fail_after": 2, "recover_after": 1}
        settings = document(
            servers.endpoints(count), incidents=rules, observer={"canaries": [canary]}, notifiers=[inbox.notifier()]
        )
        worker = workers.start(settings, database.url, prefix=prefix, **inbox.env)
        until(lambda: probing(count), 20, "every endpoint probed")
        time.sleep(1)
        began = time.time()
        ran("ip", "link", "set", f"{name}o", "down")
        time.sleep(down_s)
        ran("ip", "link", "set", f"{name}o", "up")
        back = time.time()
        time.sleep(size(5, 30))
        worker.end()
        found = audit(database, servers.seen())
    window = [row for row in found.rows if began < row.slot < back]
    bad = [row for row in window if row.verdict == "down"]
    told = [
        Expected(kind="impaired", after=began + 55, before=began + 90),
        Expected(kind="restored", after=back, before=back + 30),
    ]
    problems = unmet(inbox.arrivals, told if down_s > 60 else [])
    score(
        f"the cable is out for {down_s} s, {count} servers at 1 s",
        f"{len(bad)} reports down, {found.missing} slots without a row, {found.unknown['no-connectivity']} unknown for "
        f"want of a network; {'; '.join(problems) or f'{len(inbox.arrivals)} messages, each as expected'}",
        not bad and found.missing == 0 and not problems,
    )


@contextmanager
def _relay(prefix: Sequence[str], inbox: Inbox, place: Path) -> Iterator[None]:
    """Lets who is in the namespace reach the receiver on our loopback, through a socket in the file system."""
    path, port = place / "relay", inbox.url.split(":")[2].partition("/")[0]
    out = subprocess.Popen([sys.executable, "-m", "tests.reliability.relay", str(path), f"127.0.0.1:{port}"], cwd=ROOT)
    until(path.exists, 10, "the relay listens")
    near = subprocess.Popen(
        [*prefix, sys.executable, "-m", "tests.reliability.relay", f"127.0.0.1:{port}", str(path)], cwd=ROOT
    )
    try:
        yield
    finally:
        for each in (near, out):
            each.kill()
            each.wait()


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that do nothing but work."""
    made = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for each in made:
            each.kill()
            each.wait()


@pytest.mark.number(20)
@pytest.mark.timeout(300)
def test_a_machine_that_is_too_busy_calls_nobody_down(
    database: Database, servers: Fleet, workers: Workers, inbox: Inbox, size: Size, score: Score, probing: Probing
) -> None:
    """A stopped process is one whose event loop stands still; answers take so long that a probe is under way then."""
    count, blocks, busy_s = size((20, 2, 6), (50, 5, 60))
    rules = {"fail_after": 2, "recover_after": 1}
    settings = document(servers.endpoints(count), incidents=rules, notifiers=[inbox.notifier()])
    servers.set("slow:0.1")
    worker = workers.start(settings, database.url, **inbox.env)
    until(lambda: probing(count), 20, "every endpoint probed")
    with busy(8):
        for _ in range(blocks):
            time.sleep(busy_s / blocks)
            worker.send(signal.SIGSTOP)
            time.sleep(2)
            worker.send(signal.SIGCONT)
        time.sleep(3)
    time.sleep(1)
    worker.end()
    found = audit(database, servers.seen())
    flagged = [row for row in found.rows if row.lag_ms > 250]
    pages = [each for each in inbox.arrivals if each.data["about"] != "prober"]
    score(
        f"8 busy processes for {busy_s} s, {blocks} times stopped for 2 s, {count} healthy servers at 1 s",
        f"{found.verdicts['down']} false down, {len(pages)} messages about endpoints, {len(flagged)} reports flagged "
        f"as late, {found.unknown['observer-lag'] + found.unknown['lag']} of them unknown",
        found.verdicts["down"] == 0 and not pages and len(flagged) > 0,
    )


@pytest.mark.number(21)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("dead", [12, pytest.param(100, marks=pytest.mark.full)])
def test_names_that_do_not_resolve_take_nothing_from_others(
    database: Database, servers: Fleet, workers: Workers, place: Path, dead: int, size: Size, score: Score
) -> None:
    """The worker has a resolv.conf of its own, whose server takes every question and never answers."""
    lasts_s, count = size((10, 20), (60, 50))
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        silent.bind(("127.0.0.77", 53))
    except OSError as error:
        pytest.skip(f"this machine lets us listen on no port 53: {error}")
    own = place / "resolv.conf"
    own.write_text("nameserver 127.0.0.77\n")
    prefix = ("unshare", "-m", "sh", "-c", f'mount --bind {own} /etc/resolv.conf && exec "$@"', "sh")
    ran(*prefix, "true")
    gone = [{"name": f"dead{n}", "url": f"http://dead{n}.example.org/mcp"} for n in range(dead)]
    settings = document([*servers.endpoints(count), *gone])
    with silent:
        worker = workers.start(settings, database.url, prefix=prefix)
        time.sleep(3 + lasts_s)
        worker.end()
    found = audit(database, servers.seen())
    healthy = [row for row in found.rows if row.endpoint.startswith("s")]
    failed = [row for row in healthy if row.verdict in ("down", "degraded")]
    others = [row for row in found.rows if not row.endpoint.startswith("s")]
    score(
        f"{dead} endpoints whose names nobody answers for, {count} healthy servers at 1 s, {lasts_s} s",
        f"{len(failed)} failures in {len(healthy)} reports of healthy ones, starts late by p99 {found.p(99):.0f} ms; "
        f"of the others {len(others)} reports, {sum(each.verdict == 'up' for each in others)} up",
        not failed and len(healthy) > 0,
    )


@pytest.mark.number(22)
@pytest.mark.full
@pytest.mark.timeout(3600)
def test_hostile_servers_cost_healthy_ones_little(score: Score) -> None:
    command = [sys.executable, "tests/bench/bench_isolation.py", "--rounds", "6"]
    ran_ = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = re.findall(r"^(.{48}) .*\(\s*([+-]\d+)\)\s+loop held up to\s+(\d+) ms", ran_.stdout, re.MULTILINE)
    assert lines, ran_.stdout[-500:] + ran_.stderr[-2000:]
    more = {name.strip(): int(ms) for name, ms, _ in lines}
    lag = {name.strip(): int(ms) for name, _, ms in lines}
    slowest, stillest = max(more, key=more.__getitem__), max(lag, key=lag.__getitem__)
    score(
        f"{len(lines)} hostile servers, 50 healthy ones, 6 rounds each",
        f"healthy p99 {more[slowest]:+} ms at worst ({slowest}), median {percentile([*more.values()], 50):+.0f} ms; "
        f"event loop held up {lag[stillest]} ms at worst ({stillest}), median {percentile([*lag.values()], 50):.0f} ms",
        more[slowest] <= 50 and lag[stillest] <= 100,
    )


@pytest.mark.number(23)
@pytest.mark.timeout(300)
def test_a_wall_clock_that_jumps_starts_no_burst_and_leaves_no_gap(
    database: Database, servers: Fleet, workers: Workers, place: Path, size: Size, score: Score, probing: Probing
) -> None:
    """The worker's own idea of the time is moved, that of the machine is not: the database keeps the right one."""
    count, rest_s = size((10, 3), (50, 20))
    hour, year = 3600, 365 * 86_400
    jumps = size((hour, -hour, year, 0), (hour, 0, -hour, 0, year, 0, -year, 0, -300, 0))
    offset = place / "offset"
    offset.write_text("0")
    worker = workers.make(document(servers.endpoints(count)), database.url, PROBER_TEST_OFFSET=str(offset))
    worker.module = "tests.reliability.shifted"
    worker.start()
    until(lambda: probing(count), 20, "every endpoint probed")
    time.sleep(1)
    for seconds in jumps:
        offset.write_text(str(seconds))
        time.sleep(rest_s)
    worker.end()
    found = audit(database, servers.seen())
    negative = database.one("select count(*) from report where duration_ms < 0 or wait_ms < 0 or connect_ms < 0")
    score(
        f"{len(jumps)} jumps of up to a year, forth and back, {count} servers at 1 s",
        f"{found.twice} slots probed twice, {found.double} double, {found.missing + found.unknown['missed']} missed, "
        f"{negative} negative durations, {found.verdicts['down']} down",
        found.twice <= count * len(jumps)
        and found.double == negative == found.verdicts["down"] == 0
        and found.missing == 0,
    )


@pytest.mark.number(28)
def test_credentials_that_cannot_be_had_are_not_the_endpoints_fault(
    database: Database, servers: Fleet, workers: Workers, inbox: Inbox, place: Path, score: Score
) -> None:
    places = [f"https://127.0.0.1:{free_ports()}/token", "https://token.invalid/token"]
    oauth = [
        {"oauth": {"token_url": url, "client_id": "prober", "client_secret": "env:CLIENT_SECRET"}} for url in places
    ]
    auths = [
        *oauth,
        {"bearer": "env:NOBODY_SET_THIS"},
        {"bearer": "aws-sm:arn:aws:secretsmanager:eu-central-1:123456789012:secret:mcp-AbCdEf"},
    ]
    endpoints = [{**each, "auth": auth} for each, auth in zip(servers.endpoints(len(auths)), auths, strict=True)]
    aws = {
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_ports()}",
    }  # fmt: skip
    settings = document(
        endpoints, incidents={"fail_after": 2, "recover_after": 1}, notifiers=[inbox.notifier()],
        defaults={"interval": "3s", "timeout": "2s"},
    )  # fmt: skip
    worker = workers.start(settings, database.url, CLIENT_SECRET="s", **aws, **inbox.env)
    time.sleep(14)
    worker.end()
    rows = database.ask("select name, verdict, unknown_reason from report join endpoint on endpoint.id = endpoint_id"
                        " where missed = 0")  # fmt: skip
    verdicts = {verdict for _, verdict, _ in rows}
    reasons = sorted({f"{reason}" for _, _, reason in rows})
    pages = [each for each in inbox.arrivals if each.data["about"] != "prober"]
    score(
        "a token endpoint that refuses connections, one without a name, an unset secret, Secrets Manager away",
        f"{len(rows)} reports of {len({name for name, _, _ in rows})} endpoints: {', '.join(sorted(verdicts))} "
        f"({', '.join(reasons)}); {len(pages)} messages about endpoints",
        verdicts == {"unknown"} and not pages and len({name for name, _, _ in rows}) == len(auths),
    )
