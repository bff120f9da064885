"""Headers that contradict the body: refused, or not looked at."""

import pytest

from checks.model import Exchange, Failure, Opening, Outcome, Verdict
from checks.protocol.headers import headers
from checks.wire import Alteration
from tests.unit.checks.conversations import exchange, failed, opened, tool_page
from tests.unit.checks.full_profile import ask, handshake, refusal

SPENT = failed(Failure.DEADLINE, "exhausted", "tools/list")
FORBIDDEN = exchange("tools/list", status=403, media="text/plain", body=b"blocked")


def mismatch() -> Exchange:
    return refusal(-32020, "Header mismatch")


def test_a_server_that_refuses_every_contradiction_passes() -> None:
    judged = ask(headers, opened(), mismatch(), mismatch(), mismatch())

    result = judged.results[-1]
    assert (result.outcome, result.findings, judged.ids) == (Outcome.PASS, (), [])
    assert result.summary == "3 of 3 contradictions refused"
    assert [(each["contradiction"], each["met"]) for each in result.facts["contradictions"]] == [
        ("method-differs", "refused"),
        ("method-missing", "refused"),
        ("version-differs", "refused"),
    ]
    assert judged.wire.alterations[1:] == [
        Alteration(headers={"Mcp-Method": "tools/call"}),
        Alteration(headers={"Mcp-Method": None}),
        Alteration(meta={"io.modelcontextprotocol/protocolVersion": "2025-11-25"}),
    ]


def test_no_body_asks_for_anything_that_has_an_effect() -> None:
    judged = ask(headers, opened(), mismatch(), mismatch(), mismatch())

    assert {(method, params) for method, params, _ in judged.wire.asked} == {("tools/list", None)}


@pytest.mark.parametrize("position", range(3))
def test_a_contradiction_that_is_answered_is_a_finding_for_security_and_no_outage(position: int) -> None:
    answers = [mismatch(), mismatch(), mismatch()]
    answers[position] = tool_page("add")

    judged = ask(headers, opened(), *answers)

    result = judged.results[-1]
    assert (result.outcome, judged.ids, judged.verdict) == (Outcome.WARN, [], Verdict.UP)
    assert result.findings[0].text.startswith("security: a request is answered although ")
    assert "gateway" in result.findings[0].text
    assert result.findings[0].rule == (
        "https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#server-validation"
    )
    assert result.facts["contradictions"][position]["met"] == "answered"


@pytest.mark.parametrize(
    "answer",
    [
        refusal(-32602, "Invalid params"),
        refusal(-32020, "Header mismatch", 200),
        exchange("tools/list", status=500, media="text/plain", body=b"boom"),
    ],
)
def test_another_refusal_is_a_finding(answer: Exchange) -> None:
    judged = ask(headers, opened(), answer, mismatch(), mismatch())

    assert (judged.results[-1].outcome, judged.verdict) == (Outcome.WARN, Verdict.UP)
    assert "the refusal is not 400 with -32020" in judged.results[-1].summary


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refusal_without_jsonrpc_may_be_that_of_a_gateway(status: int) -> None:
    by_gateway = exchange("tools/list", status=status, media="text/plain", body=b"Bad Request")

    assert ask(headers, opened(), by_gateway, mismatch(), mismatch()).results[-1].outcome is Outcome.PASS


def test_what_was_not_seen_is_said_and_no_finding() -> None:
    partly = ask(headers, opened(), mismatch(), SPENT, FORBIDDEN).results[-1]
    nothing = ask(headers, opened(), SPENT, SPENT, SPENT).results[-1]

    assert (partly.outcome, partly.summary) == (
        Outcome.PASS,
        "1 of 3 contradictions refused; the others were not observed",
    )
    assert (nothing.outcome, nothing.summary) == (
        Outcome.SKIP,
        "not observed: the time for this probe was used up",
    )


@pytest.mark.parametrize("opening", [handshake(), handshake("2024-11-05"), Opening()])
def test_outside_the_stateless_era_nothing_is_asked(opening: Opening) -> None:
    result = ask(headers, opening).results[-1]

    assert result.outcome is Outcome.SKIP
    assert result.summary.startswith("not asked: ")
