"""Preflights and answers read as browsers read them, and what their detector makes of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.detectors.browsers import cors_misconfigured
from checks.model import CheckResult, Diagnosis, Effect, Endpoint, Evidence, Exchange, Failure, Opening, Outcome, SigV4
from checks.protocol.cors import ORIGIN_CAP, PROBE_ORIGIN, cors
from checks.spec import Era
from checks.unit import CheckContext
from checks.wire import Alteration
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    URL,
    ScriptedWire,
    endpoint,
    error,
    exchange,
    failed,
    ok,
    opened,
    refused,
    run,
    tool_page,
)

PAGE = "https://app.example.com"
OPEN = endpoint(browser_origins=(PAGE,))
WITH_TOKEN = endpoint(browser_origins=(PAGE,), bearer="env:TOKEN")
SESSION = opened(era=Era.HANDSHAKE, version="2025-11-25", has_session=True)
STATELESS_HEADERS = ("content-type", "mcp-method", "mcp-name", "mcp-protocol-version")
ALL = "content-type, authorization, x-api-key, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name"


def preflight(
    origin: str | None = PAGE, headers: str | None = ALL, methods: str = "POST, DELETE", **more: Any
) -> Exchange:
    fields = [("Access-Control-Allow-Methods", methods), *more.pop("extra", ())]
    if origin is not None:
        fields.append(("Access-Control-Allow-Origin", origin))
    if headers is not None:
        fields.append(("Access-Control-Allow-Headers", headers))
    return exchange(None, **{"status": 204, "media": None, "body": b"", "headers": fields, "url": URL, **more})


def answer(*origins: str, expose: str = "Mcp-Session-Id, WWW-Authenticate", **more: Any) -> Exchange:
    fields = [("Access-Control-Allow-Origin", each) for each in origins or (PAGE,)]
    return tool_page(
        "add", headers=(*fields, ("Access-Control-Expose-Headers", expose), *more.pop("extra", ())), **more
    )


def asked(
    *others: Exchange,
    answers: tuple[Exchange, ...] | None = None,
    watched: Endpoint = OPEN,
    opening: Opening | None = None,
) -> tuple[CheckResult, ScriptedWire]:
    wire = ScriptedWire(opening or opened(), (answer(),) if answers is None else answers, others=others)
    return run(cors.run, CheckContext(endpoint=watched, wire=wire)), wire


def diagnosed(result: CheckResult, watched: Endpoint = OPEN) -> Diagnosis | None:
    return cors_misconfigured.diagnose(Evidence(endpoint=watched, opening=opened(), results=(result,)))


def problems(result: CheckResult) -> list[str]:
    return [each["problem"] for each in result.facts["problems"]]


def test_an_endpoint_that_lets_the_page_in_passes() -> None:
    result, wire = asked(preflight())

    assert (result.outcome, result.findings, diagnosed(result)) == (Outcome.PASS, (), None)
    assert wire.asked_otherwise == [("preflight", PAGE, "POST", STATELESS_HEADERS)]
    assert wire.asked == [("tools/list", None, False)]
    assert wire.alterations == [Alteration(headers={"Origin": PAGE})]
    assert result.facts == {"declared": True, "origins": [PAGE], "allowed": [PAGE], "problems": []}


@pytest.mark.parametrize(
    ("watched", "opening", "headers"),
    [
        (OPEN, opened(era=Era.HANDSHAKE, version="2025-03-26"), ("content-type",)),
        (OPEN, SESSION, ("content-type", "mcp-protocol-version", "mcp-session-id")),
        (WITH_TOKEN, opened(), ("authorization", *STATELESS_HEADERS)),
        (endpoint(sigv4=SigV4()), opened(), ("authorization", *STATELESS_HEADERS, "x-amz-date")),
        (endpoint(headers={"X-Api-Key": "env:KEY", "X-Stage": "a"}), opened(), (*STATELESS_HEADERS, "x-api-key")),
        (endpoint(headers={"X-Code": "file:/run/code"}), opened(), (*STATELESS_HEADERS, "x-code")),
        (
            endpoint(sigv4=SigV4(), bearer="env:T", token_header="X-App-Token"),
            opened(),
            ("authorization", *STATELESS_HEADERS, "x-amz-date", "x-app-token"),
        ),
    ],
)
def test_leave_is_asked_for_what_a_client_of_this_conversation_sends(
    watched: Endpoint, opening: Opening, headers: tuple[str, ...]
) -> None:
    _, wire = asked(preflight(), watched=watched, opening=opening)

    assert wire.asked_otherwise[0][-1] == headers


@pytest.mark.parametrize(
    ("answered", "problem", "said"),
    [
        (preflight(None), "origin-missing", "no access-control-allow-origin"),
        (preflight("https://other.example.com"), "origin-other", "allows https://other.example.com and not"),
        (preflight("null"), "origin-other", "allows null"),
        (preflight(f"{PAGE}, {PAGE}"), "origin-twice", "2 times"),
        (preflight(extra=(("access-control-allow-origin", "*"),)), "origin-twice", "2 times"),
        (preflight("*", extra=(("Access-Control-Allow-Credentials", "true"),)), "wildcard-with-credentials", "by *"),
        (preflight(headers=None), "headers-missing", "mcp-method"),
        (preflight(headers="Content-Type, MCP-Protocol-Version"), "headers-missing", "allow mcp-method, mcp-name"),
        (preflight(status=403), "status", "HTTP 403"),
        (preflight(status=405), "status", "HTTP 405"),
        (preflight(status=500), "status", "HTTP 500"),
        (preflight(status=307, extra=(("Location", "/mcp/"),)), "redirect", "redirect"),
    ],
)
def test_what_keeps_a_declared_page_out_is_named_and_degrades(answered: Exchange, problem: str, said: str) -> None:
    result, _ = asked(answered)
    diagnosis = diagnosed(result)

    assert (result.outcome, problems(result)) == (Outcome.WARN, [problem])
    assert said in result.findings[0].text
    assert (result.findings[0].rule or "").startswith("https://fetch.spec.whatwg.org/")
    assert diagnosis is not None
    assert diagnosis.effect is Effect.DEGRADED
    assert said in diagnosis.summary
    assert PAGE in diagnosis.summary
    assert diagnosis.evidence[0].exchange == answered.id


@pytest.mark.parametrize(
    ("answered", "opening", "problem"),
    [
        (tool_page("add"), opened(), "origin-missing"),
        (answer("https://other.example.com"), opened(), "origin-other"),
        (answer(PAGE, PAGE), opened(), "origin-twice"),
        (answer("*", PAGE), opened(), "origin-twice"),
        (answer(expose=""), SESSION, "not-exposed"),
    ],
)
def test_what_keeps_a_page_from_reading_the_answer_is_named_too(
    answered: Exchange, opening: Opening, problem: str
) -> None:
    result, _ = asked(preflight(), answers=(answered,), opening=opening)

    assert (result.outcome, problems(result)) == (Outcome.WARN, [problem])
    assert diagnosed(result) is not None


def test_wildcards_are_read_as_browsers_read_them() -> None:
    wild = asked(preflight("*", "*"), answers=(answer("*", expose="*"),), opening=SESSION)[0]
    token = asked(preflight("*", "*"), answers=(answer("*", expose="*"),), watched=WITH_TOKEN)[0]
    plain_answer = answer("*", extra=(("Access-Control-Allow-Credentials", "true"),))
    echoed = asked(preflight(), answers=(plain_answer,))[0]

    assert wild.outcome is Outcome.PASS
    assert token.findings[0].text.endswith("does not allow authorization")
    assert echoed.outcome is Outcome.PASS


def test_a_server_that_refuses_the_origin_is_told_apart_from_missing_headers() -> None:
    refusal = exchange(status=403, media="text/plain", body=b"Invalid Origin header")
    result, _ = asked(preflight(), answers=(refusal,))
    diagnosis = diagnosed(result)

    assert problems(result) == ["origin-refused"]
    assert (result.findings[0].rule or "").endswith("/2026-07-28/basic/transports/streamable-http")
    assert diagnosis is not None
    assert "allowed_origins=['https://app.example.com']" in diagnosis.fix


def test_a_session_that_scripts_cannot_end_is_a_warning_and_no_more() -> None:
    first = preflight(methods="POST")
    result, wire = asked(first, preflight(methods="POST"), opening=SESSION)
    by_itself, _ = asked(first, preflight(methods="DELETE"), opening=SESSION)

    assert wire.asked_otherwise[1] == ("preflight", PAGE, "DELETE", ("mcp-protocol-version", "mcp-session-id"))
    assert (result.outcome, problems(result), diagnosed(result)) == (Outcome.WARN, ["method-missing"], None)
    assert result.facts["allowed"] == [PAGE]
    assert by_itself.outcome is Outcome.PASS


def test_a_challenge_that_scripts_cannot_read_is_a_warning_and_no_more() -> None:
    result, _ = asked(preflight(), answers=(answer(expose="mcp-session-id"),), watched=WITH_TOKEN)

    assert (result.outcome, problems(result), diagnosed(result)) == (Outcome.WARN, ["challenge-hidden"], None)


def test_post_needs_no_mention_because_browsers_take_it_as_safe() -> None:
    assert asked(preflight(methods=""))[0].outcome is Outcome.PASS


def test_each_declared_origin_is_asked_for_once_and_no_more_than_five() -> None:
    pages = tuple(f"https://app{number}.example.com" for number in range(ORIGIN_CAP + 2))
    watched = endpoint(browser_origins=(pages[0], *pages))
    answers = (answer(pages[0]),)

    result, wire = asked(
        *(preflight(page if page != pages[1] else None) for page in pages), watched=watched, answers=answers
    )

    assert [each[1] for each in wire.asked_otherwise] == list(pages[:ORIGIN_CAP])
    assert len(wire.asked) == 1
    assert result.facts["allowed"] == [pages[0], *pages[2:ORIGIN_CAP]]
    assert "4 of 5 origins" in result.summary


@pytest.mark.parametrize(
    ("answered", "answers", "outcome"),
    [
        (preflight(PROBE_ORIGIN), (answer(PROBE_ORIGIN),), Outcome.PASS),
        (preflight("*"), (answer("*"),), Outcome.PASS),
        (preflight(None, status=405), (tool_page("add"),), Outcome.SKIP),
        (
            preflight(None, status=403),
            (exchange(status=403, media="text/plain", body=b"Invalid Origin"),),
            Outcome.SKIP,
        ),
        (preflight(None, status=404), (exchange(status=404, messages=[error(-32601, "x")]),), Outcome.SKIP),
        (preflight(PROBE_ORIGIN, headers=""), (answer("*"),), Outcome.SKIP),
        (preflight("*"), (answer("*", extra=(("Access-Control-Allow-Credentials", "true"),)),), Outcome.PASS),
    ],
)
def test_where_no_page_is_declared_nothing_is_a_fault(
    answered: Exchange, answers: tuple[Exchange, ...], outcome: Outcome
) -> None:
    result, wire = asked(answered, answers=answers, watched=endpoint())

    assert wire.asked_otherwise[0][1] == PROBE_ORIGIN
    assert (result.outcome, result.findings) == (outcome, ())
    assert diagnosed(result, endpoint()) is None


@pytest.mark.parametrize(
    ("answered", "answers"),
    [
        (preflight("*"), (answer("*", PROBE_ORIGIN),)),
        (preflight("*", extra=(("Access-Control-Allow-Credentials", "true"),)), (answer("*"),)),
    ],
)
def test_headers_that_nobody_can_mean_are_told_even_then(answered: Exchange, answers: tuple[Exchange, ...]) -> None:
    result, _ = asked(answered, answers=answers, watched=endpoint())
    diagnosis = diagnosed(result, endpoint())

    assert result.outcome is Outcome.SKIP
    assert len(result.findings) == 1
    assert diagnosis is not None
    assert diagnosis.effect is Effect.INFORMATION
    assert PROBE_ORIGIN not in diagnosis.fix


@pytest.mark.parametrize(
    ("door", "said"),
    [
        (FUNCTION_URL, "update-function-url-config"),
        ((("apigw-requestid", "g"),), "apigatewayv2 update-api"),
        ((), "CORSMiddleware"),
    ],
)
def test_the_fix_is_that_of_the_front_door(door: tuple[tuple[str, str], ...], said: str) -> None:
    diagnosis = diagnosed(asked(preflight(None, extra=door))[0])

    assert diagnosis is not None
    assert said in diagnosis.fix
    assert "mcp-session-id" in diagnosis.fix


def test_two_places_that_answer_for_cors_are_told_to_become_one() -> None:
    diagnosis = diagnosed(asked(preflight(), answers=(answer(PAGE, PAGE, extra=FUNCTION_URL),))[0])

    assert diagnosis is not None
    assert "in one place only" in diagnosis.fix


@pytest.mark.parametrize(
    "answered",
    [failed(Failure.DEADLINE, "exhausted", method=None), failed(Failure.CONNECT, method=None), preflight(status=429)],
)
def test_what_could_not_be_observed_says_nothing(answered: Exchange) -> None:
    result, wire = asked(answered)

    assert (result.outcome, wire.asked) == (Outcome.SKIP, [])
    assert diagnosed(result) is None


def test_nothing_is_asked_before_a_conversation_is_open() -> None:
    result, wire = asked(opening=refused())

    assert (result.outcome, result.summary) == (Outcome.SKIP, "not asked: no conversation is open")
    assert wire.asked_otherwise == []
    assert cors_misconfigured.diagnose(Evidence(endpoint=OPEN, opening=refused(), results=())) is None


names = st.sampled_from(
    ["Access-Control-Allow-Origin", "access-control-allow-headers", "ACCESS-CONTROL-EXPOSE-HEADERS", "Location"]
)


@given(
    st.lists(st.tuples(names, st.text(max_size=40) | st.sampled_from(["*", PAGE, ",", "true"])), max_size=6),
    st.sampled_from([200, 204, 301, 403, 404, 500]),
    st.booleans(),
)
def test_nothing_that_a_server_says_raises(headers: list[tuple[str, str]], status: int, declared: bool) -> None:
    watched = OPEN if declared else endpoint()
    answered = exchange(status=status, messages=[ok({})], headers=headers)

    result, _ = asked(preflight(None, None, extra=headers, status=status), answers=(answered,), watched=watched)
    diagnosis = diagnosed(result, watched)

    assert declared or result.outcome is not Outcome.WARN
    assert diagnosis is None or (diagnosis.effect is Effect.DEGRADED) is declared
    for text in (result.summary, *(finding.text for finding in result.findings)):
        assert len(text) < 1000
