"""Every spelling of an address that must not be reached, in every place where a server or a file can name one.

Canaries listen on loopback; where an address is refused, not one connection may have come to them.
"""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from checks.model import Exchange, Failure, TransportError
from checks.spec import Transport
from prober.net.guard import SETTING, GuardPolicy
from prober.wire.connect import HttpWire
from prober.wire.redact import SentHeader
from tests.integration.wire.hostile import TOOLS
from tests.integration.wire.scripted import (
    BEARER,
    TENANT,
    Out,
    Prober,
    Request,
    make_prober,
    result,
    running,
    stateless,
)

LOOPBACK = (
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.0x1",
    "127.127.127.127",
    "127.255.255.254",
    "0x7f.1",
    "0x7F.0.0.1",
    "0x7f.0x0.0x0.0x1",
    "0x7f000001",
    "0x000000007f000001",
    "2130706433",
    "017700000001",
    "0177.1",
    "localhost",
    "LOCALHOST",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::0:1]",
    "[::0.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::FFFF:7F00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "127\u30020\u30020\u30021",
)
METADATA = (
    "169.254.169.254",
    "169.254.43518",
    "169.16689662",
    "0xa9.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "025177524776",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "169.254.170.2",
    "169.254.170.23",
    "[fd00:ec2::254]",
    "[fd00:0ec2:0::23]",
    "[fd20:ce::254]",
    "100.100.100.200",
    "0x646464c8",
    "168.63.129.16",
    "192.0.0.192",
)
TRANSLATED = (
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:53aa:64c::1]",
    "[::ffff:0:127.0.0.1]",
    "[::127.0.0.1]",
    "[::a9fe:a9fe]",
    "192.88.99.1",
)
PRIVATE = (
    "10.0.0.1",
    "10.1",
    "0xa000001",
    "167772161",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "192.168.257",
    "3232235777",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fec0::1]",
    "[2001:db8::1]",
    "[::ffff:10.0.0.1]",
)
OTHERS = {
    "169.254.1.1": "link-local",
    "[fe80::1]": "link-local",
    "0": "unspecified",
    "0x0": "unspecified",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "[::]": "unspecified",
    "[::ffff:0.0.0.0]": "unspecified",
    "224.0.0.1": "multicast",
    "[ff02::1]": "multicast",
    "[ff0e::fb]": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "4294967295": "reserved",
}
REASONS = {
    **dict.fromkeys(LOOPBACK, "loopback"),
    **dict.fromkeys(METADATA, "metadata"),
    **dict.fromkeys(TRANSLATED, "translated"),
    **dict.fromkeys(PRIVATE, "private"),
    **OTHERS,
}
UNROUTED = "4000::1"
"""Counts as public, and belongs to a block that nobody has been given (RFC 4291 section 2.4)."""
LIFTED = frozenset({"loopback", "private"})
"""Reasons that a setting can lift."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other resolvers read other spellings as addresses")


@dataclass
class Canary:
    """A port that is open on both loopback addresses, and how often somebody came."""

    port: int
    visits: list[str] = field(default_factory=list)


@asynccontextmanager
async def canary() -> AsyncIterator[Canary]:
    async def visited(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        watched.visits.append(str(writer.get_extra_info("sockname")))
        writer.close()

    four = await asyncio.start_server(visited, "127.0.0.1", 0)
    watched = Canary(four.sockets[0].getsockname()[1])
    servers = [four]
    if socket.has_ipv6:
        with suppress(OSError):  # no IPv6 on this machine, or the port is taken there: then only IPv4 is watched
            servers.append(await asyncio.start_server(visited, "::1", watched.port))
    try:
        yield watched
        await asyncio.sleep(0)
    finally:
        for server in servers:
            server.close()


Refusal = Callable[[Prober, str], Awaitable[TransportError | None]]


async def as_endpoint(prober: Prober, url: str) -> TransportError | None:
    wire = await prober.open(url, timeout_s=2)
    assert not wire.opening.established
    return wire.opening.exchanges[0].transport_error


async def as_legacy_endpoint(prober: Prober, url: str) -> TransportError | None:
    wire = await prober.open(url, timeout_s=2, transport=Transport.SSE)
    return wire.opening.exchanges[0].transport_error


async def as_webhook(prober: Prober, url: str) -> TransportError | None:
    return (await prober.net.post_json(url, b"{}", timeout_s=2)).error


async def as_token_endpoint(prober: Prober, url: str) -> TransportError | None:
    secure = url.replace("http://", "https://")
    return (await prober.net.post_form(secure, [("grant_type", "client_credentials")], timeout_s=2)).error


PLACES: dict[str, Refusal] = {
    "endpoint": as_endpoint,
    "legacy endpoint": as_legacy_endpoint,
    "webhook": as_webhook,
    "token endpoint": as_token_endpoint,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("host", "reason"), REASONS.items())
async def test_no_spelling_of_an_inner_address_is_connected_to(place: str, host: str, reason: str) -> None:
    prober = make_prober(policy=GuardPolicy())
    async with canary() as watched:
        error = await PLACES[place](prober, f"http://{host}:{watched.port}/latest")
        await prober.close()
    assert error is not None
    assert (error.failure, error.reason) == (Failure.BLOCKED, reason)
    assert (SETTING in error.detail) is (reason in LIFTED)
    assert watched.visits == []


@pytest.mark.parametrize(
    ("host", "reason"), [(host, reason) for host, reason in REASONS.items() if reason not in LIFTED]
)
async def test_no_setting_opens_what_is_never_connected_to(host: str, reason: str) -> None:
    lax = GuardPolicy(allow_private=True, allow_cidrs=("0.0.0.0/0", "::/0"))
    prober = make_prober(policy=lax)
    async with canary() as watched:
        errors = [await ask(prober, f"http://{host}:{watched.port}/") for ask in PLACES.values()]
        await prober.close()
    assert [(error.failure, error.reason) for error in errors if error is not None] == [
        (Failure.BLOCKED, reason)
    ] * len(PLACES)
    assert watched.visits == []


NOWHERE = (
    "127.0.0.1.",
    "127.000.000.001",
    "0177.0.0.1",
    "0000177.0.0.1",
    "0251.0376.0251.0376",
    "012.0.0.1",
    "\uff11\uff12\uff17.0.0.1",
    "%31%32%37.0.0.1",
    "127.0.0.1%00.example",
    "[::1%25lo]",
    "[fe80::1%25lo]",
    "127.0.0.1\u200b",
    "1 27.0.0.1",
    "0x7f.0.0.1.example.invalid",
    "127.0.0.256",
    "0x1ffffffff",
    "[::g]",
    "[::ffff:127.1]",
)
"""Spellings that some reader takes for an address of this host, and that get no further than ours: the URL is refused,
or the name does not resolve."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("host", NOWHERE)
async def test_what_is_no_address_leads_nowhere(place: str, host: str) -> None:
    prober = make_prober(policy=GuardPolicy())
    async with canary() as watched:
        error = await PLACES[place](prober, f"http://{host}:{watched.port}/")
        await prober.close()
    assert error is not None
    assert error.failure in (Failure.BLOCKED, Failure.DNS, Failure.PROTOCOL, Failure.OBSERVER)
    assert watched.visits == []


# where a server names the address, the first request is answered by a server of ours, which must be allowed


async def after_a_redirect(prober: Prober, location: str) -> list[Exchange]:
    async def script(_: Request, out: Out) -> None:
        await out.reply(307, b"", f"Location: {location}")

    async with running(script) as server:
        wire = await prober.open(server.url, timeout_s=2)
        assert len(server.requests) == 1
    return list(wire.opening.exchanges)


async def after_a_late_redirect(prober: Prober, location: str) -> list[Exchange]:
    async def then(_: Request, out: Out) -> None:
        await out.reply(308, b"", f"Location: {location}")

    async with running(stateless(then)) as server:
        wire = await prober.open(server.url, timeout_s=2)
        return [await wire.request("tools/list"), await wire.request("tools/call", {"name": "add"})]


async def after_an_endpoint_event(prober: Prober, endpoint: str) -> list[Exchange]:
    async def script(request: Request, out: Out) -> None:
        if request.method == "GET":
            await out.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            await out.raw(f"event: endpoint\ndata: {endpoint}\n\n".encode())
            await out.reader.read()

    async with running(script) as server:
        wire = await prober.open(server.url, timeout_s=2, transport=Transport.SSE)
        assert not wire.opening.established
    (exchange,) = wire.opening.exchanges
    assert exchange.transport_error is not None
    assert exchange.transport_error.reason == "foreign-endpoint"
    return [exchange]


async def after_a_challenge(prober: Prober, metadata: str) -> list[Exchange]:
    async def then(_: Request, out: Out) -> None:
        await out.reply(401, b"", f'WWW-Authenticate: Bearer resource_metadata="{metadata}"')

    async with running(stateless(then)) as server:
        wire: HttpWire = await prober.open(server.url, timeout_s=2)
        refused = await wire.request("tools/list")
        fetched = await wire.fetch(metadata)
    assert fetched.transport_error is not None
    assert fetched.transport_error.failure in (Failure.BLOCKED, Failure.OBSERVER)
    assert fetched.status is None
    return [refused]


LED: dict[str, Callable[[Prober, str], Awaitable[list[Exchange]]]] = {
    "redirect": after_a_redirect,
    "late redirect": after_a_late_redirect,
    "endpoint event": after_an_endpoint_event,
    "challenge": after_a_challenge,
}


def sendable(host: str) -> bool:
    """Whether the spelling can stand in a header."""
    return re.fullmatch(r"[!-~]+", host) is not None


@pytest.mark.parametrize("place", LED)
@pytest.mark.parametrize("host", [host for host in (*REASONS, *NOWHERE) if sendable(host)])
async def test_no_server_leads_the_prober_anywhere(place: str, host: str) -> None:
    prober = make_prober(policy=GuardPolicy(allow_private=True))
    async with canary() as watched:
        exchanges = await LED[place](prober, f"http://{host}:{watched.port}/latest")
        await prober.close()
    assert exchanges
    assert watched.visits == []


CODE = SentHeader(name="X-Code", value="code-123456789", shown="${env:CODE}")


class Signature:
    """Signs in a way that whoever reads along could use for a while."""

    def sign(self, *_: object) -> Sequence[SentHeader]:
        return [BEARER]


def known_as(prober: Prober, monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Whatever name is looked up has these addresses."""
    found = [(10 if ":" in address else 2, 1, 6, "", (address, port)) for address, port in addresses]
    monkeypatch.setattr(prober.net._dialer._resolver, "_lookup", lambda *_, **__: found)


@pytest.mark.parametrize("policy", [GuardPolicy(allow_private=True), GuardPolicy(allow_cidrs=("127.0.0.0/8",))])
@pytest.mark.parametrize(
    "credentials", [{"headers": [BEARER]}, {"headers": [TENANT, CODE]}, {"signer": Signature()}], ids=range(3)
)
async def test_no_credential_goes_over_plain_http_to_a_public_address(
    credentials: dict[str, Any], policy: GuardPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    prober = make_prober(policy=policy)
    async with canary() as watched:
        known_as(prober, monkeypatch, ("127.0.0.1", watched.port), (UNROUTED, watched.port))
        wire = await prober.open(f"http://orders.example:{watched.port}/mcp", timeout_s=2, **credentials)
        await prober.close()
    error = wire.opening.exchanges[0].transport_error
    assert error is not None
    assert (error.failure, error.reason) == (Failure.BLOCKED, "plain-http")
    assert SETTING in error.detail
    assert watched.visits == []


async def test_no_form_goes_over_plain_http_to_a_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    prober = make_prober(policy=GuardPolicy(allow_private=True))
    async with canary() as watched:
        known_as(prober, monkeypatch, ("127.0.0.1", watched.port), (UNROUTED, watched.port))
        answer = await prober.net.post_form(f"http://login.example:{watched.port}/", [("a", "b")], timeout_s=2)
    assert answer.error is not None
    assert (answer.error.failure, answer.error.reason) == (Failure.BLOCKED, "plain-http")
    assert watched.visits == []


async def test_over_plain_http_to_a_private_address_credentials_may_go_and_without_them_all_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def script(request: Request, out: Out) -> None:
        await out.json(result(request, TOOLS))

    prober = make_prober(policy=GuardPolicy(allow_cidrs=("127.0.0.0/8",)))
    async with running(stateless(script)) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        inside = await prober.open(server.url, headers=[BEARER])
        known_as(prober, monkeypatch, ("127.0.0.1", port), (UNROUTED, port))
        outside = await prober.open(f"http://orders.example:{port}/mcp", headers=[TENANT])
        await prober.close()
    assert inside.opening.established
    assert outside.opening.established


async def test_one_bad_address_among_many_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    prober = make_prober(policy=GuardPolicy(allow_private=True))
    async with canary() as watched:
        mixed = [(2, 1, 6, "", (address, watched.port)) for address in ("127.0.0.1", "169.254.169.254")]
        monkeypatch.setattr(prober.net._dialer._resolver, "_lookup", lambda *_, **__: mixed)
        error = await as_endpoint(prober, f"http://rebinding.example:{watched.port}/mcp")
        await prober.close()
    assert error is not None
    assert (error.failure, error.reason) == (Failure.BLOCKED, "metadata")
    assert watched.visits == []


async def test_a_name_that_means_something_else_at_every_lookup_is_looked_up_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter(("127.0.0.1", "169.254.169.254"))

    async def script(request: Request, out: Out) -> None:
        await out.json(result(request, TOOLS))

    prober = make_prober(policy=GuardPolicy(allow_private=True))
    async with running(stateless(script)) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        monkeypatch.setattr(
            prober.net._dialer._resolver, "_lookup", lambda *_, **__: [(2, 1, 6, "", (next(answers), port))]
        )
        wire = await prober.open(f"http://rebinding.example:{port}/mcp")
        await prober.close()
    assert wire.opening.established
    assert next(answers) == "169.254.169.254"


async def test_addresses_beyond_the_limit_are_noticed_and_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(request: Request, out: Out) -> None:
        await out.json(result(request, TOOLS))

    prober = make_prober(policy=GuardPolicy(allow_private=True))
    async with running(stateless(script)) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        many = [(2, 1, 6, "", (address, port)) for address in ("127.0.0.1",) * 16 + ("169.254.169.254",) * 9]
        monkeypatch.setattr(prober.net._dialer._resolver, "_lookup", lambda *_, **__: many)
        wire = await prober.open(f"http://many.example:{port}/mcp")
        await prober.close()
    assert wire.opening.established
    (noticed,) = wire.opening.exchanges[0].irregularities
    assert (noticed.code, noticed.detail) == ("too-many-addresses", "the name has 9 more addresses than are looked at")


async def test_the_prober_does_not_probe_itself() -> None:
    async with canary() as watched:
        prober = make_prober(policy=GuardPolicy(allow_private=True, own=(("127.0.0.1", watched.port),)))
        error = await as_endpoint(prober, f"http://localhost:{watched.port}/")
        await prober.close()
    assert error is not None
    assert (error.failure, error.reason) == (Failure.BLOCKED, "own")
    assert watched.visits == []


def test_the_matrix_is_as_large_as_is_said_of_it() -> None:
    assert len(REASONS) >= 80
    assert len(REASONS) == len(LOOPBACK) + len(METADATA) + len(TRANSLATED) + len(PRIVATE) + len(OTHERS)
