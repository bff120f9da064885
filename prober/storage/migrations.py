"""Brings a database to the schema of this release, once, however many processes start at the same time."""

import time
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from prober.storage.database import DatabaseUnavailable, named_failures, open_patient_engine, shown

_LOCK: Final = 0x6D637000
_PATIENCE: Final = "60s"
"""How long to wait for another process that migrates."""

LOCK_WAIT: Final = "2s"
"""How long a migration waits for a table, while all who want to write to it wait behind it."""

LOCK_TRIES: Final = 10
LOCK_PAUSE_S: Final = 1.0
"""Between two tries, so that those who waited get their turn."""


class DatabaseTooNew(Exception):
    """The database was migrated by a newer release than this one."""


class TablesInUse(DatabaseUnavailable):
    """Other sessions hold what a migration needs. Nothing was changed."""


def head() -> str:
    """The revision of the schema that this release works with."""
    newest = _scripts(_config()).get_current_head()
    assert newest is not None, "the first migration is always there"
    return newest


def upgrade(url: str) -> None:
    """Migrate the database at `url` to `head()`, all or nothing; does nothing when it is there already.

    Raises DatabaseUnavailable (TablesInUse among it), DatabaseUrlError or DatabaseTooNew, each with a message for a
    person.
    """
    _migrate(url, "head")


def downgrade(url: str, revision: str = "base") -> None:
    """Take the schema back to `revision`; the tables that a later one made go, with all that is in them."""
    _migrate(url, revision)


def current(url: str) -> str | None:
    """The revision that the database is at, or None when it has none of our tables. Raises DatabaseUnavailable."""
    engine = open_patient_engine(url)
    with named_failures(url), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _migrate(url: str, target: str) -> None:
    engine = open_patient_engine(url)
    for remaining in reversed(range(LOCK_TRIES)):
        try:
            with named_failures(url), engine.begin() as connection:
                _migrate_once(connection, url, target)
        except TablesInUse:
            if not remaining:
                raise
        else:
            return
        time.sleep(LOCK_PAUSE_S)


def _migrate_once(connection: Connection, url: str, target: str) -> None:
    """All migrations in the one transaction of `connection`: it is at `target` then, or as it was."""
    connection.execute(text(f"set local lock_timeout = '{_PATIENCE}'"))
    connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    connection.execute(text(f"set local lock_timeout = '{LOCK_WAIT}'"))
    config = _config()
    _refuse_newer(connection, _scripts(config), url)
    config.attributes["connection"] = connection
    try:
        if target == "head":
            command.upgrade(config, target)
        else:
            command.downgrade(config, target)
    except DBAPIError as failure:
        if not isinstance(failure.orig, LockNotAvailable | DeadlockDetected):
            raise
        raise TablesInUse(
            f"the database {shown(url)} cannot be migrated: other sessions use its tables and did not let go of them "
            f"in {LOCK_TRIES} tries. Nothing was changed. End what holds them, such as a backup or an open transaction "
            "(see pg_stat_activity), or try again later"
        ) from None


def _refuse_newer(connection: Connection, scripts: ScriptDirectory, url: str) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    found = MigrationContext.configure(connection).get_current_heads()
    unknown = sorted(set(found) - known)
    if unknown:
        raise DatabaseTooNew(
            f"the database {shown(url)} is at revision {unknown[0]}, which this release does not know: "
            "a newer mcp-prober has migrated it. Install that release, or use another database"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _scripts(config: Config) -> ScriptDirectory:
    return ScriptDirectory.from_config(config)


def _directory() -> Path:
    """Where the migrations are: beside this module in an installed release, at the top of a checkout otherwise."""
    here = Path(__file__).resolve().parent
    installed = here / "alembic"
    return installed if installed.is_dir() else here.parents[1] / "alembic"
