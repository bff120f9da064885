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
    if exchange.header("x-amzn-requestid") is not None or ".lambda-url." in host:
        return FrontDoor.FUNCTION_URL
    if (exchange.header("server") or "").lower().startswith("awselb"):
        return FrontDoor.ALB
    if exchange.header("x-amz-cf-id") is not None or "cloudfront" in (exchange.header("via") or "").lower():
        return FrontDoor.CLOUDFRONT
    return FrontDoor.UNKNOWN


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
