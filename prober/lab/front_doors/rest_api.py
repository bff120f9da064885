"""An API Gateway REST API with one resource and a proxy integration that buffers or streams.

Source: API Gateway Developer Guide, "Gateway responses", "Important notes" and "Stream the integration response".
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Final

from prober.clock import Clock, SystemClock
from prober.lab.front_doors import refusals
from prober.lab.front_doors.answers import Gaps, Malformed, from_format_1, from_stream, payload_of, relayed
from prober.lab.front_doors.events import format_1, trace_root
from prober.lab.front_doors.refusals import Refusal, of_rest_api, rest_stamps
from prober.lab.front_doors.sigv4 import Verifier, is_signed
from prober.lab.http import CutShort, Request, Response
from prober.lab.runtime.function import Deployed, FunctionFailed, Throttled

LIMIT_S: Final = 29.0
"""How long a buffering integration is waited for, unless the owner has had the quota raised."""
IDLE_S: Final = 300.0
"""How long a streaming integration of a Regional API may be silent; 30 s of an edge-optimised one."""
MAX_REQUEST_BYTES: Final = 10 * 1024 * 1024
REMAPPED: Final = frozenset({"content-length", "date", "server", "www-authenticate"})
"""Headers of the integration that arrive as `x-amzn-Remapped-*`; the challenge of a 401 is among them."""
METHODS: Final = frozenset({"GET", "POST", "DELETE", "OPTIONS"})


@dataclass(kw_only=True)
class RestApi:
    """The handler of one stage. Without `stage`, a custom domain name hides it from the path.

    `limit_s` is the integration's timeout, which a streaming one has for its first byte; `idle_s` the silence that it
    may keep after that. `refusal` is said to everybody; with `iam`, the method wants a signature.
    """

    function: Deployed
    resource: str = "/mcp"
    methods: Collection[str] = METHODS
    stage: str | None = None
    streams: bool = False
    limit_s: float = LIMIT_S
    idle_s: float = IDLE_S
    refusal: Refusal | None = None
    iam: Verifier | None = None
    clock: Clock = field(default_factory=SystemClock)

    async def __call__(self, request: Request) -> Response:
        stamps = rest_stamps()
        refusal = self._refusal(request)
        if refusal is not None:
            return of_rest_api(refusal, stamps)
        # Only a request that reached the integration has a trace.
        trace_id = trace_root(self.clock)
        stamps = (*stamps, ("X-Amzn-Trace-Id", trace_id))
        request_id = stamps[0][1]
        event = format_1(
            request,
            path=self.resource,
            stage=self.stage or "prod",
            request_id=request_id,
            trace_id=trace_id,
            clock=self.clock,
        )
        try:
            async with asyncio.timeout(self.limit_s):
                return relayed(await self._integrate(event, request_id, trace_id), stamps, REMAPPED)
        except TimeoutError:
            return of_rest_api(refusals.TIMED_OUT, stamps)
        except Throttled:
            return of_rest_api(refusals.NOT_INVOKED, stamps)
        except (FunctionFailed, Malformed, CutShort):
            return of_rest_api(refusals.FAILED, stamps)

    async def close(self) -> None:
        """End the function, with every process of it."""
        await self.function.close()

    def _refusal(self, request: Request) -> Refusal | None:
        """What keeps the request from the integration: the firewall first, then routing, then the size."""
        if self.refusal is refusals.FIREWALL:
            return self.refusal
        expected = self.resource if self.stage is None else f"/{self.stage}{self.resource}"
        if request.path != expected or request.method not in self.methods:
            return _unknown(request)
        if self.iam is not None:
            if not is_signed(request):
                return _unknown(request)
            problem = self.iam.problem_with(request, self.clock.now())
            if problem is not None:
                return Refusal(status=403, kind=problem.kind, body={"message": problem.message})
        return refusals.TOO_LARGE if len(request.body) > MAX_REQUEST_BYTES else self.refusal

    async def _integrate(self, event: dict[str, Any], request_id: str, trace_id: str) -> Response:
        answer = await self.function.invoke(event, request_id=request_id, trace_id=trace_id)
        if not self.streams:
            return from_format_1(await payload_of(answer))
        response = await from_stream(answer)
        assert not isinstance(response.body, bytes)
        return replace(response, body=Gaps(response.body, self.idle_s))


def _unknown(request: Request) -> Refusal:
    authorization = request.header("authorization")
    if authorization is None or is_signed(request):
        return refusals.NO_ROUTE
    return refusals.unsigned_token(authorization)
