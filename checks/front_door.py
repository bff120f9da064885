"""Which AWS front door wrote or relayed an answer: the same fault reads differently behind each of them."""

from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from checks.model import Exchange


class FrontDoor(StrEnum):
    """What stands between the internet and the function."""

    FUNCTION_URL = "Lambda Function URL"
    REST_API = "API Gateway REST API"
    HTTP_API = "API Gateway HTTP API"
    ALB = "Application Load Balancer"
    CLOUDFRONT = "CloudFront"
    WEB_FUNCTION = "Lambda Web Function"
    UNKNOWN = "unknown front door"


LAMBDA_DOORS: Final = frozenset(
    {FrontDoor.FUNCTION_URL, FrontDoor.REST_API, FrontDoor.HTTP_API, FrontDoor.WEB_FUNCTION}
)
"""Doors that have, as far as MCP servers go, a Lambda function behind them. An ALB or CloudFront may have anything."""


_PAGE: Final = "text/html"
_READ: Final = 4096


def front_door_of(exchange: Exchange) -> FrontDoor:
    """The front door, by its headers and then by the host's name.

    The gateways come before CloudFront, because an edge-optimised REST API answers with CloudFront's headers too,
    and because a distribution in front of a function passes the function's headers on.
    """
    host = _host(exchange.url)
    if exchange.header("x-amz-apigw-id") is not None:
        return FrontDoor.REST_API
    if exchange.header("apigw-requestid") is not None:
        return FrontDoor.HTTP_API
    if exchange.header("lambda-web-request-id") is not None or ".lambda-web." in host:
        return FrontDoor.WEB_FUNCTION
    if exchange.header("x-amzn-requestid") is not None:
        return FrontDoor.REST_API if ".execute-api." in host else FrontDoor.FUNCTION_URL
    if ".lambda-url." in host:
        return FrontDoor.FUNCTION_URL
    server = (exchange.header("server") or "").lower()
    if server.startswith("awselb") or host.endswith(".elb.amazonaws.com"):
        return FrontDoor.ALB
    if relayed_by_cloudfront(exchange) or server == "cloudfront" or host.endswith(".cloudfront.net"):
        return FrontDoor.CLOUDFRONT
    return FrontDoor.UNKNOWN


def relayed_by_cloudfront(exchange: Exchange) -> bool:
    """Whether the answer passed a distribution, whoever gave it: the owner's, or that of an edge-optimised API."""
    return exchange.header("x-amz-cf-id") is not None or "cloudfront" in (exchange.header("via") or "").lower()


def is_own_page(exchange: Exchange) -> bool:
    """Whether a load balancer or CloudFront wrote this page itself, rather than handed on somebody else's.

    Both write HTML for their errors and nothing else; CloudFront's page names it as the one who generated it.
    """
    if exchange.media_type != _PAGE or (exchange.status or 0) < 400:
        return False
    door = front_door_of(exchange)
    if door is FrontDoor.ALB:
        return True
    server = (exchange.header("server") or "").lower()
    return door is FrontDoor.CLOUDFRONT and (server == "cloudfront" or b"cloudfront" in exchange.body[:_READ].lower())


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
