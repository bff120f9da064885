"""Answers that tell by their bytes what is wrong, whatever their status and type say: each gets its own cause."""

import base64
import gzip
import json
from typing import Any

import pytest

from checks.model import Diagnosis, Effect, Exchange, Failure, Sentinel, Verdict
from checks.symptoms import Symptom, symptom_of
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    discovered,
    endpoint,
    exchange,
    judge,
    opened,
    refused,
    tool_page,
)

REST = (("x-amzn-RequestId", "r"), ("x-amz-apigw-id", "g="), ("X-Amzn-Trace-Id", "Root=1-2-3"))
EDGE = (("X-Cache", "Error from cloudfront"), ("Via", "1.1 x.cloudfront.net (CloudFront)"), ("X-Amz-Cf-Id", "c"))
BUCKET = (("Server", "AmazonS3"), *EDGE)
ANSWER = b'{"jsonrpc":"2.0","id":"r1","result":{"tools":[]}}'
STREAM = b"event: message\ndata: " + ANSWER + b"\n\n"


def cause(*exchanges: Exchange) -> Diagnosis:
    (found,) = judge(refused(*exchanges)).diagnoses
    return found


def answer(status: int, body: bytes, media: str | None, *headers: tuple[str, str], **more: Any) -> Exchange:
    return exchange(more.pop("method", "initialize"), status=status, body=body, media=media, headers=headers, **more)


# hosts


@pytest.mark.parametrize(
    ("status", "body", "media"),
    [
        (403, b'{"jsonrpc":"2.0","error":{"code":-32000,"message":"Invalid Host: a.on.aws"},"id":null}', None),
        (403, b'{"jsonrpc":"2.0","error":{"code":-32000,"message":"Invalid Host header: a"},"id":null}', None),
        (403, b"Forbidden: Host header is not allowed", "text/plain"),
        (403, b"Forbidden: invalid Host header", "text/plain"),
        (400, b"Invalid host header", "text/plain"),
        (403, b"<h1>Blocked hosts: a.on.aws</h1>", "text/html"),
        (403, b'Blocked request. This host ("a.on.aws") is not allowed.', "text/plain"),
    ],
)
def test_a_server_that_refuses_its_public_host_is_told_from_one_that_wants_credentials(status, body, media) -> None:
    found = cause(answer(status, body, media or "application/json", *FUNCTION_URL))
    assert found.id == "host-rejected"
    assert found.summary.startswith(f"HTTP {status}: the server does not accept orders.example.com")
    assert "allowedHosts: ['orders.example.com']" in found.fix


def test_a_proxy_that_blocks_a_host_may_be_on_the_way() -> None:
    page = b"<html><title>Access denied</title>Blocked host by policy</html>"
    found = cause(answer(403, page, "text/html"))
    assert (found.id, found.confidence) == ("host-rejected", 0.6)
    assert any("proxy" in other for other in found.alternatives)


@pytest.mark.parametrize("body", [b"Invalid hostname of the warehouse", b"Invalid Origin header", b"Forbidden"])
def test_a_403_that_speaks_of_something_else_is_no_matter_of_the_host(body) -> None:
    assert symptom_of(answer(403, body, "text/plain", *FUNCTION_URL)) is Symptom.FORBIDDEN


def test_a_tool_may_dislike_a_host_of_its_own() -> None:
    assert symptom_of(answer(400, b"invalid host db", "text/plain", method="tools/call")) is not Symptom.HOST_REJECTED


# challenges and buckets


@pytest.mark.parametrize(
    ("status", "header", "who"),
    [
        (202, ("x-amzn-waf-action", "challenge"), "AWS WAF"),
        (405, ("x-amzn-waf-action", "captcha"), "AWS WAF"),
        (403, ("cf-mitigated", "challenge"), "Cloudflare"),
    ],
)
def test_a_challenge_for_browsers_is_a_firewalls(status, header, who) -> None:
    found = cause(answer(status, b"<html>Just a moment...</html>", "text/html", header))
    assert (found.id, found.confidence) == ("blocked-by-waf", 0.95)
    assert f"{who} wants a challenge solved, which only browsers do" in found.summary
    assert any(header[0] in proof.text for proof in found.evidence)


@pytest.mark.parametrize(
    ("status", "body", "media"),
    [
        (403, b"<Error><Code>AccessDenied</Code></Error>", "application/xml"),
        (405, b"<Error><Code>MethodNotAllowed</Code></Error>", "application/xml"),
        (200, b"<!doctype html><div id=root></div>", "text/html"),
    ],
)
def test_a_bucket_that_answers_in_the_servers_place_is_a_path_that_leads_astray(status, body, media) -> None:
    found = cause(answer(status, body, media, ("Server", "AmazonS3")))
    assert (found.id, found.confidence) == ("route-missing", 0.9)
    assert found.summary.startswith(f"Amazon S3 answers POST /mcp with HTTP {status}: the path leads to a bucket")
    assert "addBehavior('/mcp*'" in found.fix


def test_a_page_from_a_bucket_may_stand_for_an_error_of_the_server_where_cloudfront_replaces_those() -> None:
    found = cause(answer(200, b"<!doctype html><div id=root></div>", "text/html", *BUCKET))
    assert (found.id, found.confidence) == ("route-missing", 0.6)
    assert any("CustomErrorResponses" in other for other in found.alternatives)


def test_an_error_of_the_buckets_own_was_put_in_place_of_nothing() -> None:
    found = cause(answer(403, b"<Error><Code>AccessDenied</Code></Error>", "application/xml", *BUCKET))
    assert (found.id, found.confidence, found.alternatives) == ("route-missing", 0.9, ())


# reports of failed functions


def report(**members: Any) -> Exchange:
    return answer(200, json.dumps(members).encode(), "application/json", *REST)


@pytest.mark.parametrize(
    ("members", "words", "fix"),
    [
        (
            {"errorMessage": "Unable to import module 'app'", "errorType": "Runtime.ImportModuleError"},
            "Runtime.ImportModuleError: Unable to import module 'app'",
            "sam build",
        ),
        (
            {"errorMessage": "'body'", "errorType": "KeyError", "requestId": "x", "stackTrace": ["…"]},
            "KeyError: 'body'",
            "aws logs tail",
        ),
        ({"errorMessage": "boom", "errorType": "Error", "trace": [], "cause": {}}, "Error: boom", "AWS_PROXY"),
    ],
)
def test_the_report_of_a_failed_function_is_a_crash_although_it_comes_with_200(members, words, fix) -> None:
    found = cause(report(**members))
    assert (found.id, found.confidence) == ("function-crash", 0.95)
    assert words in found.summary
    assert fix in found.fix


def test_the_report_of_a_function_that_took_too_long_is_a_time_limit() -> None:
    found = cause(report(errorMessage="2026-11-22T04:00:00.000Z 0f1c Task timed out after 3.00 seconds"))
    assert (found.id, found.confidence) == ("function-timeout", 0.95)
    assert "Task timed out after 3.00 seconds" in found.summary
    assert "0f1c" not in found.summary


def test_a_value_of_the_functions_own_with_such_a_member_is_no_report() -> None:
    assert cause(report(errorMessage="none", orders=[])).id == "adapter-missing"
    assert cause(report(errorMessage="no such order")).id == "adapter-missing"


def test_a_process_that_ended_is_reported_without_a_type_by_older_runtimes() -> None:
    found = cause(report(errorMessage="RequestId: 0f1c Process exited before completing request"))
    assert (found.id, found.confidence) == ("function-crash", 0.95)


def test_a_report_in_the_place_of_a_tools_answer_concerns_that_tool_alone() -> None:
    call = answer(200, b'{"errorMessage":"boom","errorType":"Error"}', "application/json", method="tools/call")
    calling = endpoint(sentinels=(Sentinel(tool="add", safe_to_repeat=True),))
    judged = judge(opened(discovered()), tool_page("add"), call, endpoint=calling)
    assert (judged.ids, judged.verdict) == (["function-crash"], Verdict.DEGRADED)


# JSON-RPC in a wrong wrapping


def test_a_packed_page_that_does_not_say_so_is_no_json_rpc() -> None:
    packed = gzip.compress(b"<html></html>", mtime=0)
    assert cause(answer(200, packed, "text/html")).id == "not-mcp"
    assert cause(answer(200, packed, "application/json")).id == "malformed-response"


@pytest.mark.parametrize(
    ("body", "media", "words", "fix"),
    [
        (STREAM, "application/octet-stream", "an event stream, declared as application/octet-stream", "HttpResponse"),
        (STREAM, "text/plain", "an event stream, declared as text/plain", "text/event-stream"),
        (STREAM, None, "an event stream, without a declared type", "text/event-stream"),
        (ANSWER, "text/plain", "JSON, declared as text/plain", "Content-Type: application/json"),
        (json.dumps(ANSWER.decode()).encode(), "application/json", "encoded twice", "json.dumps"),
        (
            gzip.compress(ANSWER, mtime=0),
            "application/json",
            "compressed by gzip, and no Content-Encoding",
            "isBase64Encoded",
        ),
        (
            gzip.compress(STREAM, mtime=0),
            "text/event-stream",
            "compressed by gzip, and no Content-Enc",
            "isBase64Encoded",
        ),
        (base64.b64encode(ANSWER), "application/json", "in base64, and nothing has decoded it", "binaryMediaTypes"),
        (base64.b64encode(STREAM), "text/event-stream", "in base64, and nothing has decoded", "binaryMediaTypes"),
    ],
)
def test_json_rpc_in_a_wrong_wrapping_is_broken_in_a_way_of_its_own(body, media, words, fix) -> None:
    found = cause(exchange("initialize", body=body, media=media, headers=FUNCTION_URL, messages=()))
    assert found.id == "malformed-response"
    assert words in found.summary
    assert fix in found.fix


# what one part of the way says for another


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"Could not find session"), (400, b"No transport found for sessionId")]
)
def test_a_stream_whose_address_knows_no_session_is_a_matter_of_instances(status: int, body: bytes) -> None:
    stream = exchange(None, media="text/event-stream", body=b"event: endpoint\ndata: /messages?session_id=1\n\n")
    there = "https://orders.example.com/messages?session_id=1"
    found = cause(answer(405, b"", None), stream, answer(status, body, "text/plain", *FUNCTION_URL, url=there))
    assert (found.id, found.confidence) == ("session-lost", 0.9)
    assert "the stream keeps one instance busy" in found.summary.lower()
    assert "Streamable HTTP" in found.fix


def test_such_words_without_a_stream_before_them_are_what_they_were() -> None:
    assert cause(answer(404, b"Could not find session", "text/plain", *FUNCTION_URL)).id == "route-missing"


@pytest.mark.parametrize(
    ("location", "effect", "words"),
    [
        ("https://a.auth.eu-west-1.amazoncognito.com/login", Effect.DOWN, "a login page"),
        ("https://id.example.com/oauth2/v1/authorize?client_id=1&response_type=code", Effect.DOWN, "a login page"),
        ("/users/sign_in/".replace("_", "-"), Effect.DOWN, "a login page"),
        ("http://127.0.0.1:8080/mcp/", Effect.DEGRADED, "from https to http"),
        ("https://ip-10-0-0-7.eu-west-1.compute.internal/mcp", Effect.DEGRADED, "only the function itself knows"),
        ("https://other.example.com/mcp", Effect.DEGRADED, "another host"),
        ("/mcp/", Effect.DEGRADED, "https://orders.example.com/mcp/"),
        ("/signing/mcp", Effect.DEGRADED, "https://orders.example.com/signing/mcp"),
    ],
)
def test_a_redirect_says_by_its_goal_what_is_wrong(location: str, effect: Effect, words: str) -> None:
    found = cause(answer(302, b"", None, ("Location", location)))
    assert (found.id, found.effect) == ("redirected", effect)
    assert words in found.summary


@pytest.mark.parametrize(
    ("status", "message"), [(400, "Invalid request body"), (415, "Unsupported Media Type"), (413, "Request Too Long")]
)
def test_a_gateway_that_takes_no_such_body_is_not_taken_for_another_server(status: int, message: str) -> None:
    found = cause(answer(status, json.dumps({"message": message}).encode(), "application/json", *REST[:2]))
    assert (found.id, found.confidence) == ("not-mcp", 0.75)
    assert f"The API Gateway REST API itself refuses initialize with HTTP {status}: {message}." in found.summary
    assert "AWS_PROXY" in found.fix
    beyond = cause(answer(status, json.dumps({"message": message}).encode(), "application/json", *REST))
    assert beyond.confidence == 0.6


# answers that are too large for us


def large(method: str) -> Exchange:
    return exchange(method, body=b"{", messages=(), failure=Failure.LIMIT, reason="json-too-large")


def test_an_answer_beyond_our_limits_is_said_to_be_so_and_does_not_take_a_server_down_that_opened() -> None:
    judged = judge(opened(discovered()), large("tools/list"))
    found = judged.diagnosis("malformed-response")
    assert (judged.ids, judged.verdict, found.confidence) == (["malformed-response"], Verdict.DEGRADED, 0.6)
    assert "is larger than what is read of one (json-too-large)" in found.summary
    assert "raise `json` under `limits`" in found.fix
    assert cause(large("initialize")).effect is Effect.DOWN


def test_a_tools_answer_beyond_our_limits_is_not_said_to_be_no_json_rpc() -> None:
    calling = endpoint(sentinels=(Sentinel(tool="add", safe_to_repeat=True),))
    judged = judge(opened(discovered()), tool_page("add"), large("tools/call"), endpoint=calling)
    assert (judged.ids, judged.verdict) == (["sentinel-error"], Verdict.DEGRADED)
    assert "raise `json` under `limits`" in judged.diagnosis("sentinel-error").fix


# what others of the same conversation say


@pytest.mark.parametrize(
    ("status", "body", "media", "door", "words"),
    [
        (502, b"<h1>502 ERROR</h1> Generated by cloudfront", "text/html", EDGE, "its origin, which answers others"),
        (500, b'{"message":"Internal server error"}', "application/json", REST[:2], "rather for want of concurrency"),
    ],
)
def test_what_is_said_of_a_door_fits_what_it_let_through_before(status, body, media, door, words) -> None:
    first, again = (answer(status, body, media, *door, method="tools/list") for _ in range(2))
    judged = judge(opened(discovered()), first, again, discovered())
    assert words in judged.diagnosis("function-crash").summary
    assert words not in cause(answer(status, body, media, *door)).summary


def test_a_401_to_discover_alone_may_be_a_list_of_open_methods() -> None:
    refusal = answer(401, b"{}", "application/json", method="server/discover")
    assert any("--era handshake" in other for other in cause(refusal).alternatives)
