"""Stands before moto's CloudWatch and refuses what the real one would: moto takes nearly everything.

Source: CloudWatch API reference, PutMetricData, MetricDatum and Dimension.
"""

import gzip
import http.client
import json
import math
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from botocore.session import get_session

MB: Final = 1_000_000
TWO_WEEKS_S: Final = 14 * 86_400
TWO_HOURS_S: Final = 2 * 3600
UNITS: Final = frozenset(get_session().get_service_model("cloudwatch").shape_for("StandardUnit").enum)


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came."""

    operation: str
    encoding: str | None
    size: int
    """In bytes, as it was sent."""
    data: tuple[Mapping[str, Any], ...]


@dataclass
class Gate:
    """Where clients find it, and what has come through."""

    moto: tuple[str, int]
    calls: list[Call] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    url: str = ""

    def puts(self) -> list[Call]:
        return [each for each in self.calls if each.operation == "PutMetricData"]

    def forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        whole = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        operation = headers.get("X-Amz-Target", "").rpartition(".")[2]
        asked = json.loads(whole)
        data = tuple(asked.get("MetricData", ()))
        self.calls.append(Call(operation, headers.get("Content-Encoding"), len(body), data))
        problems = list(problems_of(asked, len(whole))) if operation == "PutMetricData" else []
        if problems:
            self.refused += problems
            refusal = {"__type": "InvalidParameterValueException", "message": problems[0]}
            return 400, json.dumps(refusal).encode()
        connection = http.client.HTTPConnection(*self.moto)
        connection.request(method, path, body, {**headers, "Content-Length": str(len(body))})
        answer = connection.getresponse()
        return answer.status, answer.read()


def problems_of(asked: Mapping[str, Any], size: int) -> Iterator[str]:
    """What CloudWatch would not take."""
    if size > MB:
        yield f"the request has {size} bytes"
    if len(asked["MetricData"]) > 1000:
        yield f"the request has {len(asked['MetricData'])} metrics"
    if asked["Namespace"].startswith(("AWS/", ":")) or not 1 <= len(asked["Namespace"]) <= 255:
        yield f"the namespace is {asked['Namespace']!r}"
    for datum in asked["MetricData"]:
        yield from _of_datum(datum)


def _of_datum(datum: Mapping[str, Any]) -> Iterator[str]:
    values, counts = datum["Values"], datum["Counts"]
    if not 1 <= len(values) <= 150 or len(values) != len(counts) or len(set(values)) != len(values):
        yield f"a metric has {len(values)} values with {len(counts)} counts"
    if not all(math.isfinite(each) and abs(each) <= 2.0**360 for each in values) or min(counts) < 1:
        yield "a value is none that is taken"
    age_s = time.time() - datum["Timestamp"]
    if not -TWO_HOURS_S <= age_s <= TWO_WEEKS_S:
        yield f"a time is {age_s} s ago"
    if datum["Unit"] not in UNITS or datum.get("StorageResolution", 60) not in (1, 60):
        yield "a unit or a resolution is none"
    if not 1 <= len(datum["Dimensions"]) <= 30 or not _is_text(datum["MetricName"], 255):
        yield "a metric has no name or too many dimensions"
    for each in datum["Dimensions"]:
        if not _is_text(each["Name"], 255) or each["Name"].startswith(":") or not _is_text(each["Value"], 1024):
            yield f"a dimension is {each!r}"


def _is_text(text: str, limit: int) -> bool:
    return 1 <= len(text) <= limit and text.isascii() and text.isprintable() and bool(text.strip())


class Server:
    """The gate on a port of its own, while the `with` lasts."""

    def __init__(self, moto: tuple[str, int]) -> None:
        self._gate = gate = Gate(moto)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = gate.forward("POST", self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        gate.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Gate:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self._gate

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
