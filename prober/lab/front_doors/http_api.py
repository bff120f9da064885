"""An API Gateway HTTP API with one route: it collects every answer whole, whatever the function does.

Source: API Gateway Developer Guide, "AWS Lambda proxy integrations for HTTP APIs" and "Quotas for HTTP APIs". That the
integration's timeout reads 503 and not 504 is not documented; both have been reported.
"""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Final

from prober.clock import Clock, SystemClock
from prober.lab.front_doors.answers import Malformed, from_format_2, payload_of, relayed
from prober.lab.front_doors.events import DEFAULT_STAGE, format_2, trace_root
from prober.lab.front_doors.refusals import Refusal, of_http_api
from prober.lab.http import CutShort, Request, Response
from prober.lab.runtime.function import Deployed, FunctionFailed, Throttled

LIMIT_S: Final = 30.0
"""How long an integration is waited for; nobody can have it raised."""
REMAPPED: Final = frozenset({"content-length", "date", "server"})
FAILED: Final = Refusal(status=500, kind="", body={"message": "Internal Server Error"})
TIMED_OUT: Final = Refusal(status=503, kind="", body={"message": "Service Unavailable"})
NO_ROUTE: Final = Refusal(status=404, kind="", body={"message": "Not Found"})
UNAUTHORIZED: Final = Refusal(
    status=401, kind="", body={"message": "Unauthorized"}, headers=(("www-authenticate", 'Bearer scope="mcp"'),)
)
"""A JWT authorizer wants a token."""


@dataclass(kw_only=True)
class HttpApi:
    """The handler of one stage. A stage with a name is part of the path, for the client and for the function."""

    function: Deployed
    path: str = "/mcp"
    stage: str = DEFAULT_STAGE
    limit_s: float = LIMIT_S
    refusal: Refusal | None = None
    clock: Clock = field(default_factory=SystemClock)

    async def __call__(self, request: Request) -> Response:
        trace_id = trace_root(self.clock)
        request_id = f"{secrets.token_urlsafe(11)}="
        stamps = (("apigw-requestid", request_id),)
        expected = self.path if self.stage == DEFAULT_STAGE else f"/{self.stage}{self.path}"
        if request.path != expected:
            return of_http_api(NO_ROUTE, stamps)
        if self.refusal is not None:
            return of_http_api(self.refusal, stamps)
        event = format_2(request, request_id=request_id, trace_id=trace_id, clock=self.clock, stage=self.stage)
        try:
            async with asyncio.timeout(self.limit_s):
                answer = await self.function.invoke(event, request_id=request_id, trace_id=trace_id)
                return relayed(from_format_2(await payload_of(answer)), stamps, REMAPPED)
        except TimeoutError:
            return of_http_api(TIMED_OUT, stamps)
        except (Throttled, FunctionFailed, Malformed, CutShort):
            return of_http_api(FAILED, stamps)

    async def close(self) -> None:
        """End the function, with every process of it."""
        await self.function.close()
