"""How a command finds its database, and says what is wrong with it."""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from prober.cli.config import unusable
from prober.cli.errors import CommandError, ExitCode
from prober.settings import ConfigError, load
from prober.storage import database, migrations
from prober.storage.database import DatabaseUnavailable, DatabaseUrlError
from prober.storage.migrations import DatabaseTooNew

_Found = TypeVar("_Found")


def add_database_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="take database_url from this file unless DATABASE_URL is set"
    )


def database_url(options: argparse.Namespace) -> str:
    """The address that `DATABASE_URL` or the configuration names. Raises CommandError where neither does."""
    if url := os.environ.get("DATABASE_URL"):
        return url
    if options.config is not None:
        try:
            url = load(options.config, os.environ).database_url
        except ConfigError as error:
            raise unusable(error) from None
    if not url:
        raise CommandError(
            "no database is named",
            "set DATABASE_URL to such as postgresql://user:password@host:5432/database; "
            "what `mcp-prober up` keeps in a PostgreSQL of its own, its dashboard shows",
        )
    return url


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
