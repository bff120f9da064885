"""Servers and wrappers that break in one chosen way."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NoReturn

from prober.lab.http import CutShort, Handler, Request, Response, read_body, text
from prober.lab.runtime.function import Context, FunctionFailed
from prober.lab.servers import rpc, toolbox
from prober.lab.servers.mirror import META, NAMED_METHODS

OPENINGS: Final = frozenset({"server/discover", "initialize"})
"""Methods by which a client opens a conversation, one way or the other."""

STREAM_ERROR: Final = (
    b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n"
    b"Lambda-Runtime-Function-Error-Body: " + base64.b64encode(b"connection closed before message completed") + b"\r\n"
)
"""What the Rust runtime, and with it the Lambda Web Adapter, writes into a body whose application dies."""

WRONG_SUM: Final[Mapping[str, Any]] = {
    "content": [{"type": "text", "text": "6"}],
    "structuredContent": {"sum": 6},
    "isError": False,
}
"""What no addition of 2 and 3 should return."""

Reply = Callable[[Request], Response]
Change = Callable[[rpc.Json], rpc.Json]


def intercept(app: Handler, replies: Mapping[str, Reply]) -> Handler:
    """The application, except that requests with these JSON-RPC methods are answered otherwise."""

    async def handler(request: Request) -> Response:
        reply = replies.get(rpc.peek_method(request) or "")
        return reply(request) if reply is not None else await app(request)

    return handler


def returns(value: Any) -> Callable[[Mapping[str, Any], Context], Any]:
    """A function that returns the same value for every event."""
    return lambda event, context: value


def crashes(event: Mapping[str, Any], context: Context) -> NoReturn:
    """A function that fails on every event."""
    raise KeyError("TABLE_NAME")


def rpc_error(code: int, message: str, *, status: int = 200, data: Any = None) -> Reply:
    """A reply with a JSON-RPC error for the request's own id."""

    def reply(request: Request) -> Response:
        rpc_id = json.loads(request.body).get("id")
        return rpc.json_response(rpc.error(rpc_id, code, message, data), status=status)

    return reply


def rpc_result(value: Mapping[str, Any]) -> Reply:
    """A reply with a fixed result."""
    return lambda request: rpc.json_response(rpc.result(json.loads(request.body).get("id"), value))


def empty_stream(request: Request) -> Response:
    """An event stream that ends without an event."""
    return rpc.event_stream(_pieces())


def silent_stream(request: Request) -> Response:
    """An event stream whose headers arrive, and then nothing."""
    return rpc.event_stream(_silence())


def abandoned_stream(request: Request) -> Response:
    """An event stream that tells of progress once and then ends, without the answer."""
    token = rpc.progress_token(json.loads(request.body))
    step = toolbox.notification("lab" if token is None else token, toolbox.Progress(1, 3, "1 of 3"))
    return rpc.event_stream(_pieces(rpc.event(step)))


def hushed_stream(request: Request) -> Response:
    """An event stream that tells of progress once and then says nothing more."""
    token = rpc.progress_token(json.loads(request.body))
    step = toolbox.notification("lab" if token is None else token, toolbox.Progress(1, 3, "1 of 3"))
    return rpc.event_stream(_then_silence(rpc.event(step)))


def dying_stream(request: Request) -> Response:
    """An event stream whose application dies in the middle of an event, behind an adapter in Rust."""
    begun = rpc.event(rpc.result(json.loads(request.body).get("id"), {"tools": []}))
    return rpc.event_stream(_pieces(begun[: len(begun) // 2], STREAM_ERROR))


def broken_stream(request: Request) -> Response:
    """An event stream whose application dies in the middle of an event; nobody has written anything about it."""
    return rpc.event_stream(_half(rpc.event(rpc.result(json.loads(request.body).get("id"), {"tools": []}))))


def rewritten(app: Handler, changes: Mapping[str, Change]) -> Handler:
    """The application, whose JSON results of these methods are changed before they go out."""

    async def handler(request: Request) -> Response:
        response = await app(request)
        change = changes.get(rpc.peek_method(request) or "")
        if change is None or response.header("content-type") != rpc.JSON:
            return response
        answer = json.loads(await read_body(response.body))
        if "result" in answer:
            answer["result"] = change(answer["result"])
        return replace(response, body=json.dumps(answer, separators=(",", ":")).encode())

    return handler


def respelled(app: Handler, method: str, change: Callable[[bytes], bytes]) -> Handler:
    """The application, the bytes of whose answers to one method are changed before they go out."""

    async def handler(request: Request) -> Response:
        response = await app(request)
        if rpc.peek_method(request) != method:
            return response
        return replace(response, body=change(await read_body(response.body)))

    return handler


def reread(app: Handler, change: Callable[[Request, rpc.Json], Request]) -> Handler:
    """The application, which is given every JSON-RPC request otherwise than it was sent."""

    async def handler(request: Request) -> Response:
        if rpc.peek_method(request) is None:
            return await app(request)
        return await app(change(request, json.loads(request.body)))

    return handler


def heedless(request: Request, message: rpc.Json) -> Request:
    """What a server makes of a request that looks at the body alone: headers that agree with it."""
    params = message.get("params", {})
    meta = params.get("_meta", {})
    mirrored = {
        "mcp-protocol-version": meta.get(f"{META}protocolVersion"),
        "mcp-method": message["method"],
        "mcp-name": params.get(NAMED_METHODS.get(message["method"], "")),
    }
    kept = [(name, value) for name, value in request.headers if name.lower() not in mirrored]
    own = [(name, value) for name, value in mirrored.items() if isinstance(value, str)]
    return replace(request, headers=(*kept, *own))


def speaking(version: str) -> Callable[[Request, rpc.Json], Request]:
    """What a server makes of a request that takes every revision for its own, where header and body name the same."""

    def change(request: Request, message: rpc.Json) -> Request:
        claimed, meta = request.header("mcp-protocol-version"), message.get("params", {}).get("_meta", {})
        if claimed is None or meta.get(f"{META}protocolVersion", claimed) != claimed:
            return request
        kept = [(name, value) for name, value in request.headers if name.lower() != "mcp-protocol-version"]
        if f"{META}protocolVersion" in meta:
            meta[f"{META}protocolVersion"] = version
        headers = (*kept, ("mcp-protocol-version", version))
        return replace(request, headers=headers, body=json.dumps(message).encode())

    return change


def offering(versions: Mapping[str, str]) -> Callable[[Request, rpc.Json], Request]:
    """What a server makes of a handshake that takes these revisions for others."""

    def change(request: Request, message: rpc.Json) -> Request:
        if message["method"] != "initialize":
            return request
        params = message["params"]
        meant = versions.get(params["protocolVersion"], params["protocolVersion"])
        return replace(request, body=json.dumps({**message, "params": {**params, "protocolVersion": meant}}).encode())

    return change


def undeletable(app: Handler) -> Handler:
    """The application, which says that it ends a session and keeps it."""

    async def handler(request: Request) -> Response:
        return Response(status=200) if request.method == "DELETE" else await app(request)

    return handler


def badly_named(app: Handler, mark: str) -> Handler:
    """The application, whose session ids begin with a mark."""

    async def handler(request: Request) -> Response:
        given = [
            (name, value.removeprefix(mark)) if name.lower() == "mcp-session-id" else (name, value)
            for name, value in request.headers
        ]
        response = await app(replace(request, headers=tuple(given)))
        marked = [
            (name, f"{mark}{value}") if name.lower() == "mcp-session-id" else (name, value)
            for name, value in response.headers
        ]
        return replace(response, headers=tuple(marked))

    return handler


def turning() -> Change:
    """A tool list that begins with another tool at each reading."""
    readings = 0

    def change(result: rpc.Json) -> rpc.Json:
        nonlocal readings
        readings += 1
        first = readings % len(result["tools"])
        return {**result, "tools": [*result["tools"][first:], *result["tools"][:first]]}

    return change


def endless(result: rpc.Json) -> rpc.Json:
    """A task that never comes to its end."""
    return {**{name: value for name, value in result.items() if name != "result"}, "status": "working"}


def mistaken(result: rpc.Json) -> rpc.Json:
    """A task whose tool has returned something else than it should."""
    return {**result, "result": dict(WRONG_SUM)} if "result" in result else result


def misacknowledged(request: Request) -> Response:
    """The acknowledgement of a subscription that nobody asked for."""
    told = {
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {"notifications": {"toolsListChanged": True}, "_meta": {f"{META}subscriptionId": 77}},
    }
    return rpc.event_stream(_pieces(rpc.event(told)))


def minting(app: Handler) -> Handler:
    """The application, with a session id on every answer."""

    async def handler(request: Request) -> Response:
        response = await app(request)
        return replace(response, headers=(*response.headers, ("Mcp-Session-Id", "lab-session")))

    return handler


def altered(app: Handler, headers: Mapping[str, str | None]) -> Handler:
    """The application behind an edge that replaces these request headers, or removes those given as None.

    Names are in lower case.
    """

    async def handler(request: Request) -> Response:
        kept = [(name, value) for name, value in request.headers if name.lower() not in headers]
        own = [(name, value) for name, value in headers.items() if value is not None]
        return await app(replace(request, headers=(*kept, *own)))

    return handler


def only_for_host(app: Handler, host: str) -> Handler:
    """The application, refusing every other name, as MCP's Python SDK does whose list of allowed hosts is short."""

    async def handler(request: Request) -> Response:
        return await app(request) if request.header("host") == host else text(421, "Invalid Host header")

    return handler


def mounted(app: Handler, path: str) -> Handler:
    """The application at one path of a web framework that answers for all others."""

    async def handler(request: Request) -> Response:
        if request.path == path:
            return await app(request)
        return Response(status=404, headers=(("Content-Type", rpc.JSON),), body=b'{"detail":"Not Found"}')

    return handler


def slowly(app: Handler, seconds: float) -> Handler:
    """The application, every answer later by the same time."""

    async def handler(request: Request) -> Response:
        await asyncio.sleep(seconds)
        return await app(request)

    return handler


async def never(request: Request) -> Response:
    """Takes the request and never answers."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable: the event is never set")


def truncated(app: Handler) -> Handler:
    """The application, every body cut in half, with headers that fit the half."""

    async def handler(request: Request) -> Response:
        response = await app(request)
        body = await read_body(response.body)
        return Response(status=response.status, headers=response.headers, body=body[: len(body) // 2])

    return handler


def broken_off(app: Handler) -> Handler:
    """The application, every connection lost in the middle of the body that the headers promised."""

    async def handler(request: Request) -> Response:
        response = await app(request)
        body = await read_body(response.body)
        headers = (*response.headers, ("Content-Length", str(len(body))))
        return Response(status=response.status, headers=headers, body=_half(body))

    return handler


def redirects(app: Handler, *, from_path: str, to_path: str) -> Handler:
    """The application, with a redirect to it at the address where it is looked for."""

    async def handler(request: Request) -> Response:
        if request.path != from_path:
            return await app(request)
        return Response(status=307, headers=(("Location", f"http://{request.header('host')}{to_path}"),))

    return handler


def joined(app: Handler) -> Handler:
    """The application, whose event streams are written at their end, behind headers that go out at once.

    So a runtime looks that joins small chunks, as the Node.js one does.
    """

    async def whole(response: Response) -> AsyncIterator[bytes]:
        yield await read_body(response.body)

    async def handler(request: Request) -> Response:
        response = await app(request)
        return response if isinstance(response.body, bytes) else replace(response, body=whole(response))

    return handler


def once(app: Handler) -> Handler:
    """The application, which survives no second request: what it has built at its start cannot be used twice."""
    used = False

    async def handler(request: Request) -> Response:
        nonlocal used
        if used:
            raise FunctionFailed("RuntimeError", "run() can only be called once per instance")
        used = True
        return await app(request)

    return handler


async def exits(request: Request) -> Response:
    """A server that calls it a day at every request."""
    raise FunctionFailed("Runtime.ExitError", "RequestId: … Error: Runtime exited with error: exit status 1", lost=True)


async def unprepared(request: Request) -> Response:
    """What the MCP Python SDK makes of a request where nobody has started its session manager."""
    return text(500, "Internal Server Error")


def leaking(app: Handler, requests: int) -> Handler:
    """The application, for which the memory of an instance lasts so many requests; the last of them costs its life."""
    served = 0

    async def handler(request: Request) -> Response:
        nonlocal served
        served += 1
        if served >= requests:
            raise FunctionFailed("Runtime.ExitError", "Runtime exited with error: signal: killed", lost=True)
        return await app(request)

    return handler


def gone_but_for(path: str) -> Handler:
    """A server that answers at one path, and is gone when it is asked at another."""

    async def handler(request: Request) -> Response:
        if request.path == path:
            return text(200, "ok")
        raise ConnectionRefusedError("nobody listens any more")

    return handler


def flapping(app: Handler, *, down: range, period: int) -> Handler:
    """The application, dead for the openings whose number, modulo `period`, lies in `down`."""
    served = 0
    alive = True

    async def handler(request: Request) -> Response:
        nonlocal served, alive
        if rpc.peek_method(request) in OPENINGS:
            alive = served % period not in down
            served += 1
        if not alive:
            raise FunctionFailed("Runtime.ExitError", "exit status 1", lost=True)
        return await app(request)

    return handler


def failing_tool(name: str, message: str) -> toolbox.Tool:
    """A tool whose every call ends with `isError` and this text."""

    async def run(arguments: Mapping[str, Any]) -> AsyncIterator[toolbox.Progress | toolbox.Result]:
        raise toolbox.ToolFailed(message)
        yield  # makes this a generator, as every tool is

    return toolbox.Tool(name=name, description="Look up an order.", properties={}, returns={}, run=run)


def fixed_tool(name: str, result: toolbox.Result) -> toolbox.Tool:
    """A tool that gives the same result whatever it is asked."""

    async def run(arguments: Mapping[str, Any]) -> AsyncIterator[toolbox.Progress | toolbox.Result]:
        yield result

    properties = {"a": {"type": "number"}, "b": {"type": "number"}}
    return toolbox.Tool(name=name, description="Add two numbers.", properties=properties, returns={}, run=run)


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _silence() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def _then_silence(piece: bytes) -> AsyncIterator[bytes]:
    yield piece
    await asyncio.Event().wait()


async def _half(body: bytes) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    raise CutShort
