"""Where the prober itself can be reached, so that no endpoint leads the probes there."""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Final

from sqlalchemy.engine import make_url

from prober.settings import StatusSettings

_POSTGRES_PORT: Final = 5432


def own_places(
    database_url: str, listener: socket.socket | None = None, status: StatusSettings | None = None
) -> tuple[tuple[str, int], ...]:
    """Address and port of the database, of the dashboard's socket and of the worker's status.

    A database that is known by a name other than localhost, or by a socket in the file system, is left out: a name may
    mean something else at every lookup, and no URL leads to a file.
    """
    return tuple(_places(database_url, listener, status))


def _places(
    database_url: str, listener: socket.socket | None, status: StatusSettings | None
) -> Iterator[tuple[str, int]]:
    url = make_url(database_url)
    host = "127.0.0.1" if url.host == "localhost" else url.host or ""
    if _is_address(host):
        yield host, url.port or _POSTGRES_PORT
    if listener is not None:
        address, port = listener.getsockname()[:2]
        yield address, port
    if status is not None and status.port and _is_address(status.host):
        yield status.host, status.port


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
