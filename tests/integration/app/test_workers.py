"""Several workers as real processes on one database: they share the work, and survive each other."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from tests.integration.app.conftest import Configuration, Question, Running, Start, until

TWELVE = (
    "stateless-streaming", "stateless-json", "handshake-sse", "handshake-json", "handshake-2025-03-26", "dual",
    "legacy-sse", "slow-but-steady", "adapter-missing", "tools-empty", "not-mcp", "response-timeout",
)  # fmt: skip
SHARES_WITHIN_S = 30
TAKES_OVER_WITHIN_S = 1.5 + (1 + 5) + 1.3 + 1 + 20
"""Claimed ahead, lease (timeout and margin), tick, probe, and room for a busy machine."""

OWNERS = "select distinct lease_owner from endpoint where lease_owner is not null"
PHASES = """
    select endpoint_id, min(round(mod(extract(epoch from slot), 1), 3)) from report
    where missed = 0 group by endpoint_id
"""
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
    until(lambda: ask.one("select count(*) from endpoint_state") == len(TWELVE), 30, "every endpoint probed once")
    second = start_worker(start, config, database_url)
    owners = owners_seen(ask, 2)
    assert {owner.split("-")[-2] for owner in owners} == {str(first.pid), str(second.pid)}

    # Killed in the middle of probes: the endpoint that never answers holds a lease nearly all the time.
    until(lambda: held(ask, first) or None, 20, "a probe of the first worker is under way")
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
    status, _ = second.end()
    assert status == 0
    assert ask(OWNERS) == [], "leases are handed back"
    assert "Traceback" not in first.said + second.said


def held(ask: Question, worker: Running) -> set[object]:
    """Ids of the endpoints whose lease a worker holds."""
    return {row[0] for row in ask("select id from endpoint where lease_owner like %s", f"%-{worker.pid}-%")}


def test_a_restart_keeps_every_start_where_it_was_and_slots_that_nobody_probed_are_recorded_once(
    start: Start, lab: dict[str, str], configuration: Configuration, database_url: str, ask: Question
) -> None:
    urls = {f"steady-{number}": lab["stateless-json"] for number in range(8)}
    config = configuration.write(urls)
    until_all_are_probed = partial(
        until, lambda: ask.one("select count(distinct endpoint_id) from report where missed = 0") == 8, 30, "all probed"
    )
    running = start_up(start, config, database_url)
    until_all_are_probed()
    running.end()
    before = dict(ask(PHASES))
    assert len(set(before.values())) > 4, "starts are spread over the interval"

    ask("delete from report")
    gaps_from = dict(ask("update endpoint set next_due = next_due - interval '90 s' returning id, next_due"))
    workers = [start_up(start, config, database_url), start_worker(start, config, database_url)]
    until_all_are_probed()
    assert dict(ask(PHASES)) == before
    assert ask.one("select bool_and(started_at - slot < interval '20 s') from report where missed = 0")
    gaps = ask("select endpoint_id, slot, missed, verdict from report where unknown_reason = 'missed' and missed > 20")
    assert {(endpoint, slot, verdict) for endpoint, slot, _, verdict in gaps} == {
        (endpoint, slot, "unknown") for endpoint, slot in gaps_from.items()
    }
    assert len(gaps) == 8
    assert all(88 <= missed <= 140 for _, _, missed, _ in gaps)
    for worker in workers:
        worker.end()
