"""What a function returned, read as an HTTP answer: each front door has rules of its own for that.

Source: API Gateway Developer Guide, "Lambda proxy integrations" and "Stream the integration response"; AWS Lambda
Developer Guide, "Invoking Lambda function URLs"; Elastic Load Balancing, "Use Lambda functions as targets".
"""

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final

from prober.lab.front_doors.events import HOP_BY_HOP
from prober.lab.http import CutShort, Headers, Response, close_body, read_body
from prober.lab.runtime.function import HTTP_INTEGRATION, Answer, Buffered, Streamed

PRELUDE_END: Final = b"\0" * 8
MAX_PRELUDE_BYTES: Final = 16 * 1024
MAX_PAYLOAD_BYTES: Final = 6_291_556
"""Limit of a buffered return value; a larger one is `Function.ResponseSizeTooLarge`."""
_FORMAT_1: Final = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})
"""All that a REST API allows in an answer."""


class Malformed(Exception):
    """The function's answer cannot be turned into an HTTP answer."""


async def payload_of(answer: Answer) -> bytes:
    """The whole of a function's answer, for a front door that does not stream."""
    payload = answer.payload if isinstance(answer, Buffered) else await read_body(answer.chunks)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise Malformed("the return value is too large")
    return payload


def from_format_2(payload: bytes) -> Response:
    """For Function URLs and HTTP APIs: an envelope is unpacked; any other JSON value is itself the body of a 200."""
    value = _json(payload)
    if isinstance(value, dict) and "statusCode" in value:
        return from_envelope(value, "application/json")
    body = value.encode() if isinstance(value, str) else payload
    return Response(headers=(("Content-Type", "application/json"),), body=body)


def from_format_1(payload: bytes) -> Response:
    """For REST APIs, which take nothing but an envelope, with no member that they do not know."""
    value = _json(payload)
    if not isinstance(value, dict) or "statusCode" not in value or not value.keys() <= _FORMAT_1:
        raise Malformed("the return value is no proxy response")
    return from_envelope(value, "application/json")


def from_balancer_format(payload: bytes) -> Response:
    """For load balancers, which want an envelope, and do not mind what else is in it."""
    value = _json(payload)
    if not isinstance(value, dict) or not isinstance(value.get("statusCode"), int):
        raise Malformed("the return value is no response for a target group")
    return from_envelope(value, "application/octet-stream")


def from_envelope(envelope: Mapping[str, Any], default_type: str) -> Response:
    """The answer in a proxy envelope. Raises Malformed."""
    body = envelope.get("body") or ""
    if not isinstance(body, str):
        raise Malformed("the body of a proxy envelope must be text")
    try:
        raw = base64.b64decode(body, validate=True) if envelope.get("isBase64Encoded") else body.encode()
    except binascii.Error:
        raise Malformed("the body is not the base64 that it claims to be") from None
    return Response(status=_status(envelope), headers=_headers(envelope, default_type), body=raw)


async def from_stream(answer: Answer) -> Response:
    """For front doors that stream: the prelude gives status and headers, everything after its zeros is the body."""
    if not isinstance(answer, Streamed) or answer.content_type != HTTP_INTEGRATION:
        if isinstance(answer, Streamed):
            await close_body(answer.chunks)
        raise Malformed("the function does not stream an HTTP answer")
    try:
        prelude, rest = await _prelude_of(answer.chunks)
        headers = _headers(prelude, "application/octet-stream")
        status = _status(prelude)
    except BaseException:
        await close_body(answer.chunks)
        raise
    return Response(status=status, headers=headers, body=_Resumed(rest, answer.chunks))


def relayed(response: Response, stamps: Headers, renamed: frozenset[str]) -> Response:
    """A function's answer as its front door hands it on: with stamps, and with some headers under another name.

    `renamed` are in lower case; the front door sets headers of these names itself, or wants nobody else to.
    """
    own = [
        (f"x-amzn-Remapped-{name.lower()}" if name.lower() in renamed else name, value)
        for name, value in response.headers
        if name.lower() not in HOP_BY_HOP
    ]
    return replace(response, headers=(*own, *stamps))


class Gaps:
    """The chunks of an answer, given up where one lets itself be waited for longer than `limit_s`."""

    def __init__(self, chunks: AsyncIterator[bytes], limit_s: float) -> None:
        self._chunks = chunks
        self._limit_s = limit_s

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            async with asyncio.timeout(self._limit_s):
                return await anext(self._chunks)
        except TimeoutError:
            await self.aclose()
            raise CutShort("nothing came for too long") from None

    async def aclose(self) -> None:
        await close_body(self._chunks)


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        raise Malformed("the return value is not JSON") from None


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
        raise Malformed("no readable prelude")
    return prelude, rest


def _headers(envelope: Mapping[str, Any], default_type: str) -> Headers:
    single, several = envelope.get("headers") or {}, envelope.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(several, dict):
        raise Malformed("headers must be an object")
    headers = [(name, str(value)) for name, value in single.items()]
    headers.extend((name, str(value)) for name, values in several.items() for value in values)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", default_type))
    headers.extend(("Set-Cookie", str(cookie)) for cookie in envelope.get("cookies") or ())
    return tuple(headers)


def _status(envelope: Mapping[str, Any]) -> int:
    """AWS accepts the number as text, too."""
    try:
        status = int(envelope.get("statusCode", 200))
    except (TypeError, ValueError):
        raise Malformed("statusCode is not a number") from None
    if not 200 <= status <= 599:
        raise Malformed("statusCode is out of range")
    return status


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
