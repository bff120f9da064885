"""From the last release with everything that it may have written, to this one, and back."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from alembic import command

from checks.model import Verdict
from prober.incidents.lifecycle import IncidentState
from prober.incidents.notice import Notice, NoticeKind
from prober.incidents.rules import Severity
from prober.incidents.telling import Telling
from prober.storage import migrations, queries, rollups
from prober.storage.database import open_engine, open_patient_engine
from prober.storage.migrations import TablesInUse
from prober.storage.partitions import ensure_partitions

LAST_RELEASE = "0005"
TABLES = ("endpoint", "endpoint_state", "accepted_tools", "report", "incident", "transition", "notice")

SHOP, BANK, OLD = (UUID(int=number) for number in (1, 2, 3))
ENDED, OPEN = UUID(int=20), UUID(int=21)


def at_the_last_release(url: str) -> None:
    with open_patient_engine(url).begin() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, LAST_RELEASE)


def seen(report: int) -> dict[str, Any]:
    return {
        "verdict": "down",
        "cause_id": "tools-empty",
        "cause_summary": "the server lists no tools",
        "fix": "register the tools",
        "evidence": ["tools/list answered with an empty list"],
        "report_id": str(UUID(int=report)),
        "at": "2026-11-20T10:00:00Z",
    }


def incident_state() -> str:
    return json.dumps(
        {
            "streak": {
                "bad": True,
                "since": "2026-11-20T10:00:00Z",
                "first_report": str(UUID(int=100)),
                "last_report": str(UUID(int=101)),
                "length": 5,
                "down": 5,
                "cause_id": "tools-empty",
                "same_cause": 5,
            },
            "incident": {
                "id": str(OPEN),
                "severity": "down",
                "since": "2026-11-20T10:00:00Z",
                "opened_at": "2026-11-20T10:02:00Z",
                "shown": seen(101),
                "announced": ["tools-empty"],
                "ended_at": None,
            },
        }
    )


def payload(kind: str, incident: UUID, severity: str) -> str:
    return json.dumps(
        {
            "id": str(UUID(int=500)),
            "kind": kind,
            "endpoint": "bank",
            "severity": severity,
            "diagnosis": "tools-empty",
            "title": "bank is down",
            "lines": ["the server lists no tools"],
            "fix": "register the tools",
            "since": "2026-11-20T10:00:00Z",
            "at": "2026-11-20T10:02:00Z",
            "incident_id": str(incident),
            "path": f"/probes/{UUID(int=101)}",
        }
    )


def write(connection: psycopg.Connection[Any]) -> None:
    """As the last release does, with rows for everything that it knows."""
    for identity, name, removed in ((SHOP, "shop", None), (BANK, "bank", None), (OLD, "old", "2026-11-01")):
        spec = json.dumps({"name": name, "url": f"https://{name}.example/mcp", "interval_s": 60.0})
        connection.execute(
            "insert into endpoint (id, name, spec, source, enabled, interval_s, timeout_s, full_every_s, labels,"
            " phase_s, next_due, fence, removed_at)"
            " values (%s, %s, %s, 'file', true, 60, 10, 86400, '{\"team\": \"a\"}', 7, now(), 42, %s)",
            [identity, name, spec, removed],
        )
    connection.execute(
        "insert into endpoint_state (endpoint_id, verdict, since, cause_summary, slot, spark, marks, warm_wait_ms,"
        " incident, sentinels, cold_starts)"
        " values (%s, 'up', now(), '', now(), '{1,null,3}', 'uudu', '{40}', %s, '[]', '[]'),"
        " (%s, 'down', now(), 'the server lists no tools', now(), '{}', 'dd', '{}', %s, '[]', '[]')",
        [SHOP, json.dumps({"streak": None, "incident": None}), BANK, incident_state()],
    )
    connection.execute(
        "insert into accepted_tools (endpoint_id, fingerprint, tools, accepted_by) values (%s, 'f', '[]', 'first')",
        [SHOP],
    )
    write_reports(connection)
    write_incidents(connection)


def write_reports(connection: psycopg.Connection[Any]) -> None:
    """Yesterday has a partition; the day before has none."""
    connection.execute(
        "do $$ declare day date := (now() at time zone 'utc')::date - 1; begin"
        " execute format('create table report_%%s partition of report for values from (%%L) to (%%L)',"
        " to_char(day, 'YYYYMMDD'), day || ' 00:00+00', (day + 1) || ' 00:00+00'); end $$".replace("%%", "%")
    )
    rows = (
        (100, "up", "standard", None, {"results": []}, 0, None),
        (101, "down", "standard", "tools-empty", {"results": [{"check": "tools_list"}]}, 0, None),
        (102, "up", "full", None, {"results": [{"check": "cors"}]}, 0, None),
        (103, "up", "standard", "cold-start", {"results": [{"check": "lifecycle"}]}, 0, None),
        (104, "unknown", "standard", None, None, 7, "interrupted"),
    )
    for days in (1, 2):
        for number, verdict, profile, cause, detail, missed, reason in rows:
            connection.execute(
                "insert into report (id, endpoint_id, slot, location, verdict, profile, cause, detail, missed,"
                " missed_reason, cold, wait_ms, burst_ms)"
                " values (%s, %s, date_trunc('day', now(), 'UTC') - make_interval(days => %s)"
                " + make_interval(mins => %s), 'local', %s, %s, %s, %s, %s, %s, %s, %s, '{700}')",
                [UUID(int=number + days * 1000 - 1000), BANK, days, number, verdict, profile, cause,
                 None if detail is None else json.dumps(detail), missed, reason, cause == "cold-start",
                 None if missed else 50.0],
            )  # fmt: skip


def write_incidents(connection: psycopg.Connection[Any]) -> None:
    for identity, severity, ended in ((ENDED, "degraded", "2026-11-19"), (OPEN, "down", None)):
        connection.execute(
            "insert into incident (id, endpoint_id, severity, since, opened_at, ended_at, cause, cause_summary, fix,"
            " report_id) values (%s, %s, %s, '2026-11-18', '2026-11-18', %s, 'tools-empty', 'none', 'fix', %s)",
            [identity, BANK, severity, ended, UUID(int=101)],
        )
    told = (
        (30, ENDED, "opened", "degraded", "slack", "sent_at"),
        (31, ENDED, "closed", "degraded", "slack", None),
        (32, OPEN, "opened", "down", "slack", "sent_at"),
        (33, OPEN, "worsened", "down", "sns", None),
        (34, OPEN, "cause-changed", "down", "gone", "failed_at"),
    )
    for number, incident, kind, severity, channel, done in told:
        connection.execute(
            "insert into transition (id, incident_id, kind, at, report_id, severity, cause, cause_summary)"
            " values (%s, %s, %s, now(), %s, %s, 'tools-empty', 'none')",
            [UUID(int=number), incident, kind, UUID(int=101), severity],
        )
        connection.execute(
            f"insert into notice (id, transition_id, endpoint_id, channel, payload, attempts, {done or 'last_error'})"
            f" values (%s, %s, %s, %s, %s, 2, {'now()' if done else 'null'})",
            [UUID(int=number + 100), UUID(int=number), BANK, channel, payload(kind, incident, severity)],
        )


def dump(connection: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    """Every row of every table; where it is kept does not matter."""
    found = {}
    for table in TABLES:
        rows = connection.execute(f"select to_jsonb({table}) from {table}").fetchall()
        found[table] = sorted((row for (row,) in rows), key=lambda row: json.dumps(row, sort_keys=True))
    return found


def test_going_to_this_release_and_back_gives_every_row_as_it_was(empty_database_url: str) -> None:
    at_the_last_release(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        write(connection)
        before = dump(connection)
    assert all(before.values())
    migrations.upgrade(empty_database_url)
    migrations.downgrade(empty_database_url, LAST_RELEASE)
    with psycopg.connect(empty_database_url) as connection:
        after = dump(connection)
    for table in TABLES:
        assert after[table] == before[table], table


async def test_what_the_last_release_wrote_is_read_by_this_one(empty_database_url: str) -> None:
    at_the_last_release(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        write(connection)
    migrations.upgrade(empty_database_url)
    db = open_engine(empty_database_url)

    fleet = {row.name: row for row in await queries.fleet(db)}
    assert set(fleet) == {"shop", "bank"}
    assert fleet["shop"].incident is None
    incident = fleet["bank"].incident
    assert incident is not None
    assert (incident.id, incident.verdict, incident.severity) == (OPEN, Verdict.DOWN, Severity.CRITICAL)
    past = {each.id: (each.verdict, each.severity) for each in await queries.incidents(db)}
    assert past[ENDED] == (Verdict.DEGRADED, Severity.WARNING)
    assert len(await queries.notices(db)) == 5

    page = await queries.endpoint_page(db, "bank")
    assert page is not None
    assert len(page.reports) == 10
    for report in page.reports:
        probe = await queries.probe_page(db, report.id)
        assert probe is not None
        assert (probe.detail is None) == bool(report.missed)
    await db.dispose()


def test_states_and_notices_that_wait_are_of_this_release(empty_database_url: str) -> None:
    at_the_last_release(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        write(connection)
    migrations.upgrade(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        states = dict(connection.execute("select endpoint_id, incident from endpoint_state").fetchall())
        waiting = connection.execute(
            "select payload from notice where sent_at is null and failed_at is null"
        ).fetchall()
        told = dict(connection.execute("select id, telling from incident").fetchall())
    assert IncidentState.from_json(states[SHOP]) == IncidentState()
    state = IncidentState.from_json(states[BANK])
    assert state.incident is not None
    assert (state.incident.id, state.incident.verdict, state.incident.severity) == (
        OPEN,
        Verdict.DOWN,
        Severity.CRITICAL,
    )
    assert state.streak is not None
    assert state.streak.length == 5
    notices = {each.kind: each for each in (Notice.from_json(value) for (value,) in waiting)}
    assert set(notices) == {NoticeKind.CLOSED, NoticeKind.WORSENED}
    assert (notices[NoticeKind.WORSENED].thread, notices[NoticeKind.WORSENED].severity) == (OPEN, Severity.CRITICAL)
    # Those who have heard of an incident, or are about to, hear of its end, and nobody hears of its beginning again.
    assert Telling.from_json(told[OPEN]).channels == {"slack", "sns"}
    assert told[ENDED] is None


async def test_evidence_and_figures_of_the_last_release_are_where_they_belong(empty_database_url: str) -> None:
    at_the_last_release(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        write(connection)
    migrations.upgrade(empty_database_url)
    db = open_engine(empty_database_url)
    await ensure_partitions(db)
    await rollups.roll_up(db, lag_ms=250.0, reports_days=30, every_s=0)
    await db.dispose()
    with psycopg.connect(empty_database_url) as connection:
        homes = connection.execute(
            "select 'evidence', tableoid::regclass::text ~ '_\\d{8}$', count(*) from evidence group by 1, 2 union all"
            " select 'routine', tableoid::regclass::text ~ '_\\d{8}$', count(*) from routine_evidence group by 1, 2"
            " order by 1"
        ).fetchall()
        assert homes == [("evidence", True, 6), ("routine", True, 2)]
        days = connection.execute("select up, down, unknown, cold_counts from figures_day where up > 0").fetchall()
        assert [(up, down, unknown) for up, down, unknown, _ in days] == [(3, 1, 7), (3, 1, 7)]
        runs = connection.execute("select distinct last_slot - slot from report where missed > 0").fetchall()
        assert [str(length) for (length,) in runs] == ["0:06:00"]


@contextmanager
def held(url: str, statement: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else's transaction that does not end."""
    with psycopg.connect(url) as other:
        other.execute(statement)
        yield other
        other.rollback()


def test_a_migration_that_meets_a_lock_changes_nothing_and_says_what_to_do(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_WAIT", "200ms")
    monkeypatch.setattr(migrations, "LOCK_TRIES", 2)
    monkeypatch.setattr(migrations, "LOCK_PAUSE_S", 0.01)
    at_the_last_release(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        write(connection)
        before = dump(connection)
    # `notice` comes in the last migration: all that was done before it is taken back.
    with (
        held(empty_database_url, "select from notice for update"),
        pytest.raises(TablesInUse, match=r"Nothing was changed.*pg_stat_activity"),
    ):
        migrations.upgrade(empty_database_url)
    assert migrations.current(empty_database_url) == LAST_RELEASE
    with psycopg.connect(empty_database_url) as connection:
        assert dump(connection) == before
    migrations.upgrade(empty_database_url)
    assert migrations.current(empty_database_url) == migrations.head()


def test_a_migration_waits_for_a_lock_that_ends_and_holds_up_writers_shortly(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_WAIT", "100ms")
    monkeypatch.setattr(migrations, "LOCK_PAUSE_S", 0.2)
    at_the_last_release(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        write(connection)
    with held(empty_database_url, "select from report") as reader:
        thread = threading.Thread(target=migrations.upgrade, args=(empty_database_url,))
        thread.start()
        with psycopg.connect(empty_database_url, autocommit=True) as writer:
            longest = 0.0
            for number in range(20):
                began = time.monotonic()
                writer.execute(
                    "insert into report (id, endpoint_id, slot, location, verdict)"
                    " values (%s, %s, now(), 'local', 'up')",
                    [UUID(int=9000 + number), SHOP],
                )
                longest = max(longest, time.monotonic() - began)
        reader.rollback()
        thread.join()
    assert longest < 1.0
    assert migrations.current(empty_database_url) == migrations.head()
