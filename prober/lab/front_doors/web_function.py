"""A Lambda Web Function: the function is a web server, and errors of the platform have names.

Source: AWS Lambda Developer Guide, "Request timeout" and "Troubleshooting Lambda Web Functions". Only one of the error
types is documented; the others are named after those of Lambda's runtimes.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from prober.clock import Clock, SystemClock
from prober.lab.front_doors.answers import Malformed, from_stream, relayed
from prober.lab.front_doors.events import format_2, trace_root
from prober.lab.http import CutShort, Handler, Headers, Request, Response
from prober.lab.runtime.function import Deployed, FunctionFailed, Instance, Throttled
from prober.lab.runtime.in_process import AdapterMode, AppInstance

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LOG_STREAM: Final = "lambda-web-logstream"
TIMED_OUT: Final = "Sandbox.Timedout"
_REPLACED: Final = frozenset({"content-length", "date", "server"})


@dataclass(kw_only=True)
class WebFunction:
    """The handler of one endpoint. With `host`, requests for every other name are nobody's."""

    function: Deployed
    host: str | None = None
    clock: Clock = field(default_factory=SystemClock)

    async def __call__(self, request: Request) -> Response:
        request_id = str(uuid.uuid4())
        stamps: Headers = (("lambda-web-request-id", request_id),)
        if self.host is not None and request.header("host") != self.host:
            return _refused(404, "Not Found", stamps)
        if request.method not in METHODS:
            return _refused(400, "Bad Request", stamps)
        trace_id = trace_root(self.clock)
        event = format_2(request, request_id=request_id, trace_id=trace_id, clock=self.clock)
        try:
            answer = await self.function.invoke(event, request_id=request_id, trace_id=trace_id)
            return _unmarked(relayed(await from_stream(answer), stamps, _REPLACED))
        except Throttled:
            return _refused(429, "Too Many Requests", stamps)
        except FunctionFailed as failure:
            if failure.kind == TIMED_OUT:
                return _refused(504, "Gateway Timeout", (*stamps, ("lambda-web-error-type", "Runtime.RequestTimeout")))
            return _refused(502, "Bad Gateway", (*stamps, ("lambda-web-error-type", failure.kind)))
        except (Malformed, CutShort):
            return _refused(502, "Bad Gateway", (*stamps, ("lambda-web-error-type", "Runtime.InvalidResponse")))

    async def close(self) -> None:
        """End the function, with every process of it."""
        await self.function.close()


def web_instances(app: Handler) -> Callable[[], Instance]:
    """Builds instances that share one application, each of which writes a log stream of its own."""

    def build() -> Instance:
        stream = f"2026/11/20/[$LATEST]{uuid.uuid4().hex}"

        async def logged(request: Request) -> Response:
            response = await app(request)
            return replace(response, headers=(*response.headers, (LOG_STREAM, stream)))

        return AppInstance(logged, AdapterMode.RESPONSE_STREAM)

    return build


def _unmarked(response: Response) -> Response:
    """The answer without what only Function URLs and gateways hand on under another name."""
    kept = [(name, value) for name, value in response.headers if not name.lower().startswith("x-amzn-remapped-")]
    return replace(response, headers=tuple(kept))


def _refused(status: int, message: str, stamps: Headers) -> Response:
    headers = (("Content-Type", "application/json"), *stamps)
    return Response(status=status, headers=headers, body=json.dumps({"message": message}).encode())
