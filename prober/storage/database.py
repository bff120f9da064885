"""The way to PostgreSQL: its address, a small pool of connections, and errors that say which server did not answer."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.engine.url import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from prober.storage.patience import ANSWER_WITHIN_S, BoundedConnection, waiting_up_to

_DRIVER: Final = "postgresql+psycopg"
_ACCEPTED: Final = frozenset({"postgres", "postgresql", _DRIVER})
_WAITING: Final[Mapping[str, str]] = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
}
_NETWORK: Final[Mapping[str, str | int]] = {
    "connect_timeout": 3,
    "application_name": "mcp-prober",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

_MARGIN_S: Final = 3.0
"""By how much the client is more patient than the server."""


class DatabaseUnavailable(Exception):
    """The database does not answer, or refuses us. The message names it without its password."""


class DatabaseUrlError(ValueError):
    """An address that is not that of a PostgreSQL database. The message never repeats it: it may hold a password."""


def normalise(url: str) -> str:
    """The address as SQLAlchemy and psycopg want it; `postgres://` and `postgresql://` are accepted.

    Raises DatabaseUrlError for anything else.
    """
    return _parsed(url).render_as_string(hide_password=False)


def shown(url: str) -> str:
    """The address as a person may read it: host, port and database, without user, password and options."""
    parsed = _parsed(url)
    host = parsed.host or parsed.query.get("host") or "localhost"
    place = host if isinstance(host, str) else ", ".join(host)
    return f"{place}{f':{parsed.port}' if parsed.port else ''}/{parsed.database or ''}"


def open_engine(url: str, *, pool_size: int = 5, answer_within_s: float = ANSWER_WITHIN_S) -> AsyncEngine:
    """A pool of at most `pool_size` connections, none of which ever waits long: 3 s to connect, 2 s for a lock,
    5 s for a statement, `answer_within_s` for a network that brings no answer. Nothing connects before the first use.
    Close it with `await engine.dispose()`."""
    parsed = _parsed(url)
    connect = partial(_connect, answer_within_s=answer_within_s)
    return create_async_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=True,
        hide_parameters=True,  # the text of an error must not quote what a server sent us
        connect_args={**_connect_args(parsed, _WAITING), "async_creator_fn": connect},
    )


async def _connect(*positional: Any, answer_within_s: float, **named: Any) -> BoundedConnection:
    connection = await BoundedConnection.connect(*positional, **named)
    connection.answer_within_s = answer_within_s
    return connection


@asynccontextmanager
async def unhurried(db: AsyncEngine, longest_s: float) -> AsyncIterator[AsyncConnection]:
    """A transaction of which a statement may take up to `longest_s` seconds."""
    async with db.begin() as connection:
        with waiting_up_to(longest_s + _MARGIN_S):
            await connection.execute(text("select set_config('statement_timeout', :ms, true)"), {"ms": _ms(longest_s)})
            yield connection


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms"


def open_patient_engine(url: str) -> Engine:
    """One synchronous connection at a time without limits on statements, for migrations."""
    parsed = _parsed(url)
    return create_engine(parsed, poolclass=NullPool, connect_args=_connect_args(parsed, {"timezone": "UTC"}))


@contextmanager
def named_failures(url: str) -> Iterator[None]:
    """Turns the driver's failures to reach the database into DatabaseUnavailable, with a message for a person."""
    try:
        yield
    except DBAPIError as error:
        if not (error.connection_invalidated or isinstance(error.orig, psycopg.OperationalError)):
            raise
        raise DatabaseUnavailable(_unavailable(url, error)) from None


@asynccontextmanager
async def listening(url: str, channel: str) -> AsyncIterator[AsyncIterator[str]]:
    """The payloads of NOTIFY on `channel`, over a connection of its own that ends with the context.

    The iterator raises psycopg.OperationalError when the database goes away: open another one then.
    """
    parsed = _parsed(url).set(drivername="postgresql")
    address = make_conninfo(parsed.render_as_string(hide_password=False), **_connect_args(parsed, {"timezone": "UTC"}))
    connection = await psycopg.AsyncConnection.connect(address, autocommit=True)
    try:
        await connection.execute(SQL("listen {}").format(Identifier(channel)))
        async with aclosing(_payloads(connection)) as payloads:
            yield payloads
    finally:
        await connection.close()


async def _payloads(connection: psycopg.AsyncConnection[Any]) -> AsyncGenerator[str]:
    async with aclosing(connection.notifies()) as notifications:
        async for notification in notifications:
            yield notification.payload


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError):
        raise DatabaseUrlError(_WANTED) from None
    if parsed.drivername not in _ACCEPTED:
        raise DatabaseUrlError(_WANTED)
    return parsed.set(drivername=_DRIVER)


_WANTED: Final = (
    "the database address is not that of a PostgreSQL database; it should look like "
    "postgresql://user:password@host:5432/database"
)


def _connect_args(parsed: URL, settings: Mapping[str, str]) -> dict[str, str | int]:
    asked = parsed.query.get("options", "")
    given = asked if isinstance(asked, str) else " ".join(asked)
    options = " ".join((*(f"-c {name}={value}" for name, value in settings.items()), given)).strip()
    return {**{name: value for name, value in _NETWORK.items() if name not in parsed.query}, "options": options}


def _unavailable(url: str, error: DBAPIError) -> str:
    # What libpq adds on lines of its own, behind a tab, are questions to the reader.
    said = [line for line in str(error.orig).splitlines() if line.strip() and not line.startswith("\t")]
    reason = " ".join(" ".join(said).split())[:300].rstrip(".?")
    return (
        f"the database {shown(url)} is not available: {reason}. "
        "Check that it runs, that DATABASE_URL names it, and that the user may connect"
    )
