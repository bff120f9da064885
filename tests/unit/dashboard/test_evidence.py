"""A stored report as the pages show it, whole or damaged."""

from typing import Any

import pytest

from checks.encode import as_json
from checks.model import Outcome, Verdict
from dashboard.views.evidence import report_view, safe_link, spans, text_blocks
from tests.integration.dashboard.stories import FLEET, report_of
from tests.unit.dashboard.rows import NOW


def stored(story: int, letter: str) -> dict[str, Any]:
    report: dict[str, Any] = as_json(report_of(FLEET[story], letter, NOW))
    return report


def test_a_healthy_report_is_shown_whole() -> None:
    view = report_view(stored(0, "u"), {"lifecycle": "Does it open?"})
    assert (view.verdict, view.era, view.version, view.transport) == (
        Verdict.UP, "stateless", "2026-07-28", "Streamable HTTP",
    )  # fmt: skip
    assert view.tools == ("list_orders", "get_order", "refund_order", "search_customers")
    assert [check.outcome for check in view.checks] == [Outcome.WARN, Outcome.PASS, Outcome.PASS, Outcome.PASS]
    assert view.checks[0].question == "Does it open?"
    assert [each.id for each in view.exchanges] == ["x1", "x2", "x3"]
    assert view.exchanges[0].status == "200 OK"
    assert ("Authorization", "Bearer ${env:ORDERS_TOKEN}") in view.exchanges[0].request_headers


def test_exchanges_follow_one_another_on_the_time_axis() -> None:
    exchanges = report_view(stored(0, "u"), {}).exchanges
    ends = [each.blocks[-1].x + each.blocks[-1].width for each in exchanges]
    assert exchanges[0].blocks[0].x == 0
    assert exchanges[1].blocks[0].x >= ends[0] - 0.5
    assert max(ends) <= 100.2
    assert len(exchanges[2].arrivals) == 3


def test_a_transport_failure_takes_the_place_of_the_status() -> None:
    exchange = report_view(stored(3, "?"), {}).exchanges[0]
    assert exchange.failed
    assert exchange.status == "connect"
    assert exchange.error == "refused: connection refused"
    assert [phase for phase, _ in exchange.phases] == ["dns", "connect"]


def test_a_diagnosis_shows_its_fix_as_prose_and_code() -> None:
    diagnosis = report_view(stored(1, "d"), {}).diagnoses[0]
    assert (diagnosis.id, diagnosis.confidence) == ("adapter-missing", "90 %")
    assert [block.is_code for block in diagnosis.fix] == [False, True, False]
    assert diagnosis.fix[1].spans[0][0].startswith("Handler: run.sh\nEnvironment:\n  Variables:")
    assert diagnosis.evidence[0].exchange == "x1"


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"results": None, "diagnoses": 3, "opening": []},
        {"results": [None, {"exchanges": [None, {"timings": "x", "status": "200", "headers": [["a"], 3]}]}]},
        {"verdict": "splendid", "duration_ms": "long", "diagnoses": [{"effect": "none", "confidence": None}]},
        {"results": [{"check": "tools_list", "facts": {"tools": "none", "x": {"y": [1, None, True]}}}]},
    ],
)
def test_a_report_of_another_release_is_read_as_far_as_it_goes(damaged: dict[str, Any]) -> None:
    view = report_view(damaged, {})
    assert view.verdict is Verdict.UNKNOWN


def test_advice_is_split_where_its_lines_are_indented() -> None:
    blocks = text_blocks("Do this:\n  aws lambda x \\\n    --name y\n\nand `that`.")
    assert [(block.is_code, block.spans) for block in blocks] == [
        (False, (("Do this:", False),)),
        (True, (("aws lambda x \\\n  --name y", True),)),
        (False, (("and ", False), ("that", True), (".", False))),
    ]


def test_a_lone_backtick_is_a_character() -> None:
    assert spans("it`s `code` here") == (("it", False), ("s ", True), ("code` here", False))
    assert spans("it`s") == (("it`s", False),)


@pytest.mark.parametrize(
    ("address", "is_link"),
    [
        ("https://modelcontextprotocol.io/specification/2025-11-25/basic", True),
        ("https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html", True),
        ("http://modelcontextprotocol.io/x", False),
        ("https://modelcontextprotocol.io.evil.example/x", False),
        ("https://evilamazon.com/x", False),
        ("https://user@docs.aws.amazon.com/x", False),
        ("javascript:alert(1)", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_pages_that_we_would_cite_become_links(address: str, is_link: bool) -> None:
    assert (safe_link(address) == address) is is_link
