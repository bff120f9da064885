"""`mcp-prober serve`: the dashboard alone, over a database that somebody else fills."""

import argparse
import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import uvicorn
import uvloop
from sqlalchemy.exc import SQLAlchemyError

from prober.app import dashboard_process, first_admin, logs
from prober.cli.arguments import port
from prober.cli.config import unusable
from prober.cli.database import add_database_arguments, database_url
from prober.cli.errors import ExitCode
from prober.cli.running import named_failures
from prober.settings import Access, ConfigError, DashboardSettings, load, parse
from prober.storage.database import normalise, open_engine

log = logging.getLogger(__name__)

CLOSE_STREAMS_AFTER_S = 1
ASKS_AGAIN_EVERY_S: Final = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_database_arguments(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=port, default=8080, help="where to listen; 0 takes any free one (default: %(default)s)"
    )
    parser.add_argument("--insecure-no-auth", action="store_true", help="listen beyond this machine without a login")
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    logs.configure()
    with named_failures():
        url = normalise(database_url(options))
        if options.fd is not None:
            os.environ["DATABASE_URL"] = url
            _served(_server(), socket.socket(fileno=options.fd))
            return ExitCode.UP
        settings = _settings(options)
        access = dashboard_process.access_at(
            options.host, settings, os.environ, insecure_no_auth=options.insecure_no_auth
        )
        first_admin.password_in_file(os.environ)
        dashboard_process.warn_of_plain_http(options.host, settings, os.environ, access)
        listener = dashboard_process.listen(options.host, options.port)
        address = dashboard_process.address(listener)
        print(f"dashboard: {address}", flush=True)
        os.environ.update(dashboard_process.environment_of(url, settings, access))
        place = settings.public_url or address if access is Access.LOGIN else None
        _served(_server(), listener, url, place)
    return ExitCode.UP


def _settings(options: argparse.Namespace) -> DashboardSettings:
    """What the configuration says of the dashboard, or the environment alone where there is none."""
    try:
        if options.config is not None:
            return load(options.config, os.environ).dashboard
        return parse(b"endpoints: []", "the environment", os.environ).dashboard
    except ConfigError as error:
        raise unusable(error) from None


def _server() -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            "dashboard.app:create_app",
            factory=True,
            access_log=False,
            log_config=None,
            server_header=False,
            # Who asks is judged by the address of the socket, in whose place uvicorn would put what a header says.
            proxy_headers=False,
            # Pages hold an event stream open for good: without a bound the server would wait for them for ever.
            timeout_graceful_shutdown=CLOSE_STREAMS_AFTER_S,
        )
    )


def _served(server: uvicorn.Server, listener: socket.socket, url: str = "", place: str | None = None) -> None:
    """Serve until a signal; where people log in at `place`, let the first admin in as soon as the database answers."""

    async def serving() -> None:
        letting_in = asyncio.create_task(_let_in(url, place, os.environ)) if place is not None else None
        try:
            await server.serve(sockets=[listener])
        finally:
            if letting_in is not None:
                letting_in.cancel()

    with suppress(KeyboardInterrupt):
        uvloop.run(serving())


async def _let_in(url: str, place: str, environment: Mapping[str, str]) -> None:
    """Try until it is done: whoever probes may still be making the tables."""
    db = open_engine(url, pool_size=1)
    try:
        while True:
            try:
                link = await first_admin.let_in(db, environment, place)
            except (SQLAlchemyError, OSError):
                await asyncio.sleep(ASKS_AGAIN_EVERY_S)
                continue
            if link is not None:
                print(f"its first admin chooses a password, once and within an hour, at {link}", flush=True)
            return
    except first_admin.PasswordFileUnusable as problem:
        log.error("%s", problem)  # noqa: TRY400 - the sentence says it all
    finally:
        await db.dispose()
