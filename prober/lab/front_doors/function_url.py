"""A Lambda Function URL on loopback: one HTTP request becomes one event (payload format 2.0) and its answer comes back.

Source: AWS Lambda Developer Guide, "Invoking Lambda function URLs" and "Response streaming for Lambda functions".
"""

import email.utils
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from prober.clock import Clock, SystemClock
from prober.lab.front_doors.answers import Malformed, from_format_2, from_stream, payload_of, relayed
from prober.lab.front_doors.cors import UrlPolicy
from prober.lab.front_doors.events import format_2, trace_root
from prober.lab.front_doors.sigv4 import Verifier, is_signed
from prober.lab.http import CutShort, Headers, Request, Response, read_body
from prober.lab.runtime.function import HTTP_INTEGRATION, Answer, Buffered, Deployed, FunctionFailed, Throttled

FORBIDDEN: Final = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)
REMAPPED: Final = frozenset({"content-length", "date", "server"})
"""Headers of the function's own that arrive as `x-amzn-Remapped-*`, because the front door sets them itself."""


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


@dataclass(kw_only=True)
class FunctionUrl:
    """The handler of one URL: call it with a request. With `iam`, its AuthType is AWS_IAM.

    With `cors`, the URL answers preflights itself, without a function, and adds headers to every answer.
    """

    function: Deployed
    mode: InvokeMode = InvokeMode.BUFFERED
    access: Access = Access.PUBLIC
    iam: Verifier | None = None
    cors: UrlPolicy | None = None
    clock: Clock = field(default_factory=SystemClock)

    async def __call__(self, request: Request) -> Response:
        request_id = str(uuid.uuid4())
        if self.cors is None:
            return await self._answer(request, request_id)
        allowing = self.cors.headers_for(request)
        if self.cors.is_preflight(request):
            return Response(headers=(*allowing, ("x-amzn-RequestId", request_id)))
        response = await self._answer(request, request_id)
        return replace(response, headers=(*response.headers, *allowing))

    async def close(self) -> None:
        """End the function, with every process of it."""
        await self.function.close()

    async def _answer(self, request: Request, request_id: str) -> Response:
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
        event = format_2(request, request_id=request_id, trace_id=trace_id, clock=self.clock)
        try:
            answer = await self.function.invoke(event, request_id=request_id, trace_id=trace_id)
            return relayed(await self._translate(answer), stamps, REMAPPED)
        except Throttled as throttled:
            return _throttled(throttled.reason, stamps)
        except (FunctionFailed, Malformed, CutShort):
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

    async def _translate(self, answer: Answer) -> Response:
        if isinstance(answer, Buffered):
            payload = await payload_of(answer)
            if self.mode is InvokeMode.RESPONSE_STREAM:
                # A streaming URL passes on what the function sends: nobody reads the proxy envelope.
                return Response(headers=(("Content-Type", "application/json"),), body=_once(payload))
            return from_format_2(payload)
        if self.mode is InvokeMode.BUFFERED:
            # The combination is unsupported; the prelude then stays in the body, behind a 200.
            return Response(headers=(("Content-Type", "application/json"),), body=await read_body(answer.chunks))
        if answer.content_type == HTTP_INTEGRATION:
            return await from_stream(answer)
        return Response(headers=(("Content-Type", answer.content_type),), body=answer.chunks)


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
