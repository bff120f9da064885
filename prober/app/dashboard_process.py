"""The dashboard as a child process: started again when it ends, on a socket that the parent keeps."""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Mapping
from typing import Final

from prober.app.children import Child

log = logging.getLogger(__name__)

RESTART_PAUSE_S: Final = 2.0


class PortTaken(Exception):
    """The dashboard's address cannot be used. The message says why and what would work."""


class NotLoopback(Exception):
    """The dashboard was told to listen where others can reach it, and it asks nobody who they are."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"the dashboard has no login yet, and {host} can be reached from other machines: listen on 127.0.0.1 "
            "behind a proxy that asks for one, or say --insecure-no-auth if everybody there may see everything"
        )


def listen(host: str, port: int, *, insecure_no_auth: bool = False) -> socket.socket:
    """A listening socket for the dashboard; port 0 lets the system choose.

    Raises NotLoopback for an address beyond this machine unless `insecure_no_auth`, and PortTaken.
    """
    if not insecure_no_auth and not _is_loopback(host):
        raise NotLoopback(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise PortTaken(
            f"the dashboard cannot listen on {host} port {port}: {reason}; choose another port with --port"
        ) from None
    return listener


def address(listener: socket.socket) -> str:
    """The URL under which a browser on this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def keep_running(listener: socket.socket, environment: Mapping[str, str]) -> None:
    """Serve the dashboard on `listener` until cancelled. Its end, however it came, is logged and made good:
    connections wait in the socket meanwhile."""
    while True:
        child = await Child.start(
            "the dashboard",
            ["-m", "prober.cli", "serve", "--fd", str(listener.fileno())],
            environment=environment,
            pass_fds=(listener.fileno(),),
        )
        try:
            status = await child.wait()
        finally:
            await child.stop()
        log.error("the dashboard ended with status %s; it starts again in %s s", status, RESTART_PAUSE_S)
        await asyncio.sleep(RESTART_PAUSE_S)
