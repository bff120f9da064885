"""An Application Load Balancer with a target group of one function.

Source: Elastic Load Balancing, "Use Lambda functions as targets" and "Troubleshoot your Application Load Balancers".
The reason for an error stands in the access log alone; the client gets a page.
"""

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from prober.clock import Clock, SystemClock
from prober.lab.front_doors.answers import Malformed, from_balancer_format, payload_of
from prober.lab.front_doors.events import HOP_BY_HOP, balancer_format, trace_root
from prober.lab.http import CutShort, Request, Response
from prober.lab.runtime.function import Deployed, FunctionFailed, Throttled

SERVER: Final = ("Server", "awselb/2.0")
LIMIT_S: Final = 60.0
MAX_BODY_BYTES: Final = 1024 * 1024
"""Of a request and of the function's answer, JSON and all."""


@dataclass(kw_only=True)
class LoadBalancer:
    """The handler of one listener. Without a target there is nobody to ask; with `blocked`, AWS WAF refuses."""

    function: Deployed
    limit_s: float = LIMIT_S
    has_target: bool = True
    blocked: bool = False
    clock: Clock = field(default_factory=SystemClock)

    async def __call__(self, request: Request) -> Response:
        if self.blocked:
            return page(403)
        if not self.has_target:
            return page(503)
        if len(request.body) > MAX_BODY_BYTES:
            return page(413)
        trace_id = trace_root(self.clock)
        try:
            async with asyncio.timeout(self.limit_s):
                event = balancer_format(request, trace_id=trace_id)
                answer = await self.function.invoke(event, request_id=trace_id, trace_id=trace_id)
                payload = await payload_of(answer)
        except TimeoutError:
            return page(504)
        except (Throttled, FunctionFailed, Malformed, CutShort):
            return page(502)
        if len(payload) > MAX_BODY_BYTES:
            return page(502)
        try:
            response = from_balancer_format(payload)
        except Malformed:
            return page(502)
        own = [(name, value) for name, value in response.headers if name.lower() not in _ITS_OWN]
        return Response(status=response.status, headers=(*own, SERVER), body=response.body)

    async def close(self) -> None:
        """End the function, with every process of it."""
        await self.function.close()


_ITS_OWN: Final = HOP_BY_HOP | {"content-length", "date", "server"}


def page(status: int) -> Response:
    """The load balancer's own page."""
    title = f"{status} {HTTPStatus(status).phrase}"
    html = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    return Response(status=status, headers=(SERVER, ("Content-Type", "text/html")), body=html.encode())
