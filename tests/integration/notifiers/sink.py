"""A webhook that enforces Slack's limits and fails when it is told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WEBHOOK_PATH = "/services/T0/B0/s3cr3t"


@dataclass
class SlackSink:
    """What arrived, and what is answered instead of `200 ok`, one entry per request."""

    url: str = ""
    arrived: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    tries: int = 0

    def take(self, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], str]:
        self.tries += 1
        if self.answers:
            status, extra = self.answers.pop(0)
            return status, extra, f"rehearsed failure of {path}"
        if path != WEBHOOK_PATH:
            return 404, {}, "no_service"
        problem = "invalid_payload"
        if headers.get_content_type() == "application/json":
            payload = json.loads(body)
            problem = fault_of(payload)
            if not problem:
                self.arrived.append(payload)
                return 200, {}, "ok"
        self.refused.append(problem)
        return 400, {}, problem


def fault_of(payload: dict[str, Any]) -> str:
    """What Slack would not take about a payload; empty when it is fine."""
    if not payload.get("text"):
        return "no_text"
    blocks = payload.get("blocks", [])
    if not 1 <= len(blocks) <= 50:
        return "invalid_blocks"
    for block in blocks:
        kind = block["type"]
        texts = block["elements"] if kind == "context" else [block["text"]]
        limit = {"header": 150, "section": 3000, "context": 3000}.get(kind, 0)
        if not 1 <= len(texts) <= 10 or any(not 1 <= len(each["text"]) <= limit for each in texts):
            return "invalid_blocks"
        if kind == "header" and texts[0]["type"] != "plain_text":
            return "invalid_blocks"
    return ""


@contextmanager
def open_sink() -> Iterator[SlackSink]:
    sink = SlackSink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, text = sink.take(self.path, self.headers, body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives it
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sink.url = f"http://127.0.0.1:{server.server_address[1]}{WEBHOOK_PATH}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
