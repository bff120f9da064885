import asyncio
import json

import pytest

from prober.lab.front_doors.gateways import CloudFront, RestApi
from prober.lab.http import Request, Response, text
from prober.lab.servers import rpc

POST = Request(method="POST", target="/mcp", body=b"{}")


async def app(request: Request) -> Response:
    return text(200, "from the application")


async def never(request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


async def never_ending(request: Request) -> Response:
    async def chunks():
        yield b"begin"
        await asyncio.Event().wait()

    return rpc.event_stream(chunks())


async def challenged(request: Request) -> Response:
    own = (("WWW-Authenticate", "Bearer"), ("Server", "uvicorn"), ("X-Own", "1"), ("Connection", "close"))
    return text(401, "", *own)


@pytest.mark.parametrize(
    ("api", "status", "kind", "message"),
    [
        (RestApi(integration=app, path="/prod/mcp"), 403, "MissingAuthenticationToken", "Missing Authentication Token"),
        (RestApi(integration=app, blocked=True), 403, "Forbidden", "Forbidden"),
        (RestApi(integration=app, path="/other", blocked=True), 403, "Forbidden", "Forbidden"),
        (RestApi(integration=never, limit_s=0.01), 504, "InternalServerError", "Endpoint request timed out"),
        (RestApi(integration=never_ending, limit_s=0.01), 504, "InternalServerError", "Endpoint request timed out"),
    ],
)
async def test_a_rest_api_refuses_in_its_own_words(api, status, kind, message) -> None:
    response = await api(POST)
    assert (response.status, json.loads(response.body)) == (status, {"message": message})
    assert response.header("x-amzn-errortype") == f"{kind}Exception"
    assert response.header("x-amzn-requestid")
    assert response.header("x-amz-apigw-id")


@pytest.mark.parametrize(
    ("api", "is_traced"),
    [
        (RestApi(integration=app), True),
        (RestApi(integration=never, limit_s=0.01), True),
        (RestApi(integration=app, blocked=True), False),
        (RestApi(integration=app, path="/other"), False),
    ],
)
async def test_only_a_request_that_reached_the_integration_has_a_trace(api, is_traced) -> None:
    assert ((await api(POST)).header("x-amzn-trace-id") is not None) is is_traced


async def test_a_rest_api_renames_the_challenge_and_some_more_of_the_integrations_headers() -> None:
    response = await RestApi(integration=challenged)(POST)
    assert response.status == 401
    assert response.header("www-authenticate") is None
    assert response.header("x-amzn-remapped-www-authenticate") == "Bearer"
    assert response.header("x-amzn-remapped-server") == "uvicorn"
    assert response.header("x-own") == "1"
    assert response.header("connection") is None


async def test_a_rest_api_collects_the_answer_of_its_integration() -> None:
    async def streaming(request: Request) -> Response:
        async def chunks():
            yield b"one"
            yield b"two"

        return Response(body=chunks())

    assert (await RestApi(integration=streaming)(POST)).body == b"onetwo"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (POST, 403),
        (Request(method="GET", target="/mcp"), 200),
        (Request(method="POST", target="/mcp", body=b"{}", headers=(("X-Amz-Content-SHA256", "44136fa3"),)), 200),
    ],
)
async def test_cloudfront_signs_what_has_no_body_or_names_its_hash(asked, status) -> None:
    response = await CloudFront(origin=app, signs=True)(asked)
    assert response.status == status
    assert response.header("x-amzn-errortype") == ("InvalidSignatureException" if status == 403 else None)


@pytest.mark.parametrize(("origin", "cached"), [(app, "Miss from cloudfront"), (challenged, "Error from cloudfront")])
async def test_cloudfront_marks_every_answer_of_its_origin_as_its_own(origin, cached) -> None:
    response = await CloudFront(origin=origin)(POST)
    assert response.header("x-cache") == cached
    assert (response.header("via") or "").endswith(".cloudfront.net (CloudFront)")
    assert response.header("x-amz-cf-id")
    assert response.status == (await origin(POST)).status
