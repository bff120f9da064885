"""Small scripted servers on loopback, whose scripts read requests and write raw bytes, and wires to them."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from checks.model import Endpoint, Exchange, Failure, Opener
from checks.spec import Era, Transport
from prober.clock import SystemClock
from prober.limits import Limits
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.net.tls import Trust
from prober.wire.connect import HttpWire, connect
from prober.wire.outgoing import Signer
from prober.wire.redact import SentHeader

NEWEST = "2025-11-25"

BEARER = SentHeader(name="Authorization", value="Bearer tok-123456789", shown="Bearer ${env:TOKEN}")
TENANT = SentHeader(name="X-Tenant", value="blue", shown="blue")


@dataclass
class Request:
    """One request as the server read it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def rpc_method(self) -> str:
        return str(self.json["method"]) if self.body else self.method


class Out:
    """What a script writes with."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, status: int, body: bytes = b"", *headers: str, content_type: str = "text/plain") -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", f"Content-Type: {content_type}", *headers]
        await self.raw("\r\n".join([*lines, "\r\n"]).encode() + body)

    async def json(self, value: Any, *headers: str, status: int = 200) -> None:
        await self.reply(status, json.dumps(value).encode(), *headers, content_type="application/json")

    async def stream(self, *headers: str) -> None:
        """Begin an event stream."""
        lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked", *headers]
        await self.raw("\r\n".join([*lines, "\r\n"]).encode())

    async def chunk(self, text: str) -> None:
        data = text.encode()
        await self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def event(self, value: Any, **fields: str) -> None:
        lines = [f"{name}: {text}" for name, text in fields.items()]
        await self.chunk("\n".join([*lines, f"data: {json.dumps(value)}", "", ""]))

    async def end(self) -> None:
        await self.raw(b"0\r\n\r\n")


Script = Callable[[Request, Out], Awaitable[None]]


@dataclass
class Server:
    """A running script and what it was asked."""

    url: str
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    @property
    def asked(self) -> list[str]:
        return [request.rpc_method for request in self.requests]


@asynccontextmanager
async def running(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        number = server.connections
        try:
            while not writer.is_closing():
                request = await _read(reader, number)
                server.requests.append(request)
                await script(request, Out(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the prober has hung up
        finally:
            if not writer.is_closing():  # a TLS transport that is closed twice cannot be aborted (CPython 3.11.2)
                writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        task = asyncio.ensure_future(converse(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    scheme, host = ("https", "localhost") if tls is not None else ("http", "127.0.0.1")
    server = Server(f"{scheme}://{host}:{port}/mcp")
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def _read(reader: asyncio.StreamReader, connection: int) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, target, _ = first.split(" ")
    return Request(method, target, headers, body, connection)


def result(request: Request, value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request.json["id"], "result": value}


def error(request: Request, code: int, message: str, data: Any = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request.json["id"], "error": {"code": code, "message": message, "data": data}}


DISCOVERED = {
    "resultType": "complete",
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {}},
    "ttlMs": 0,
    "cacheScope": "private",
    "instructions": "Be kind.",
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "scripted", "version": "7"}},
}


def stateless(then: Script) -> Script:
    """A server of the stateless era whose other answers `then` writes."""

    async def script(request: Request, out: Out) -> None:
        if request.rpc_method == "server/discover":
            await out.json(result(request, DISCOVERED))
        else:
            await then(request, out)

    return script


def handshake(then: Script, version: str = NEWEST, session: str | None = "s-1") -> Script:
    """A server of the handshake era that negotiates `version`, and whose other answers `then` writes."""

    async def script(request: Request, out: Out) -> None:
        headers = (f"Mcp-Session-Id: {session}",) if session is not None else ()
        if request.rpc_method == "server/discover":
            await out.json(error(request, -32600, "Missing session ID"), "Mcp-Session-Id: dead", status=400)
        elif request.rpc_method == "initialize":
            info = {"name": "scripted", "version": "7"}
            value = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
            await out.json(result(request, value), *headers)
        elif request.rpc_method == "notifications/initialized":
            await out.reply(202)
        elif request.method == "DELETE":
            await out.reply(200)
        else:
            await then(request, out)

    return script


TOOLS = {"tools": [{"name": "add", "inputSchema": {"type": "object"}}]}


async def list_tools(request: Request, out: Out) -> None:
    await out.json(result(request, TOOLS))


async def hang(_: Request, __: Out) -> None:
    await asyncio.sleep(60)


def without_an_end(then: Script) -> Script:
    """A server of the handshake era that never answers the end of its session."""

    async def script(request: Request, out: Out) -> None:
        await (hang if request.method == "DELETE" else handshake(then))(request, out)

    return script


class LegacyServer:
    """HTTP+SSE of 2024-11-05 in a script."""

    def __init__(self, endpoint: str = "/messages/?session_id=1", *, answers: bool = True) -> None:
        self.endpoint = endpoint
        self.answers = answers
        self.stream: Out | None = None

    async def __call__(self, request: Request, out: Out) -> None:
        if request.method == "GET":
            self.stream = out
            await out.stream()
            await out.chunk(f"event: endpoint\r\ndata: {self.endpoint}\r\n\r\n")
            await asyncio.sleep(60)
        elif request.target == "/mcp":
            await out.reply(405, b"Method Not Allowed", "Allow: HEAD, GET")
        else:
            await out.reply(202, b"Accepted")
            await self._answer(request)

    async def _answer(self, request: Request) -> None:
        assert self.stream is not None
        if request.rpc_method == "initialize":
            info = {"name": "legacy", "version": "1"}
            value: Any = {"protocolVersion": "2024-11-05", "capabilities": {}, "serverInfo": info}
        elif "id" not in request.json or not self.answers:
            return
        else:
            note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}
            await self.stream.event(note, event="message")
            value = TOOLS
        await self.stream.event(result(request, value), event="message")


def failure_of(exchange: Exchange) -> tuple[Failure, str] | None:
    """Why no complete answer came, as failure and reason."""
    failed = exchange.transport_error
    return None if failed is None else (failed.failure, failed.reason)


def remembered_handshake(version: str, chosen_at: datetime) -> Opener:
    """The memory of a handshake."""
    return Opener(
        transport=Transport.STREAMABLE_HTTP,
        era=Era.HANDSHAKE,
        protocol_version=version,
        reason="as it was",
        chosen_at=chosen_at,
    )


SOON_S = 1.5
"""A deadline that a busy machine keeps for a few requests, and that a test can wait for."""


@dataclass
class Prober:
    """The wire under test, with what a probe gives it."""

    net: Net
    open_wires: list[HttpWire] = field(default_factory=list)

    async def open(
        self,
        url: str,
        *,
        timeout_s: float = 5.0,
        headers: Sequence[SentHeader] = (),
        remembered: Opener | None = None,
        signer: Signer | None = None,
        **settings: Any,
    ) -> HttpWire:
        deadline = asyncio.get_running_loop().time() + timeout_s
        wire = await connect(
            Endpoint(name="scripted", url=url, **settings),
            net=self.net,
            clock=SystemClock(),
            headers=headers,
            remembered=remembered,
            deadline=deadline,
            signer=signer,
        )
        self.open_wires.append(wire)
        return wire

    async def close(self) -> None:
        while self.open_wires:
            await self.open_wires.pop().close()


def make_prober(limits: Limits | None = None, policy: GuardPolicy | None = None, trust: Trust | None = None) -> Prober:
    policy = policy or GuardPolicy(allow_private=True)
    return Prober(Net(policy, clock=SystemClock(), limits=limits or Limits(), trust=trust))


def trusting(authority: Path) -> Trust:
    """What a process trusts that knows this authority beside the usual ones."""

    class Authority(Trust):
        def context(self, *, verify: bool) -> ssl.SSLContext:
            context = super().context(verify=verify)
            if verify:
                context.load_verify_locations(authority)
            return context

    return Authority()


@dataclass(frozen=True)
class Certificates:
    """An authority, and server contexts whose certificates it has signed."""

    authority: Path
    directory: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def server(self, *, name: str = "localhost", expired: bool = False) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(name, key, self.certificate.subject, self.key, expired=expired)
        return _server_context(self.directory / f"{name}-{expired}.pem", key, certificate)

    def self_signed(self) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name("localhost")
        return _server_context(self.directory / "self.pem", key, _signed("localhost", key, subject, key))


def make_certificates(directory: Path) -> Certificates:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed("Test Authority", key, _name("Test Authority"), key, is_authority=True)
    path = directory / "authority.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Certificates(path, directory, key, certificate)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    expired: bool = False,
    is_authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    end = now - timedelta(days=1) if expired else now + timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _server_context(path: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> ssl.SSLContext:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
