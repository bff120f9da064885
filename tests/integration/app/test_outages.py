"""The database is silent or away, the worker killed: every slot is probed on time and saved once.

A database that is stopped or slow, replies that are lost, a worker that is frozen or told to stop: the scorecard has
them, in its lines 2, 4, 25 and 39.
"""

import time
from collections.abc import Iterator

import pytest

from tests.integration.app.conftest import Configuration, Question, Running, Start, until
from tests.integration.toxic import Toxic, toxic, upstream_of

FLEET = 8
LATENESS_MS = (
    "select percentile_disc(0.75) within group (order by extract(epoch from started_at - slot) * 1000)::float"
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


def test_a_database_that_is_silent_costs_no_slot_and_no_report(
    start: Start, config: Configuration, database_url: str, ask: Question, proxy: Toxic
) -> None:
    running = start_up(start, config, proxy.url_of(database_url))
    until(lambda: all_probed(ask), 30, "every endpoint probed")
    began = ask.one("select max(slot) from report where missed = 0")
    proxy.stall()
    time.sleep(3)
    proxy.mend()
    until(lambda: newest_is_younger(ask, 3), 30, "what was found meanwhile is saved")
    status, _ = running.end()
    assert status == 0, running.said
    assert ask.one(MISSED, began) == 0
    assert ask(HOLES) == []
    assert ask.one(LATENESS_MS, began) <= 500, "the silence is longer than a quarter of the run"
    assert "Traceback" not in running.said


def test_a_worker_that_is_killed_while_the_database_is_away_loses_nothing_that_it_found(
    start: Start, config: Configuration, database_url: str, ask: Question, proxy: Toxic
) -> None:
    running = start_up(start, config, proxy.url_of(database_url))
    until(lambda: all_probed(ask), 30, "every endpoint probed")
    began = ask.one("select max(slot) from report where missed = 0")
    proxy.cut()
    time.sleep(3)
    running.kill()
    proxy.mend()
    assert ask.one("select count(*) from report where missed = 0 and slot > %s", began) < FLEET
    second = start_up(start, config, proxy.url_of(database_url))
    until(lambda: newest_is_younger(ask, 3), 30, "probing goes on")
    second.end()
    assert (
        ask.one(
            "select count(*) from report where missed = 0 and slot <= %s + interval '3 s' and slot > %s", began, began
        )
        >= 2 * FLEET
    )
    assert ask(HOLES) == []


def test_a_worker_that_is_started_anew_takes_over_at_once_from_one_that_was_killed(
    start: Start, lab: dict[str, str], configuration: Configuration, database_url: str, ask: Question
) -> None:
    urls = {f"silent-{number}": lab["response-timeout"] for number in range(4)}
    configuration.write(urls, defaults={"interval": "30s", "timeout": "30s"}, interval="30s")
    running = start_up(start, configuration, database_url)
    ask("update endpoint set next_due = now()")
    held = "select count(*) from endpoint where lease_until > now() and lease_owner like %s"
    until(lambda: ask.one(held, f"%-{running.pid}-%"), 30, "probes are under way")
    running.kill()
    second = start_up(start, configuration, database_url)
    until(lambda: ask.one(held, f"%-{running.pid}-%") == 0, 30, "no lease of a dead worker is waited for")
    second.end()
