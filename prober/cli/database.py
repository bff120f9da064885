"""How a command finds its database, and says what is wrong with it."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prober.cli.config import unusable
from prober.cli.errors import CommandError, ExitCode
from prober.settings import ConfigError, load
from prober.storage.database import DatabaseUnavailable, DatabaseUrlError
from prober.storage.migrations import DatabaseTooNew


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
