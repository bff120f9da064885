"""What servers must not make of the wire, beside the catalogue: by TLS, cookies, proxies, kept connections, posts."""

import asyncio
import os
import shutil
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop

from checks.messages import result_of
from checks.model import Exchange, Failure
from prober.limits import Limits
from tests.integration.wire.hostile import TOOLS, sending
from tests.integration.wire.scripted import (
    DISCOVERED,
    Certificates,
    Out,
    Prober,
    Request,
    make_prober,
    result,
    running,
    stateless,
    trusting,
)


def failure_of(exchange: Exchange) -> tuple[Failure, str]:
    assert exchange.transport_error is not None
    return exchange.transport_error.failure, exchange.transport_error.reason


async def test_a_request_past_the_deadline_is_not_sent(prober: Prober) -> None:
    async def answer(request: Request, out: Out) -> None:
        await out.json(result(request, TOOLS))

    async with running(stateless(answer)) as server:
        wire = await prober.open(server.url, timeout_s=0.5)
        await asyncio.sleep(0.55)
        exchange = await wire.request("tools/list")
    assert failure_of(exchange) == (Failure.DEADLINE, "exhausted")
    assert server.asked == ["server/discover"]


@pytest.mark.parametrize("padding", [{"x": "a" * 500_000}, {f"x{number}": {} for number in range(5_000)}])
async def test_of_a_flood_of_capabilities_only_names_are_kept(prober: Prober, padding: dict[str, object]) -> None:
    async def script(request: Request, out: Out) -> None:
        await out.json(result(request, {**DISCOVERED, "capabilities": {"tools": {"listChanged": True}, **padding}}))

    async with running(script) as server:
        wire = await prober.open(server.url)
    assert wire.opening.established
    assert "tools" in wire.opening.capabilities
    assert len(repr(wire.opening.capabilities)) < 4096


async def test_cookies_are_not_kept(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        await out.json(result(request, TOOLS), "Set-Cookie: a=b; Path=/")

    async with running(stateless(script)) as server:
        wire = await prober.open(server.url)
        await wire.request("tools/list")
        await wire.request("tools/list")
    assert all("cookie" not in request.headers for request in server.requests)


async def test_proxies_of_the_environment_are_not_used(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def script(request: Request, out: Out) -> None:
        await out.json(result(request, TOOLS))

    async with running(stateless(script)) as server:
        wire = await prober.open(server.url)
    assert wire.opening.established


async def test_a_server_that_closes_kept_connections_unannounced_is_asked_again(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        await out.json(result(request, TOOLS))
        out.writer.close()

    async with running(stateless(script)) as server:
        wire = await prober.open(server.url)
        exchanges = [await wire.request("tools/list") for _ in range(3)]
    assert [result_of(exchange) for exchange in exchanges] == [TOOLS] * 3
    assert server.connections == 3
    assert server.asked == ["server/discover", *["tools/list"] * 3]


async def test_a_request_that_dies_on_a_kept_connection_is_sent_again_unless_it_calls_a_tool(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        if request.connection == 1:
            out.writer.transport.abort()
        else:
            await out.json(result(request, TOOLS))

    async with running(stateless(script)) as server:
        wire = await prober.open(server.url)
        called = await wire.request("tools/call", {"name": "pay"})
    assert failure_of(called) == (Failure.CONNECTION_LOST, "before-answer")
    assert server.asked.count("tools/call") == 1
    async with running(stateless(script)) as server:
        wire = await prober.open(server.url)
        listed = await wire.request("tools/list")
    assert result_of(listed) == TOOLS
    assert server.asked.count("tools/list") == 2


async def test_a_refused_connection_has_its_reason_and_its_times(prober: Prober) -> None:
    async with running(sending()) as server:
        url = server.url
    wire = await prober.open(url)
    exchange = wire.opening.exchanges[0]
    assert failure_of(exchange) == (Failure.CONNECT, "refused")
    assert exchange.timings.connect_ms is not None
    assert exchange.timings.sent_ms is None


@contextmanager
def full_backlog() -> Iterator[str]:
    """The URL of a port whose queue is full, so that the kernel leaves further connections hanging."""
    with ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels queue or refuse instead")
@pytest.mark.parametrize(("connect_s", "timeout_s"), [(0.2, 60.0), (60.0, 1.2)])
async def test_a_connection_that_hangs_is_blamed_on_the_connection(connect_s: float, timeout_s: float) -> None:
    prober = make_prober(Limits(connect_s=connect_s))
    with full_backlog() as url:
        async with asyncio.timeout(20):
            wire = await prober.open(url, timeout_s=timeout_s)
            await prober.close()
    exchange = wire.opening.exchanges[0]
    assert failure_of(exchange) == (Failure.CONNECT, "timeout")
    assert exchange.timings.connect_ms is not None
    assert exchange.timings.connect_ms >= 190


@asynccontextmanager
async def over_tls(
    certificates: Certificates, context: ssl.SSLContext, trusted: bool = True
) -> AsyncIterator[tuple[Prober, str]]:
    async def script(request: Request, out: Out) -> None:
        await out.json(result(request, TOOLS))

    prober = make_prober(trust=trusting(certificates.authority) if trusted else None)
    async with running(stateless(script), tls=context) as server:
        yield prober, server.url
        await prober.close()


async def test_tls_is_timed_and_its_certificate_dated(certificates: Certificates) -> None:
    async with over_tls(certificates, certificates.server()) as (prober, url):
        wire = await prober.open(url)
        async with prober.net.client() as client:
            response = await client.post(url, json={"id": 1, "method": "server/discover"})
    assert wire.opening.established
    timings = wire.opening.exchanges[0].timings
    assert timings.tls_ms is not None
    assert timings.connect_ms is not None
    assert wire.opening.exchanges[0].remote_address in ("127.0.0.1", "::1")
    assert response.extensions["not_after"] > datetime.now(UTC)


@pytest.mark.parametrize(
    ("kind", "trusted", "reason"),
    [
        ("good", False, "untrusted"),
        ("expired", True, "expired"),
        ("misnamed", True, "name-mismatch"),
        ("self-signed", True, "self-signed"),
    ],
)
async def test_a_certificate_is_refused_for_its_own_reason(
    certificates: Certificates, kind: str, trusted: bool, reason: str
) -> None:
    context = {
        "good": certificates.server,
        "expired": lambda: certificates.server(expired=True),
        "misnamed": lambda: certificates.server(name="other.example"),
        "self-signed": certificates.self_signed,
    }[kind]()
    async with over_tls(certificates, context, trusted) as (prober, url):
        wire = await prober.open(url)
        unverified = await prober.open(url, verify_tls=False)
    assert failure_of(wire.opening.exchanges[0]) == (Failure.TLS, reason)
    assert unverified.opening.established


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_authorities_that_cannot_be_read_say_nothing_about_the_endpoint(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    bundle = tmp_path / "authorities.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    async with over_tls(certificates, certificates.server(), trusted=False) as (prober, url):
        wire = await prober.open(url)
        unverified = await prober.open(url, verify_tls=False)
    assert failure_of(wire.opening.exchanges[0]) == (Failure.OBSERVER, "trust")
    assert unverified.opening.established


@pytest.mark.parametrize("entries", [None, [], ["authority.pem"]])
async def test_a_directory_without_authorities_says_nothing_about_the_endpoint(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: list[str] | None
) -> None:
    directory = tmp_path / "authorities"
    if entries is not None:
        directory.mkdir()
        for entry in entries:
            shutil.copy(certificates.authority, directory / entry)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(directory))
    async with over_tls(certificates, certificates.server(), trusted=False) as (prober, url):
        wire = await prober.open(url)
        unverified = await prober.open(url, verify_tls=False)
    assert failure_of(wire.opening.exchanges[0]) == (Failure.OBSERVER, "trust")
    assert wire.opening.exchanges[0].transport_error is not None
    assert "SSL_CERT_DIR" in wire.opening.exchanges[0].transport_error.detail
    assert unverified.opening.established


async def test_one_directory_with_authorities_among_those_named_is_enough(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "0a1b2c3d.0").write_text("named like an authority, but not that of this server")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path / 'gone'}{os.pathsep}{tmp_path / 'there'}")
    async with over_tls(certificates, certificates.server(), trusted=False) as (prober, url):
        wire = await prober.open(url)
    assert failure_of(wire.opening.exchanges[0]) == (Failure.TLS, "untrusted")


async def test_a_server_that_speaks_no_tls_is_a_protocol_failure_of_tls(prober: Prober) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with listening:
        wire = await prober.open(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")
    assert failure_of(wire.opening.exchanges[0]) == (Failure.TLS, "protocol")


async def test_a_tls_handshake_that_hangs_ends_at_its_own_limit() -> None:
    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await closing.wait()
        writer.close()

    closing = asyncio.Event()
    hurried = make_prober(Limits(tls_s=0.1))
    listening = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with listening:
        wire = await hurried.open(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")
        await hurried.close()
        closing.set()
    assert failure_of(wire.opening.exchanges[0]) == (Failure.TLS, "timeout")


async def test_a_cancelled_probe_leaves_no_connection_open(prober: Prober) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(_: Request, out: Out) -> None:
        asked.set()
        assert await out.reader.read() == b""
        gone.set()
        out.writer.close()

    async with running(script) as server, asyncio.timeout(20):
        opening = asyncio.create_task(prober.open(server.url))
        await asked.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await gone.wait()


def test_the_wire_works_on_uvloop_as_well(certificates: Certificates) -> None:
    async def main() -> None:
        async def script(request: Request, out: Out) -> None:
            await out.stream()
            await out.event(result(request, TOOLS))
            await out.end()

        prober = make_prober(trust=trusting(certificates.authority))
        async with running(stateless(script), tls=certificates.server()) as server:
            wire = await prober.open(server.url)
            listed = await wire.request("tools/list")
            await prober.close()
        assert result_of(listed) == TOOLS
        assert listed.reused_connection
        assert wire.opening.exchanges[0].timings.tls_ms is not None

    uvloop.run(main())


async def test_a_post_reports_the_answer_and_how_long_to_wait(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        assert request.json == {"text": "hi"}
        assert request.headers["x-extra"] == "1"
        await out.reply(429, b"slow \x1b[31mdown", "Retry-After: 7")

    async with running(script) as server:
        outcome = await prober.net.post_json(server.url, b'{"text":"hi"}', timeout_s=2, headers=[("X-Extra", "1")])
    assert (outcome.status, outcome.retry_after_s, outcome.error) == (429, 7.0, None)
    assert "\x1b" not in outcome.body_excerpt


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://169.254.169.254/x", (Failure.BLOCKED, "metadata")),
        ("http://127.0.0.1:1/x", (Failure.CONNECT, "refused")),
        ("ftp://127.0.0.1/x", (Failure.PROTOCOL, "invalid-url")),
        ("http://[::1/x", (Failure.OBSERVER, "invalid-request")),
    ],
)
async def test_a_post_that_fails_says_why_and_raises_nothing(
    prober: Prober, url: str, expected: tuple[Failure, str]
) -> None:
    outcome = await prober.net.post_json(url, b"{}", timeout_s=2)
    assert outcome.error is not None
    assert (outcome.error.failure, outcome.error.reason) == expected


async def test_a_post_is_sent_once_and_ends_in_time(prober: Prober) -> None:
    async with running(sending(hang=True)) as server:
        outcome = await prober.net.post_json(server.url, b"{}", timeout_s=0.2)
    assert outcome.error is not None
    assert outcome.error.failure is Failure.DEADLINE
    assert len(server.requests) == 1
