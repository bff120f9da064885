"""No result is lost: lines 1 to 4, 25 and 26 of the scorecard."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.integration.toxic import toxic, upstream_of
from tests.reliability.audit import audit, settled
from tests.reliability.cluster import Database, Workers, document, until
from tests.reliability.conftest import Score, Size
from tests.reliability.fleet import Fleet

TIMELY_MS = 250.0


def is_caught_up(database: Database, fleet: Fleet, before: float) -> bool:
    """Whether every probe that began before that moment has its report."""
    ids = {each.report for each in fleet.seen() if each.at < before}
    known = {row for (row,) in database.ask("select id from report")}
    return ids <= known


@pytest.mark.number(1)
@pytest.mark.timeout(500)
def test_a_worker_that_is_killed_again_and_again_loses_nothing_that_it_found(
    database: Database, servers: Fleet, workers: Workers, size: Size, score: Score, probing: Callable[[int], bool]
) -> None:
    kills, pause_s, count = size((3, 2.5, 20), (30, 10.0, 50))
    worker = workers.start(document(servers.endpoints(count)), database.url)
    until(lambda: probing(count), 20, "every endpoint probed")
    for _ in range(kills):
        time.sleep(pause_s * random.uniform(0.7, 1.0))
        worker.kill()
        worker.start()
    time.sleep(8)  # leases of the killed end, and what they left behind is saved
    seen = settled(database, servers, worker)
    found = audit(database, seen)
    interrupted = found.unknown["interrupted"]
    ended_unsaved = [each for each in found.lost if each.ended]
    score(
        f"{kills} kills, {count} servers at 1 s",
        f"{found.missing} slots missing, {found.double} double, {interrupted} interrupted, "
        f"{found.probes} probes, {len(ended_unsaved)} of them cut off after their last question",
        found.missing == found.double == 0 and interrupted <= kills * min(count, 50),
    )


@pytest.mark.number(2)
@pytest.mark.timeout(300)
def test_probing_goes_on_while_the_database_is_stopped(
    database: Database, servers: Fleet, workers: Workers, size: Size, score: Score, probing: Callable[[int], bool]
) -> None:
    away_s, count = size((6, 20), (60, 50))
    worker = workers.start(document(servers.endpoints(count)), database.url)
    until(lambda: probing(count), 20, "every endpoint probed")
    time.sleep(2)
    since = time.time()
    database.stop_immediately()
    time.sleep(away_s)
    until_then = time.time()
    database.start()
    up_at = time.time()
    until(lambda: is_caught_up(database, servers, until_then), 60, "what was found meanwhile is saved")
    replay_s = time.time() - up_at
    time.sleep(2)
    seen = settled(database, servers, worker)
    found = audit(database, seen, since=since)
    during = [each for each in found.lost if each.at >= since - 1]
    p99 = found.p(99)
    score(
        f"away for {away_s} s, {count} servers at 1 s",
        f"{len(during)} lost, {found.missing} missing, {found.double} double, caught up in {replay_s:.1f} s, "
        f"starts late by p99 {p99:.0f} ms",
        not during and found.missing == found.double == 0 and replay_s <= 30,
        timely=p99 <= TIMELY_MS,
    )


@pytest.mark.number(3)
@pytest.mark.timeout(400)
def test_a_database_that_is_killed_again_and_again_has_every_report_once(
    database: Database, servers: Fleet, workers: Workers, size: Size, score: Score, probing: Callable[[int], bool]
) -> None:
    kills, count = size((2, 20), (20, 50))
    worker = workers.start(document(servers.endpoints(count)), database.url)
    until(lambda: probing(count), 20, "every endpoint probed")
    since, healthy_s = time.time(), []
    for _ in range(kills):
        time.sleep(random.uniform(1.0, 3.0))
        database.kill()
        time.sleep(random.uniform(0.2, 1.0))
        database.start()
        up_at = time.time()
        until(lambda up_at=up_at: is_caught_up(database, servers, up_at), 30, "reports are saved again")
        healthy_s.append(time.time() - up_at)
    time.sleep(1)
    seen = settled(database, servers, worker)
    found = audit(database, seen, since=since)
    lost, worst = [each for each in found.lost if each.at >= since - 1], max(healthy_s)
    score(
        f"{kills} kills of all its processes, {count} servers at 1 s",
        f"{len(lost)} lost, {found.missing} missing, {found.double} double, works again in {worst:.1f} s at worst",
        not lost and found.missing == found.double == 0,
        timely=worst <= 5,
    )


@pytest.mark.number(4)
@pytest.mark.timeout(300)
def test_a_slow_database_and_lost_replies_delay_no_start_and_save_nothing_twice(
    database: Database, servers: Fleet, workers: Workers, size: Size, score: Score, probing: Callable[[int], bool]
) -> None:
    slow_s, cuts, count = size((6, 3, 20), (60, 20, 50))
    with toxic(upstream_of(database.url)) as proxy:
        worker = workers.start(document(servers.endpoints(count)), proxy.url_of(database.url))
        until(lambda: probing(count), 20, "every endpoint probed")
        time.sleep(2)
        since = time.time()
        proxy.delay_s = 2.0
        time.sleep(slow_s)
        proxy.mend()
        for _ in range(cuts):
            proxy.lose_reply_to(b"COMMIT")
            until(lambda: proxy.has_lost, 10, "a reply is lost")
            time.sleep(0.3)
        until_then = time.time()
        until(lambda: is_caught_up(database, servers, until_then), 30, "what was found is saved")
        seen = settled(database, servers, worker)
    found = audit(database, seen, since=since)
    lost = [each for each in found.lost if each.at >= since - 1]
    score(
        f"2 s a reply for {slow_s} s, then {cuts} connections cut after COMMIT, {count} servers at 1 s",
        f"starts late by p99 {found.p(99):.0f} ms, {found.double} double, {found.missing} missing, {len(lost)} lost",
        found.double == found.missing == 0 and not lost,
        timely=found.p(99) <= TIMELY_MS,
    )


@pytest.mark.number(25)
@pytest.mark.timeout(800)
def test_a_worker_that_stood_still_makes_up_for_nothing(
    database: Database, servers: Fleet, workers: Workers, size: Size, score: Score, probing: Callable[[int], bool]
) -> None:
    still_s, count, interval_s = size((9, 20, 3), (600, 50, 10))
    defaults = {"interval": f"{interval_s}s", "timeout": "1s"}
    worker = workers.start(document(servers.endpoints(count), defaults=defaults), database.url)
    until(lambda: probing(count), 40, "every endpoint probed")
    worker.send(signal.SIGSTOP)
    time.sleep(still_s)
    thawed = time.time()
    worker.send(signal.SIGCONT)
    time.sleep(2 * interval_s + 2)
    after = [each for each in settled(database, servers, worker) if each.at >= thawed]
    found = audit(database, after)
    slots = {row.id: row.slot for row in found.rows}
    first = [each for each in after if slots.get(each.report, 0.0) < thawed]
    stale = [each for each in first if slots.get(each.report, 0.0) < thawed - interval_s]
    most = max(Counter(each.server for each in first).values(), default=0)
    score(
        f"stopped for {still_s} s, {count} servers at {interval_s} s",
        f"at most {most} probe of an endpoint for the slot that was under way, {len(stale)} for earlier ones, "
        f"{found.twice} slots probed twice, {found.missing} missing",
        most <= 1 and not stale and found.twice == found.missing == 0,
    )


@pytest.mark.number(26)
@pytest.mark.timeout(200)
def test_a_start_is_spread_over_the_interval(
    database: Database, servers: Fleet, workers: Workers, size: Size, score: Score
) -> None:
    count, interval_s = size((100, 10), (500, 30))
    defaults = {"interval": f"{interval_s}s", "timeout": "2s"}
    worker = workers.start(document(servers.endpoints(count), defaults=defaults), database.url)
    began = time.time()
    time.sleep(interval_s + 4)
    seen = settled(database, servers, worker)
    first: dict[str, float] = {}
    for each in seen:
        first[each.server] = min(each.at, first.get(each.server, each.at))
    starts = sorted(each.at for each in seen)
    most = max(sum(at <= other < at + 1 for other in starts) for at in starts)
    last = max(first.values()) - began
    allowed = round(2 * count / interval_s)
    score(
        f"{count} endpoints at {interval_s} s",
        f"at most {most} starts in a second (allowed {allowed}), {len(first)} of {count} probed within {last:.1f} s",
        most <= max(allowed, 34 if count == 500 else 0) and len(first) == count and last <= interval_s + 1.0,
    )
