"""Exchanges of a stored report: evidence in place, secrets taken out, links to the log, commands."""

from typing import Any

import pytest

from checks.encode import as_json
from dashboard.views.console import logs_insights
from dashboard.views.evidence import report_view
from dashboard.views.exchanges import Behind, ExchangeView
from tests.integration.dashboard.stories import FLEET, report_of
from tests.unit.dashboard.rows import NOW

BEHIND = Behind(log_group="/aws/lambda/orders", region="eu-central-1")


def stored(story: int = 1, letter: str = "d") -> dict[str, Any]:
    report: dict[str, Any] = as_json(report_of(FLEET[story], letter, NOW))
    return report


def first(report: dict[str, Any], behind: Behind = BEHIND) -> ExchangeView:
    return report_view(report, {}, behind=behind).exchanges[0]


def test_the_proofs_of_a_diagnosis_are_marked_in_its_exchange() -> None:
    view = report_view(stored(), {})
    (diagnosis,), exchange = view.diagnoses, view.exchanges[0]
    assert [(proof.exchange, proof.number) for proof in diagnosis.evidence] == [("x1", 1), ("x1", 2)]
    assert exchange.marks.on("header", 1) == (2,)
    assert [piece.text for piece in exchange.pieces if piece.proofs == (1,)] == ["Hello from Lambda!"]


def test_a_proof_of_an_exchange_that_is_not_kept_leads_nowhere() -> None:
    report = stored()
    report["diagnoses"][0]["evidence"][0]["exchange"] = "x99"
    assert [proof.number for proof in report_view(report, {}).diagnoses[0].evidence] == [0, 1]


def test_exchanges_at_the_same_time_know_of_each_other() -> None:
    report = stored(0, "u")
    first_result, second_result = report["results"][0], report["results"][1]
    assert all(each.beside == () for each in report_view(report, {}).exchanges)
    second_result["exchanges"][0]["offset_ms"] = first_result["exchanges"][0]["offset_ms"]
    assert [each.beside for each in report_view(report, {}).exchanges] == [("x2",), ("x1",), ()]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Set-Cookie", "sid=hunter2; Path=/; HttpOnly", "sid=[redacted]; Path=/; HttpOnly"),
        ("Set-Cookie", "hunter2", "[redacted]"),
        ("Authorization", "Bearer hunter2", "[redacted]"),
        ("Authorization", "Bearer ${env:ORDERS_TOKEN}", "Bearer ${env:ORDERS_TOKEN}"),
        ("X-Api-Key", "hunter2", "[redacted]"),
        ("Mcp-Session-Id", "0123456789abcdef0123", "01234567… [redacted]"),
        ("Mcp-Session-Id", "abc-1", "abc-1"),
        ("WWW-Authenticate", 'Bearer realm="orders"', 'Bearer realm="orders"'),
    ],
)
def test_headers_that_let_their_bearer_in_are_taken_out(name: str, value: str, shown: str) -> None:
    report = stored()
    exchange = report["results"][0]["exchanges"][0]
    exchange["headers"], exchange["request_headers"] = [[name, value]], [[name, value]]
    assert first(report).headers == ((name, shown),)
    assert first(report).request_headers == ((name, shown),)


def test_a_request_leads_to_its_invocation_in_the_log() -> None:
    exchange = first(stored())
    assert exchange.request_id == "5f0c2a9e-3f6d-4c8e-9f53-0d0f7f0c9d11"
    assert exchange.log is not None
    assert exchange.log.startswith("https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#")
    assert exchange.log.endswith("~source~(~'*2faws*2flambda*2forders))")
    assert "'*27" not in exchange.log
    assert first(stored(), Behind()).log is None
    assert first(stored(), Behind(log_group="/aws/lambda/orders")).log is None


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ([["x-amzn-RequestId", "5f0c2a9e-3f6d-4c8e-9f53-0d0f7f0c9d11"]], True),
        ([["lambda-web-request-id", "5f0c2a9e-3f6d-4c8e-9f53-0d0f7f0c9d11"]], True),
        ([["apigw-requestid", "JKJaXmPLvHcESHA="]], False),
        ([["x-amzn-RequestId", "' | stats count(*)"]], False),
        ([], False),
    ],
)
def test_only_the_id_of_an_invocation_is_looked_for(headers: list[list[str]], known: bool) -> None:
    report = stored()
    report["results"][0]["exchanges"][0]["headers"] = headers
    assert bool(first(report).log) is known


def test_the_console_is_the_one_of_the_partition() -> None:
    def host(region: str) -> str:
        return logs_insights("/aws/lambda/f", region, "id", NOW).split("/")[2]

    assert host("us-east-1") == "us-east-1.console.aws.amazon.com"
    assert host("cn-north-1") == "console.amazonaws.cn"
    assert host("us-gov-west-1") == "console.amazonaws-us-gov.com"


def test_the_query_is_written_as_the_console_writes_it() -> None:
    link = logs_insights("/aws/lambda/f", "us-east-1", "5f0c", NOW)
    detail = link.partition("queryDetail$3D")[2]
    assert detail.startswith("~(end~'20")
    assert "~timeType~'ABSOLUTE~tz~'UTC~editorString~'fields*20*40timestamp*2c*20*40message*0a*7c*20filter" in detail
    assert "*40requestId*20*3d*20*275f0c*27" in detail


def test_every_request_can_be_sent_again() -> None:
    exchanges = report_view(stored(0, "u"), {}, behind=Behind(insecure=True)).exchanges
    assert exchanges[0].curl.startswith("curl -sS -i -N --globoff --max-time 60 --insecure -H")
    assert '"Authorization: Bearer ${ORDERS_TOKEN}"' in exchanges[0].curl


def test_a_request_within_a_session_is_sent_again_in_a_new_one() -> None:
    report = stored(2, "u")
    report["results"][1]["exchanges"][0]["request_headers"].append(["Mcp-Session-Id", "0123456789abcdef0123"])
    line = report_view(report, {}).exchanges[1].curl
    assert '-H "Mcp-Session-Id: $SESSION"' in line
    assert "0123456789abcdef0123" not in line
