"""Sessions: honoured on every connection or not, refused after their end or not, and what says nothing about them."""

import pytest

from checks.model import Exchange, Failure, Opening, Outcome, Sentinel, Verdict
from checks.protocol.session import AT_ONCE, session
from checks.sessions import refuses_session, refuses_session_beside_others
from checks.spec import Era, Transport
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    endpoint,
    error,
    exchange,
    failed,
    judge,
    ok,
    opened,
    tool_page,
)
from tests.unit.checks.full_profile import ask, handshake, in_session, refusal

PYTHON = refusal(-32600, "Session not found", 404)
TYPESCRIPT = refusal(-32001, "Session not found", 404)
AWSLABS = refusal(-32000, "Invalid or expired session", 404)
OLD_PYTHON = exchange("tools/list", status=400, media="text/plain", body=b"Bad Request: No valid session ID provided")
THROTTLED = exchange("tools/list", status=429, media="text/plain", body=b"Rate Exceeded.")
CRASHED = exchange("tools/list", status=502, media="text/plain", body=b"Internal Server Error")
DELETED = exchange(None, status=200, media=None, messages=())


def pages(count: int) -> tuple[Exchange, ...]:
    return tuple(tool_page("add") for _ in range(count))


def test_a_session_that_all_honour_and_its_end_ends_passes() -> None:
    judged = ask(session, in_session(), PYTHON, crowd=pages(6), ended=DELETED)

    result = judged.results[-1]
    assert (result.outcome, judged.ids) == (Outcome.PASS, [])
    assert result.summary == "6 of 6 connections at once honour the session; ended by DELETE, it is refused with 404"
    assert result.facts == {
        "asked": 6,
        "honoured": 6,
        "refused": 0,
        "throttled": 0,
        "failed": 0,
        "refusals": [],
        "after_end": "refused",
    }
    assert judged.wire.asked_otherwise == [("at_once", "tools/list", AT_ONCE), ("end_session",)]


def test_a_session_that_may_not_be_ended_passes() -> None:
    not_allowed = exchange(None, status=405, media=None, messages=())

    forbidden = ask(session, in_session(), crowd=pages(6), ended=not_allowed).results[-1]
    unsafe = ask(session, in_session("2024-11-05"), crowd=pages(6), ended=None).results[-1]

    assert (forbidden.outcome, forbidden.facts["after_end"]) == (Outcome.PASS, "not-allowed")
    assert (unsafe.outcome, unsafe.facts["after_end"]) == (Outcome.PASS, "not-asked")


@pytest.mark.parametrize(
    ("after", "fact"),
    [
        (tool_page("add"), "served"),
        (refusal(-32000, "Bad Request: No valid session ID provided", 400), "refused-otherwise"),
        (exchange("tools/list", status=410, media="text/plain", body=b"gone"), "refused-otherwise"),
        (exchange("tools/list", messages=[error(-32001, "Session not found")]), "refused-otherwise"),
    ],
)
def test_an_ended_session_that_is_not_refused_with_404_is_a_finding_and_no_outage(after: Exchange, fact: str) -> None:
    judged = ask(session, in_session("2025-06-18"), after, crowd=pages(6), ended=DELETED)

    result = judged.results[-1]
    assert (result.outcome, result.facts["after_end"]) == (Outcome.WARN, fact)
    assert [finding.rule for finding in result.findings] == [
        "https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#session-management"
    ]
    assert (judged.ids, judged.verdict) == ([], Verdict.UP)


@pytest.mark.parametrize("after", [CRASHED, THROTTLED, failed(Failure.DEADLINE, "exhausted", "tools/list")])
def test_what_follows_the_end_may_stay_unseen(after: Exchange) -> None:
    result = ask(session, in_session(), after, crowd=pages(6), ended=DELETED).results[-1]

    assert (result.outcome, result.findings, result.facts["after_end"]) == (Outcome.PASS, (), "not-observed")


def test_an_end_that_fails_is_told_and_is_no_finding() -> None:
    broken = exchange(None, status=500, media="text/plain", body=b"the JSON object must be str")
    unreached = failed(Failure.CONNECTION_LOST, "reset", None)

    answered = ask(session, in_session(), crowd=pages(6), ended=broken).results[-1]
    lost = ask(session, in_session(), crowd=pages(6), ended=unreached).results[-1]

    assert (answered.outcome, answered.facts["after_end"]) == (Outcome.PASS, "not-ended")
    assert (lost.outcome, lost.facts["after_end"]) == (Outcome.PASS, "not-observed")


@pytest.mark.parametrize("refused", [PYTHON, TYPESCRIPT, AWSLABS, OLD_PYTHON, refusal(-32600, "Bad Request", 400)])
def test_a_session_that_only_some_connections_honour_is_lost_now_and_then(refused: Exchange) -> None:
    judged = ask(session, in_session(), crowd=(*pages(2), refused, THROTTLED), ended=DELETED)

    result, diagnosis = judged.results[-1], judged.diagnosis("session-lost")
    assert (result.outcome, judged.ids, judged.verdict) == (Outcome.FAIL, ["session-lost"], Verdict.DEGRADED)
    assert (result.facts["honoured"], result.facts["refused"], result.facts["throttled"]) == (2, 1, 1)
    assert result.facts["refusals"][0]["exchange"] == refused.id
    assert diagnosis.summary.startswith("The session is refused on 1 of 4 connections made at once")
    assert "stateless_http=True" in diagnosis.fix
    assert diagnosis.reproduce.startswith("curl ")


def test_a_session_that_no_further_connection_honours_is_degraded_and_not_ended_on_top() -> None:
    judged = ask(session, in_session(), tool_page("add"), crowd=(PYTHON, PYTHON), ended=DELETED)

    assert judged.verdict is Verdict.DEGRADED
    assert "all of 2 connections" in judged.diagnosis("session-lost").summary
    assert judged.wire.asked_otherwise == [("at_once", "tools/list", AT_ONCE)]


@pytest.mark.parametrize(
    ("control", "said"),
    [
        (PYTHON, "the session is over, whoever asks: 0 of 2 connections at once honour the session"),
        (OLD_PYTHON, "the session is over, whoever asks"),
        (CRASHED, "whether the session is over was not seen"),
        (THROTTLED, "whether the session is over was not seen"),
        (failed(Failure.DEADLINE, "exhausted", "tools/list"), "whether the session is over was not seen"),
    ],
)
def test_a_session_that_nobody_honours_any_more_is_laid_on_no_connection(control: Exchange, said: str) -> None:
    judged = ask(session, in_session(), control, crowd=(PYTHON, PYTHON), ended=DELETED)

    result = judged.results[-1]
    assert (result.outcome, judged.ids, judged.verdict) == (Outcome.SKIP, [], Verdict.UP)
    assert result.summary.startswith(said)
    assert (result.facts["refused"], result.facts["refusals"]) == (2, [])
    assert result.exchanges[-1] == control


def test_the_request_ids_of_both_answers_stand_in_the_evidence() -> None:
    served = tool_page("add", headers=(("x-amzn-RequestId", "served-1"),))
    refused = exchange(
        "tools/list",
        status=404,
        messages=[error(-32600, "Session not found")],
        headers=(("x-amzn-RequestId", "refused-2"),),
    )

    evidence = ask(session, in_session(), crowd=(served, refused)).diagnosis("session-lost").evidence

    assert any("refused-2" in proof.text and "served-1" in proof.text for proof in evidence)


@pytest.mark.parametrize("other", [THROTTLED, CRASHED, failed(Failure.DEADLINE, "no-answer", "tools/list")])
def test_throttling_crashes_and_timeouts_say_nothing_about_sessions(other: Exchange) -> None:
    most = ask(session, in_session(), crowd=(*pages(2), *[other] * 4))
    nearly_all = ask(session, in_session(), crowd=(*pages(1), *[other] * 5))

    assert (most.results[-1].outcome, most.ids) == (Outcome.PASS, [])
    assert (nearly_all.results[-1].outcome, nearly_all.ids) == (Outcome.SKIP, [])


def test_a_throttled_burst_is_told() -> None:
    result = ask(session, in_session(), crowd=(*pages(2), *[THROTTLED] * 4)).results[-1]

    assert "4 are throttled (HTTP 429: the concurrency reserved" in result.summary
    assert result.facts["throttled"] == 4


def test_a_server_without_tools_is_asked_by_ping() -> None:
    pong = exchange("ping", messages=[ok({})])
    toolless = refusal(-32601, "Method not found", 404)

    judged = ask(
        session,
        in_session(capabilities={"prompts": {}}),
        refusal(-32600, "Session not found", 404, method="ping"),
        listing=[toolless],
        crowd=(pong, pong),
        ended=DELETED,
    )

    assert judged.results[-1].outcome is Outcome.PASS
    assert judged.wire.asked_otherwise[0] == ("at_once", "ping", AT_ONCE)


@pytest.mark.parametrize(
    ("opening", "said"),
    [
        (opened(), "the stateless era has no sessions"),
        (handshake(), "gives out no session id"),
        (in_session(transport=Transport.SSE), "bound to its one event stream"),
        (Opening(), "no conversation is open"),
    ],
)
def test_where_there_is_no_session_nothing_is_asked(opening: Opening, said: str) -> None:
    judged = ask(session, opening)

    assert judged.results[-1].outcome is Outcome.SKIP
    assert said in judged.results[-1].summary
    assert judged.wire.asked_otherwise == []


def test_where_the_tools_could_not_be_listed_nothing_is_asked() -> None:
    judged = ask(session, in_session(), listing=[CRASHED])

    assert judged.results[-1].summary == "not asked: the tools could not be listed"


LOST = [
    PYTHON,
    TYPESCRIPT,
    AWSLABS,
    OLD_PYTHON,
    refusal(-32600, "Bad Request: Missing session ID", 400),
    refusal(-32000, "Bad Request: Server not initialized", 400),
    refusal(-32000, "Bad Request: Mcp-Session-Id header is required", 400),
    exchange("tools/list", status=404, media="text/plain", body=b""),
    exchange("tools/list", messages=[error(-32001, "Session not found or expired")]),
]


@pytest.mark.parametrize("refused", LOST, ids=range(len(LOST)))
def test_a_session_refused_right_after_it_was_opened_is_down_and_the_one_cause(refused: Exchange) -> None:
    judged = judge(in_session(), refused)

    assert (judged.ids, judged.verdict) == (["session-lost"], Verdict.DOWN)
    assert judged.diagnosis("session-lost").summary.endswith((".", "”."))


def test_a_session_lost_between_two_pages_is_down() -> None:
    assert judge(in_session(), tool_page("add", cursor="2"), PYTHON).ids == ["session-lost"]


def test_a_session_that_a_tool_call_does_not_find_degrades() -> None:
    refused = exchange("tools/call", status=404, messages=[error(-32600, "Session not found")])

    judged = judge(in_session(), tool_page("add"), refused, endpoint=endpoint(sentinels=(Sentinel(tool="add"),)))

    assert (judged.ids, judged.verdict) == (["session-lost"], Verdict.DEGRADED)


NOT_LOST = [
    refusal(-32603, "registry not loaded", 500),
    refusal(-32603, "the database session is closed for today", 500),
    refusal(-32600, "Unsupported protocol version", 400),
    refusal(-32602, "Invalid request parameters", 404),
    refusal(-32601, "Method not found", 404),
    exchange("tools/list", status=400, media="text/plain", body=b"boom"),
    exchange("tools/list", status=404, body=b'{"message":"Not Found"}', headers=(("apigw-requestid", "g"),)),
    tool_page("add", status=404),
    THROTTLED,
    CRASHED,
]


@pytest.mark.parametrize("other", NOT_LOST, ids=range(len(NOT_LOST)))
def test_other_failures_are_no_lost_session(other: Exchange) -> None:
    assert not refuses_session(other)
    assert "session-lost" not in judge(in_session(), other).ids


def test_without_a_session_none_is_lost() -> None:
    assert judge(handshake(), PYTHON).ids == ["tools-list-failed"]
    assert judge(opened(era=Era.STATELESS), PYTHON).ids == ["tools-list-failed"]


def test_a_code_alone_says_it_only_where_other_requests_are_answered() -> None:
    terse = refusal(-32000, "Bad Request", 400)

    assert not refuses_session(terse)
    assert refuses_session_beside_others(terse)
    assert not refuses_session_beside_others(refusal(-32602, "Bad Request", 400))


def test_a_server_that_got_no_session_id_points_at_what_takes_it_out() -> None:
    named = judge(in_session(), PYTHON).diagnosis("session-lost")
    unnamed = judge(in_session(), refusal(-32600, "Bad Request: Missing session ID", 400)).diagnosis("session-lost")

    assert not any("Mcp-Session-Id header out" in other for other in named.alternatives)
    assert any("Mcp-Session-Id header out" in other for other in unnamed.alternatives)


def test_the_function_url_behind_a_lost_session_gives_its_request_id() -> None:
    lost = exchange("tools/list", status=404, messages=[error(-32600, "Session not found")], headers=FUNCTION_URL)

    evidence = judge(in_session(), lost).diagnosis("session-lost").evidence

    assert any("2b6d1c1e" in proof.text for proof in evidence)
