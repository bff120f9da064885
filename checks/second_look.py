"""Asks again where a front door answered for a function that failed: one failure alone does not say how it fails.

A crash at the start, a time limit, and state that is used twice bring the same error page. They differ in what else
fails, and after how long (`checks.detectors.crash`). Nothing is asked where all is well.
"""

from typing import Final

from checks.front_door import FrontDoor, front_door_of
from checks.model import Exchange
from checks.spec import Era
from checks.symptoms import Symptom, error_message, symptom_of
from checks.unit import CheckContext

_AT_THE_DOOR: Final = frozenset(
    {
        Symptom.REDIRECT,
        Symptom.UNAUTHENTICATED,
        Symptom.URL_FORBIDDEN,
        Symptom.URL_GONE,
        Symptom.SIGNATURE_REJECTED,
        Symptom.GATEWAY_REFUSED,
        Symptom.THROTTLED,
        Symptom.GATEWAY_TIMEOUT,
        Symptom.CRASH,
    }
)
"""Answers that need not come from the function."""

_ASKED_OF: Final = "https://mcp-prober.invalid"
"""Whose preflight it is: nobody's, so that no list of allowed origins holds it."""


async def after_failed_opening(ctx: CheckContext) -> tuple[Exchange, ...]:
    """What the endpoint says to a GET, and where that says nothing, to a preflight.

    Both are sent without credentials, and the GET offers no event stream, so that none is left open.
    """
    tried = ctx.wire.opening.exchanges
    asked = [each for each in tried if each.rpc_id is not None] or tried
    if not asked or symptom_of(asked[-1]) is not Symptom.CRASH:
        return ()
    by_get = await ctx.wire.fetch(ctx.endpoint.url)
    if symptom_of(by_get) is Symptom.CRASH or comes_from_function(by_get):
        return (by_get,)
    return by_get, await ctx.wire.preflight(_ASKED_OF, "POST", ())


async def after_failed_listing(ctx: CheckContext, failed: Exchange) -> tuple[Exchange, ...]:
    """What the server says to the same request again, and then to one that asks for no tools."""
    if symptom_of(failed) is not Symptom.CRASH:
        return ()
    opener = ctx.wire.opening.opener
    stateless = opener is not None and opener.era is Era.STATELESS
    again = await ctx.wire.request("tools/list")
    return again, await ctx.wire.request("server/discover" if stateless else "ping")


def comes_from_function(exchange: Exchange) -> bool:
    """Whether the function itself gave this answer, rather than a front door that need not have called it."""
    if exchange.status is None or symptom_of(exchange) in _AT_THE_DOOR:
        return False
    by_cors = exchange.method == "OPTIONS" and exchange.header("access-control-allow-origin") is not None
    return not by_cors and not _has_no_route(exchange)


def _has_no_route(exchange: Exchange) -> bool:
    """Whether a gateway, and not the application behind it, knows no such route."""
    if symptom_of(exchange) is not Symptom.ROUTE_MISSING:
        return False
    by_http_api = front_door_of(exchange) is FrontDoor.HTTP_API and error_message(exchange) is not None
    return exchange.status == 403 or by_http_api
