"""Asks again where a front door answered in a function's place: one such answer alone does not say why.

A crash at the start, a time limit, and state that is used twice bring the same error page. They differ in what else
fails, and after how long (`checks.detectors.crash`). A missing route and a missing signature differ in what is said of
another path (`checks.detectors.routing`). Nothing is asked where all is well.
"""

from typing import Final
from urllib.parse import urljoin

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

_NOWHERE: Final = "mcp-prober-second-path"
"""A path that nobody can have meant."""

_ASKED_OF: Final = "https://mcp-prober.invalid"
"""Whose preflight it is: nobody's, so that no list of allowed origins holds it."""


async def after_failed_opening(ctx: CheckContext) -> tuple[Exchange, ...]:
    """What the endpoint says to a GET, and where that says nothing, to a preflight.

    Where a gateway knows no such route, or wants a signature and words it alike, a path beside it is asked for instead.
    All are sent without credentials, and a GET offers no event stream, so that none is left open.
    """
    tried = ctx.wire.opening.exchanges
    asked = [each for each in tried if each.rpc_id is not None] or tried
    if not asked:
        return ()
    if is_unrouted(asked[-1]):
        return (await ctx.wire.fetch(urljoin(ctx.endpoint.url, _NOWHERE)),)
    if symptom_of(asked[-1]) is not Symptom.CRASH:
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


def is_unrouted(exchange: Exchange) -> bool:
    """Whether a REST API says that it knows no such route, which is also how it asks for a signature."""
    at_rest_api = front_door_of(exchange) is FrontDoor.REST_API and exchange.status == 403
    return at_rest_api and symptom_of(exchange) is Symptom.ROUTE_MISSING


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
