"""From a URL's origin to an open connection: look the name up, ask the guard, connect, shake hands."""

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import aiohappyeyeballs
import httpx

from checks.model import Failure
from prober.limits import Limits
from prober.net import failures
from prober.net.failures import NetError
from prober.net.guard import GuardPolicy, explain, explain_own, explain_plain_http, explain_port
from prober.net.http1 import Connection
from prober.net.phases import Phases, Step
from prober.net.resolver import AddrInfo, Resolver
from prober.net.tls import Trust

_EYEBALLS_DELAY_S: Final = 0.25  # RFC 8305 section 8, "Connection Attempt Delay"
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection leads."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx.URL) -> "Origin":
        """Raises `NetError` for a URL that has no web origin."""
        host = url.raw_host.decode("ascii")
        if url.scheme not in _PORTS or not host:
            raise NetError(Failure.PROTOCOL, "invalid-url", "the address is no http or https URL with a host")
        return cls(url.scheme, host, url.port or _PORTS[url.scheme])

    @property
    def is_tls(self) -> bool:
        return self.scheme == "https"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Dialer:
    """Opens connections that the guard allows."""

    def __init__(self, policy: GuardPolicy, resolver: Resolver, limits: Limits, trust: Trust) -> None:
        self._policy = policy
        self._resolver = resolver
        self._limits = limits
        self._trust = trust

    async def dial(self, origin: Origin, *, verify: bool, confidential: bool, phases: Phases) -> Connection:
        """A new connection. The first `Limits.dns_answers` addresses of the name are all checked before one of them is
        connected to, and only checked ones are, so that a name cannot mean one thing to the guard and another to the
        socket. What is `confidential` goes to public addresses over TLS alone. Raises `NetError`."""
        context = self._trust.context(verify=verify) if origin.is_tls else None
        with phases.timing(Step.DNS):
            found = await self._resolver.resolve(origin.host, origin.port)
        addresses = found[: self._limits.dns_answers]
        phases.ignored_addresses = len(found) - len(addresses)
        self._check(origin, addresses, private_only=confidential and not origin.is_tls)
        phases.remote_address = str(addresses[0][4][0])
        with phases.timing(Step.CONNECT):
            sock = await self._connect(origin, addresses)
        with suppress(OSError):  # the peer is gone already: the next step says so
            phases.remote_address = sock.getpeername()[0]
        if context is None:
            return await self._wrap(sock)
        with phases.timing(Step.TLS):
            return await self._shake_hands(sock, origin, context)

    async def open_socket(self, host: str, port: int, *, private_only: bool) -> socket.socket:
        """A connection for a protocol other than HTTP, to whom no port is foreign. Raises `NetError`."""
        addresses = (await self._resolver.resolve(host, port))[: self._limits.dns_answers]
        origin = Origin("", host, port)
        self._check(origin, addresses, private_only=private_only, any_port=True)
        return await self._connect(origin, addresses)

    def _check(self, origin: Origin, addresses: list[AddrInfo], *, private_only: bool, any_port: bool = False) -> None:
        for info in addresses:
            address = str(info[4][0])
            reason = self._policy.verdict_on(address)
            if reason is not None:
                raise NetError(Failure.BLOCKED, reason, explain(reason, origin.host, address))
            if self._policy.is_own(address, origin.port):
                raise NetError(Failure.BLOCKED, "own", explain_own(address, origin.port))
            if not any_port and self._policy.refuses_port(address, origin.port):
                raise NetError(Failure.BLOCKED, "port", explain_port(address, origin.port))
            if private_only and self._policy.is_public(address):
                raise NetError(Failure.BLOCKED, "plain-http", explain_plain_http(origin.host, address))

    async def _connect(self, origin: Origin, addresses: list[AddrInfo]) -> socket.socket:
        try:
            async with asyncio.timeout(self._limits.connect_s):
                return await aiohappyeyeballs.start_connection(
                    addresses, happy_eyeballs_delay=_EYEBALLS_DELAY_S, interleave=1
                )
        except TimeoutError:
            raise failures.timeout(Failure.CONNECT, str(origin), self._limits.connect_s) from None
        except (OSError, RuntimeError) as cause:
            raise failures.of_connect(str(origin), cause) from cause

    async def _wrap(self, sock: socket.socket) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: Connection(self._limits), sock=sock)
        except OSError as cause:
            sock.close()
            raise NetError(Failure.CONNECTION_LOST, "before-answer", str(cause)) from cause
        return connection

    async def _shake_hands(self, sock: socket.socket, origin: Origin, context: ssl.SSLContext) -> Connection:
        loop = asyncio.get_running_loop()
        name = origin.host.rstrip(".")  # RFC 6066 section 3: SNI has no trailing dot
        try:
            async with asyncio.timeout(self._limits.tls_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._limits), sock=sock, ssl=context, server_hostname=name
                )
        except TimeoutError:
            raise failures.timeout(Failure.TLS, str(origin), self._limits.tls_s) from None
        except OSError as cause:
            raise failures.of_handshake(origin.host, cause) from cause
        return connection
