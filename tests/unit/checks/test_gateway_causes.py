"""What front doors say in the place of a function: which cause, how sure, and a fix in the words of that door."""

import json
from dataclasses import replace
from typing import Any

import pytest

from checks.model import Diagnosis, Exchange, Failure, SigV4
from tests.unit.checks.conversations import endpoint, exchange, failed, judge, refused

URL = (("x-amzn-RequestId", "r"),)
TRACE = ("X-Amzn-Trace-Id", "Root=1-2-3")
REST = (("x-amzn-RequestId", "r"), ("x-amz-apigw-id", "g="))
HTTP = (("Apigw-Requestid", "g="),)
EDGE = (("X-Cache", "Error from cloudfront"), ("Via", "1.1 x.cloudfront.net (CloudFront)"), ("X-Amz-Cf-Id", "c"))
BALANCER = (("Server", "awselb/2.0"),)
WEB = (("lambda-web-request-id", "r"),)
SIGNED = endpoint(sigv4=SigV4(service="execute-api", region="eu-west-1"))


def answer(
    status: int, body: Any, *headers: tuple[str, str], method: str | None = "server/discover", **more: Any
) -> Exchange:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    media = more.pop("media", "application/json" if not isinstance(body, bytes) else "text/html")
    return exchange(method, status=status, body=raw, media=media, headers=headers, **more)


def kind(name: str) -> tuple[str, str]:
    return ("x-amzn-ErrorType", name)


def cause(*exchanges: Exchange, **more: Any) -> Diagnosis:
    (found,) = judge(refused(*exchanges), **more).diagnoses
    return found


def timed_out(wait_ms: float, door: tuple[tuple[str, str], ...] = REST, **more: Any) -> Exchange:
    return answer(504, {"message": "Endpoint request timed out"}, *door, wait_ms=wait_ms, **more)


@pytest.mark.parametrize(
    ("exchanges", "confidence", "words"),
    [
        ((timed_out(29_020.0),), 0.95, "near its limit of 29 s"),
        ((answer(503, {"message": "Service unavailable"}, *HTTP, wait_ms=30_011.0),), 0.95, "near its limit of 30 s"),
        ((answer(504, b"<h1>", *EDGE, wait_ms=60_100.0),), 0.95, "near its limit of 60 s"),
        ((timed_out(5_040.0),), 0.85, "after 5.04 s"),
        ((timed_out(1_408.0, method="initialize"), timed_out(1_430.0)), 0.85, "after 1.43 s"),
        ((timed_out(1_408.0),), 0.75, "after 1.41 s"),
        ((timed_out(700.0, method="initialize"), timed_out(1_430.0)), 0.75, "after 1.43 s"),
        ((answer(503, {"message": "Service Unavailable"}, *HTTP, wait_ms=12.0),), 0.5, "after 12 ms"),
    ],
)
def test_a_gateway_that_gave_up_is_surest_near_its_limit_then_on_a_plateau(exchanges, confidence, words) -> None:
    found = cause(*exchanges)
    assert (found.id, found.confidence) == ("gateway-timeout", confidence)
    assert words in found.summary


def test_the_plateau_is_in_the_evidence() -> None:
    found = cause(timed_out(1_408.0, method="initialize"), timed_out(1_430.0))
    assert any("2 requests given up on after the same wait: 1.41 s, 1.43 s" in proof.text for proof in found.evidence)


def test_a_refusal_at_once_has_more_to_do_with_the_integration_than_with_time() -> None:
    found = cause(answer(503, {"message": "Service Unavailable"}, *HTTP, wait_ms=12.0))
    assert "at once" in found.alternatives[0]


@pytest.mark.parametrize(
    ("door", "snippet"),
    [
        (REST, "aws apigateway update-integration"),
        (HTTP, "aws lambda create-function-url-config"),
        (EDGE, "OriginReadTimeout"),
        (BALANCER, "idle_timeout.timeout_seconds"),
        ((), "aws lambda create-function-url-config"),
    ],
)
def test_the_fix_of_a_timeout_is_that_of_its_front_door(door, snippet) -> None:
    assert snippet in cause(answer(504, b"<h1>504</h1>", *door, wait_ms=900.0)).fix


@pytest.mark.parametrize(
    ("refusal", "confidence", "words"),
    [
        ({"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"}, 0.95, "delete-function-concurrency"),
        ({"reason": "ConcurrentInvocationLimitExceeded", "more": 1}, 0.95, "request-service-quota-increase"),
        ({"Reason": "CallerRateLimitExceeded", "message": "Rate exceeded"}, 0.95, "ten requests a second"),
        ({"Reason": "SomethingNew", "message": "Rate Exceeded."}, 0.8, "delete-function-concurrency"),
        ({"message": None}, 0.8, "delete-function-concurrency"),
    ],
)
def test_lambda_names_what_has_run_out(refusal, confidence, words) -> None:
    found = cause(answer(429, refusal, *URL))
    assert (found.id, found.confidence) == ("throttled", confidence)
    assert words in found.fix


@pytest.mark.parametrize(
    ("refused_by", "words"),
    [
        (answer(429, {"message": "Too Many Requests"}, *REST, kind("TooManyRequestsException")), "update-stage"),
        (answer(429, {"message": "Limit Exceeded"}, *REST, kind("LimitExceededException")), "update-usage-plan"),
        (answer(429, {"message": "Too Many Requests"}, *HTTP), "aws apigatewayv2 update-stage"),
        (answer(429, b"slow down", media="text/plain"), "get-function-concurrency"),
    ],
)
def test_a_gateway_that_throttles_has_a_fix_of_its_own(refused_by, words) -> None:
    found = cause(refused_by)
    assert found.id == "throttled"
    assert words in found.fix


@pytest.mark.parametrize("refusal", [answer(429, {}, *URL), answer(429, {}, *HTTP), answer(429, b"", *WEB)])
def test_no_concurrency_at_all_is_always_named(refusal) -> None:
    found = cause(refusal)
    assert any("concurrency" in text and "0" in text for text in (found.fix, *found.alternatives))


NO_TOKEN = answer(403, {"message": "Missing Authentication Token"}, *REST)


def test_a_missing_route_of_a_rest_api_may_be_a_missing_signature_which_a_second_path_is_asked_about() -> None:
    judged = judge(refused(NO_TOKEN))
    (found,) = judged.diagnoses
    assert judged.wire.asked_otherwise == [("fetch", "https://orders.example.com/mcp-prober-second-path")]
    assert (found.id, found.confidence) == ("route-missing", 0.75)
    assert "answered alike, which leaves it open" in found.alternatives[0]
    assert any("/mcp-prober-second-path" in proof.text for proof in found.evidence)
    assert "aws apigateway get-resources" in found.fix


def test_a_second_path_that_is_led_to_the_server_speaks_for_the_signature() -> None:
    second = replace(
        answer(404, {"detail": "Not Found"}, *REST, TRACE, method=None), url="https://orders.example.com/second"
    )
    (found,) = judge(refused(NO_TOKEN), others=[second]).diagnoses
    assert (found.id, found.confidence) == ("route-missing", 0.6)
    assert "leads another path to the server" in found.summary
    assert "speaks for the signature" in found.alternatives[0]


def test_a_second_path_that_cannot_be_asked_for_leaves_the_question() -> None:
    unasked = failed(Failure.CONNECTION_LOST, "reset", method=None)
    (found,) = judge(refused(NO_TOKEN), others=[unasked]).diagnoses
    assert "would tell them apart" in found.alternatives[0]


def test_a_missing_route_is_no_missing_signature_where_we_sign() -> None:
    found = cause(NO_TOKEN, endpoint=SIGNED)
    assert (found.id, found.confidence, found.alternatives) == ("route-missing", 0.9, ())


def test_a_token_that_is_taken_for_a_signature_shows_a_missing_route() -> None:
    body = {"message": "'x' not a valid key=value pair (missing equal-sign) in Authorization header: 'Bearer x'."}
    found = cause(answer(403, body, *REST, kind("IncompleteSignatureException")))
    assert (found.id, "takes the token for a signature" in found.summary) == ("route-missing", True)


@pytest.mark.parametrize(
    ("answered", "words", "fix"),
    [
        (answer(404, {"message": "Not Found"}, *HTTP), "HTTP API has no route", "aws apigatewayv2"),
        (answer(404, {"message": "not found", "requestId": "g"}, *HTTP), "HTTP API has no route", "aws apigatewayv2"),
        (answer(404, {"detail": "Not Found"}, *HTTP), "/prod looks like a stage", "AWS_LWA_REMOVE_BASE_PATH=/prod"),
        (answer(404, b"Not Found", *HTTP, media="text/plain"), "/prod looks like a stage", "REMOVE_BASE_PATH=/prod"),
        (answer(404, {"message": "Cannot POST /prod/mcp"}, *HTTP), "/prod looks like a stage", "REMOVE_BASE_PATH"),
        (answer(404, {"message": "Not Found"}, *URL), "/prod looks like a stage", "REMOVE_BASE_PATH"),
        (answer(404, b"", *WEB, media="text/plain"), "No Web Function answers to the name", "Host"),
        (answer(404, b"", *WEB, ("lambda-web-logstream", "s")), "/prod looks like a stage", "REMOVE_BASE_PATH"),
        (
            answer(403, b"not configured to allow the HTTP request method. Generated by cloudfront", *EDGE),
            "takes no POST",
            "ALLOW_ALL",
        ),
    ],
)
def test_who_wrote_a_404_says_what_to_mend(answered, words, fix) -> None:
    asked = replace(answered, url="https://orders.example.com/prod/mcp")
    found = cause(asked)
    assert found.id == "route-missing"
    assert words in found.summary
    assert fix in found.fix


def test_a_path_of_one_part_is_no_stage() -> None:
    found = cause(answer(404, {"detail": "Not Found"}, *HTTP))
    assert "at another path" in found.summary
    assert "stage" not in found.summary


@pytest.mark.parametrize(
    ("refusal", "words", "snippet"),
    [
        (answer(403, {"message": "Forbidden"}, *REST, kind("ForbiddenException")), "AWS WAF", "x-api-key"),
        (answer(403, {"message": "Forbidden"}, *HTTP), "an authorizer denies", "get-authorizers"),
        (
            answer(403, {"Message": "User is not authorized to access this resource"}, *REST),
            "an authorizer denies",
            "flush-stage-authorizers-cache",
        ),
        (
            answer(403, {"Message": "User: anonymous is not authorized to perform: execute-api:Invoke on …"}, *REST),
            "a resource policy, or IAM",
            "get-rest-api",
        ),
        (answer(403, b"<H2>Request Blocked.</H2> Generated by cloudfront", *EDGE), "WAF at the edge", "us-east-1"),
        (answer(403, b"<h1>403 Forbidden</h1>", *BALANCER), "at the load balancer", "--scope REGIONAL"),
    ],
)
def test_who_refused_before_the_server_says_whom_to_ask(refusal, words, snippet) -> None:
    found = cause(refusal)
    assert found.id == "blocked-by-waf"
    assert words in found.summary
    assert snippet in found.fix
    assert found.alternatives


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (answer(500, {"message": None}, *REST), "its authorizer failed"),
        (answer(500, {"Message": None}, *REST), "its authorizer failed"),
        (answer(500, {"message": "Internal server error"}, *REST), "Lambda did not take the request"),
        (answer(503, b"<h1>503</h1>", *BALANCER), "no target"),
        (answer(502, b"Generated by cloudfront", *EDGE), "no usable answer from its origin"),
        (answer(503, b"Generated by CloudFront", *EDGE), "the function at its edge"),
    ],
)
def test_what_failed_in_the_stead_of_a_function_is_named(failure, words) -> None:
    found = cause(failure)
    assert (found.id, "no function ran" in found.summary, words in found.summary) == ("function-crash", True, True)


@pytest.mark.parametrize(
    "failure",
    [
        answer(502, {"message": "Internal server error"}, *REST),
        answer(500, {"statusCode": 500, "message": "Internal server error"}, *REST, TRACE),
        answer(500, {"message": "Internal Server Error"}, *HTTP),
        answer(502, b"<h1>502 Bad Gateway</h1>", *BALANCER),
    ],
)
def test_a_function_that_failed_itself_is_not_excused(failure) -> None:
    found = cause(failure)
    assert (found.id, "no function ran" in found.summary) == ("function-crash", False)


def test_a_function_url_that_knows_our_signature_lacks_a_permission_for_it() -> None:
    body = {"Message": "Forbidden. For troubleshooting Function URL authorization issues, see: …"}
    refusal = answer(403, body, *URL, kind("AccessDeniedException"))
    unsigned, signed = cause(refusal), cause(refusal, endpoint=endpoint(sigv4=SigV4()))
    assert (unsigned.id, signed.id) == ("function-url-forbidden", "function-url-forbidden")
    assert "--principal '*'" in unsigned.fix
    assert "--principal ARN" in signed.fix


def test_a_signature_that_cloudfront_made_is_surer_to_be_its_own() -> None:
    body, refused_for = {"message": "The request signature we calculated …"}, kind("InvalidSignatureException")
    plain, relayed = cause(answer(403, body, *URL, refused_for)), cause(answer(403, body, *URL, *EDGE, refused_for))
    assert (plain.id, relayed.id) == ("signature-rejected", "signature-rejected")
    assert plain.confidence < relayed.confidence
    assert "CloudFront's signature" in relayed.summary


def test_a_401_of_an_authorizer_has_no_challenge_and_the_gateway_can_be_given_one() -> None:
    bare = cause(answer(401, {"message": "Unauthorized"}, *REST, kind("UnauthorizedException")))
    assert (bare.id, "by an authorizer" in bare.summary) == ("auth-required", True)
    assert "GatewayResponses" in bare.fix
    own = cause(answer(401, {"message": "Unauthorized"}, *REST, TRACE))
    assert (own.id, "by an authorizer" in own.summary) == ("auth-required", False)
