"""What lets scripts of web pages in: an answer to their preflight, and headers on every answer that they may read.

Source: WHATWG Fetch standard, "HTTP CORS protocol".
"""

from dataclasses import dataclass, replace
from typing import Final

from prober.lab.http import Handler, Headers, Request, Response

CLIENT_HEADERS: Final = frozenset(
    {
        "accept",
        "authorization",
        "content-type",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
    }
)
"""What MCP clients send, beside an `mcp-param-*` for each annotated argument of a tool."""
PARAMETER: Final = "mcp-param-"
READABLE: Final = ("Mcp-Session-Id", "WWW-Authenticate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """The application, open to scripts of `origins`, which may send `allowed` headers and read `exposed` ones."""

    app: Handler
    origins: frozenset[str]
    allowed: frozenset[str] = CLIENT_HEADERS
    exposed: tuple[str, ...] = READABLE

    async def __call__(self, request: Request) -> Response:
        origin = request.header("origin")
        if request.method == "OPTIONS" and request.header("access-control-request-method") is not None:
            return self._preflight(request, origin)
        response = await self.app(request)
        if origin not in self.origins:
            return response
        exposed = (("Access-Control-Expose-Headers", ", ".join(self.exposed)),) if self.exposed else ()
        return replace(response, headers=(*response.headers, *_allowing(origin), *exposed))

    def _preflight(self, request: Request, origin: str | None) -> Response:
        if origin is None or origin not in self.origins:
            return Response(status=403)
        asked = [name.strip().lower() for name in (request.header("access-control-request-headers") or "").split(",")]
        allowed = [name for name in asked if name in self.allowed or self._mirrors(name)]
        headers = (
            *_allowing(origin),
            ("Access-Control-Allow-Methods", "POST, GET, DELETE"),
            ("Access-Control-Allow-Headers", ", ".join(allowed)),
            ("Access-Control-Max-Age", "600"),
        )
        return Response(status=204, headers=headers)

    def _mirrors(self, name: str) -> bool:
        return name.startswith(PARAMETER) and self.allowed >= CLIENT_HEADERS


def _allowing(origin: str) -> Headers:
    return ("Access-Control-Allow-Origin", origin), ("Vary", "Origin")


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlPolicy:
    """The `Cors` setting of a Function URL: lists that are told to whoever comes from one of the origins.

    OPTIONS is no method of it (the API allows six letters), nor needs it to be.
    """

    origins: frozenset[str]
    methods: tuple[str, ...] = ("GET", "POST", "DELETE")
    allowed: frozenset[str] = CLIENT_HEADERS
    exposed: tuple[str, ...] = READABLE

    def is_preflight(self, request: Request) -> bool:
        return request.method == "OPTIONS" and request.header("access-control-request-method") is not None

    def headers_for(self, request: Request) -> Headers:
        """What every answer to a script of a known origin says, preflight or not."""
        origin = request.header("origin")
        if origin is None or origin not in self.origins:
            return ()
        return (
            *_allowing(origin),
            ("Access-Control-Allow-Methods", ",".join(self.methods)),
            ("Access-Control-Allow-Headers", ",".join(sorted(self.allowed))),
            ("Access-Control-Expose-Headers", ",".join(self.exposed)),
        )
