"""The one way out: clients for probes, posts for webhooks and token endpoints, all behind the same guard and limits."""

import asyncio
import math
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from checks.http_date import read_date
from checks.model import Failure, TransportError
from checks.text import clean_bytes
from prober.clock import Clock
from prober.limits import KIB, Limits
from prober.net.dial import Dialer
from prober.net.failures import NetError
from prober.net.guard import GuardPolicy
from prober.net.resolver import Resolver
from prober.net.tls import Trust
from prober.net.transport import BODY, REPEATABLE, Body, Transport

VERSION: Final = "0.1.0"
USER_AGENT: Final = f"mcp-prober/{VERSION}"

_EXCERPT: Final = 2048
_WHOLE: Final = 64 * KIB
"""The largest answer to a form, and the largest document, that is taken: a token with its description is a few KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostOutcome:
    """What became of a request: a status with the first bytes of the answer, or the reason why none came."""

    status: int | None = None
    body_excerpt: str = ""
    retry_after_s: float | None = None
    """How long the other side asks us to wait, in seconds."""
    error: TransportError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FormOutcome:
    """What became of a form, or of asking for a document: a status with the answer's body, which may be secret, or the
    reason why none came."""

    status: int | None = None
    body: bytes = field(default=b"", repr=False)
    error: TransportError | None = None


class _Client(httpx.AsyncClient):
    """Hands a request to the transport, and nothing else.

    httpx reads the Location of a redirect also where it does not follow it, and raises for one that is no URL.
    """

    def __init__(self, transport: Transport, **settings: Any) -> None:
        super().__init__(transport=transport, **settings)
        self._straight = transport

    async def send(self, request: httpx.Request, *, stream: bool = False, **_: Any) -> httpx.Response:
        response = await self._straight.handle_async_request(request)
        response.request = request
        if not stream:
            await response.aread()
        return response


class Net:
    """Built once per process: it owns the resolver threads and the TLS contexts."""

    def __init__(
        self,
        policy: GuardPolicy,
        *,
        clock: Clock,
        limits: Limits = Limits(),
        user_agent: str = USER_AGENT,
        trust: Trust | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self.limits = limits
        self._clock = clock
        self._user_agent = user_agent
        self._trust = trust or Trust()
        self._dialer = Dialer(policy, resolver or Resolver(limits), limits, self._trust)

    def client(self, *, verify: bool = True, confidential: bool = False) -> httpx.AsyncClient:
        """A client for one probe. It keeps one connection per origin, keeps no cookies, follows no redirect, reads no
        proxy settings, and asks for undecoded bodies. `confidential`: it sends secrets, and so connects to public
        addresses over TLS alone."""
        return _Client(
            Transport(self._dialer, verify=verify, confidential=confidential),
            headers={"Accept-Encoding": "identity", "User-Agent": self._user_agent},
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
            trust_env=False,
            follow_redirects=False,
        )

    def prepare(self, url: str, *, verify: bool = True) -> None:
        """Make what the first request to `url` would otherwise make while its time is taken: the TLS context."""
        if url.lower().startswith("https:"):
            with suppress(NetError):  # the request says so
                self._trust.context(verify=verify)

    async def post_json(
        self,
        url: str,
        content: bytes,
        *,
        timeout_s: float,
        headers: Sequence[tuple[str, str]] = (),
        confidential: bool = False,
    ) -> PostOutcome:
        """Send written JSON once, within `timeout_s` seconds in all: the very bytes, for they may be signed. What is
        `confidential` goes to public addresses over TLS alone. Never raises for what the network or the server does."""
        kind = ("Content-Type", "application/json")
        answer = await self._send(
            "POST", url, content, [kind, *headers], _excerpt, timeout_s, confidential=confidential
        )
        if isinstance(answer, TransportError):
            return PostOutcome(error=answer)
        response, excerpt = answer
        return PostOutcome(
            status=response.status_code,
            body_excerpt=clean_bytes(excerpt),
            retry_after_s=self._retry_after_s(response.headers.get("retry-after")),
        )

    async def post_form(
        self, url: str, form: Sequence[tuple[str, str]], *, timeout_s: float, headers: Sequence[tuple[str, str]] = ()
    ) -> FormOutcome:
        """Send a form once and read the whole answer, within `timeout_s` seconds in all. Never raises for what the
        network or the server does. Forms hold secrets: over plain HTTP they go to no public address."""
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        content = urlencode(form).encode("ascii")
        answer = await self._send("POST", url, content, [kind, *headers], _whole, timeout_s, confidential=True)
        if isinstance(answer, TransportError):
            return FormOutcome(error=answer)
        response, body = answer
        return FormOutcome(status=response.status_code, body=body)

    async def get(self, url: str, *, timeout_s: float) -> PostOutcome:
        """Ask for a page once, within `timeout_s` seconds in all. Never raises for what the network or the server
        does."""
        answer = await self._send("GET", url, b"", (), _excerpt, timeout_s)
        if isinstance(answer, TransportError):
            return PostOutcome(error=answer)
        response, excerpt = answer
        return PostOutcome(status=response.status_code, body_excerpt=clean_bytes(excerpt))

    async def get_document(self, url: str, *, timeout_s: float, headers: Sequence[tuple[str, str]] = ()) -> FormOutcome:
        """Ask for a document once and read all of it, within `timeout_s` seconds in all. Never raises for what the
        network or the server does. Whom it is asked of is trusted for it: over plain HTTP no public address is."""
        answer = await self._send("GET", url, b"", headers, _whole, timeout_s, confidential=True)
        if isinstance(answer, TransportError):
            return FormOutcome(error=answer)
        response, body = answer
        return FormOutcome(status=response.status_code, body=body)

    async def open_socket(self, host: str, port: int, *, confidential: bool) -> socket.socket:
        """A TCP connection for a protocol other than HTTP, as a socket that blocks, under the same guard and limits.
        What is `confidential` is not sent in plain text to a public address. Raises `NetError`."""
        sock = await self._dialer.open_socket(host, port, private_only=confidential)
        sock.setblocking(True)
        return sock

    def mail_trust(self) -> ssl.SSLContext:
        """The TLS context for mail servers. Raises `NetError` where no authorities are to be had."""
        return self._trust.without_http

    async def _send(
        self,
        method: str,
        url: str,
        content: bytes,
        headers: Sequence[tuple[str, str]],
        read: Callable[[Body], Awaitable[bytes]],
        timeout_s: float,
        *,
        confidential: bool = False,
    ) -> tuple[httpx.Response, bytes] | TransportError:
        """The answer to one request with what `read` takes of its body, or the reason why none came."""
        try:
            async with asyncio.timeout(timeout_s), self.client(confidential=confidential) as client:
                request = client.build_request(
                    method, url, content=content, headers=[*headers], extensions={REPEATABLE: False}
                )
                response = await client.send(request, stream=True)
                try:
                    return response, await read(response.extensions[BODY])
                finally:
                    await response.aclose()
        except TimeoutError:
            detail = f"no answer in {timeout_s:g} s"
            return TransportError(failure=Failure.DEADLINE, reason="no-answer", detail=detail)
        except NetError as failed:
            return failed.error
        except (httpx.InvalidURL, UnicodeEncodeError):
            detail = "the address or a header value cannot be sent"
            return TransportError(failure=Failure.OBSERVER, reason="invalid-request", detail=detail)

    def _retry_after_s(self, value: str | None) -> float | None:
        """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110 section 10.2.3)."""
        if value is None:
            return None
        if value.isascii() and value.isdigit():
            return float(value) if math.isfinite(float(value)) else None
        at = read_date(value)
        return None if at is None else max((at - self._clock.now()).total_seconds(), 0.0)


async def _excerpt(body: Body) -> bytes:
    """The first bytes of a body. A body that breaks off does not take away the status that came before it."""
    found = b""
    try:
        async with aclosing(body.stamped()) as chunks:
            async for _, data in chunks:
                found += data
                if len(found) >= _EXCERPT:
                    break
    except NetError:
        pass
    return found[:_EXCERPT]


async def _whole(body: Body) -> bytes:
    """All of a body. Raises `NetError` where it breaks off or is too large."""
    found = b""
    async with aclosing(body.stamped()) as chunks:
        async for _, data in chunks:
            found += data
            if len(found) > _WHOLE:
                raise NetError(Failure.LIMIT, "body-too-large", f"the answer is larger than {_WHOLE:,} bytes")
    return found
