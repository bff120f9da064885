"""Every alert arrives, once, and nobody hears of what is not so: lines 10 to 13, 15 to 18 and 27 of the scorecard."""

import signal
import socket
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import pytest

from tests.reliability.audit import audit, percentile
from tests.reliability.cluster import Database, Worker, Workers, document, until
from tests.reliability.conftest import Score, Size
from tests.reliability.fleet import ALTERNATE, ERROR, OK, SECOND_TRY, Fleet
from tests.reliability.sink import Arrival, Expected, Inbox, unmet

RULES: Final = {"fail_after": 2, "recover_after": 1, "mass_after": 10_000}
DEADLINE_S: Final = 1.0
FOREVER: Final = float("inf")
Probing = Callable[[int], bool]
Inboxes = Callable[[str], Inbox]


def begin(workers: Workers, database: Database, fleet: Fleet, inboxes: list[Inbox], count: int, **more: Any) -> Worker:
    """A worker that tells these receivers."""
    env = {name: value for each in inboxes for name, value in each.env.items()}
    settings = {
        "incidents": RULES,
        "notifiers": [each.notifier() for each in inboxes],
        **more,
    }
    return workers.start(document(fleet.endpoints(count), **settings), database.url, **env)


def ended(worker: Worker) -> None:
    status, _ = worker.end()
    assert status == 0, worker.said[-2000:]


@pytest.mark.number(10)
@pytest.mark.timeout(400)
def test_a_worker_that_was_stopped_beyond_its_lease_tells_and_writes_nothing_stale(
    database: Database, servers: Fleet, workers: Workers, inbox: Inbox, size: Size, score: Score, probing: Probing
) -> None:
    pauses, pause_s, count = size((1, 9, 12), (4, 30, 30))
    settings = document(servers.endpoints(count), incidents=RULES, notifiers=[inbox.notifier()])
    both = [workers.start(settings, database.url, **inbox.env) for _ in range(2)]
    until(lambda: probing(count), 30, "every endpoint probed")
    expected: list[Expected] = []
    for number in range(pauses):
        victim, name = both[number % 2], servers.names[number]
        began = servers.set(ERROR, [name])
        time.sleep(1.5)
        victim.send(signal.SIGSTOP)
        time.sleep(pause_s)
        victim.send(signal.SIGCONT)
        time.sleep(2)
        well = servers.set(OK, [name])
        time.sleep(4)
        expected += [
            Expected(kind="opened", endpoint=name, after=began, before=began + pause_s + 10),
            Expected(kind="closed", endpoint=name, after=well, before=well + 15),
        ]
    time.sleep(2)
    for each in both:
        ended(each)
    found, problems = audit(database, servers.seen()), unmet(inbox.arrivals, expected)
    stale = database.one(
        "select count(*) from endpoint_state as state where slot < (select max(slot) from report"
        " where report.endpoint_id = state.endpoint_id and missed = 0)"
    )
    score(
        f"{pauses} pauses of {pause_s} s, 2 workers, {count} servers at 1 s",
        f"{inbox.duplicates} duplicates, {found.double} slots double, {found.missing} missing, {stale} stale states, "
        f"{'; '.join(problems) or 'every message as expected'}",
        inbox.duplicates <= pauses and found.double == found.missing == stale == 0 and not problems,
    )


@pytest.mark.number(11)
def test_a_channel_that_asks_for_patience_gets_it_and_delays_no_other(
    database: Database, servers: Fleet, workers: Workers, inboxes: Inboxes, size: Size, score: Score, probing: Probing
) -> None:
    patience_s = size(5, 30)
    busy, well = inboxes("busy"), inboxes("well")
    worker = begin(workers, database, servers, [busy, well], 3)
    until(lambda: probing(3), 20, "every endpoint probed")
    busy.refusing = (429, {"Retry-After": str(patience_s)})
    servers.set(ERROR, servers.names[:1])
    until(lambda: busy.tried_at, 15, "the busy channel is tried")
    time.sleep(1)
    servers.set(ERROR, servers.names[1:])
    until(lambda: len(well.arrivals) == 3, 15, "the other channel is told")
    time.sleep(max(0.0, busy.tried_at[0] + patience_s - 0.3 - time.time()))
    tries = len(busy.tried_at)
    busy.refusing = None
    until(lambda: len(busy.arrivals) == 3, 2 * patience_s + 10, "the busy channel is told after all")
    ended(worker)
    late_s = max(each.at - _created(database, each) for each in well.arrivals)
    score(
        f"Retry-After: {patience_s}, 3 incidents",
        f"{tries} try within {patience_s} s, the other channel told {late_s:.2f} s after the commit at worst, "
        f"{3 - len(busy.arrivals)} lost, {busy.duplicates + well.duplicates} duplicates",
        tries == 1 and late_s <= 1.0 and busy.duplicates == well.duplicates == 0,
    )


def _created(database: Database, arrival: Arrival) -> float:
    """When the notice was committed, as near as it is known."""
    at: datetime = database.one("select created_at from notice where payload ->> 'id' = %s limit 1", arrival.id)
    return at.timestamp()


@pytest.mark.number(12)
@pytest.mark.timeout(2400)
def test_a_channel_that_fails_for_long_hears_the_end_alone(
    database: Database, servers: Fleet, workers: Workers, inbox: Inbox, size: Size, score: Score, probing: Probing
) -> None:
    away_s = size(8, 300)
    worker = begin(workers, database, servers, [inbox], 2)
    until(lambda: probing(2), 20, "every endpoint probed")
    inbox.refusing = (500, {})
    recovers, stays = servers.names
    servers.set(ERROR)
    until(lambda: len(inbox.tried_at) >= 2, 20, "the channel is tried")
    servers.set(OK, [recovers])
    time.sleep(away_s)
    inbox.refusing = None
    back_at = time.time()
    until(lambda: {each.endpoint for each in inbox.arrivals} == {recovers, stays}, 62, "both are told")
    took_s = max(each.at for each in inbox.arrivals) - back_at
    time.sleep(3)
    ended(worker)
    told = {name: [each.kind for each in inbox.arrivals if each.endpoint == name] for name in servers.names}
    score(
        f"500 for {away_s} s instead of 30 min, one of two endpoints recovers meanwhile",
        f"told {took_s:.1f} s after its return: {'/'.join(told[recovers])} of the one that recovered, "
        f"{'/'.join(told[stays])} of the other",
        told == {recovers: ["closed"], stays: ["opened"]} and took_s <= 60,
    )


@pytest.mark.number(13)
def test_a_channel_that_is_gone_hands_over_to_its_fallback(
    database: Database, servers: Fleet, workers: Workers, inboxes: Inboxes, score: Score, probing: Probing
) -> None:
    gone, other = inboxes("gone"), inboxes("other")
    channels = [gone.notifier(fallback="other", only={"team": "a"}), other.notifier(only={"team": "b"})]
    settings = document(servers.endpoints(1, labels={"team": "a"}), incidents=RULES, notifiers=channels)
    worker = workers.start(settings, database.url, **{**gone.env, **other.env})
    until(lambda: probing(1), 20, "every endpoint probed")
    gone.refusing = (404, {})
    servers.set(ERROR)
    until(lambda: gone.tried_at, 15, "the channel is tried")
    until(lambda: other.arrivals, 60, "the fallback is told")
    took_s = other.arrivals[0].at - gone.tried_at[0]
    broken = database.one("select broken_since is not null from channel where name = 'gone'")
    metric = until(lambda: _line(worker.status("/metrics")[1], "outbox_attempts"), 5, "a metric")
    ended(worker)
    score(
        "404 from a webhook",
        f"fallback told after {took_s:.1f} s, {'shown' if broken else 'not shown'} as broken, metric: {metric}",
        took_s <= 60 and broken and other.kinds == ["opened"],
    )


def _line(exposition: str, name: str) -> str:
    return next((line for line in exposition.splitlines() if name in line and not line.startswith("#")), "")


@pytest.mark.number(15)
@pytest.mark.timeout(300)
def test_a_hundred_failures_at_once_are_one_message(
    database: Database, servers: Fleet, workers: Workers, inbox: Inbox, size: Size, score: Score, probing: Probing
) -> None:
    count, interval_s = size((25, 1), (100, 5))
    worker = begin(
        workers, database, servers, [inbox], count,
        incidents={"fail_after": 2, "recover_after": 1}, defaults={"interval": f"{interval_s}s"},
    )  # fmt: skip
    until(lambda: probing(count), 40, "every endpoint probed")
    began = servers.set(ERROR)
    time.sleep(size(10, 60))
    during = list(inbox.arrivals)
    well = servers.set(OK)
    time.sleep(3 * interval_s + 3)
    ended(worker)
    expected = [
        Expected(kind="outage-opened", after=began, before=began + 60),
        Expected(kind="outage-closed", after=well, before=well + 60),
    ]
    problems = unmet(inbox.arrivals, expected)
    score(
        f"{count} endpoints at {interval_s} s answer 500",
        f"{len(during)} message while they fail, {len(inbox.arrivals)} in all, "
        f"{'; '.join(problems) or 'every message as expected'}",
        not problems,
    )


@pytest.mark.number(15)
@pytest.mark.timeout(300)
def test_failures_together_with_the_canaries_page_nobody(
    database: Database, servers: Fleet, workers: Workers, inbox: Inbox, size: Size, score: Score, probing: Probing
) -> None:
    count, interval_s = size((25, 1), (100, 5))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    canary = f"127.0.0.1:{listener.getsockname()[1]}"
    worker = begin(
        workers, database, servers, [inbox], count, observer={"canaries": [canary]},
        incidents={"fail_after": 2, "recover_after": 1}, defaults={"interval": f"{interval_s}s"},
    )  # fmt: skip
    until(lambda: probing(count), 40, "every endpoint probed")
    listener.close()
    servers.process.send_signal(signal.SIGSTOP)
    time.sleep(size(8, 50))
    servers.process.send_signal(signal.SIGCONT)
    time.sleep(2 * interval_s + 2)
    ended(worker)
    pages = [each for each in inbox.arrivals if each.data["about"] != "prober"]
    unknown = database.one("select count(*) from report where unknown_reason = 'no-connectivity'")
    down = database.one("select count(*) from report where verdict = 'down'")
    score(
        f"{count} endpoints at {interval_s} s and the canaries stop answering",
        f"{len(pages)} messages about endpoints, {down} reports down, {unknown} unknown for want of a network",
        not pages and unknown > 0,
    )


@pytest.mark.number(16)
@pytest.mark.timeout(4000)
def test_an_endpoint_that_flaps_is_told_in_few_messages(
    database: Database, servers: Fleet, workers: Workers, inbox: Inbox, size: Size, score: Score, probing: Probing
) -> None:
    flaps_s = size(20, 300)
    rules = {"fail_after": 1, "recover_after": 1, "flaky": "never"}
    worker = begin(workers, database, servers, [inbox], 1, incidents=rules)
    until(lambda: probing(1), 20, "probed")
    servers.set(ALTERNATE)
    time.sleep(flaps_s)
    servers.set(ERROR)
    time.sleep(4)
    ended(worker)
    state = database.one("select verdict from endpoint_state")
    is_open = database.one("select count(*) from incident where ended_at is null")
    changes = database.one("select count(*) from incident")
    score(
        f"{changes} incidents of an endpoint that changes at every probe of 1 s for {flaps_s} s instead of an hour",
        f"{len(inbox.arrivals)} messages ({', '.join(inbox.kinds)}), in the end {state} with {is_open} open incident",
        len(inbox.arrivals) <= 4 and state == "down" and is_open == 1,
    )


@pytest.mark.number(17)
@pytest.mark.timeout(500)
def test_restarts_and_a_database_from_a_dump_tell_nothing(
    database: Database, servers: Fleet, workers: Workers, inbox: Inbox, size: Size, score: Score, probing: Probing
) -> None:
    restarts, up_s, count = size((2, 1.5, 8), (20, 3.5, 30))
    rules = {"fail_after": 2, "recover_after": 1}
    worker = begin(workers, database, servers, [inbox], count, incidents=rules)
    until(lambda: probing(count), 20, "every endpoint probed")
    servers.set(ERROR)
    until(lambda: database.one("select count(*) from incident where ended_at is null") == count, 20, "all are down")
    until(lambda: inbox.arrivals, 20, "that is told")
    time.sleep(2)
    told = len(inbox.arrivals)
    for number in range(restarts):
        worker.kill() if number % 2 else ended(worker)
        worker.start()
        time.sleep(up_s)
    ended(worker)
    dump = database.tool("pg_dump", "--format=custom", "prober")
    database.tool("dropdb", "--force", "prober")
    database.tool("createdb", "prober")
    database.tool("pg_restore", "--dbname=prober", given=dump)
    worker.start()
    time.sleep(size(4, 15))
    ended(worker)
    score(
        f"{restarts} restarts, every other one by SIGKILL, with {count} endpoints down; then a restore",
        f"{len(inbox.arrivals) - told} new messages",
        len(inbox.arrivals) == told,
    )


@pytest.mark.number(18)
@pytest.mark.timeout(400)
def test_a_failure_is_told_in_time(
    database: Database, servers: Fleet, workers: Workers, inbox: Inbox, size: Size, score: Score, probing: Probing
) -> None:
    count = size(8, 50)
    worker = begin(workers, database, servers, [inbox], count)
    until(lambda: probing(count), 20, "every endpoint probed")
    failed_at = {}
    for name in servers.names:
        failed_at[name] = servers.set(ERROR, [name])
        time.sleep(0.25)
    until(lambda: len(inbox.arrivals) >= count, 20, "all are told")
    ended(worker)
    took_s = [each.at - failed_at[each.endpoint] for each in inbox.arrivals]
    delivery_s = [each.at - _created(database, each) for each in inbox.arrivals]
    allowed_s = RULES["fail_after"] * 1.0 + DEADLINE_S + 5.0
    score(
        f"{count} endpoints at 1 s fail one after the other, {RULES['fail_after']} bad probes open an incident",
        f"commit to delivery p50 {statistics.median(delivery_s):.2f} s, p99 {percentile(delivery_s, 99):.2f} s; "
        f"failure to message {max(took_s):.1f} s at worst (allowed {allowed_s:.0f} s)",
        percentile(delivery_s, 99) <= 5 and max(took_s) <= allowed_s and inbox.duplicates == 0,
    )


@pytest.mark.number(27)
@pytest.mark.timeout(1000)
def test_an_endpoint_whose_every_other_first_attempt_fails_is_flaky(
    database: Database, servers: Fleet, workers: Workers, inbox: Inbox, size: Size, score: Score, probing: Probing
) -> None:
    """In the full size the bad probes are repeated, and the repetition is good."""
    fault, interval_s, lasts_s = size((ALTERNATE, 1, 14), (SECOND_TRY, 3, 330))
    rules = {"fail_after": 3, "recover_after": 2, **({"confirm_after": "1s"} if fault == SECOND_TRY else {})}
    worker = begin(workers, database, servers, [inbox], 1, incidents=rules, defaults={"interval": f"{interval_s}s"})
    until(lambda: probing(1), 20, "probed")
    began = servers.set(fault)
    time.sleep(lasts_s)
    ended(worker)
    rows = database.ask(
        "select verdict = 'up' from report where missed = 0 and slot > to_timestamp(%s) order by slot", began
    )
    first = [is_up for (is_up,) in rows]
    even = first[: len(first) // 2 * 2]
    share = 100 * sum(even) / len(even)
    incidents = database.ask("select verdict, cause from incident where ended_at is null")
    score(
        f"{len(first)} probes{', repeated after 1 s where bad' if fault == SECOND_TRY else ''}",
        f"{share:.1f} % of first attempts succeed; open: {', '.join('/'.join(map(str, each)) for each in incidents)}",
        abs(share - 50) <= 2 and incidents == [("degraded", "flaky")] and inbox.kinds == ["opened"],
    )
