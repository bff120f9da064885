"""Migrations against a real server: the models and the tables agree, up and down, and failures say what to do."""

import re
import threading

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import make_url

from prober.storage import migrations
from prober.storage.database import DatabaseUnavailable, open_patient_engine
from prober.storage.migrations import DatabaseTooNew
from prober.storage.tables import METADATA

PARTITION = re.compile(r"_(default|\d{6,8})$")


def tables_of(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute("select tablename from pg_tables where schemaname = 'public'")}


def test_the_models_and_the_migrated_tables_agree(database_url: str) -> None:
    def is_ours(name: str | None, kind: str, parents: object) -> bool:
        return not (kind == "table" and name is not None and PARTITION.search(name))

    with open_patient_engine(database_url).connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": is_ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []


def test_check_constraints_are_the_models_own(database_url: str) -> None:
    """Alembic does not compare these."""
    named = {
        (table.name, str(constraint.name))
        for table in METADATA.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint"
    }
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "select conrelid::regclass::text, conname from pg_constraint"
            " where contype = 'c' and conrelid::regclass::text = any(%s)",
            [list(METADATA.tables)],
        ).fetchall()
    assert set(found) == named


def test_going_down_leaves_nothing_and_going_up_again_works(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url)
    assert migrations.current(empty_database_url) == migrations.head()
    migrations.downgrade(empty_database_url)
    assert tables_of(empty_database_url) == {"alembic_version"}
    migrations.upgrade(empty_database_url)
    assert migrations.current(empty_database_url) == migrations.head()


def test_two_processes_that_migrate_at_once_do_not_collide(empty_database_url: str) -> None:
    failures: list[Exception] = []

    def migrate() -> None:
        try:
            migrations.upgrade(empty_database_url)
        except Exception as failure:  # whatever it is, the assertion below shows it
            failures.append(failure)

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert migrations.current(empty_database_url) == migrations.head()


def test_a_database_that_a_newer_release_migrated_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    with pytest.raises(DatabaseTooNew, match=r"revision 9999.*newer mcp-prober"):
        migrations.upgrade(database_url)


def test_a_database_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseUnavailable) as raised:
        migrations.upgrade("postgresql://prober:hunter2@127.0.0.1:1/prober")
    assert "127.0.0.1:1/prober" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_database_that_does_not_exist_on_its_server_is_named(postgres_url: str) -> None:
    elsewhere = make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(DatabaseUnavailable, match=r'database "nowhere" does not exist'):
        migrations.current(elsewhere)


def write_as_the_first_release_does(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into endpoint (id, name, spec, source, enabled, interval_s, timeout_s, labels, phase_s, next_due)"
            " select gen_random_uuid(), name, '{}', 'file', true, 60, timeout, '{}', 0, now()"
            " from (values ('quick', 5.0), ('slow', 40.0), ('slower', 90.0)) as given (name, timeout)"
        )
        connection.execute(
            "insert into endpoint_state (endpoint_id, verdict, since, cause_summary)"
            " select id, 'up', now(), '' from endpoint"
        )
        connection.execute(
            "insert into report (id, endpoint_id, slot, location, verdict)"
            " select gen_random_uuid(), id, now(), 'local', 'up' from endpoint"
        )


def test_an_older_process_goes_on_writing_while_processes_are_replaced_one_by_one(database_url: str) -> None:
    write_as_the_first_release_does(database_url)


def test_a_database_of_the_first_schema_keeps_its_rows(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url)
    migrations.downgrade(empty_database_url, "0001")
    write_as_the_first_release_does(empty_database_url)
    migrations.upgrade(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        found = connection.execute("select name, full_every_s, full_timeout_s from endpoint order by name").fetchall()
        assert found == [("quick", 86_400, 15), ("slow", 86_400, 60), ("slower", 86_400, 90)]
        assert connection.execute(
            "select distinct full_at, full_due, full_findings from endpoint_state"
        ).fetchall() == [(None, "in-time", None)]
        assert connection.execute("select profile, count(*) from report group by 1").fetchall() == [("standard", 3)]
    migrations.downgrade(empty_database_url, "0001")
    assert migrations.current(empty_database_url) == "0001"
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("select count(*) from report").fetchone() == (3,)
