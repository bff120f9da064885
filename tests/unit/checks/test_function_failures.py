"""The one error page of a failed function, split by how the failure repeats: by structure and time, not by wording."""

from dataclasses import replace
from typing import Any

import pytest

from checks.model import Exchange, Failure, Verdict
from checks.spec import Era
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    Judged,
    discovered,
    error,
    exchange,
    failed,
    initialized,
    judge,
    notified,
    opened,
    refused,
    tool_page,
)

CRASH: dict[str, Any] = {
    "status": 502,
    "media": "text/plain",
    "body": b"Internal Server Error",
    "headers": FUNCTION_URL,
}
REST_API = (("x-amzn-RequestId", "r"), ("x-amz-apigw-id", "g"), ("x-amzn-ErrorType", "InternalServerErrorException"))
HTTP_API = (("apigw-requestid", "g"),)
ALB = (("Server", "awselb/2.0"),)
WEB = (("lambda-web-request-id", "w"),)

PAGES: dict[str, dict[str, Any]] = {
    "function url": CRASH,
    "function url, other header case": {**CRASH, "headers": (("X-AMZN-REQUESTID", "2b6d"),)},
    "function url, no headers": {**CRASH, "headers": (), "media": None},
    "function url, other spelling": {**CRASH, "body": b"Internal server error\n"},
    "function url, declared as JSON": {**CRASH, "media": "application/json"},
    "rest api": {"status": 502, "body": b'{"message": "Internal server error"}', "headers": REST_API},
    "rest api, no permission": {"status": 500, "body": b'{"message":"Internal server error"}', "headers": REST_API},
    "http api": {"status": 500, "body": b'{"message":"Internal Server Error"}', "headers": HTTP_API},
    "http api, spaced": {"status": 500, "body": b'{ "message" : "Internal Server Error" }', "headers": ()},
    "load balancer": {"status": 502, "media": "text/html", "body": b"<h1>502 Bad Gateway</h1>", "headers": ALB},
    "load balancer, other page": {"status": 502, "media": "text/html", "body": b"<html>", "headers": ALB},
}


def get(**answer: Any) -> Exchange:
    """What came to the GET of a second look."""
    return exchange(None, **answer)


def failing(first_ms: float, *later: Exchange, page: dict[str, Any] = CRASH) -> Judged:
    return judge(refused(exchange("server/discover", wait_ms=first_ms, **page)), others=later)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    ("waits", "diagnosis"),
    [
        ((12.0, 11.0), "function-crash"),
        ((450.0, 60.0), "function-crash"),
        ((880.0, 870.0), "function-crash"),
        ((1740.0, 610.0), "function-crash"),
        ((2480.0, 2210.0), "function-crash"),
        ((1030.0, 1041.0), "function-timeout"),
        ((3040.0, 3090.0), "function-timeout"),
        ((13_100.0, 3012.0), "function-timeout"),
        ((3020.0, 40.0), "function-crash"),
        ((2480.0, 2490.0), "function-crash"),
        ((1190.0, 1195.0), "function-crash"),
    ],
)
def test_time_splits_a_crash_from_a_limit_behind_every_front_door(
    name: str, waits: tuple[float, float], diagnosis: str
) -> None:
    page = PAGES[name]

    judged = failing(waits[0], get(wait_ms=waits[1], **page), page=page)

    assert judged.ids == [diagnosis]
    assert judged.verdict is Verdict.DOWN


@pytest.mark.parametrize(
    "answer",
    [
        get(status=405, media="text/plain", body=b"Method Not Allowed", headers=FUNCTION_URL),
        get(status=406, messages=[error(-32600, "Not Acceptable")], headers=FUNCTION_URL),
        get(status=403, media="text/plain", body=b"Invalid Origin header"),
        get(status=404, body=b'{"detail":"Not Found"}', headers=FUNCTION_URL),
    ],
)
def test_a_get_that_the_function_answers_shows_that_it_starts(answer: Exchange) -> None:
    crash = failing(30.0, answer).diagnosis("function-crash")
    limit = failing(3030.0, answer).diagnosis("function-timeout")

    assert f"although it answers GET with HTTP {answer.status}" in crash.summary
    assert not any("import" in each or "127" in each for each in crash.alternatives)
    assert "whatever is asked" not in limit.summary
    assert not any("never becomes ready" in each for each in limit.alternatives)


@pytest.mark.parametrize(
    "answer",
    [
        get(status=401, media="text/plain", body=b""),
        get(status=403, body=b'{"message":"Missing Authentication Token"}', headers=REST_API),
        get(status=403, body=b'{"Message":"Forbidden. For troubleshooting, see: ..."}', headers=FUNCTION_URL),
        get(status=404, body=b'{"message":"Not Found"}', headers=HTTP_API),
        get(status=429, body=b'{"message":"Rate Exceeded."}'),
        get(status=504, body=b'{"message": "Endpoint request timed out"}', headers=REST_API),
        failed(Failure.DEADLINE, "no-answer"),
    ],
)
def test_what_a_front_door_says_to_a_get_is_no_word_of_the_function(answer: Exchange) -> None:
    judged = failing(30.0, answer, get(status=204, media=None, body=b""))

    assert judged.ids == ["function-crash"]
    assert judged.wire.asked_otherwise[0][0] == "fetch"
    assert judged.wire.asked_otherwise[1][0] == "preflight"


def test_an_adapter_that_never_becomes_ready_is_the_first_alternative_of_a_limit_that_all_requests_meet() -> None:
    diagnosis = failing(3040.0, get(wait_ms=3020.0, **CRASH)).diagnosis("function-timeout")

    assert "whatever is asked" in diagnosis.summary
    assert "never becomes ready" in diagnosis.alternatives[0]
    assert "about 3 s" in diagnosis.summary
    assert all(each in diagnosis.fix for each in ("--timeout", "SAM", "CDK"))


def test_one_long_wait_at_whole_seconds_is_a_limit_with_less_confidence() -> None:
    alone = failing(6050.0, failed(Failure.DEADLINE, "no-answer"), failed(Failure.DEADLINE, "exhausted"))
    twice = failing(6050.0, get(wait_ms=6040.0, **CRASH))
    short = failing(1050.0, failed(Failure.DEADLINE, "no-answer"), failed(Failure.DEADLINE, "exhausted"))

    assert alone.diagnosis("function-timeout").confidence < twice.diagnosis("function-timeout").confidence
    assert "Task timed out" in short.diagnosis("function-crash").alternatives[0]


def test_the_way_there_is_part_of_the_wait() -> None:
    far = exchange("server/discover", wait_ms=3240.0, **CRASH)
    near = failing(3240.0, get(wait_ms=3390.0, **CRASH))

    assert near.ids == ["function-crash"]
    assert judge(refused(_connected(far, 160.0)), others=(get(wait_ms=3300.0, **CRASH),)).ids == ["function-timeout"]


def test_a_web_function_names_its_time_limit() -> None:
    headers = (*WEB, ("lambda-web-error-type", "Runtime.RequestTimeout"))
    page: dict[str, Any] = {"status": 504, "media": "text/plain", "body": b"", "headers": headers}

    limit = failing(730.0, get(wait_ms=735.0, **page), page=page)
    crash = failing(
        30.0,
        get(wait_ms=31.0, **page),
        page={**page, "status": 502, "headers": (*WEB, ("Lambda-Web-Error-Type", "Runtime.ExitError"))},
    )

    assert limit.ids == ["function-timeout"]
    assert limit.diagnoses[0].confidence > 0.9
    assert "Runtime.ExitError" in crash.diagnosis("function-crash").summary


@pytest.mark.parametrize(
    "kind",
    ["KMSDisabledException", "ENILimitReachedException", "SnapStartNotReadyException:http://x", "EFSIOException"],
)
@pytest.mark.parametrize("status", [400, 408, 409, 410, 502])
def test_a_reason_that_lambda_names_stands_in_the_summary(kind: str, status: int) -> None:
    headers = (*FUNCTION_URL, ("X-Amzn-ErrorType", kind))
    page: dict[str, Any] = {"status": status, "body": b'{"Message":"Lambda was unable"}', "headers": headers}

    diagnosis = failing(30.0, get(**page), page=page).diagnosis("function-crash")

    assert kind.split(":")[0] in diagnosis.summary
    assert "StateReason" in diagnosis.fix


def test_the_log_line_is_looked_up_by_the_id_that_the_function_url_gave_out() -> None:
    by_url = failing(30.0, get(**CRASH)).diagnosis("function-crash")
    by_gateway = failing(30.0, get(**PAGES["rest api"]), page=PAGES["rest api"]).diagnosis("function-crash")

    assert dict(FUNCTION_URL)["x-amzn-RequestId"] in by_url.fix
    assert "filter-pattern" not in by_gateway.fix


def test_behind_a_gateway_an_answer_that_is_no_proxy_response_is_named() -> None:
    rest, url = (
        failing(30.0, get(**PAGES[name]), page=PAGES[name]).diagnoses[0] for name in ("rest api", "function url")
    )

    assert any("Malformed Lambda proxy response" in each for each in rest.alternatives)
    assert not any("Malformed Lambda proxy response" in each for each in url.alternatives)


def test_an_application_with_a_5xx_of_its_own_has_no_limit_of_the_function() -> None:
    page: dict[str, Any] = {"status": 500, "media": "text/plain", "body": b"boom", "headers": FUNCTION_URL}

    judged = failing(3040.0, get(wait_ms=3040.0, **page), page=page)

    assert judged.ids == ["function-crash"]
    assert judged.diagnoses[0].confidence < 0.7


# behind an open conversation

LISTING = exchange("tools/list", wait_ms=15.0, **CRASH)


def behind_opening(*answers: Exchange, era: Era = Era.STATELESS) -> Judged:
    handshake = (initialized(headers=FUNCTION_URL), notified())
    return judge(opened(*(handshake if era is Era.HANDSHAKE else ()), era=era), *answers)


@pytest.mark.parametrize(("era", "other"), [(Era.STATELESS, "server/discover"), (Era.HANDSHAKE, "ping")])
def test_only_the_first_request_is_served(era: Era, other: str) -> None:
    judged = behind_opening(LISTING, exchange("tools/list", **CRASH), exchange(other, **CRASH), era=era)

    assert judged.ids == ["warm-request-crash"]
    assert judged.verdict is Verdict.DOWN
    assert f"tools/list, {other}" in judged.diagnoses[0].summary
    assert "Mangum" in judged.diagnoses[0].fix


@pytest.mark.parametrize("page", [PAGES[name] for name in PAGES])
def test_only_the_first_request_is_served_behind_any_door(page: dict[str, Any]) -> None:
    later = [exchange(each, **page) for each in ("tools/list", "tools/list", "server/discover")]

    assert behind_opening(*later).ids == ["warm-request-crash"]


@pytest.mark.parametrize(
    "refusal",
    [
        exchange("server/discover", status=400, messages=[error(-32600, "Missing session ID", "server-error")]),
        exchange("server/discover", status=404, messages=[error(-32601, "Method not found")]),
        exchange("server/discover", status=405, media="text/plain", body=b"Method Not Allowed", headers=FUNCTION_URL),
    ],
)
def test_an_instance_that_is_used_up_by_what_its_server_does_not_know(refusal: Exchange) -> None:
    used_up = judge(refused(refusal, exchange("initialize", **CRASH)), others=(get(**CRASH),))
    method = judge(
        refused(refusal, exchange("initialize", **CRASH)),
        others=(get(status=405, media="text/plain", body=b"", headers=FUNCTION_URL),),
    )

    assert used_up.ids == ["warm-request-crash"]
    assert "server/discover is answered, and then every further request fails" in used_up.diagnoses[0].summary
    assert method.ids == ["function-crash"]


def test_every_second_request_is_served() -> None:
    judged = behind_opening(LISTING, tool_page("add"), exchange("server/discover", **CRASH))

    assert judged.ids == ["warm-request-crash"]
    assert any("Runtime.ExitError" in each for each in judged.diagnoses[0].alternatives)


@pytest.mark.parametrize(
    ("again", "other", "said"),
    [
        (
            exchange("tools/list", **CRASH),
            discovered(),
            "server/discover is answered",
        ),
        (
            exchange("tools/list", **CRASH),
            exchange("server/discover", messages=[error(-1, "no")]),
            "server/discover is",
        ),
        (tool_page("add"), discovered(), "works when asked again"),
        (tool_page("add"), failed(Failure.DEADLINE, "exhausted"), "works when asked again"),
    ],
)
def test_one_method_that_fails_is_a_crash(again: Exchange, other: Exchange, said: str) -> None:
    judged = behind_opening(LISTING, again, other)

    assert judged.ids == ["function-crash"]
    assert said in judged.diagnoses[0].summary
    assert any("larger than a buffered one" in each for each in judged.diagnoses[0].alternatives)
    assert not any("import" in each for each in judged.diagnoses[0].alternatives)


@pytest.mark.parametrize(
    "strange",
    [
        exchange("tools/list", status=429, media="text/plain", body=b""),
        exchange("tools/list", status=401, media="text/plain", body=b""),
        failed(Failure.CONNECTION_LOST, "reset", method="tools/list"),
        exchange("tools/list", body=b'{"statusCode":200,"headers":{},"body":"x"}'),
        exchange("tools/list", messages=[error(-32603, "registry not loaded")]),
    ],
)
def test_what_a_second_look_meets_brings_no_second_diagnosis(strange: Exchange) -> None:
    judged = behind_opening(LISTING, strange, discovered())

    assert judged.ids == ["function-crash"]


def test_a_tool_list_that_runs_into_the_limit_is_no_crash() -> None:
    later = [exchange(each, wait_ms=3030.0, **CRASH) for each in ("tools/list", "tools/list", "server/discover")]

    assert behind_opening(*later).ids == ["function-timeout"]


def test_a_second_look_is_taken_at_nothing_else() -> None:
    refusals = [
        exchange("server/discover", status=403, body=b'{"Message":null}'),
        exchange("initialize", status=504, body=b'{"message": "Endpoint request timed out"}', headers=REST_API),
        exchange("initialize", status=502, media="text/html", body=b"<h1>Bad gateway</h1>"),
        failed(Failure.CONNECTION_LOST, "reset"),
    ]

    for each in refusals:
        assert judge(refused(each)).wire.asked_otherwise == []
    assert judge(opened(), exchange("tools/list", messages=[error(-32603, "no")])).wire.asked_otherwise == []


def _connected(made: Exchange, connect_ms: float) -> Exchange:
    return replace(made, timings=replace(made.timings, connect_ms=connect_ms))


def test_a_crash_at_discover_counts_whatever_the_handshake_after_it_is_answered() -> None:
    crash = exchange("server/discover", wait_ms=12.0, **CRASH)
    refusal = exchange("initialize", status=400, messages=[error(-32022, "Unsupported protocol version")])
    judged = judge(refused(crash, refusal))
    assert judged.ids == ["function-crash"]
    assert not any("--era handshake" in other for other in judged.diagnosis("function-crash").alternatives)


def test_a_limit_that_cuts_both_openings_is_surer_than_one_that_cuts_one() -> None:
    first, second = (exchange(method, wait_ms=3040.0, **CRASH) for method in ("server/discover", "initialize"))
    judged = judge(refused(first, second), others=(failed(Failure.DEADLINE, method="server/discover"),))
    assert (judged.ids, judged.diagnoses[0].confidence) == (["function-timeout"], 0.85)


def test_a_handshake_that_a_slow_crash_leaves_no_time_for_is_not_what_is_wrong() -> None:
    crash = exchange("server/discover", wait_ms=8030.0, **CRASH)
    assert judge(refused(crash, failed(Failure.DEADLINE, method="initialize"))).ids == ["function-timeout"]
    assert judge(refused(failed(Failure.DEADLINE, method="initialize"))).ids == ["response-timeout"]
