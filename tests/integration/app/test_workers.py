"""Several workers as real processes on one database: they share the work, and survive each other."""

import signal
from datetime import timedelta
from pathlib import Path

from tests.integration.app.conftest import Configuration, Question, Running, Start, until

TWELVE = (
    "stateless-streaming", "stateless-json", "handshake-sse", "handshake-json", "handshake-2025-03-26", "dual",
    "legacy-sse", "slow-but-steady", "adapter-missing", "tools-empty", "not-mcp", "response-timeout",
)  # fmt: skip
SHARES_WITHIN_S = 8
TAKES_OVER_WITHIN_S = 1.5 + (1 + 5) + 1.3 + 1 + 5
"""Claimed ahead, lease (timeout and margin), tick, probe, and room for a small machine."""

OWNERS = "select distinct lease_owner from endpoint where lease_owner is not null"
OVERLAPS = """
    select earlier.endpoint_id, earlier.started_at, later.started_at
    from report as earlier join report as later using (endpoint_id)
    where earlier.started_at < later.started_at
      and earlier.started_at + make_interval(secs => earlier.duration_ms / 1000) > later.started_at
"""


def owners_seen(ask: Question, wanted: int) -> set[str]:
    """Names of the workers that held leases, until there were as many as wanted."""
    seen: set[str] = set()

    def enough() -> bool:
        seen.update(owner for (owner,) in ask(OWNERS))
        return len(seen) >= wanted

    until(enough, SHARES_WITHIN_S, f"{wanted} workers at work")
    return seen


def start_up(start: Start, config: Path, database_url: str) -> Running:
    running = start("up", "--no-dashboard", "--config", str(config), DATABASE_URL=database_url)
    assert running.first_line() == "probing", running.said
    return running


def start_worker(start: Start, config: Path, database_url: str) -> Running:
    running = start("worker", "--config", str(config), DATABASE_URL=database_url)
    assert running.first_line() == "probing", running.said
    return running


def test_a_second_worker_shares_the_work_and_takes_over_when_the_first_is_killed(
    start: Start, lab: dict[str, str], configuration: Configuration, database_url: str, ask: Question
) -> None:
    config = configuration.write({name: lab[name] for name in TWELVE})
    first = start_up(start, config, database_url)
    until(lambda: ask.one("select count(*) from endpoint_state") == len(TWELVE), 15, "every endpoint probed once")
    second = start_worker(start, config, database_url)
    owners = owners_seen(ask, 2)
    assert {owner.split("-")[-2] for owner in owners} == {str(first.pid), str(second.pid)}

    # Killed in the middle of probes: the endpoint that never answers holds a lease nearly all the time.
    until(lambda: held(ask, first) or None, 8, "a probe of the first worker is under way")
    first.kill()
    orphans = held(ask, first)
    killed_at = ask.one("select now()")
    until(
        lambda: (
            ask.one("select count(distinct endpoint_id) from report where started_at > %s", killed_at) == len(TWELVE)
        ),
        TAKES_OVER_WITHIN_S,
        "every endpoint has new reports",
    )
    for endpoint in orphans:
        until(
            lambda endpoint=endpoint: ask(
                "select 1 from report where endpoint_id = %s and unknown_reason = 'interrupted' and missed = 1"
                " and slot > %s",
                endpoint,
                killed_at - timedelta(seconds=3),
            ),
            TAKES_OVER_WITHIN_S,
            "the interrupted slot is recorded as such",
        )
    assert ask(OVERLAPS) == []
    status, took = second.end()
    assert (status, took < 10) == (0, True)
    assert ask(OWNERS) == [], "leases are handed back"
    assert "Traceback" not in first.said + second.said


def held(ask: Question, worker: Running) -> set[object]:
    """Ids of the endpoints whose lease a worker holds."""
    return {row[0] for row in ask("select id from endpoint where lease_owner like %s", f"%-{worker.pid}-%")}


def test_a_stopped_worker_leaves_no_lease_behind_even_in_the_middle_of_probes(
    start: Start, lab: dict[str, str], configuration: Configuration, database_url: str, ask: Question
) -> None:
    urls = {f"silent-{number}": lab["response-timeout"] for number in range(6)}
    config = configuration.write(urls, interval="20s", defaults={"interval": "20s", "timeout": "20s"})
    running = start_up(start, config, database_url)
    ask("update endpoint set next_due = now()")
    until(lambda: held(ask, running), 10, "probes are under way")
    status, took = running.end(signal.SIGINT)
    assert status == 0, running.said
    assert took < 10
    assert ask(OWNERS) == []


def test_a_restart_keeps_every_start_where_it_was(
    start: Start, lab: dict[str, str], configuration: Configuration, database_url: str, ask: Question
) -> None:
    urls = {f"steady-{number}": lab["stateless-json"] for number in range(8)}
    config = configuration.write(urls, interval="2s")
    phases = []
    for _ in range(2):
        ask("delete from report")
        running = start_up(start, config, database_url)
        until(lambda: ask.one("select count(distinct endpoint_id) from report where missed = 0") == 8, 15, "all probed")
        phases.append(
            dict(
                ask(
                    "select name, min(round(mod(extract(epoch from slot), 2), 2)) from report"
                    " join endpoint on endpoint.id = endpoint_id where missed = 0 group by name"
                )
            )
        )
        assert ask.one("select bool_and(started_at - slot < interval '1 s') from report where missed = 0")
        running.end()
        # As if nobody had been there for a minute.
        ask("update endpoint set next_due = next_due - interval '60 s'")
    assert phases[0] == phases[1]
    assert len(set(phases[0].values())) > 4, "starts are spread over the interval"


def test_slots_that_nobody_probed_are_recorded_once(
    start: Start, lab: dict[str, str], configuration: Configuration, database_url: str, ask: Question
) -> None:
    config = configuration.write({"shop": lab["stateless-json"]}, interval="1s")
    running = start_up(start, config, database_url)
    until(lambda: ask.one("select count(*) from report where missed = 0") >= 1, 10, "a report")
    running.end()
    (gap_from,) = ask("update endpoint set next_due = next_due - interval '90 s' returning next_due")[0]
    workers = [start_up(start, config, database_url), start_worker(start, config, database_url)]
    until(lambda: ask.one("select count(*) from report where missed = 0") >= 3, 15, "new reports")
    gaps = ask("select slot, missed, verdict from report where unknown_reason = 'missed' and missed > 10")
    assert [(slot, verdict) for slot, _, verdict in gaps] == [(gap_from, "unknown")]
    assert 88 <= gaps[0][1] <= 110
    for worker in workers:
        worker.end()
