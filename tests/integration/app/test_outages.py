"""The database is away, slow or frozen, the worker killed or stopped: every slot is probed on time and saved once."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.integration.app.conftest import Configuration, Question, Running, Start, until
from tests.integration.toxic import Toxic, toxic, upstream_of

FLEET = 8
SLOTS = """
    select endpoint.name, extract(epoch from slot)::bigint - min(extract(epoch from slot)::bigint) over () as second,
           verdict, missed, unknown_reason
    from report join endpoint on endpoint.id = report.endpoint_id
"""
LATENESS_MS = (
    "select percentile_disc(0.99) within group (order by extract(epoch from started_at - slot) * 1000)::float"
    " from report where missed = 0 and slot > %s"
)
HOLES = """
    select name, slot, next_slot from (
        select name, slot + make_interval(secs => greatest(missed, 1) - 1) as slot,
               lead(slot) over (partition by endpoint_id, location order by slot) as next_slot
        from report join endpoint on endpoint.id = endpoint_id
    ) as pair where next_slot <> slot + interval '1 s'
"""
MISSED = "select count(*) from report where missed > 0 and slot > %s"


@pytest.fixture
def proxy(database_url: str) -> Iterator[Toxic]:
    with toxic(upstream_of(database_url)) as made:
        yield made


@pytest.fixture
def config(configuration: Configuration, lab: dict[str, str]) -> Configuration:
    configuration.write({f"steady-{number}": lab["stateless-json"] for number in range(FLEET)})
    return configuration


def start_up(start: Start, config: Configuration, database_url: str) -> Running:
    running = start("up", "--no-dashboard", "--config", str(config.path), DATABASE_URL=database_url)
    assert running.first_line() == "probing", running.said
    return running


def all_probed(ask: Question) -> bool:
    return bool(ask.one("select count(distinct endpoint_id) from report where missed = 0") == FLEET)


def newest_is_younger(ask: Question, seconds: float) -> bool:
    lag = "select extract(epoch from now() - min(slot))::float from endpoint_state"
    return bool((ask.one(lag) or 99) < seconds)


def test_a_database_that_is_away_costs_no_slot_and_no_report(
    start: Start, config: Configuration, database_url: str, ask: Question, proxy: Toxic
) -> None:
    running = start_up(start, config, proxy.url_of(database_url))
    until(lambda: all_probed(ask), 15, "every endpoint probed")
    began = ask.one("select max(slot) from report where missed = 0")
    for fault in (proxy.cut, proxy.stall):
        fault()
        time.sleep(3)
        proxy.mend()
        until(lambda: newest_is_younger(ask, 3), 15, "what was found meanwhile is saved")
    status, _ = running.end()
    assert status == 0, running.said
    assert ask.one(MISSED, began) == 0
    assert ask(HOLES) == []
    assert ask.one(LATENESS_MS, began) <= 250
    assert "Traceback" not in running.said


def test_a_slow_database_delays_no_start_and_a_lost_reply_to_a_commit_saves_nothing_twice(
    start: Start, config: Configuration, database_url: str, ask: Question, proxy: Toxic
) -> None:
    running = start_up(start, config, proxy.url_of(database_url))
    until(lambda: all_probed(ask), 15, "every endpoint probed")
    began = ask.one("select max(slot) from report where missed = 0")
    proxy.delay_s = 1.0
    time.sleep(4)
    proxy.mend()
    for _ in range(3):
        proxy.lose_reply_to(b"COMMIT")
        until(lambda: proxy.has_lost, 5, "a reply is lost")
    until(lambda: newest_is_younger(ask, 3), 20, "what was found meanwhile is saved")
    running.end()
    assert ask.one(MISSED, began) == 0
    assert ask(HOLES) == []
    assert ask.one(LATENESS_MS, began) <= 250
    ((marks, reports),) = ask(
        "select sum(length(marks)), (select count(*) from report where missed = 0) from endpoint_state"
    )
    assert marks == reports, "each report counted once"


def test_a_killed_worker_loses_nothing_that_it_found(
    start: Start, config: Configuration, database_url: str, ask: Question, proxy: Toxic
) -> None:
    running = start_up(start, config, proxy.url_of(database_url))
    until(lambda: all_probed(ask), 15, "every endpoint probed")
    began = ask.one("select max(slot) from report where missed = 0")
    proxy.cut()
    time.sleep(3)
    running.kill()
    proxy.mend()
    assert ask.one("select count(*) from report where missed = 0 and slot > %s", began) < FLEET
    second = start_up(start, config, proxy.url_of(database_url))
    until(lambda: newest_is_younger(ask, 3), 15, "probing goes on")
    second.end()
    assert (
        ask.one(
            "select count(*) from report where missed = 0 and slot <= %s + interval '3 s' and slot > %s", began, began
        )
        >= 2 * FLEET
    )
    assert ask(HOLES) == []


def test_a_worker_that_was_frozen_makes_up_for_nothing(
    start: Start, config: Configuration, database_url: str, ask: Question
) -> None:
    config.write({name["name"]: name["url"] for name in config.document["endpoints"]}, interval="2s")
    running = start_up(start, config, database_url)
    until(lambda: all_probed(ask), 15, "every endpoint probed")
    running.process.send_signal(signal.SIGSTOP)
    time.sleep(7)
    thawed = ask.one("select now()")
    running.process.send_signal(signal.SIGCONT)
    until(lambda: newest_is_younger(ask, 5), 15, "probing goes on")
    time.sleep(1)
    running.end()
    most = ask.one(
        "select max(count) from (select count(*) from report where missed = 0 and started_at >= %s"
        " and started_at < %s + interval '2 s' group by endpoint_id) as probes",
        thawed,
        thawed,
    )
    assert most == 1


def test_a_worker_ends_in_time_without_its_database_and_at_once_when_told_twice(
    start: Start, lab: dict[str, str], configuration: Configuration, database_url: str, ask: Question, proxy: Toxic
) -> None:
    urls = {f"silent-{number}": lab["response-timeout"] for number in range(6)}
    config = configuration.write(urls, interval="20s", defaults={"interval": "20s", "timeout": "20s"})
    for signals in (1, 2):
        running = start("up", "--no-dashboard", "--config", str(config), DATABASE_URL=proxy.url_of(database_url))
        assert running.first_line() == "probing", running.said
        ask("update endpoint set next_due = now(), lease_owner = null, lease_until = null, claimed_slot = null")
        until(lambda: ask("select 1 from endpoint where lease_owner is not null"), 10, "probes are under way")
        proxy.stall()
        began = time.monotonic()
        for _ in range(signals):
            running.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        status = running.process.wait(11)
        took = time.monotonic() - began
        proxy.reset()
        proxy.mend()
        assert (status == 0) is (signals == 1), running.said
        assert took < (10 if signals == 1 else 1.2)


def test_a_worker_that_is_started_anew_takes_over_at_once_from_one_that_was_killed(
    start: Start, lab: dict[str, str], configuration: Configuration, database_url: str, ask: Question
) -> None:
    urls = {f"silent-{number}": lab["response-timeout"] for number in range(4)}
    configuration.write(urls, defaults={"interval": "30s", "timeout": "30s"}, interval="30s")
    running = start_up(start, configuration, database_url)
    ask("update endpoint set next_due = now()")
    held = "select count(*) from endpoint where lease_until > now() and lease_owner like %s"
    until(lambda: ask.one(held, f"%-{running.pid}-%"), 10, "probes are under way")
    running.kill()
    second = start_up(start, configuration, database_url)
    until(lambda: ask.one(held, f"%-{running.pid}-%") == 0, 3, "no lease of a dead worker is waited for")
    second.end()
