"""The server that the benchmarks ask: MCP over TLS in a process of its own, so that only the clients' CPU counts."""

import argparse
import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httptools
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VERSION = "2025-11-25"
TOOLS = [
    {"name": f"tool_{n}", "description": "d" * 250, "inputSchema": {"type": "object", "properties": {}}}
    for n in range(12)
]
RESULTS: dict[str, Any] = {
    "initialize": {
        "protocolVersion": VERSION,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "bench", "version": "1"},
    },
    "tools/list": {"tools": TOOLS},
    "tools/call": {"content": [{"type": "text", "text": "5"}]},
}
PROGRESS = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
BACKLOG = 2048


class BenchServer(asyncio.Protocol):
    """Answers in one write, at once or after a pause."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)  # uvloop's own are no subclass of it
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        body, self.body = self.body, b""
        reply = answer(json.loads(body) if body else {})
        if self.pause_s:
            asyncio.get_running_loop().call_later(self.pause_s, self.transport.write, reply)
        else:
            self.transport.write(reply)


def answer(asked: dict[str, Any]) -> bytes:
    if "id" not in asked:
        return b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    reply = {"jsonrpc": "2.0", "id": asked["id"], "result": RESULTS[asked["method"]]}
    if asked["method"] == "tools/call":
        kind, framing = "text/event-stream", "Transfer-Encoding: chunked"
        events = [f"event: message\r\ndata: {json.dumps(each)}\r\n\r\n" for each in (PROGRESS, reply)]
        body = "".join(f"{len(event):x}\r\n{event}\r\n" for event in (*events, "")).encode()
    else:
        kind, body = "application/json", json.dumps(reply).encode()
        framing = f"Content-Length: {len(body)}"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nMcp-Session-Id: s-1\r\n{framing}\r\n\r\n"
    return head.encode() + body


@contextmanager
def running(*, pause_s: float = 0.0) -> Iterator[str]:
    """The address of such a server. On a machine with two cores or more it has the last one for itself."""
    with tempfile.TemporaryDirectory() as directory:
        certificate = Path(directory) / "server.pem"
        make_certificate(certificate)
        command = [sys.executable, __file__, str(certificate), "--pause", str(pause_s)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            assert server.stdout is not None
            yield f"https://127.0.0.1:{int(server.stdout.readline())}/mcp"
        finally:
            server.terminate()
            server.wait()


def make_certificate(path: Path) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))


def pin_to_core(last: bool) -> None:
    """Keep this process on the first core, or on the last: client and server do not take each other's time."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[-1 if last else 0]})


async def serve(certificate: str, pause_s: float) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BenchServer(pause_s), "127.0.0.1", 0, ssl=context, backlog=BACKLOG, ssl_handshake_timeout=60
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("certificate")
    parser.add_argument("--pause", type=float, default=0.0)
    options = parser.parse_args()
    pin_to_core(last=True)
    uvloop.run(serve(options.certificate, options.pause))
