"""Name lookups in threads of their own: in the event loop's default pool a few dead names would starve the rest."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from checks.model import Failure
from prober.limits import Limits
from prober.net import failures
from prober.net.failures import NetError

AddrInfo = tuple[int, int, int, str, tuple[Any, ...]]
Lookup = Callable[..., list[Any]]


class Resolver:
    """Asks the system's resolver, several names at a time, each under its own deadline.

    Every lookup runs in a daemon thread: one that hangs delays neither its neighbours nor the end of the process,
    which waits for the threads of a `ThreadPoolExecutor`.
    """

    def __init__(self, limits: Limits, *, lookup: Lookup = socket.getaddrinfo) -> None:
        self._limits = limits
        self._lookup = lookup
        self._free = asyncio.Semaphore(limits.dns_threads)

    async def resolve(self, host: str, port: int) -> list[AddrInfo]:
        """The stream addresses of a host, at least one, in the system's order. Raises `NetError`."""
        literal = _literal(host, port)
        if literal is not None:
            return [literal]
        asked = False
        try:
            async with asyncio.timeout(self._limits.dns_s):
                await self._free.acquire()
                asked = True
                answers = await self._in_thread(host, port)
        except TimeoutError:
            if not asked:
                detail = f"{self._limits.dns_threads} other name lookups hang: {host} was not looked up"
                raise NetError(Failure.OBSERVER, "resolver-starved", detail) from None
            raise failures.timeout(Failure.DNS, host, self._limits.dns_s) from None
        except (OSError, UnicodeError) as cause:
            raise failures.of_lookup(host, cause) from cause
        if not answers:
            raise NetError(Failure.DNS, "not-found", f"{host} has no address")
        return answers

    def _in_thread(self, host: str, port: int) -> asyncio.Future[list[AddrInfo]]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[AddrInfo]] = loop.create_future()

        def settle(addresses: list[AddrInfo] | None, failed: BaseException | None) -> None:
            self._free.release()
            if answer.done():
                return
            if failed is not None:
                answer.set_exception(failed)
            else:
                answer.set_result(addresses or [])

        def look_up() -> None:
            addresses, failed = None, None
            try:
                addresses = self._lookup(host, port, type=socket.SOCK_STREAM)
            except BaseException as cause:  # a thread has nobody above it: the waiter must learn of everything
                failed = cause
            with suppress(RuntimeError):  # the loop has closed: nobody waits any more
                loop.call_soon_threadsafe(settle, addresses, failed)

        try:
            threading.Thread(target=look_up, name="resolver", daemon=True).start()
        except RuntimeError as cause:  # the machine allows no more threads
            self._free.release()
            raise NetError(Failure.OBSERVER, "resolver-starved", f"{host} was not looked up: {cause}") from cause
        return answer


def _literal(host: str, port: int) -> AddrInfo | None:
    """The address info of a host that is an IP address already."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv4Address):
        return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(ip), port))
    if ip.scope_id is not None:
        return None
    return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(ip), port, 0, 0))
