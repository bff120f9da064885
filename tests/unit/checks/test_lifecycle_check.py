"""The opening: what it says about itself, and which of its deviations are worth a warning."""

import pytest

from checks.model import Exchange, Failure, Outcome, Verdict
from checks.spec import Era
from tests.unit.checks.conversations import (
    discovered,
    error,
    exchange,
    failed,
    initialized,
    judge,
    notified,
    ok,
    opened,
    refused,
    tool_page,
)


def test_what_the_server_calls_itself_stands_in_summary_and_facts() -> None:
    opening = opened(server_name="orders", server_version="1.4.2", has_session=False)

    result = judge(opening, tool_page("add")).result("lifecycle")

    assert result.summary == "orders 1.4.2 speaks 2026-07-28 over streamable-http, stateless era"
    assert result.facts == {
        "server_name": "orders",
        "server_version": "1.4.2",
        "has_session": False,
        "asked_again": [],
    }


def test_the_time_spans_all_exchanges_of_the_opening() -> None:
    first = initialized(total_ms=100.0, offset_ms=10.0)
    second = notified()
    opening = opened(first, second, era=Era.HANDSHAKE)

    assert judge(opening, tool_page("add")).result("lifecycle").ms == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("deviant", "era", "said"),
    [
        (exchange("server/discover", messages=[ok({"resultType": "complete"})]), Era.STATELESS, "supportedVersions"),
        (discovered(headers=(("Mcp-Session-Id", "s"),)), Era.STATELESS, "session id"),
        (exchange("initialize", messages=[ok({"protocolVersion": "2025-11-25"})]), Era.HANDSHAKE, "serverInfo"),
        (initialized(headers=(("Mcp-Session-Id", "with space"),)), Era.HANDSHAKE, "visible ASCII"),
        (notified(status=200), Era.HANDSHAKE, "HTTP 200 instead of 202"),
    ],
)
def test_a_broken_must_is_a_warning_with_its_rule_and_no_outage(deviant: Exchange, era: Era, said: str) -> None:
    judged = judge(opened(deviant, era=era), tool_page("add"))

    result = judged.result("lifecycle")
    assert result.outcome is Outcome.WARN
    assert any(said in finding.text for finding in result.findings)
    assert all((finding.rule or "").startswith("https://modelcontextprotocol.io/") for finding in result.findings)
    assert judged.verdict == "up"


def test_an_unpublished_revision_is_a_warning() -> None:
    opening = opened(initialized("2031-01-01"), notified(), era=Era.HANDSHAKE, version="2031-01-01")

    judged = judge(opening, tool_page("add"))

    assert "2031-01-01" in judged.result("lifecycle").findings[0].text
    assert judged.ids == ["protocol-version-mismatch"]
    assert judged.verdict == "degraded"


def test_a_failed_opening_says_what_the_last_request_met() -> None:
    opening = refused(
        failed(Failure.CONNECTION_LOST, "reset"),
        exchange("initialize", status=502, media="text/plain", body=b"Internal Server Error"),
        exchange(None, status=405, media="text/plain", body=b"Method Not Allowed"),
    )

    summary = judge(opening).result("lifecycle").summary

    assert "initialize → HTTP 502, text/plain, body of 21 bytes beginning “Internal Server Error”" in summary


@pytest.mark.parametrize(
    ("answer", "findings"),
    [
        ({"status": 502, "body": b"Internal Server Error", "media": "text/plain"}, 1),
        ({"status": 500, "messages": [error(-32603, "boom")]}, 0),
        ({"status": 404, "messages": [error(-32601, "Method not found")]}, 0),
    ],
)
def test_a_server_that_fails_at_discover_and_opens_otherwise_is_up_with_a_finding(answer, findings) -> None:
    opening = opened(exchange("server/discover", **answer), initialized(), notified(), era=Era.HANDSHAKE)
    judged = judge(opening, tool_page("add"))
    told = judged.result("lifecycle").findings
    assert (judged.verdict, judged.ids, len(told)) == (Verdict.UP, [], findings)
    assert all(each.text.startswith("fails at server/discover, which clients ask first of all: ") for each in told)
