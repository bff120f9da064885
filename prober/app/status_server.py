"""Answers `/livez`, `/readyz` and `/metrics` from a thread of its own, so that a wedged event loop can still be told.

Nobody is asked who they are, so it listens on this machine alone unless the configuration names another address.
"""

import ipaddress
import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from typing import Any, Final

from prober.clock import Clock
from prober.metrics.prometheus import CONTENT_TYPE
from prober.vitals import Vitals

log = logging.getLogger(__name__)

SIGNS: Final[Mapping[str, float]] = {"loop": 10.0, "tick": 45.0, "writer": 45.0}
"""What must have happened within the last so many seconds: three times as long as it can take where nothing is wedged.
A database that is away holds a tick up for as long as connecting may take, and stops neither."""

REQUEST_WITHIN_S: Final = 5.0
AT_ONCE: Final = 8
"""Requests that are answered at the same time; more are hung up on."""


class CannotListen(Exception):
    """The address of the status server cannot be used. The message names the way out."""


class Status:
    """What this process answers for itself. Safe to ask from any thread."""

    def __init__(self, vitals: Vitals, clock: Clock) -> None:
        self._vitals = vitals
        self._clock = clock
        self._began = clock.monotonic()

    def wedged(self) -> tuple[str, ...]:
        """Why this process must be restarted: what has not happened for too long."""
        now = self._clock.monotonic()
        found = []
        for sign, patience_s in SIGNS.items():
            last = self._vitals.last(sign)
            quiet_s = now - (self._began if last is None else last)
            if quiet_s > patience_s:
                found.append(f"{sign} has not moved for {quiet_s:.0f} s")
        return tuple(found)

    def unready(self) -> tuple[str, ...]:
        """Why this process cannot do all of its work now."""
        troubles = tuple(f"{reason}: {detail}" for reason, detail in sorted(self._vitals.troubles.items()))
        waiting = () if self._vitals.last("database") is not None else ("database: it has not answered yet",)
        return (*self.wedged(), *waiting, *(each for each in troubles if each.startswith(_UNREADY)))


_UNREADY: Final = ("database", "migrations", "spool-")
"""Troubles that keep a worker from its work as a whole; what concerns the endpoints' side leaves it ready."""


def refuse_taken(host: str, port: int) -> None:
    """Raises CannotListen for an address that could not be listened on now: whoever starts hears of it before a
    database was started for it."""
    listener = socket.socket(AF_INET6 if ":" in host else AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1)
    except (OSError, OverflowError) as error:
        raise _cannot_listen(host, port, error) from None
    finally:
        listener.close()


def _cannot_listen(host: str, port: int, error: OSError | OverflowError) -> CannotListen:
    reason = getattr(error, "strerror", None) or str(error)
    return CannotListen(
        f"the status of this worker cannot be served on {host} port {port}: {reason}; set another status.host or "
        "status.port"
    )


class StatusServer:
    """Serves between `start` and `stop`."""

    def __init__(self, host: str, port: int, *, status: Status, metrics: Callable[[], bytes]) -> None:
        """Raises CannotListen. `metrics` is called in a thread of its own."""
        try:
            self._server = _Server((host, port), status, metrics)
        except (OSError, OverflowError) as error:
            raise _cannot_listen(host, port, error) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="status", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        host, port = self.address
        if not ipaddress.ip_address(host).is_loopback:
            log.warning(
                "the status of this worker is served to whoever reaches %s port %d, without a login", host, port
            )
        self._thread.start()

    def stop(self) -> None:
        """Hang up. Takes half a second at most."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], status: Status, metrics: Callable[[], bytes]) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        super().__init__(address, _Handler)
        self.status = status
        self.metrics = metrics
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
        log.debug("a request for the status broke off", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_WITHIN_S
    server_version = "mcp-prober"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.split("?", 1)[0]
        if path == "/livez":
            self._tell(self.server.status.wedged())
        elif path == "/readyz":
            self._tell(self.server.status.unready())
        elif path == "/metrics":
            self._answer(200, CONTENT_TYPE, self.server.metrics())
        else:
            self._answer(404, "application/json", b'{"status":"there is no such page"}')

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        log.debug(format, *args)

    def _tell(self, reasons: tuple[str, ...]) -> None:
        body = json.dumps({"status": "failing" if reasons else "ok", "reasons": reasons}).encode()
        self._answer(503 if reasons else 200, "application/json", body)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
