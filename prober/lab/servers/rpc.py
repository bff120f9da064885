"""JSON-RPC 2.0 and event streams as an MCP server needs them."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from prober.lab.http import Headers, Request, Response

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"

Json = dict[str, Any]


class Refused(Exception):
    """A request is answered with a JSON-RPC error on the given HTTP status."""

    def __init__(
        self, status: int, code: int, message: str, *, data: Any = None, rpc_id: Any = None, headers: Headers = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.data = data
        self.rpc_id = rpc_id
        self.headers = headers

    def response(self) -> Response:
        return json_response(error(self.rpc_id, self.code, self.message, self.data), *self.headers, status=self.status)


def message_of(request: Request) -> Json:
    """The single JSON-RPC request or notification in the body. Raises Refused with status 400."""
    return _message(_value_of(request))


def messages_of(request: Request) -> tuple[list[Json], bool]:
    """The messages in the body, and whether they came as a batch. Raises Refused with status 400."""
    value = _value_of(request)
    if not isinstance(value, list):
        return [_message(value)], False
    if not value:
        raise Refused(400, INVALID_REQUEST, "Invalid request: the batch is empty")
    return [_message(each) for each in value], True


def _value_of(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except ValueError:
        raise Refused(400, PARSE_ERROR, "Parse error") from None


def _message(message: Any) -> Json:
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str):
        raise Refused(400, INVALID_REQUEST, "Invalid request: expected one JSON-RPC 2.0 message")
    if not isinstance(message.get("params", {}), dict):
        raise Refused(400, INVALID_REQUEST, "Invalid request: params must be an object", rpc_id=message.get("id"))
    return message


def peek_method(request: Request) -> str | None:
    """The JSON-RPC method of a request, or None where there is none to be read."""
    try:
        message = json.loads(request.body)
    except ValueError:
        return None
    method = message.get("method") if isinstance(message, dict) else None
    return method if isinstance(method, str) else None


def refuse_foreign_origin(request: Request, known: frozenset[str]) -> None:
    """Raises Refused for a script of a web page that is none of `known` (2025-11-25, basic/transports)."""
    origin = request.header("origin")
    if origin is not None and origin not in known:
        raise Refused(403, INVALID_REQUEST, "Forbidden: Invalid Origin header")


def params_of(message: Json) -> Json:
    params = message.get("params", {})
    assert isinstance(params, dict)  # message_of saw to it
    return params


def progress_token(message: Json) -> str | int | None:
    """The token by which a client asks for progress notifications."""
    meta = params_of(message).get("_meta")
    token = meta.get("progressToken") if isinstance(meta, dict) else None
    return token if isinstance(token, str | int) else None


def result(rpc_id: Any, value: Mapping[str, Any]) -> Json:
    return {"jsonrpc": "2.0", "id": rpc_id, "result": dict(value)}


def error(rpc_id: Any, code: int, message: str, data: Any = None) -> Json:
    fault: Json = {"code": code, "message": message}
    if data is not None:
        fault["data"] = data
    return {"jsonrpc": "2.0", "id": rpc_id, "error": fault}


def json_response(payload: Json | list[Json], *headers: tuple[str, str], status: int = 200) -> Response:
    body = json.dumps(payload, separators=(",", ":")).encode()
    return Response(status=status, headers=(("Content-Type", JSON), *headers), body=body)


def accepted() -> Response:
    """The answer to a notification."""
    return Response(status=202)


def method_not_allowed(*allowed: str) -> Response:
    return Response(status=405, headers=(("Allow", ", ".join(allowed)),))


def event(payload: Json, event_id: str | None = None) -> bytes:
    """One server-sent event."""
    mark = "" if event_id is None else f"id: {event_id}\n"
    return f"{mark}event: message\ndata: {json.dumps(payload, separators=(',', ':'))}\n\n".encode()


def event_stream(chunks: AsyncIterator[bytes], *headers: tuple[str, str]) -> Response:
    """An event stream; `X-Accel-Buffering` asks proxies to pass each event on at once."""
    defaults = (("Content-Type", EVENTS), ("Cache-Control", "no-cache, no-transform"), ("X-Accel-Buffering", "no"))
    return Response(headers=(*defaults, *headers), body=chunks)


async def only(message: Json) -> AsyncIterator[Json]:
    """A stream of one message."""
    yield message


async def events(messages: AsyncIterator[Json]) -> AsyncIterator[bytes]:
    try:
        async for message in messages:
            yield event(message)
    finally:
        await close_messages(messages)


async def close_messages(messages: AsyncIterator[Json]) -> None:
    aclose = getattr(messages, "aclose", None)
    if aclose is not None:
        await aclose()


def accepts(request: Request, *media_types: str) -> bool:
    """Whether the client takes all of these media types."""
    offered = [part.partition(";")[0].strip().lower() for part in (request.header("accept") or "*/*").split(",")]
    return all(_covers(offered, media_type) for media_type in media_types)


def _covers(offered: Sequence[str], media_type: str) -> bool:
    return any(each in (media_type, f"{media_type.split('/')[0]}/*", "*/*") for each in offered)
