"""How a command finds its database, and says what is wrong with it."""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from prober.app.own_database import EMBEDDED, platform_data_dir
from prober.cli.config import unusable
from prober.cli.errors import CommandError, ExitCode
from prober.settings import ConfigError, Settings, load
from prober.storage import database, migrations
from prober.storage.database import DatabaseUnavailable, DatabaseUrlError
from prober.storage.embedded.server import running_url
from prober.storage.migrations import DatabaseTooNew

_Found = TypeVar("_Found")


CONFIG: Final = Path("prober.yaml")
"""The configuration that commands take where none is named, if it is there: as `up` does."""


def add_database_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=CONFIG if CONFIG.is_file() else None,
        help="whose database and settings count, unless DATABASE_URL is set (default: prober.yaml, where it is)",
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", type=Path, help="where the PostgreSQL of `mcp-prober up` keeps its files"
    )


def database_url(options: argparse.Namespace) -> str:
    """The address that `DATABASE_URL` or the configuration names, or of the PostgreSQL that `up` runs.

    Raises CommandError where there is none.
    """
    url = known_url(options)
    if url is None:
        raise CommandError(
            "no database is named, and no `mcp-prober up` runs one here",
            "start it; or name its --config or --data-dir; or set DATABASE_URL to such as "
            "postgresql://user:password@host:5432/database",
        )
    return url


def known_url(options: argparse.Namespace) -> str | None:
    """The same, or None where there is none. Raises CommandError for a configuration that cannot be read."""
    if url := os.environ.get("DATABASE_URL"):
        return url
    settings = settings_of(options)
    if settings.database_url:
        return settings.database_url
    data_dir = options.data_dir or settings.data_dir or platform_data_dir()
    return running_url(data_dir / EMBEDDED)


def settings_of(options: argparse.Namespace) -> Settings:
    """What the configuration says, or the defaults where there is none. Raises CommandError for one that cannot be
    read."""
    if options.config is None:
        return Settings()
    try:
        return load(options.config, os.environ)
    except ConfigError as error:
        raise unusable(error) from None


@contextmanager
def named_failures() -> Iterator[None]:
    """Turns what storage says about a database into the error of a command."""
    try:
        yield
    except (DatabaseUrlError, DatabaseTooNew) as error:
        raise CommandError(str(error)) from None
    except DatabaseUnavailable as error:
        raise CommandError(str(error), code=ExitCode.UNOBSERVED) from None


def migrated_url(options: argparse.Namespace) -> str:
    """The address of a database with the tables of this version. Raises CommandError for any other."""
    with named_failures():
        url = database_url(options)
        if migrations.current(url) != migrations.head():
            raise CommandError("the database has not the tables of this version", "make them with: mcp-prober migrate")
        return url


def in_database(url: str, work: Callable[[AsyncEngine], Awaitable[_Found]]) -> _Found:
    """What `work` finds or does over one connection. Raises CommandError where the database does not answer."""

    async def working() -> _Found:
        db = database.open_engine(url, pool_size=1)
        try:
            return await work(db)
        finally:
            await db.dispose()

    with named_failures(), database.named_failures(url):
        return asyncio.run(working())
