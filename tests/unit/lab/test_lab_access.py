"""Who is let in: signatures of AWS, tokens and their discovery, scripts of web pages."""

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from prober.lab import credentials
from prober.lab.front_doors.cors import Cors
from prober.lab.front_doors.function_url import FORBIDDEN, FunctionUrl
from prober.lab.front_doors.oauth import Protected
from prober.lab.front_doors.sigv4 import WRONG, Verifier
from prober.lab.http import Request, Response
from prober.lab.runtime.adapter import AdaptedInstance, AdapterSettings, Program
from prober.lab.runtime.function import Function
from prober.lab.runtime.in_process import HandlerInstance
from tests.unit.lab.conftest import HandClock

HOST = "abc.lambda-url.eu-west-1.on.aws"
PAGE = "https://orders.example.com"
VERIFIER = Verifier(
    access_key_id=credentials.ACCESS_KEY_ID,
    secret_access_key=credentials.SECRET_ACCESS_KEY,
    region=credentials.REGION,
)


@pytest.fixture
def at_noon(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """The lab's clock, which botocore signs by, too."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: clock.now().replace(tzinfo=None))
    return clock


def signed(
    *,
    target: str = "/mcp",
    body: bytes = b"{}",
    secret: str = credentials.SECRET_ACCESS_KEY,
    region: str = credentials.REGION,
    **settings: Any,
) -> Request:
    """A request as botocore signs it, which knows nothing of the lab."""
    own = AWSRequest(method="POST", url=f"https://{HOST}{target}", data=body, headers=settings.get("headers", {}))
    keys = Credentials(settings.get("key", credentials.ACCESS_KEY_ID), secret)
    SigV4Auth(keys, settings.get("service", "lambda"), region).add_auth(own)
    headers = (("Host", HOST), *((name, str(value)) for name, value in own.headers.items()))
    return Request(method="POST", target=target, headers=headers, body=body)


async def open_app(request: Request) -> Response:
    return Response(headers=request.headers, body=b"in")


@pytest.mark.parametrize(
    "request_settings",
    [
        {},
        {"target": "/a%20path/%E4%B8%96?b=2&a=1%2F1&a="},
        {"headers": {"X-Amz-Security-Token": "session", "X-Spaced": "  a   b "}},
        {"body": b""},
    ],
)
def test_what_the_sdk_signs_is_good(request_settings: dict[str, Any], at_noon: HandClock) -> None:
    assert VERIFIER.problem_with(signed(**request_settings), at_noon.now()) is None


@pytest.mark.parametrize(
    ("request_settings", "kind", "message"),
    [
        ({"secret": "another"}, "InvalidSignatureException", WRONG),
        ({"key": "AKIDUNKNOWN"}, "UnrecognizedClientException", "The security token included in the request is "),
        ({"region": "us-east-1"}, "InvalidSignatureException", "Credential should be scoped to a valid region."),
        ({"service": "s3"}, "InvalidSignatureException", "Credential should be scoped to correct service: 'lambda'."),
    ],
)
def test_a_signature_by_another_key_or_for_something_else_is_refused(
    request_settings: dict[str, Any], kind: str, message: Any, at_noon: HandClock
) -> None:
    problem = VERIFIER.problem_with(signed(**request_settings), at_noon.now())
    assert problem is not None
    assert problem.kind == kind
    assert problem.message.startswith(message)


@pytest.mark.parametrize("changed", [{"body": b"{ }"}, {"target": "/other"}, {"method": "GET"}])
def test_a_signature_covers_the_method_the_path_and_the_body(changed: dict[str, Any], at_noon: HandClock) -> None:
    good = signed()
    whole = {"method": good.method, "target": good.target, "headers": good.headers, "body": good.body}
    problem = VERIFIER.problem_with(Request(**{**whole, **changed}), at_noon.now())
    assert problem is not None
    assert problem.message == WRONG


def test_a_header_of_aws_that_was_added_later_is_not_covered(at_noon: HandClock) -> None:
    good = signed()
    forged = Request(method="POST", target=good.target, headers=(*good.headers, ("X-Amz-Meta", "1")), body=good.body)
    assert VERIFIER.problem_with(forged, at_noon.now()) is not None


@pytest.mark.parametrize(
    ("minutes", "message"),
    [
        (10, "Signature expired: 20261120T120000Z is now earlier than 20261120T120500Z (20261120T121000Z - 5 min.)"),
        (
            -10,
            "Signature not yet current: 20261120T120000Z is still later than 20261120T115500Z "
            "(20261120T115000Z + 5 min.)",
        ),
    ],
)
def test_a_clock_that_is_off_by_more_than_five_minutes_is_told_with_both_times(
    minutes: int, message: str, at_noon: HandClock
) -> None:
    problem = VERIFIER.problem_with(signed(), at_noon.now() + timedelta(minutes=minutes))
    assert problem is not None
    assert problem.message == message
    assert VERIFIER.problem_with(signed(), at_noon.now() + timedelta(minutes=minutes / 5)) is None


async def test_a_function_url_with_iam_answers_as_aws_does(at_noon: HandClock) -> None:
    url = FunctionUrl(
        function=Function(build=lambda: HandlerInstance(lambda event, context: "in")), iam=VERIFIER, clock=at_noon
    )
    unsigned, forged, good = [
        await url(each) for each in (Request(method="POST", target="/"), signed(secret="another"), signed())
    ]
    assert (unsigned.status, unsigned.header("x-amzn-errortype")) == (403, "AccessDeniedException")
    assert json.loads(unsigned.body) == {"Message": FORBIDDEN}
    assert (forged.status, forged.header("x-amzn-errortype")) == (403, "InvalidSignatureException")
    assert json.loads(forged.body) == {"message": WRONG}
    assert forged.header("date") == "Fri, 20 Nov 2026 12:00:00 GMT"
    assert (good.status, good.body) == (200, b"in")


async def test_an_adapter_gives_the_application_its_token_from_another_header(at_noon: HandClock) -> None:
    settings = AdapterSettings(authorization_source="x-app-authorization")
    instance = AdaptedInstance(Program(handler=open_app), settings, clock=at_noon)
    url = FunctionUrl(function=Function(build=lambda: instance), iam=VERIFIER, clock=at_noon)
    own, none = [await url(signed(headers=each)) for each in ({"X-App-Authorization": "Bearer t"}, {})]
    assert own.header("authorization") == "Bearer t"
    assert (none.header("authorization") or "").startswith("AWS4-HMAC-SHA256 ")


def asked(path: str = "/mcp", *, method: str = "POST", body: bytes = b"", **headers: str) -> Request:
    named = {"host": "h:1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Request(method=method, target=path, headers=tuple(named.items()), body=body)


async def document(app: Protected, path: str) -> Any:
    response = await app(asked(path, method="GET"))
    return json.loads(response.body) if response.status == 200 else response.status


async def token_from(app: Protected, client: dict[str, str] | None = None, **form: str) -> Response:
    whole = {"grant_type": "client_credentials", "resource": "http://h:1/mcp", **form}
    header = {} if client is not None else {"authorization": f"Basic {encoded(credentials.CLIENT_SECRET)}"}
    body = urlencode({**whole, **(client or {})}).encode()
    return await app(asked("/token", body=body, content_type="application/x-www-form-urlencoded", **header))


def encoded(secret: str) -> str:
    return base64.b64encode(f"{credentials.CLIENT_ID}:{secret}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "status", "challenge"),
    [
        ({}, 401, 'Bearer resource_metadata="http://h:1/.well-known/oauth-protected-resource/mcp"'),
        ({"authorization": "Bearer old"}, 401, 'Bearer error="invalid_token"'),
        ({"authorization": "Basic lab-token"}, 401, 'Bearer error="invalid_token"'),
        ({"authorization": "bearer lab-token"}, 200, ""),
    ],
)
async def test_the_lab_s_token_is_let_in_and_others_are_challenged(
    authorization: dict[str, Any], status: int, challenge: str
) -> None:
    response = await Protected(app=open_app)(asked(**authorization))
    assert response.status == status
    assert (response.header("www-authenticate") or "").startswith(challenge)


async def test_the_challenge_leads_to_the_token_endpoint() -> None:
    app = Protected(app=open_app)
    for path in ("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"):
        resource = await document(app, path)
        assert (resource["resource"], resource["authorization_servers"]) == ("http://h:1/mcp", ["http://h:1"])
    server = await document(app, "/.well-known/oauth-authorization-server")
    assert (server["issuer"], server["token_endpoint"]) == ("http://h:1", "http://h:1/token")
    assert await document(app, "/.well-known/openid-configuration") == 404


@pytest.mark.parametrize(
    "client", [None, {"client_id": credentials.CLIENT_ID, "client_secret": credentials.CLIENT_SECRET}]
)
async def test_a_token_is_good_until_it_expires(client: dict[str, Any] | None, clock: HandClock) -> None:
    app = Protected(app=open_app, clock=clock)
    issued = await token_from(app, client)
    answer = json.loads(issued.body)
    assert (issued.status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 300)
    let_in = asked(authorization=f"Bearer {answer['access_token']}")
    assert (await app(let_in)).status == 200
    clock.seconds = 300
    assert (await app(let_in)).status == 401


@pytest.mark.parametrize(
    ("wrong", "status", "error"),
    [
        ({"client": {"client_id": "x", "client_secret": "y"}}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"resource": "http://h:2/mcp"}, 400, "invalid_target"),
    ],
)
async def test_the_token_endpoint_says_what_is_wrong(wrong: dict[str, Any], status: int, error: str) -> None:
    response = await token_from(Protected(app=open_app), **wrong)
    assert (response.status, json.loads(response.body)) == (status, {"error": error})
    assert (response.header("www-authenticate") is not None) is (status == 401)


async def test_a_token_is_asked_for_by_a_form_and_not_by_rubbish() -> None:
    app = Protected(app=open_app)
    form = {"content_type": "application/x-www-form-urlencoded"}
    answers = [
        await app(asked("/token", content_type="application/json")),
        await app(asked("/token", authorization="Basic %%%", **form)),
    ]
    assert [json.loads(each.body)["error"] for each in answers] == ["invalid_request", "invalid_client"]


async def test_a_protected_server_may_break_its_promises_one_by_one() -> None:
    silent, lost = Protected(app=open_app, challenges=False), Protected(app=open_app, has_metadata=False)
    assert (await silent(asked())).header("www-authenticate") is None
    assert await document(lost, "/.well-known/oauth-protected-resource/mcp") == 404
    elsewhere = await Protected(app=open_app, metadata="https://a.example/m")(asked())
    assert elsewhere.header("www-authenticate") == 'Bearer resource_metadata="https://a.example/m"'
    other = Protected(app=open_app, resource="https://o.example/mcp")
    assert (await document(other, "/.well-known/oauth-protected-resource"))["resource"] == "https://o.example/mcp"
    assert (await token_from(Protected(app=open_app, token_status=503))).status == 503


def preflight(origin: str, headers: str) -> Request:
    return Request(
        method="OPTIONS",
        target="/mcp",
        headers=(
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", headers),
        ),
    )


async def test_scripts_of_a_known_page_may_send_what_mcp_needs_and_read_what_comes_back() -> None:
    app = Cors(app=open_app, origins=frozenset({PAGE}))
    answer = await app(preflight(PAGE, "content-type, mcp-method, Mcp-Param-Region, x-own"))
    assert (answer.status, answer.header("access-control-allow-origin")) == (204, PAGE)
    assert answer.header("access-control-allow-headers") == "content-type, mcp-method, mcp-param-region"
    real = await app(Request(method="POST", target="/mcp", headers=(("Origin", PAGE),)))
    assert [value for name, value in real.headers if name == "Access-Control-Allow-Origin"] == [PAGE]
    assert "Mcp-Session-Id" in (real.header("access-control-expose-headers") or "")


async def test_scripts_of_another_page_and_requests_of_no_script_get_no_such_headers() -> None:
    app = Cors(app=open_app, origins=frozenset({PAGE}))
    assert (await app(preflight("https://evil.example", "content-type"))).status == 403
    for headers in ((("Origin", "https://evil.example"),), ()):
        answer = await app(Request(method="POST", target="/mcp", headers=headers))
        assert answer.header("access-control-allow-origin") is None


async def test_an_old_policy_allows_no_header_of_mcp_and_may_hide_the_session() -> None:
    app = Cors(app=open_app, origins=frozenset({PAGE}), allowed=frozenset({"content-type"}), exposed=())
    answer = await app(preflight(PAGE, "content-type, mcp-method, mcp-param-region"))
    assert answer.header("access-control-allow-headers") == "content-type"
    real = await app(Request(method="POST", target="/mcp", headers=(("Origin", PAGE),)))
    assert real.header("access-control-expose-headers") is None
