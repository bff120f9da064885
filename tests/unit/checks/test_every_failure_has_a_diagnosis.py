"""A table of broken conversations: each ends in the one diagnosis that its owner needs, and in no other."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from checks.catalog import DETECTORS
from checks.model import Effect, Endpoint, Exchange, Expectation, Failure, Opening, Outcome, Sentinel, Verdict
from checks.spec import Era
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    called,
    discovered,
    endpoint,
    error,
    exchange,
    failed,
    initialized,
    judge,
    notified,
    ok,
    opened,
    progress,
    refused,
    streamed,
    tool_page,
)

ADD = Sentinel(tool="add", arguments={"a": 2, "b": 3}, expect=Expectation(text="5"))
WATCHED = endpoint(sentinels=(ADD,))
STREAMING = endpoint(sentinels=(ADD,), streaming=True)
REST_API = (("x-amzn-RequestId", "r"), ("x-amz-apigw-id", "g"))
HTTP_API = (("apigw-requestid", "g"),)
CLOUDFRONT = (("Via", "1.1 abc.cloudfront.net (CloudFront)"), ("X-Amz-Cf-Id", "c"), ("Server", "CloudFront"))
INNER = json.dumps({"jsonrpc": "2.0", "id": "r1", "result": {}})
ENVELOPE = json.dumps({"statusCode": 200, "headers": {"content-type": "application/json"}, "body": INNER}).encode()
PRELUDE = b'{"statusCode":401,"headers":{"content-type":"text/event-stream"},"cookies":[]}' + b"\0" * 8 + b"data: x\n\n"
GO_STREAM = b'{"StatusCode":200,"Headers":{"Content-Type":"text/html"},"Body":{"ReadCloser":{}},"Cookies":null}'
LWA_DIED = b"data: " + INNER[:9].encode() + b"\r\nLambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n"


def answered(
    body: bytes = b"", status: int = 200, media: str = "application/json", headers: Any = FUNCTION_URL
) -> Opening:
    """An opening in which both eras' requests are answered alike."""
    return refused(
        *(
            exchange(each, status=status, body=body, media=media, headers=headers)
            for each in ("server/discover", "initialize")
        )
    )


def lost(failure: Failure, reason: str, **more: Any) -> Opening:
    return refused(failed(failure, reason, **more))


def events(body: bytes = b"", **more: Any) -> Opening:
    return refused(exchange("initialize", body=body, media="text/event-stream", headers=FUNCTION_URL, **more))


OPENINGS: list[tuple[str, str, Opening]] = [
    ("dns-failure", "down", lost(Failure.DNS, "nxdomain")),
    ("connect-failure", "down", lost(Failure.CONNECT, "refused")),
    ("tls-invalid", "down", lost(Failure.TLS, "expired")),
    ("response-timeout", "down", lost(Failure.DEADLINE, "response")),
    ("response-timeout", "down", lost(Failure.DEADLINE, "body", status=200, body=b'{"json', media="application/json")),
    ("connection-lost", "down", lost(Failure.CONNECTION_LOST, "reset")),
    ("connection-lost", "down", lost(Failure.CONNECTION_LOST, "eof", status=200, body=b'{"jsonrpc"')),
    ("target-blocked", "unknown", lost(Failure.BLOCKED, "169.254.169.254 is a metadata address")),
    ("observer-impaired", "unknown", lost(Failure.OBSERVER, "secret")),
    ("observer-impaired", "unknown", refused()),
    ("not-mcp", "down", lost(Failure.PROTOCOL, "not HTTP")),
    ("malformed-response", "down", lost(Failure.LIMIT, "body", status=200, body=b'{"jsonrpc"')),
    ("malformed-response", "down", lost(Failure.PROTOCOL, "chunk", status=200, body=b'{"jsonrpc"')),
    ("redirected", "degraded", answered(status=307, headers=(("Location", "http://orders.example.com/mcp/"),))),
    ("function-url-forbidden", "down", answered(b'{"Message":"Forbidden. For troubleshooting, see: ..."}', 403)),
    ("function-url-gone", "down", answered(b'{"Message":null}', 403)),
    (
        "signature-rejected",
        "down",
        answered(
            b'{"message":"The request signature"}', 403, headers=(("x-amzn-ErrorType", "InvalidSignatureException"),)
        ),
    ),
    ("route-missing", "down", answered(b'{"message":"Missing Authentication Token"}', 403, headers=REST_API)),
    ("route-missing", "down", answered(b'{"message":"Not Found"}', 404, headers=HTTP_API)),
    ("route-missing", "down", answered(b"Not Found", 404, "text/plain")),
    ("route-missing", "down", answered(b'{"detail":"Not Found"}', 404)),
    ("blocked-by-waf", "down", answered(b'{"message":"Forbidden"}', 403, headers=REST_API)),
    ("blocked-by-waf", "down", answered(b"<h1>Request blocked</h1>", 403, "text/html", CLOUDFRONT)),
    ("auth-required", "down", answered(b'{"error":"unauthorized"}', 401)),
    ("auth-required", "down", answered(b"Invalid Origin header", 403, "text/plain")),
    ("auth-required", "down", answered(json.dumps(error(-32001, "unauthorized", None)).encode(), 401)),
    ("throttled", "down", answered(b'{"Reason":"ReservedConcurrency","message":"Rate Exceeded."}', 429)),
    ("gateway-timeout", "down", answered(b'{"message": "Endpoint request timed out"}', 504, headers=REST_API)),
    ("gateway-timeout", "down", answered(b'{"message":"Service Unavailable"}', 503, headers=HTTP_API)),
    ("gateway-timeout", "down", answered(b"<html>", 504, "text/html", CLOUDFRONT)),
    ("function-crash", "down", answered(b"Internal Server Error", 502, "application/octet-stream")),
    ("function-crash", "down", answered(b"Internal Server Error", 502, "text/plain", ())),
    ("function-crash", "down", answered(b'{"message": "Internal server error"}', 502, headers=REST_API)),
    ("function-crash", "down", answered(b'{"message":"Internal Server Error"}', 500, headers=HTTP_API)),
    ("function-crash", "down", answered(b"<h1>502</h1>", 502, "text/html", (("Server", "awselb/2.0"),))),
    ("function-crash", "down", answered(b"Internal Server Error", 500, "text/plain")),
    ("not-mcp", "down", answered(b"<h1>Bad gateway</h1>", 502, "text/html", (("Server", "nginx"),))),
    ("adapter-missing", "down", answered(b'"Hello from Lambda!"')),
    ("adapter-missing", "down", answered(b"Hello from Lambda!", headers=())),
    ("adapter-missing", "down", answered(b"null")),
    ("adapter-missing", "down", answered(b"")),
    ("adapter-missing", "down", answered(b"<h1>It works</h1>", media="text/html")),
    ("adapter-missing", "down", answered(b'{"ok": true}', headers=HTTP_API)),
    ("adapter-missing", "down", answered(b"[1, 2]")),
    ("invoke-mode-mismatch", "down", answered(ENVELOPE)),
    ("invoke-mode-mismatch", "down", answered(ENVELOPE, media="application/octet-stream", headers=())),
    ("invoke-mode-mismatch", "down", answered(PRELUDE)),
    ("invoke-mode-mismatch", "down", answered(PRELUDE, media="text/event-stream")),
    ("invoke-mode-mismatch", "down", answered(GO_STREAM)),
    ("host-rejected", "down", answered(b"Invalid Host header", 421, "text/plain")),
    ("not-mcp", "down", answered(b"<h1>It works</h1>", media="text/html", headers=(("Server", "nginx"),))),
    ("not-mcp", "down", answered(b"405 Not Allowed", 405, "text/plain", ())),
    ("not-mcp", "down", answered(b'{"hello": "world"}', headers=())),
    ("malformed-response", "down", answered(INNER[:30].encode())),
    ("malformed-response", "down", answered(INNER.encode())),
    ("malformed-response", "down", answered(base64.b64encode(INNER.encode()), media="text/plain")),
    ("malformed-response", "down", answered(b'{"id": "r1", "result": {}}')),
    ("malformed-response", "down", refused(exchange("initialize", messages=[{**ok({}), "error": {"code": 1}}]))),
    ("malformed-response", "down", refused(exchange("initialize", messages=[ok("a string")]))),
    ("malformed-response", "down", events(b"data: hello\n\n")),
    ("streaming-disabled", "down", events(b"")),
    ("streaming-disabled", "down", events(b": ping\n\n", comments=1)),
    ("streaming-disabled", "down", events(b"", failure=Failure.DEADLINE)),
    ("stream-truncated", "down", events(b'data: {"jsonrp', unterminated=True)),
    ("stream-truncated", "down", events(LWA_DIED)),
    ("stream-truncated", "down", events(b"id: 1\ndata: \n\n")),
    ("stream-truncated", "down", events(b"data: {", failure=Failure.CONNECTION_LOST)),
    ("stream-truncated", "down", refused(exchange("initialize", media="text/event-stream", messages=[progress(1)]))),
    ("malformed-response", "down", refused(exchange("initialize", messages=[ok({"capabilities": {}})]))),
    ("malformed-response", "down", refused(exchange("server/discover", messages=[ok({})]))),
    *(
        (
            "malformed-response",
            "down",
            refused(
                exchange("server/discover", messages=[error(-32601, "Method not found")]),
                exchange("initialize", messages=[ok({"protocolVersion": version})]),
            ),
        )
        for version in (None, "", "2025-11-25\r\nX-Api-Key: 1", "9" * 50_000, "2026\ud800")
    ),
    (
        "protocol-version-mismatch",
        "down",
        refused(
            exchange("server/discover", messages=[ok({"supportedVersions": ["2031-01-01"]})]),
            exchange("initialize", status=404, messages=[error(-32601, "Method not found")]),
        ),
    ),
    (
        "protocol-version-mismatch",
        "down",
        refused(
            exchange("server/discover", status=400, messages=[error(-32022, "no", data={"supported": ["2031-01-01"]})])
        ),
    ),
    (
        "headers-stripped",
        "down",
        refused(exchange("server/discover", status=400, messages=[error(-32020, "no header")])),
    ),
    (
        "headers-stripped",
        "down",
        refused(exchange("server/discover", status=400, messages=[error(-32602, "params._meta is missing")])),
    ),
    (
        "headers-stripped",
        "down",
        refused(
            exchange("server/discover", status=400, messages=[error(-32602, "params._meta is missing")]),
            exchange("initialize", status=400, messages=[error(-32022, "no", data={"supported": ["2026-07-28"]})]),
            exchange("server/discover", status=400, messages=[error(-32602, "params._meta is missing")]),
        ),
    ),
    (
        "headers-stripped",
        "down",
        refused(
            exchange("server/discover", status=400, messages=[error(-32602, "params._meta is missing")]),
            exchange("initialize", status=404, messages=[error(-32601, "Method not found")]),
        ),
    ),
    (
        "route-missing",
        "down",
        refused(
            exchange("server/discover", status=400, messages=[error(-32602, "params._meta is missing")]),
            exchange("initialize", status=404, media="text/plain", body=b"Not Found"),
        ),
    ),
    (
        "handshake-rejected",
        "down",
        refused(
            exchange("server/discover", messages=[error(-32602, "unrecognized key _meta")]),
            exchange("initialize", messages=[error(-32603, "no configuration")]),
        ),
    ),
    ("accept-rejected", "down", answered(b"", 406, "text/plain")),
    (
        "accept-rejected",
        "down",
        refused(exchange("initialize", status=406, messages=[error(-32600, "Not Acceptable")])),
    ),
    ("handshake-rejected", "down", refused(exchange("initialize", messages=[error(-32603, "no configuration")]))),
    (
        "handshake-rejected",
        "down",
        refused(
            exchange("server/discover", messages=[error(-32603, "no configuration")]),
            exchange("initialize", status=404, messages=[error(-32601, "Method not found")]),
            exchange(None, status=405, media="text/plain", body=b"Method Not Allowed"),
        ),
    ),
]

LISTINGS: list[tuple[str, str, Exchange]] = [
    ("tools-empty", "down", tool_page()),
    ("tools-empty", "down", exchange("tools/list", messages=[ok({"tools": [{"title": "nameless"}, None]})])),
    ("tools-list-failed", "down", exchange("tools/list", messages=[ok({})])),
    ("tools-list-failed", "down", exchange("tools/list", messages=[ok({"tools": None})])),
    ("tools-list-failed", "down", exchange("tools/list", messages=[error(-32603, "registry not loaded")])),
    (
        "tools-list-failed",
        "down",
        exchange("tools/list", status=404, messages=[error(-32600, "Session not found", None)]),
    ),
    ("tools-list-failed", "down", exchange("tools/list", status=404, media="text/plain", body=b"Session not found")),
    ("tools-list-failed", "down", exchange("tools/list", status=400, media="text/plain", body=b"boom")),
    ("function-crash", "down", exchange("tools/list", status=502, media="text/plain", body=b"Internal Server Error")),
    ("auth-required", "down", exchange("tools/list", status=401, media="text/plain", body=b"")),
    ("response-timeout", "down", failed(Failure.DEADLINE, method="tools/list")),
    ("streaming-disabled", "down", exchange("tools/list", media="text/event-stream", body=b"")),
    ("malformed-response", "down", exchange("tools/list", messages=[ok([])])),
]

CALLS: list[tuple[str, str, Exchange]] = [
    ("sentinel-failed", "degraded", called("the database is away", is_error=True)),
    ("sentinel-access-denied", "degraded", called("AccessDeniedException when calling GetItem", is_error=True)),
    ("sentinel-mismatch", "degraded", called("6")),
    ("sentinel-error", "degraded", exchange("tools/call", messages=[error(-32602, "no such tool")])),
    (
        "sentinel-error",
        "degraded",
        exchange("tools/call", status=500, messages=[error(-32603, "Error executing tool")]),
    ),
    (
        "sentinel-access-denied",
        "degraded",
        exchange("tools/call", status=500, messages=[error(-32603, "AccessDenied")]),
    ),
    (
        "sentinel-error",
        "degraded",
        exchange("tools/call", status=502, media="text/plain", body=b"Internal Server Error"),
    ),
    ("sentinel-error", "degraded", exchange("tools/call", status=504, media="text/html", body=b"<html>")),
    ("sentinel-error", "degraded", exchange("tools/call", status=401, media="text/plain", body=b"")),
    ("sentinel-error", "degraded", exchange("tools/call", status=404, media="text/plain", body=b"Session not found")),
    ("sentinel-error", "degraded", exchange("tools/call", status=200, media="text/plain", body=b"5")),
    ("sentinel-error", "degraded", exchange("tools/call", body=INNER.encode())),
    ("throttled", "degraded", exchange("tools/call", status=429, media="text/plain", body=b"")),
    ("response-timeout", "degraded", failed(Failure.DEADLINE, method="tools/call")),
    ("connection-lost", "degraded", failed(Failure.CONNECTION_LOST, method="tools/call")),
    ("streaming-disabled", "down", exchange("tools/call", media="text/event-stream", body=b"")),
    ("stream-truncated", "degraded", exchange("tools/call", media="text/event-stream", messages=[progress(1)])),
    ("invoke-mode-mismatch", "down", exchange("tools/call", body=ENVELOPE)),
]


def rows(table: list[tuple[str, str, Any]]) -> Callable[..., Any]:
    ids = [f"{position}-{row[0]}" for position, row in enumerate(table)]
    return pytest.mark.parametrize(("diagnosis", "verdict", "broken"), table, ids=ids)


@rows(OPENINGS)
def test_a_broken_opening_has_one_diagnosis(diagnosis: str, verdict: str, broken: Opening) -> None:
    judged = judge(broken)

    assert judged.ids == [diagnosis]
    assert judged.verdict == verdict
    assert judged.result("lifecycle").outcome is Outcome.FAIL
    assert judged.result("tools_list").outcome is Outcome.SKIP


@rows(LISTINGS)
def test_a_broken_tool_list_has_one_diagnosis(diagnosis: str, verdict: str, broken: Exchange) -> None:
    judged = judge(opened(), broken)

    assert judged.ids == [diagnosis]
    assert judged.verdict == verdict


@rows(CALLS)
def test_a_broken_sentinel_call_has_one_diagnosis(diagnosis: str, verdict: str, broken: Exchange) -> None:
    judged = judge(opened(), tool_page("add"), broken, endpoint=WATCHED)

    assert judged.ids == [diagnosis]
    assert judged.verdict == verdict
    assert judged.result("sentinel_call").outcome is Outcome.FAIL


@pytest.mark.parametrize("table", [OPENINGS, LISTINGS, CALLS])
def test_a_diagnosis_says_what_why_and_how_to_mend_it(table: list[tuple[str, str, Any]]) -> None:
    for _, _, broken in table:
        judged = _judge_anything(broken)
        known = {each.id for result in judged.results for each in result.exchanges}
        for diagnosis in judged.diagnoses:
            assert diagnosis.summary.endswith((".", "”.")), diagnosis.summary
            assert "\n" not in diagnosis.summary
            assert len(diagnosis.fix) > 20
            assert 0 < diagnosis.confidence <= 1
            assert diagnosis.evidence
            assert {proof.exchange for proof in diagnosis.evidence} <= known | {None}
            assert diagnosis.reproduce.startswith("curl ") is (diagnosis.effect is not Effect.UNKNOWN)
            assert diagnosis.effect is not Effect.INFORMATION


def test_the_tables_and_the_tests_beside_them_speak_of_every_detector() -> None:
    in_tables = {diagnosis for table in (OPENINGS, LISTINGS, CALLS) for diagnosis, _, _ in table}
    beside = {"tools-missing", "auth-rejected", "auth-challenge-remapped", "streaming-buffered", "cold-start"}
    # Each of these has a file of tests for its check.
    beside |= {"session-lost", "capability-untruthful", "era-unsupported", "cors-misconfigured", "tools-invalid"}
    # These need a second look.
    beside |= {"function-timeout", "warm-request-crash"}
    # These need a past.
    beside |= {"cold-start-exceeds-timeout", "slow", "deploy-warming", "tools-drift"}

    assert in_tables | beside == {detector.id for detector in DETECTORS}


def test_an_answer_that_is_compressed_unasked_is_said_to_be() -> None:
    packed = lost(Failure.PROTOCOL, "unexpected-encoding", status=200, body=b"\x1f\x8b", media="application/json")

    assert "it is compressed" in judge(packed).diagnosis("malformed-response").summary


def test_an_address_that_is_never_allowed_gets_no_advice_to_allow_it() -> None:
    never = judge(lost(Failure.BLOCKED, "metadata")).diagnosis("target-blocked")
    by_default = judge(lost(Failure.BLOCKED, "private")).diagnosis("target-blocked")

    assert "allow_cidrs" not in never.fix
    assert "allow_cidrs" in by_default.fix


def test_a_credential_that_would_go_over_plain_http_is_kept_and_the_way_out_is_https() -> None:
    judged = judge(lost(Failure.BLOCKED, "plain-http"), endpoint=endpoint(bearer="env:TOKEN"))

    assert judged.verdict is Verdict.UNKNOWN
    fix = judged.diagnosis("target-blocked").fix
    assert fix.startswith("Give the endpoint an https address")
    assert "allow_cidrs" in fix


def test_the_way_out_of_a_timeout_names_the_setting_as_the_configuration_does() -> None:
    timeout = judge(lost(Failure.DEADLINE, "response")).diagnosis("response-timeout")

    assert "raise `timeout` of the endpoint" in timeout.fix


def test_a_server_of_the_era_that_the_owner_excluded_is_named_with_the_pin() -> None:
    refusal = error(-32022, "Unsupported protocol version", data={"supported": ["2026-07-28"]})
    broken = refused(exchange("initialize", status=400, messages=[refusal]))

    mismatch = judge(broken, endpoint=endpoint(era=Era.HANDSHAKE)).diagnosis("protocol-version-mismatch")

    assert "the server offers 2026-07-28, the endpoint is pinned to the handshake era" in mismatch.summary


def test_what_was_tried_before_a_way_in_worked_is_no_trouble() -> None:
    tried = exchange("server/discover", status=502, media="text/plain", body=b"Internal Server Error")
    opening = opened(tried, initialized(), notified(), era=Era.HANDSHAKE)

    judged = judge(opening, tool_page())

    assert judged.ids == ["tools-empty"]


def test_a_tool_asked_for_progress_that_never_begins_its_stream_is_streaming_disabled() -> None:
    silent = exchange(
        "tools/call",
        media="text/event-stream",
        body=b"",
        failure=Failure.DEADLINE,
        request={"_meta": {"progressToken": "t"}},
    )

    judged = judge(opened(), tool_page("add"), silent, endpoint=STREAMING)

    assert judged.ids == ["streaming-disabled"]
    assert judged.verdict is Verdict.DOWN
    assert judged.diagnosis("streaming-disabled").confidence < 0.8


def test_a_slow_tool_without_progress_is_no_broken_stream() -> None:
    silent = exchange("tools/call", media="text/event-stream", body=b"", failure=Failure.DEADLINE)

    assert judge(opened(), tool_page("add"), silent, endpoint=WATCHED).ids == ["response-timeout"]


def test_missing_tools_degrade_and_are_named() -> None:
    judged = judge(opened(), tool_page("add"), endpoint=endpoint(expected_tools=("add", "refund")))

    assert judged.ids == ["tools-missing"]
    assert judged.verdict is Verdict.DEGRADED
    assert "refund" in judged.diagnosis("tools-missing").summary
    assert judged.result("tools_list").outcome is Outcome.WARN


def test_a_sentinel_that_is_not_listed_is_a_missing_tool_and_is_not_called() -> None:
    judged = judge(opened(), tool_page("subtract"), endpoint=WATCHED)

    assert judged.ids == ["tools-missing"]
    assert [method for method, _, _ in judged.wire.asked] == ["tools/list"]


def test_configured_credentials_turn_a_401_into_a_rejection() -> None:
    opening = answered(b"", 401, "text/plain")

    by_bearer = judge(opening, endpoint=endpoint(bearer="env:TOKEN"))
    by_header = judge(opening, endpoint=endpoint(headers={"X-Api-Key": "env:KEY"}))
    without = judge(opening, endpoint=endpoint(headers={"X-Stage": "beta"}))

    assert (by_bearer.ids, by_header.ids, without.ids) == (["auth-rejected"], ["auth-rejected"], ["auth-required"])


def test_a_renamed_challenge_is_named_beside_the_refusal() -> None:
    headers = (("x-amzn-remapped-www-authenticate", 'Bearer resource_metadata="https://x/y"'), *REST_API)

    judged = judge(answered(b"", 401, "text/plain", headers))

    assert judged.ids == ["auth-required", "auth-challenge-remapped"]


def test_a_negotiated_revision_other_than_the_pinned_one_is_degraded() -> None:
    opening = opened(initialized("2025-06-18"), notified(), era=Era.HANDSHAKE, version="2025-06-18")

    pinned = judge(opening, tool_page("add"), endpoint=endpoint(protocol_version="2025-11-25"))
    same = judge(opening, tool_page("add"), endpoint=endpoint(protocol_version="2025-06-18"))

    assert (pinned.ids, pinned.verdict) == (["protocol-version-mismatch"], Verdict.DEGRADED)
    assert same.ids == []


def test_the_denied_action_and_resource_stand_in_the_fix() -> None:
    text = (
        "User: arn:r is not authorized to perform: dynamodb:GetItem on resource: arn:aws:dynamodb:table/orders because"
    )

    diagnosis = judge(opened(), tool_page("add"), called(text, is_error=True), endpoint=WATCHED).diagnoses[0]

    assert diagnosis.id == "sentinel-access-denied"
    assert "dynamodb:GetItem" in diagnosis.summary
    assert "arn:aws:dynamodb:table/orders" in diagnosis.fix


def test_a_leaked_envelope_names_both_statuses_and_the_setting() -> None:
    diagnosis = judge(answered(PRELUDE)).diagnoses[0]

    assert "401" in diagnosis.summary
    assert "InvokeMode" in diagnosis.fix
    assert any("byte 78" in proof.text for proof in diagnosis.evidence)


@pytest.mark.parametrize(
    ("reason", "fix"),
    [
        ("expired", "Renew"),
        ("name-mismatch", "covers"),
        ("self-signed", "chain"),
        ("protocol", "TLS 1.2"),
        ("untrusted", "chain"),
        ("something-new", "chain"),
    ],
)
def test_a_tls_failure_is_mended_by_its_reason(reason: str, fix: str) -> None:
    assert fix in judge(lost(Failure.TLS, reason)).diagnoses[0].fix


def test_a_redirect_from_https_to_http_is_named() -> None:
    downgrade = answered(status=307, headers=(("Location", "http://orders.example.com/mcp/"),))
    sideways = answered(status=307, headers=(("Location", "/mcp/"),))

    assert "from https to http" in judge(downgrade).diagnoses[0].summary
    assert "from https to http" not in judge(sideways).diagnoses[0].summary


def test_hostile_text_is_cleaned_and_bounded_wherever_it_is_shown() -> None:
    hostile = "\x1b[31m\u202eevil\x00" + "A" * 100_000
    table = [
        judge(refused(exchange("initialize", messages=[error(-1, hostile)]))),
        judge(opened(), tool_page("add"), called(hostile, is_error=True), endpoint=WATCHED),
        judge(opened(), tool_page("add"), called(hostile), endpoint=WATCHED),
        judge(answered(hostile.encode(), media=hostile[:20])),
        judge(opened(), tool_page(hostile), endpoint=endpoint(expected_tools=("add",))),
    ]
    for judged in table:
        shown = [text for each in judged.diagnoses for text in (each.summary, *(proof.text for proof in each.evidence))]
        shown += [result.summary for result in judged.results]
        assert judged.diagnoses
        for text in shown:
            assert not set(text) & set("\x1b\u202e\x00")
            assert len(text) < 1500


def _judge_anything(broken: Any) -> Any:
    if isinstance(broken, Opening):
        return judge(broken)
    if broken.rpc_method == "tools/list":
        return judge(opened(discovered()), broken)
    return judge(opened(discovered()), tool_page("add"), broken, endpoint=WATCHED)


def test_every_way_to_hold_events_back_is_degraded() -> None:
    burst = streamed(1800.0, 1801.0, 1802.0, headers=FUNCTION_URL)

    judged = judge(opened(), tool_page("add"), burst, endpoint=_any_answer(STREAMING))

    assert judged.ids == ["streaming-buffered"]
    assert judged.verdict is Verdict.DEGRADED


def _any_answer(watched: Endpoint) -> Endpoint:
    return endpoint(sentinels=(Sentinel(tool="add"),), streaming=watched.streaming)


CRASHED: dict[str, Any] = {"status": 502, "media": "text/plain", "body": b"Internal Server Error"}


@pytest.mark.parametrize(
    ("diagnosis", "on_discover", "on_listing"),
    [
        ("function-crash", exchange("server/discover", **CRASHED), exchange("tools/list", **CRASHED)),
        (
            "connection-lost",
            failed(Failure.CONNECTION_LOST, method="server/discover"),
            failed(Failure.CONNECTION_LOST, method="tools/list"),
        ),
    ],
)
def test_a_crash_on_discover_alone_names_the_pinned_era_as_a_way_out(
    diagnosis: str, on_discover: Exchange, on_listing: Exchange
) -> None:
    opening = judge(refused(on_discover)).diagnosis(diagnosis)
    listing = judge(opened(), on_listing).diagnosis(diagnosis)

    assert any("era: handshake" in other for other in opening.alternatives)
    assert not any("era: handshake" in other for other in listing.alternatives)
