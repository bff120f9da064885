"""MCP servers by the hundred in one process, each of which can be told to fail, and a log of all that they were asked.

The log is the ground truth of every test here. One line for each request: when it came (seconds of the Unix epoch), at
which server, the trace that it belongs to, which is the id of the probe's report, and its method.

    python -m tests.reliability.fleet LOG [--host 127.0.0.1] [--pause 0.005]
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO, cast
from uuid import UUID

import httptools
import uvloop

ROOT: Final = Path(__file__).parents[2]
VERSION: Final = "2025-11-25"
TOOLS: Final = [
    {"name": f"tool_{n}", "description": "does what it says", "inputSchema": {"type": "object", "properties": {}}}
    for n in range(3)
]
RESULTS: Final[Mapping[str, Any]] = {
    "initialize": {
        "protocolVersion": VERSION,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "fleet", "version": "1"},
    },
    "tools/list": {"tools": TOOLS},
    "ping": {},
}
OPENS: Final = "initialize"
"""The request that begins a probe."""
FLUSH_S: Final = 0.2

OK, ERROR, HANG, RESET = "ok", "error", "hang", "reset"
ALTERNATE: Final = "alternate"
"""Every other probe fails."""
SECOND_TRY: Final = "second-try"
"""Every other first attempt fails, and the repetition of one that failed does not."""


class Servers:
    """What all servers share: their faults, how many probes each has had, and the log."""

    def __init__(self, log: TextIO, pause_s: float) -> None:
        self.log = log
        self.pause_s = pause_s
        self.faults: dict[str, str] = {}
        self.probes: dict[str, int] = {}
        self.failing: dict[str, bool] = {}

    def note(self, server: str, trace: str, method: str) -> None:
        self.log.write(f"{time.time():.6f} {server} {trace} {method}\n")

    def fault_of(self, server: str, method: str) -> str:
        """What the server does about this request."""
        fault = self.faults.get(server, OK)
        if method == OPENS:
            count = self.probes[server] = self.probes.get(server, -1) + 1
            period = {ALTERNATE: 2, SECOND_TRY: 3}.get(fault)
            self.failing[server] = period is not None and count % period == 0
        if fault in (ALTERNATE, SECOND_TRY):
            return ERROR if self.failing.get(server) else OK
        return fault

    def control(self, wish: Mapping[str, Any]) -> None:
        self.faults.update(wish.get("faults", {}))
        self.pause_s = wish.get("pause_s", self.pause_s)
        self.log.flush()


class Connection(asyncio.Protocol):
    """One connection of a client, with whichever server its paths name."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._begin()

    def _begin(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.path, self.trace, self.body = "", "-", b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.path = url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"traceparent":
            self.trace = value.decode().split("-")[1]

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        asked = json.loads(self.body) if self.body else {}
        path, trace = self.path, self.trace
        self.path, self.trace, self.body = "", "-", b""
        if path == "/control":
            self.servers.control(asked)
            self.transport.write(_answer(204, b""))
            return
        method = str(asked.get("method", self.parser.get_method().decode()))
        server = path.strip("/")
        fault = self.servers.fault_of(server, method)
        self.servers.note(server, trace, method)
        if fault == HANG:
            return
        if fault == RESET:
            self.transport.abort()
            return
        reply = _answer(500, b"something broke") if fault == ERROR else _result(asked)
        pause_s = float(fault.partition(":")[2]) if fault.startswith("slow:") else self.servers.pause_s
        asyncio.get_running_loop().call_later(pause_s, self._write, reply)

    def _write(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)


def _result(asked: Mapping[str, Any]) -> bytes:
    if "id" not in asked:
        return _answer(202, b"") if asked else _answer(405, b"")
    found = RESULTS.get(asked["method"])
    outcome = {"result": found} if found is not None else {"error": {"code": -32601, "message": "Method not found"}}
    return _answer(200, json.dumps({"jsonrpc": "2.0", "id": asked["id"], **outcome}).encode())


def _answer(status: int, body: bytes) -> bytes:
    kind = "text/plain" if status >= 400 else "application/json"
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass(frozen=True)
class Seen:
    """One probe as the servers saw it."""

    report: UUID
    """The id that its report must have."""
    server: str
    at: float
    """When its first request came; seconds of the epoch."""
    attempts: int
    """How often it began: twice where it was repeated, or where two workers did the same."""
    ended: bool
    """Whether its last question was asked."""


@dataclass
class Fleet:
    """The running process, as tests see it."""

    url: str
    log: Path
    process: subprocess.Popen[str]
    names: list[str] = field(default_factory=list)

    def endpoints(self, count: int, **more: Any) -> list[dict[str, Any]]:
        """Entries of the configuration for so many servers."""
        self.names = [f"s{number:03}" for number in range(count)]
        return [{"name": name, "url": f"{self.url}/{name}", "era": "handshake", **more} for name in self.names]

    def set(self, fault: str, names: Iterable[str] | None = None) -> float:
        """Let these servers fail so, or all of them. Returns when."""
        self._ask({"faults": dict.fromkeys(self.names if names is None else names, fault)})
        return time.time()

    def seen(self) -> list[Seen]:
        """Every probe until now."""
        self._ask({})
        probes: dict[str, tuple[str, float, int, bool]] = {}
        for line in self.log.read_text().splitlines():
            at, server, trace, method = line.split(" ")
            if trace == "-":
                continue
            known = probes.get(trace, (server, float(at), 0, False))
            probes[trace] = (*known[:2], known[2] + (method == OPENS), known[3] or method == "tools/list")
        return [Seen(UUID(trace), *each) for trace, each in probes.items()]

    def _ask(self, wish: Mapping[str, Any]) -> None:
        request = urllib.request.Request(f"{self.url}/control", json.dumps(wish).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10):
            pass


@contextmanager
def running(
    directory: Path, *, host: str = "127.0.0.1", pause_s: float = 0.005, prefix: Sequence[str] = ()
) -> Iterator[Fleet]:
    """A fleet whose log is in that directory."""
    log = directory / "fleet.log"
    command = [*prefix, sys.executable, "-m", __spec__.name, str(log), "--host", host, "--pause", str(pause_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            yield Fleet(f"http://{host}:{port}", log, process)
        finally:
            process.kill()


async def serve(log: Path, host: str, pause_s: float) -> None:
    loop = asyncio.get_running_loop()
    with log.open("w") as file:
        servers = Servers(file, pause_s)
        server = await loop.create_server(lambda: Connection(servers), host, 0, backlog=2048)
        print(server.sockets[0].getsockname()[1], flush=True)
        while True:
            await asyncio.sleep(FLUSH_S)
            file.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--pause", type=float, default=0.005)
    options = parser.parse_args()
    uvloop.run(serve(options.log, options.host, options.pause))


if __name__ == "__main__":
    main()
