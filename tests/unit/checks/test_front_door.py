"""Front doors by their headers, and by the host's name where the headers are silent."""

import pytest

from checks.front_door import FrontDoor, front_door_of
from tests.unit.checks.conversations import exchange


@pytest.mark.parametrize(
    ("headers", "door"),
    [
        ((("X-Amzn-RequestId", "r"),), FrontDoor.FUNCTION_URL),
        ((("x-amzn-RequestId", "r"), ("x-amz-apigw-id", "g")), FrontDoor.REST_API),
        ((("x-amz-apigw-id", "g"), ("X-Amz-Cf-Id", "c"), ("Via", "1.1 x (CloudFront)")), FrontDoor.REST_API),
        ((("Apigw-Requestid", "g"),), FrontDoor.HTTP_API),
        ((("Server", "awselb/2.0"),), FrontDoor.ALB),
        ((("Via", "1.1 x.cloudfront.net (CloudFront)"),), FrontDoor.CLOUDFRONT),
        ((("x-amzn-RequestId", "r"), ("X-Amz-Cf-Id", "c")), FrontDoor.FUNCTION_URL),
        ((("lambda-web-request-id", "r"),), FrontDoor.WEB_FUNCTION),
        ((("Server", "nginx"),), FrontDoor.UNKNOWN),
    ],
)
def test_headers_name_the_door(headers: tuple[tuple[str, str], ...], door: FrontDoor) -> None:
    assert front_door_of(exchange(headers=headers)) is door


@pytest.mark.parametrize(
    ("url", "door"),
    [
        ("https://abc.lambda-url.eu-west-1.on.aws/mcp", FrontDoor.FUNCTION_URL),
        ("https://abc.lambda-web.eu-west-1.on.aws/mcp", FrontDoor.WEB_FUNCTION),
        ("https://example.com/.lambda-url.", FrontDoor.UNKNOWN),
        ("http://[broken", FrontDoor.UNKNOWN),
    ],
)
def test_the_host_names_the_door_where_headers_do_not(url: str, door: FrontDoor) -> None:
    assert front_door_of(exchange(url=url)) is door
