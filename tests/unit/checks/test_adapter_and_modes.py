"""What comes of adapters and modes that do not fit: told by the shape of what leaks, behind every front door."""

import base64
import json
from typing import Any

import pytest

from checks.model import Exchange, Failure
from checks.spec import Era
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    exchange,
    failed,
    initialized,
    judge,
    opened,
    refused,
    tool_page,
)

INNER = '{"jsonrpc":"2.0","id":1,"result":{}}'
NUL = b"\0" * 8
REST_API = (("x-amz-apigw-id", "g"),)
HTTP_API = (("Apigw-Requestid", "g"),)
WEB = (("lambda-web-request-id", "w"),)
DOORS = [FUNCTION_URL, (("X-AMZN-REQUESTID", "r"),), REST_API, HTTP_API, WEB]


def packed(value: Any, **how: Any) -> bytes:
    return json.dumps(value, **how).encode()


ENVELOPES: list[bytes] = [
    packed({"statusCode": 200, "headers": {}, "body": INNER}),
    packed({"statusCode": 200, "headers": {}, "body": INNER}, indent=2),
    packed({"statusCode": "401", "body": "", "isBase64Encoded": False}),
    packed({"isBase64Encoded": True, "statusCode": 200, "body": base64.b64encode(INNER.encode()).decode()}),
    packed({"multiValueHeaders": {"a": ["b"]}, "statusCode": 500}),
    packed({"cookies": [], "headers": {"content-type": "text/event-stream"}, "body": "event: x\n", "statusCode": 200}),
]
PRELUDES: list[bytes] = [
    b'{"statusCode":200,"headers":{},"cookies":[]}' + NUL + INNER.encode(),
    b'{"statusCode": 202}' + NUL,
    b'  {"statusCode":"200","headers":{}}' + NUL + b"event: message\ndata: {}\n\n",
    b'{"statusCode":401,"headers":{"www-authenticate":"Bearer"}}' + NUL + b"\0\1\2",
]
GO: list[bytes] = [
    packed({"StatusCode": 200, "Headers": {"Content-Type": "text/html"}, "Body": {"ReadCloser": {}}, "Cookies": None}),
    packed({"StatusCode": 200, "Headers": None, "MultiValueHeaders": None, "Body": {}, "Cookies": []}),
]


def with_body(body: bytes, headers: Any = FUNCTION_URL, media: str | None = "application/json") -> Any:
    return judge(refused(exchange("initialize", body=body, headers=headers, media=media)))


@pytest.mark.parametrize("headers", [*DOORS, ()])
@pytest.mark.parametrize("media", ["application/json", "application/octet-stream", "text/event-stream", None])
@pytest.mark.parametrize("body", [*ENVELOPES, *PRELUDES, *GO])
def test_what_leaks_is_known_by_its_shape(body: bytes, media: str | None, headers: Any) -> None:
    assert with_body(body, headers, media).ids == ["invoke-mode-mismatch"]


@pytest.mark.parametrize(
    ("body", "said"), [(ENVELOPES[0], "buffers"), (PRELUDES[0], "prelude"), (GO[0], "Go's streaming response")]
)
def test_each_leak_says_which_side_streams(body: bytes, said: str) -> None:
    assert said in with_body(body).diagnoses[0].summary


@pytest.mark.parametrize("headers", DOORS)
@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b'"Hello from Lambda!"', "application/json"),
        (b"Hello from Lambda!", "text/plain"),
        (b"null", "application/json"),
        (b"", "application/json"),
        (b"", "application/octet-stream"),
        (b"true", "application/json"),
        (b"[]", "application/json"),
        (b'{"message":"ok"}', "application/json; charset=utf-8"),
        (b'{"statusCode_":200,"body":"x"}', "application/json"),
        (b"<!doctype html><title>x</title>", "text/html; charset=utf-8"),
        (b"pong", None),
    ],
)
def test_a_value_of_the_functions_own_is_no_mcp(body: bytes, media: str | None, headers: Any) -> None:
    assert with_body(body, headers, media).ids == ["adapter-missing"]


def test_an_empty_body_may_be_an_old_runtime_and_an_http_api_takes_what_a_rest_api_does_not() -> None:
    empty, value = (with_body(body).diagnoses[0] for body in (b"", b'{"ok":true}'))
    by_http_api = with_body(b'{"ok":true}', HTTP_API).diagnoses[0]

    assert "Rust" in empty.alternatives[0]
    assert not any("Rust" in each for each in value.alternatives)
    assert any("REST API" in each for each in by_http_api.alternatives)


# an answer without a body that never ends


def hanging(**more: Any) -> Exchange:
    given = {"status": 202, "total_ms": 5000.0, **more}
    return failed(Failure.DEADLINE, "incomplete", method="notifications/initialized", **given)


def test_a_notification_that_hangs_while_requests_are_answered_is_named_and_degrades() -> None:
    opening = opened(initialized(headers=FUNCTION_URL), hanging(), era=Era.HANDSHAKE)

    judged = judge(opening, tool_page("add"))

    assert judged.ids == ["invoke-mode-mismatch"]
    assert judged.verdict == "degraded"
    assert "never ends an answer that has no body" in judged.diagnoses[0].summary
    assert judged.result("lifecycle").outcome == "warn"


@pytest.mark.parametrize(
    "told",
    [
        hanging(status=None),
        hanging(body=b"Accepted", media="text/plain"),
        hanging(status=502),
        hanging(wait_ms=480.0, total_ms=500.0),  # the probe was nearly over, and its half went by before the headers
        hanging(wait_ms=1600.0, total_ms=2500.0),
        exchange("notifications/initialized", status=202, media=None, messages=()),
        failed(Failure.CONNECTION_LOST, "reset", method="notifications/initialized"),
    ],
)
def test_other_ends_of_a_notification_are_no_empty_stream(told: Exchange) -> None:
    assert judge(opened(initialized(), told, era=Era.HANDSHAKE), tool_page("add")).ids == []
