"""The catalogue of servers that break off, drip, flood, lie, lead elsewhere or write what nobody can read.

Each is a script for `scripted.running` and what a probe must make of it, so that a test and a benchmark share them.
"""

import asyncio
import gzip
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.integration.wire.scripted import Out, Request, Script, handshake, result, stateless

KIB, MIB, GIB = 1024, 1024**2, 1024**3
COMPLETE = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
TOOL: dict[str, Any] = {"name": "add", "inputSchema": {"type": "object"}}
TOOLS = {**COMPLETE, "tools": [TOOL]}

JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
TEXT_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One hostile or broken server, and what a probe of it must come to. What is None or empty is not judged."""

    id: str
    script: Script
    error: tuple[str, str] | None = None
    """Failure and reason of the transport error."""
    code: str | None = None
    """An irregularity."""
    finding: str | None = None
    """Part of the text of a finding."""
    diagnosis: str | None = None
    stopped: str | None = None
    """Why the tool list was not read to its end."""
    verdict: str | None = None
    asked: tuple[str, ...] = ()
    """The last requests that the server must have got."""
    read: tuple[int, int] | None = None
    """How many messages and how many comments must have been read in the answer to the tool list."""
    timeout_s: float = 4.0
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the endpoint."""


def sending(*parts: bytes, pause_s: float = 0.0, hang: bool = False) -> Script:
    """Answers everything with these bytes, and closes, or waits until the prober hangs up."""

    async def script(_: Request, out: Out) -> None:
        for part in parts:
            await out.raw(part)
            await asyncio.sleep(pause_s)
        if hang:
            await out.reader.read()
        out.writer.close()

    return script


def pouring(head: bytes, piece: bytes, size: int) -> Script:
    """Answers everything with the head, and then with the piece again and again, `size` bytes in all if it is let."""

    async def script(_: Request, out: Out) -> None:
        await out.raw(head)
        for _ in range(size // len(piece)):
            await out.raw(piece)
        out.writer.close()

    return script


def dripping(head: bytes, piece: bytes, pause_s: float = 0.03) -> Script:
    """Sends the piece every `pause_s` seconds for as long as somebody listens."""

    async def script(_: Request, out: Out) -> None:
        await out.raw(head)
        while True:
            await out.raw(piece)
            await asyncio.sleep(pause_s)

    return script


def resetting(*parts: bytes) -> Script:
    """Sends the parts and then resets the connection."""

    async def script(_: Request, out: Out) -> None:
        for part in parts:
            await out.raw(part)
        sock = out.writer.get_extra_info("socket")
        await asyncio.sleep(0.05)
        sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER of Linux: close with a reset
        out.writer.transport.abort()

    return script


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def listing(write: Callable[[Request], bytes]) -> Script:
    """Opens well, and answers the tool list with these bytes as JSON."""

    async def then(request: Request, out: Out) -> None:
        await out.reply(200, write(request), content_type="application/json")

    return stateless(then)


def answering(text: Callable[[str], bytes]) -> Script:
    """The same; `text` is given the request's id as JSON."""
    return listing(lambda request: text(json.dumps(request.json["id"])))


def with_tools(inside: str) -> Script:
    """The same; `inside` stands within the result as JSON text."""
    head = '{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","ttlMs":0,"cacheScope":"private",%s}}'
    return answering(lambda rpc_id: (head % (rpc_id, inside)).encode("utf-8", "surrogatepass"))


def streaming(*events: Callable[[Request], bytes]) -> Script:
    """Opens well, and answers the tool list with these bytes as an event stream."""

    async def then(request: Request, out: Out) -> None:
        await out.raw(STREAM_HEAD + b"".join(event(request) for event in events))
        out.writer.close()

    return stateless(then)


def event(data: Any, end: bytes = b"\n") -> Callable[[Request], bytes]:
    """An event with this JSON value; `...` within stands for the result of the request."""

    def written(request: Request) -> bytes:
        value = result(request, TOOLS) if data is ... else data
        return b"data: " + json.dumps(value).encode() + end + end

    return written


def paging(following: Callable[[str | None], str], tools: int = 1, arguments: int = 0) -> Script:
    """Opens well, and gives out a page for every cursor, each with as many tools and with the cursor that follows."""
    properties = {f"p{number}": {"type": "string", "enum": ["a", "b", "c"]} for number in range(arguments)}
    schema = {**TOOL["inputSchema"], "properties": properties}

    async def then(request: Request, out: Out) -> None:
        cursor = request.json["params"].get("cursor")
        page = [{**TOOL, "name": f"tool_{cursor}_{number}", "inputSchema": schema} for number in range(tools)]
        await out.json(result(request, {**COMPLETE, "tools": page, "nextCursor": following(cursor)}))

    return stateless(then)


def counting(cursor: str | None) -> str:
    return str(int(cursor or 0) + 1)


def redirecting(location: str, status: int = 307) -> Script:
    async def script(_: Request, out: Out) -> None:
        await out.reply(status, b"", f"Location: {location}")

    return script


def unauthorized() -> Script:
    async def script(_: Request, out: Out) -> None:
        elsewhere = 'Bearer resource_metadata="http://169.254.169.254/latest/meta-data"'
        await out.reply(401, b"{}", f"WWW-Authenticate: {elsewhere}", content_type="application/json")

    return script


def legacy(first: bytes, hang: bool = True) -> Script:
    """An event stream of 2024-11-05 that begins with these bytes."""

    async def script(request: Request, out: Out) -> None:
        if request.method != "GET":
            await out.reply(405)
            return
        await out.raw(STREAM_HEAD + first)
        if hang:
            await out.reader.read()
        out.writer.close()

    return script


def interrupted(fields: Callable[[int], bytes]) -> Script:
    """Opens well, and answers the tool list with streams that end after an event without data, time and again."""

    async def then(request: Request, out: Out) -> None:
        await out.raw(STREAM_HEAD + fields(int(request.headers.get("last-event-id", "0")) + 1))
        out.writer.close()

    async def script(request: Request, out: Out) -> None:
        if request.method == "GET":
            await then(request, out)
        else:
            await handshake(then, session=None)(request, out)

    return script


def hanging_on(*methods: str) -> Script:
    """Opens a session, lists its tools, and never answers these methods."""

    async def then(request: Request, out: Out) -> None:
        await out.json(result(request, {"tools": [{**TOOL, "annotations": {"readOnlyHint": True}}]}))

    async def script(request: Request, out: Out) -> None:
        if request.rpc_method in methods:
            await out.reader.read()
        else:
            await handshake(then)(request, out)

    return script


@cache
def _gzip_bomb() -> bytes:
    return gzip.compress(bytes(64 * MIB), 9) * 16


def _bomb(encoding: str) -> Script:
    head = JSON_HEAD + f"Content-Encoding: {encoding}\r\n".encode() + CHUNKED

    async def script(_: Request, out: Out) -> None:
        await out.raw(head + chunk(_gzip_bomb()) + b"0\r\n\r\n")
        await out.reader.read()
        out.writer.close()

    return script


def _nested(rpc_id: str, depth: int, close: bool = True) -> bytes:
    inner = b"[" * depth + (b"]" * depth + b"}" if close else b"")
    return b'{"jsonrpc":"2.0","id":' + rpc_id.encode() + b',"result":' + inner


def _names() -> str:
    hostile = [
        "<img src=x onerror=alert(1)>",
        "\x1b]0;owned\x07",
        "\u202egnp.exe",
        "a\u200bb",
        "\r\nX: y",
        "\u0440\u0430ypal",
    ]
    return '"tools":' + json.dumps([{**TOOL, "name": name, "description": name * 50} for name in hostile])


BROKEN = (
    Case(id="closes at once", script=sending(), error=("connection-lost", "before-answer")),
    Case(id="resets at once", script=resetting(), error=("connection-lost", "before-answer")),
    Case(id="cut in headers", script=sending(b"HTTP/1.1 200 OK\r\nX-"), error=("connection-lost", "in-headers")),
    Case(
        id="cut in a sized body",
        script=sending(JSON_HEAD + b'Content-Length: 99\r\n\r\n{"json'),
        error=("connection-lost", "in-body"),
    ),
    Case(id="cut in a chunk", script=sending(JSON_HEAD + CHUNKED + b"ff\r\n{"), error=("connection-lost", "in-body")),
    Case(
        id="reset in the body",
        script=resetting(JSON_HEAD + b"Content-Length: 99\r\n\r\n{"),
        error=("connection-lost", "in-body"),
    ),
    Case(id="not HTTP", script=sending(b"SSH-2.0-OpenSSH_9.2\r\n"), error=("protocol", "malformed-http")),
    Case(id="HTTP/2 unasked", script=sending(b"\0\0\x12\x04\0\0\0\0\0" * 2), error=("protocol", "malformed-http")),
    Case(id="a status that is none", script=sending(b"HTTP/1.1 OK\r\n\r\n"), error=("protocol", "malformed-http")),
    Case(
        id="two lengths",
        script=sending(JSON_HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        error=("protocol", "malformed-http"),
    ),
    Case(
        id="a length and chunks",
        script=sending(JSON_HEAD + b"Content-Length: 2\r\n" + CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"),
        error=("protocol", "malformed-http"),
    ),
    Case(
        id="a chunk size that is none",
        script=sending(JSON_HEAD + CHUNKED + b"zz\r\n"),
        error=("protocol", "malformed-http"),
    ),
    Case(
        id="NUL in a header", script=sending(b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"), error=("protocol", "malformed-http")
    ),
    Case(
        id="another protocol unasked",
        script=sending(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", hang=True),
        error=("protocol", "switching-protocols"),
    ),
)

FLOODS = (
    Case(
        id="24,001 headers",
        script=sending(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 24_001 + b"\r\n"),
        error=("limit", "too-many-headers"),
    ),
    Case(
        id="an endless header",
        script=pouring(b"HTTP/1.1 200 OK\r\nA: ", b"b" * 64 * KIB, GIB),
        error=("limit", "headers-too-large"),
    ),
    Case(
        id="long headers",
        script=pouring(b"HTTP/1.1 200 OK\r\n", b"A: " + b"b" * 8 * KIB + b"\r\n", GIB),
        error=("limit", "headers-too-large"),
    ),
    Case(
        id="endless interim answers",
        script=pouring(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", MIB),
        error=("limit", "too-many-informational"),
    ),
    Case(
        id="endless chunk extensions",
        script=pouring(JSON_HEAD + CHUNKED + b"5;x=", b"y" * 64 * KIB, GIB),
        error=("limit", "answer-too-large"),
    ),
    Case(
        id="endless trailers",
        script=pouring(JSON_HEAD + CHUNKED + b"0\r\n", b"A: b\r\n" * 1000, GIB),
        error=("limit", "headers-too-large"),
    ),
    Case(
        id="announces 10 GiB",
        script=sending(JSON_HEAD + b"Content-Length: 10737418240\r\n\r\n", hang=True),
        error=("limit", "body-too-large"),
    ),
    Case(
        id="a length beyond all numbers",
        script=sending(JSON_HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", hang=True),
        error=("protocol", "malformed-http"),
    ),
    Case(
        id="1 GiB of JSON in chunks",
        script=pouring(JSON_HEAD + CHUNKED, chunk(b" " * 64 * KIB), GIB),
        error=("limit", "json-too-large"),
    ),
    Case(
        id="1 GiB of JSON without a length",
        script=pouring(JSON_HEAD + b"\r\n", b"[" * 64 * KIB, GIB),
        error=("limit", "json-too-large"),
    ),
    Case(
        id="1 GiB of text",
        script=pouring(TEXT_HEAD + CHUNKED, chunk(b"x" * 64 * KIB), GIB),
        diagnosis="not-mcp",
    ),
    Case(id="1 GiB in gzip", script=_bomb("gzip"), error=("limit", "json-too-large")),
    Case(id="says it is deflate", script=_bomb("deflate"), error=("protocol", "broken-encoding")),
    Case(id="says it is br", script=_bomb("br"), error=("protocol", "unexpected-encoding")),
    Case(id="says it is zstd", script=_bomb("identity, zstd"), error=("protocol", "unexpected-encoding")),
    Case(
        id="gzip that does not say so",
        script=sending(JSON_HEAD + b"\r\n" + gzip.compress(b"{}")),
        code="bad-encoding",
        diagnosis="malformed-response",
    ),
    Case(
        id="endless events",
        script=pouring(STREAM_HEAD, b"data: {}\n\n" * 1000, GIB),
        error=("limit", "too-many-events"),
    ),
    Case(
        id="an endless event",
        script=pouring(STREAM_HEAD + b"data: ", b"x" * 64 * KIB, GIB),
        error=("limit", "event-too-large"),
    ),
    Case(
        id="an event of endless lines",
        script=pouring(STREAM_HEAD, b"data: x\n" * 1000, GIB),
        error=("limit", "event-too-large"),
    ),
    Case(
        id="endless comments",
        script=pouring(STREAM_HEAD, b": ping\n" * 1000, GIB),
        error=("limit", "too-many-comments"),
    ),
    Case(
        id="an endless comment",
        script=pouring(STREAM_HEAD + b": ", b"x" * 64 * KIB, GIB),
        error=("limit", "event-too-large"),
    ),
    Case(
        id="endless blank lines",
        script=pouring(STREAM_HEAD, b"\n" * 64 * KIB, GIB),
        error=("limit", "body-too-large"),
    ),
    Case(
        id="100,000 tools on a page",
        script=with_tools(f'"tools":[{",".join([json.dumps(TOOL)] * 100_000)}]'),
        error=("limit", "body-too-large"),
        verdict="degraded",
        diagnosis="malformed-response",
    ),
)

SLOW = (
    Case(id="silence", script=sending(hang=True), error=("deadline", "no-answer"), timeout_s=0.6),
    Case(
        id="dripping headers",
        script=dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        error=("deadline", "incomplete"),
        timeout_s=0.6,
    ),
    Case(
        id="dripping interim answers",
        script=dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", pause_s=0.2),
        error=("deadline", "incomplete"),
        timeout_s=0.6,
    ),
    Case(
        id="a dripping body",
        script=dripping(JSON_HEAD + b"Content-Length: 9999\r\n\r\n", b" "),
        error=("deadline", "incomplete"),
        timeout_s=0.6,
    ),
    Case(
        id="dripping chunks",
        script=dripping(JSON_HEAD + CHUNKED, b"1\r\n \r\n"),
        error=("deadline", "incomplete"),
        timeout_s=0.6,
    ),
    Case(
        id="only keep-alives",
        script=dripping(STREAM_HEAD, b": ping\n\n"),
        error=("deadline", "incomplete"),
        timeout_s=0.6,
    ),
    Case(id="a silent stream", script=sending(STREAM_HEAD, hang=True), error=("deadline", "incomplete"), timeout_s=0.6),
    Case(
        id="events and never the answer",
        script=dripping(STREAM_HEAD, b'data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n'),
        error=("deadline", "incomplete"),
        timeout_s=0.6,
    ),
    Case(
        id="to be asked again in 11 days",
        script=interrupted(lambda _: b"id: 1\ndata:\nretry: 999999999\n\n"),
        error=("deadline", "resume-delay"),
        timeout_s=0.6,
    ),
    Case(
        id="to be asked again for ever",
        script=interrupted(lambda number: b"id: %d\ndata:\nretry: 0\n\n" % number),
        diagnosis="stream-truncated",
        timeout_s=2.0,
    ),
    Case(
        id="hangs on the end of its session",
        script=hanging_on("DELETE"),
        verdict="up",
        asked=("tools/list", "DELETE"),
        timeout_s=1.0,
    ),
    Case(
        id="hangs on the list and on the end of its session",
        script=hanging_on("tools/list", "DELETE"),
        error=("deadline", "no-answer"),
        asked=("tools/list", "DELETE"),
        timeout_s=0.6,
    ),
    Case(
        id="hangs on a call, on its cancellation and on the end of its session",
        script=hanging_on("tools/call", "notifications/cancelled", "DELETE"),
        timeout_s=0.6,
        verdict="degraded",
        asked=("tools/call", "notifications/cancelled", "DELETE"),
        settings={"sentinels": [{"tool": "add", "safe_to_repeat": True}]},
    ),
    Case(
        id="a legacy stream that names no endpoint",
        script=legacy(b": hello\n\n"),
        error=("deadline", "no-event"),
        timeout_s=0.6,
        settings={"transport": "sse"},
    ),
)

ELSEWHERE = (
    Case(
        id="redirects to itself",
        script=redirecting("/mcp"),
        diagnosis="redirected",
    ),
    Case(id="redirects to metadata", script=redirecting("http://169.254.169.254/x", 308), diagnosis="redirected"),
    Case(id="redirects to no URL", script=redirecting("http://[::g]/", 302), diagnosis="redirected"),
    Case(id="redirects to a file", script=redirecting("file:///etc/passwd", 302), diagnosis="redirected"),
    Case(id="asks for a token from metadata", script=unauthorized(), diagnosis="auth-required"),
    Case(
        id="a legacy endpoint on metadata",
        script=legacy(b"event: endpoint\ndata: http://169.254.169.254/x\n\n"),
        error=("protocol", "foreign-endpoint"),
        settings={"transport": "sse"},
    ),
    Case(
        id="a legacy stream that begins with something else",
        script=legacy(b"data: {}\n\n"),
        error=("protocol", "no-endpoint-event"),
        settings={"transport": "sse"},
    ),
    Case(
        id="a login page",
        script=sending(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<form>Log in</form>"),
        diagnosis="not-mcp",
    ),
)

UNREADABLE = (
    Case(
        id="JSON nested 100,000 deep",
        script=answering(lambda rpc_id: _nested(rpc_id, 100_000)),
        error=("limit", "json-too-deep"),
        verdict="degraded",
    ),
    Case(
        id="JSON that only opens",
        script=sending(JSON_HEAD + b"Content-Length: 1000000\r\n\r\n" + b"[" * 1_000_000),
        error=("limit", "json-too-deep"),
    ),
    Case(
        id="JSON of 340,000 lists",
        script=with_tools('"tools":[' + "[]," * 340_000 + "[]]"),
        error=("limit", "json-too-many-values"),
        verdict="degraded",
    ),
    Case(
        id="an event nested too deep",
        script=streaming(lambda _: b"data: " + b"[" * 100_000 + b"\n\n"),
        error=("limit", "json-too-deep"),
        verdict="degraded",
    ),
    Case(id="NaN", script=with_tools('"tools":[NaN]'), code="json-non-standard", diagnosis="malformed-response"),
    Case(id="Infinity", script=with_tools('"x":-Infinity'), code="json-non-standard", diagnosis="malformed-response"),
    Case(id="1e999", script=with_tools('"x":1e999'), code="json-non-standard", diagnosis="malformed-response"),
    Case(
        id="a number of 5,000 digits",
        script=with_tools(f'"x":{"9" * 5000}'),
        code="json-non-standard",
        diagnosis="malformed-response",
    ),
    Case(
        id="bytes that are no UTF-8",
        script=answering(lambda rpc_id: b'{"jsonrpc":"2.0","id":' + rpc_id.encode() + b',"result":{"a":"\xff"}}'),
        code="bad-encoding",
        diagnosis="malformed-response",
    ),
    Case(
        id="UTF-16",
        script=listing(lambda request: json.dumps(result(request, TOOLS)).encode("utf-16-le")),
        code="bad-encoding",
        verdict="down",
    ),
    Case(
        id="a raw surrogate",
        script=with_tools('"tools":[{"name":"\ud800"}]'),
        code="bad-encoding",
        diagnosis="malformed-response",
    ),
    Case(
        id="JSON cut short",
        script=listing(lambda request: json.dumps(result(request, TOOLS)).encode()[:-9]),
        code="not-json",
        diagnosis="malformed-response",
    ),
    Case(
        id="two JSON values",
        script=listing(lambda request: json.dumps(result(request, TOOLS)).encode() * 2),
        code="not-json",
        diagnosis="malformed-response",
    ),
)

ODD = (
    Case(
        id="a byte order mark",
        script=listing(lambda request: b"\xef\xbb\xbf" + json.dumps(result(request, TOOLS)).encode()),
        code="bom",
        verdict="up",
    ),
    Case(
        id="a member twice",
        script=with_tools(f'"tools":[],"tools":[{json.dumps(TOOL)}]'),
        code="duplicate-key",
        verdict="up",
    ),
    Case(
        id="half a surrogate pair",
        script=with_tools('"tools":[{"name":"a\\ud800","inputSchema":{"type":"object"},"description":"\\udfff"}]'),
        code="lone-surrogate",
        verdict="up",
    ),
    Case(
        id="NUL in a name",
        script=with_tools('"tools":[{"name":"a\\u0000","inputSchema":{"type":"object"}}]'),
        code="nul",
        verdict="up",
    ),
    Case(id="names that act on whoever reads them", script=with_tools(_names()), finding="some clients", verdict="up"),
    Case(
        id="more than the answer on the line",
        script=stateless(
            lambda request, out: out.raw(
                JSON_HEAD
                + b"Content-Length: %d\r\n\r\n" % len(json.dumps(result(request, TOOLS)))
                + json.dumps(result(request, TOOLS)).encode()
                + JSON_HEAD
                + b"Content-Length: 2\r\n\r\n{}"
            )
        ),
        code="trailing-bytes",
        verdict="up",
    ),
    Case(
        id="an event that is no UTF-8",
        script=streaming(lambda _: b'data: {"jsonrpc":"2.0","method":"x\xff"}\n\n', event(...)),
        code="bad-encoding",
        verdict="up",
    ),
    Case(
        id="an event that is no JSON",
        script=streaming(lambda _: b"data: hello\n\n", event(...)),
        code="not-json",
        verdict="up",
    ),
    Case(
        id="all line ends of the standard, and those that are none",
        script=streaming(
            lambda _: "\ufeff: \u2028\u0085\x0b\r\r".encode(),
            event({"jsonrpc": "2.0", "method": "x"}, b"\r"),
            event(...),
        ),
        verdict="up",
        read=(2, 1),
    ),
)

AGAINST_THE_RULES = (
    Case(
        id="another id",
        script=answering(lambda _: b'{"jsonrpc":"2.0","id":"other","result":{}}'),
        diagnosis="malformed-response",
    ),
    Case(
        id="the id as another type",
        script=answering(lambda _: b'{"jsonrpc":"2.0","id":7,"result":{}}'),
        diagnosis="malformed-response",
    ),
    Case(
        id="result and error",
        script=answering(
            lambda rpc_id: f'{{"jsonrpc":"2.0","id":{rpc_id},"result":{{}},"error":{{"code":1,"message":""}}}}'.encode()
        ),
        diagnosis="malformed-response",
    ),
    Case(
        id="no version of JSON-RPC",
        script=answering(lambda rpc_id: f'{{"id":{rpc_id},"result":{{"tools":[]}}}}'.encode()),
        diagnosis="malformed-response",
    ),
    Case(
        id="a batch",
        script=listing(lambda request: json.dumps([result(request, TOOLS)]).encode()),
        finding="batch array",
        verdict="up",
    ),
    Case(
        id="an answer to somebody else first",
        script=streaming(event({"jsonrpc": "2.0", "id": "zzz", "result": {}}), event(...)),
        finding="1 response to no request of ours",
        verdict="up",
    ),
    Case(
        id="a question to the client",
        script=streaming(event({"jsonrpc": "2.0", "id": 1, "method": "roots/list"}), event(...)),
        finding='sends the request "roots/list"',
        verdict="up",
    ),
    Case(
        id="a kind of result that nobody knows",
        script=listing(lambda request: json.dumps(result(request, {**TOOLS, "resultType": "later"})).encode()),
        finding="must take for invalid",
        verdict="up",
    ),
    Case(
        id="an error code that is reserved",
        script=answering(
            lambda rpc_id: f'{{"jsonrpc":"2.0","id":{rpc_id},"error":{{"code":-32099,"message":""}}}}'.encode()
        ),
        finding="must not use",
        diagnosis="tools-list-failed",
    ),
    Case(
        id="the same cursor again",
        script=paging(lambda _: "a"),
        stopped="cursor-cycle",
        diagnosis="tools-invalid",
        verdict="degraded",
    ),
    Case(
        id="cursors in a circle",
        script=paging(lambda cursor: {None: "a", "a": "b", "b": "c"}.get(cursor, "a")),
        stopped="cursor-cycle",
        diagnosis="tools-invalid",
        verdict="degraded",
    ),
    Case(
        id="an empty cursor again",
        script=paging(lambda _: ""),
        stopped="cursor-cycle",
        diagnosis="tools-invalid",
        verdict="degraded",
    ),
    Case(
        id="pages without end",
        script=paging(counting),
        stopped="too-many-pages",
        verdict="up",
    ),
    Case(
        id="tools without end",
        script=paging(counting, tools=900),
        stopped="too-many-items",
        verdict="up",
    ),
    Case(
        id="heavy tools without end",
        script=paging(counting, tools=120, arguments=100),
        stopped="list-too-large",
        verdict="up",
    ),
)

CASES = (*BROKEN, *FLOODS, *SLOW, *ELSEWHERE, *UNREADABLE, *ODD, *AGAINST_THE_RULES)
