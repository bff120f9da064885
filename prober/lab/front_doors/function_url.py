"""A Lambda Function URL on loopback: one HTTP request becomes one event (payload format 2.0) and its answer comes back.

Source: AWS Lambda Developer Guide, "Invoking Lambda function URLs" and "Response streaming for Lambda functions".
"""

import base64
import binascii
import email.utils
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.cookies import SimpleCookie
from typing import Any, Final
from urllib.parse import unquote

from prober.clock import Clock, SystemClock
from prober.lab.front_doors.sigv4 import Verifier, is_signed
from prober.lab.http import CutShort, Headers, Request, Response, close_body, read_body
from prober.lab.runtime.function import HTTP_INTEGRATION, Buffered, Function, FunctionFailed, Streamed, Throttled

PRELUDE_END: Final = b"\0" * 8
MAX_PRELUDE_BYTES: Final = 16 * 1024
MAX_PAYLOAD_BYTES: Final = 6_291_556
"""Limit of a buffered return value; a larger one is `Function.ResponseSizeTooLarge`."""
FORBIDDEN: Final = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)
REMAPPED: Final = frozenset({"content-length", "date", "server"})
"""Headers of the function's own that arrive as `x-amzn-Remapped-*`, because the front door sets them itself."""
HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})


class InvokeMode(StrEnum):
    """The URL's setting of that name."""

    BUFFERED = "BUFFERED"
    RESPONSE_STREAM = "RESPONSE_STREAM"


class Access(StrEnum):
    """What the authorization layer does with an unsigned request, before any function runs."""

    PUBLIC = "public"
    FORBIDDEN = "forbidden"
    """The resource policy lacks a statement; a missing signature looks the same."""
    GONE = "gone"
    """No URL of this id exists."""


class _Malformed(Exception):
    """The function's answer cannot be turned into an HTTP answer."""


@dataclass(kw_only=True)
class FunctionUrl:
    """The handler of one URL: call it with a request. With `iam`, its AuthType is AWS_IAM."""

    function: Function
    mode: InvokeMode = InvokeMode.BUFFERED
    access: Access = Access.PUBLIC
    iam: Verifier | None = None
    clock: Clock = field(default_factory=SystemClock)

    async def __call__(self, request: Request) -> Response:
        request_id = str(uuid.uuid4())
        if self.access is not Access.PUBLIC:
            return _denied(self.access, request_id)
        refusal = self._unsigned(request, request_id)
        if refusal is not None:
            return refusal
        trace_id = trace_root(self.clock)
        stamps = (
            ("x-amzn-RequestId", request_id),
            ("X-Amzn-Trace-Id", f"{trace_id};Parent={secrets.token_hex(8)};Sampled=0"),
        )
        event = event_of(request, request_id=request_id, trace_id=trace_id, clock=self.clock)
        try:
            answer = await self.function.invoke(event, request_id=request_id, trace_id=trace_id)
            return await self._translate(answer, stamps)
        except Throttled as throttled:
            return _throttled(throttled.reason, stamps)
        except (FunctionFailed, _Malformed, CutShort):
            return _failed(stamps)

    def _unsigned(self, request: Request, request_id: str) -> Response | None:
        """The refusal of a request without a good signature, where one is demanded."""
        if self.iam is None:
            return None
        if not is_signed(request):
            return _denied(Access.FORBIDDEN, request_id)
        problem = self.iam.problem_with(request, self.clock.now())
        if problem is None:
            return None
        date = ("Date", email.utils.format_datetime(self.clock.now(), usegmt=True))
        return _refused(problem.kind, {"message": problem.message}, request_id, date)

    async def _translate(self, answer: Buffered | Streamed, stamps: Headers) -> Response:
        if isinstance(answer, Buffered):
            if len(answer.payload) > MAX_PAYLOAD_BYTES:
                raise _Malformed("the return value is too large")
            if self.mode is InvokeMode.RESPONSE_STREAM:
                # A streaming URL passes on what the function sends: nobody reads the proxy envelope.
                return Response(headers=(("Content-Type", "application/json"), *stamps), body=_once(answer.payload))
            return _from_payload(answer.payload, stamps)
        if self.mode is InvokeMode.BUFFERED:
            # The combination is unsupported; the prelude then stays in the body, behind a 200.
            body = await read_body(answer.chunks)
            return Response(headers=(("Content-Type", "application/json"), *stamps), body=body)
        if answer.content_type == HTTP_INTEGRATION:
            return await _from_stream(answer.chunks, stamps)
        return Response(headers=(("Content-Type", answer.content_type), *stamps), body=answer.chunks)


def trace_root(clock: Clock) -> str:
    """A new trace of AWS X-Ray: the second in which it begins, and 96 random bits."""
    return f"Root=1-{int(clock.now().timestamp()):08x}-{secrets.token_hex(12)}"


def event_of(request: Request, *, request_id: str, trace_id: str, clock: Clock) -> dict[str, Any]:
    """The request as an event of payload format 2.0."""
    host = request.header("host") or "localhost"
    now = clock.now()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.raw_query,
        "headers": _event_headers(request, trace_id),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "lab",
            "domainName": host,
            "domainPrefix": host.split(".", 1)[0],
            "http": {
                "method": request.method,
                "path": unquote(request.path),
                "protocol": "HTTP/1.1",
                "sourceIp": request.client,
                "userAgent": request.header("user-agent") or "",
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    if request.query:
        event["queryStringParameters"] = request.query
    cookies = SimpleCookie(request.header("cookie") or "")
    if cookies:
        event["cookies"] = [f"{name}={morsel.coded_value}" for name, morsel in cookies.items()]
    if request.body:
        event["body"], event["isBase64Encoded"] = _event_body(request)
    return event


def _event_headers(request: Request, trace_id: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in request.headers:
        key = name.lower()
        if key not in HOP_BY_HOP and key != "cookie":
            headers[key] = f"{headers[key]},{value}" if key in headers else value
    return headers | {
        "x-amzn-tls-cipher-suite": "TLS_AES_128_GCM_SHA256",
        "x-amzn-tls-version": "TLSv1.3",
        "x-amzn-trace-id": trace_id,
        "x-forwarded-for": request.client,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }


def _event_body(request: Request) -> tuple[str, bool]:
    media_type = (request.header("content-type") or "").lower()
    if any(kind in media_type for kind in ("text", "json", "xml")):
        try:
            return request.body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode("ascii"), True


def _from_payload(payload: bytes, stamps: Headers) -> Response:
    """BUFFERED: a proxy envelope is unpacked; any other JSON value is itself the body of a 200."""
    try:
        value = json.loads(payload)
    except ValueError:
        raise _Malformed("the return value is not JSON") from None
    if isinstance(value, dict) and "statusCode" in value:
        return _from_envelope(value, stamps)
    body = value.encode() if isinstance(value, str) else payload
    return Response(headers=(("Content-Type", "application/json"), *stamps), body=body)


def _from_envelope(envelope: Mapping[str, Any], stamps: Headers) -> Response:
    body = envelope.get("body") or ""
    if not isinstance(body, str):
        raise _Malformed("the body of a proxy envelope must be text")
    try:
        raw = base64.b64decode(body, validate=True) if envelope.get("isBase64Encoded") else body.encode()
    except binascii.Error:
        raise _Malformed("the body is not the base64 that it claims to be") from None
    headers = _front_headers(envelope, default_type="application/json")
    return Response(status=_status(envelope), headers=(*headers, *stamps), body=raw)


async def _from_stream(chunks: AsyncIterator[bytes], stamps: Headers) -> Response:
    """RESPONSE_STREAM: the prelude gives status and headers, everything after its eight zero bytes is the body."""
    try:
        prelude, rest = await _prelude_of(chunks)
        headers = _front_headers(prelude, default_type="application/octet-stream")
        status = _status(prelude)
    except BaseException:
        await close_body(chunks)
        raise
    return Response(status=status, headers=(*headers, *stamps), body=_Resumed(rest, chunks))


async def _prelude_of(chunks: AsyncIterator[bytes]) -> tuple[Mapping[str, Any], bytes]:
    """The prelude, and the part of the body that came with it: chunks keep no boundaries."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if PRELUDE_END in head or len(head) > MAX_PRELUDE_BYTES:
            break
    text, end, rest = head.partition(PRELUDE_END)
    try:
        prelude = json.loads(text) if end else None
    except ValueError:
        prelude = None
    if not isinstance(prelude, dict):
        raise _Malformed("no readable prelude")
    return prelude, rest


def _front_headers(envelope: Mapping[str, Any], *, default_type: str) -> Headers:
    own = envelope.get("headers") or {}
    if not isinstance(own, dict):
        raise _Malformed("headers must be an object")
    headers: list[tuple[str, str]] = []
    for name, value in own.items():
        key = name.lower()
        if key in REMAPPED:
            headers.append((f"x-amzn-Remapped-{key}", str(value)))
        elif key not in HOP_BY_HOP:
            headers.append((name, str(value)))
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", default_type))
    headers.extend(("Set-Cookie", str(cookie)) for cookie in envelope.get("cookies") or ())
    return tuple(headers)


def _status(envelope: Mapping[str, Any]) -> int:
    """AWS accepts the number as text, too."""
    try:
        status = int(envelope.get("statusCode", 200))
    except (TypeError, ValueError):
        raise _Malformed("statusCode is not a number") from None
    if not 200 <= status <= 599:
        raise _Malformed("statusCode is out of range")
    return status


def _denied(access: Access, request_id: str) -> Response:
    message = FORBIDDEN if access is Access.FORBIDDEN else None
    return _refused("AccessDeniedException", {"Message": message}, request_id)


def _refused(kind: str, body: Mapping[str, Any], request_id: str, *headers: tuple[str, str]) -> Response:
    return Response(
        status=403,
        headers=(
            ("Content-Type", "application/json"),
            ("x-amzn-RequestId", request_id),
            ("x-amzn-ErrorType", kind),
            *headers,
        ),
        body=json.dumps(body, separators=(",", ":")).encode(),
    )


def _throttled(reason: str, stamps: Headers) -> Response:
    body = {"Reason": reason, "Type": "User", "message": "Rate Exceeded."}
    headers = (("Content-Type", "application/json"), ("x-amzn-ErrorType", "TooManyRequestsException"), *stamps)
    return Response(status=429, headers=headers, body=json.dumps(body, separators=(",", ":")).encode())


def _failed(stamps: Headers) -> Response:
    """All that a client learns of a crash, a failed import, a killed process or a time limit."""
    return Response(
        status=502, headers=(("Content-Type", "application/octet-stream"), *stamps), body=b"Internal Server Error"
    )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


class _Resumed:
    """The rest of a stream whose first bytes were read with the prelude."""

    def __init__(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self._first = first
        self._rest = rest

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        return await anext(self._rest)

    async def aclose(self) -> None:
        await close_body(self._rest)
