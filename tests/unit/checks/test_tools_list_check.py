"""Reading all pages of a tool list, however the server cuts them, and never for ever."""

from dataclasses import replace

import pytest

from checks.messages import Tool
from checks.model import Irregularity, Outcome, Sentinel, Verdict
from checks.protocol.tools_list import NAME_KEPT, NAMES_KEPT
from checks.unit import ListCaps
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    called,
    discovered,
    endpoint,
    error,
    exchange,
    judge,
    ok,
    opened,
    tool,
    tool_page,
)

CAPS = ListCaps()


def test_all_pages_are_read_with_the_cursors_that_the_server_gave() -> None:
    judged = judge(opened(), tool_page("a", cursor="two"), tool_page("b", cursor=""), tool_page("c"))

    result = judged.result("tools_list")
    assert [params for _, params, _ in judged.wire.asked] == [None, {"cursor": "two"}, {"cursor": ""}]
    assert result.outcome is Outcome.PASS
    assert result.facts["tools"] == ["a", "b", "c"]
    assert (result.facts["tool_count"], result.facts["pages"], result.facts["complete"]) == (3, 3, True)


@pytest.mark.parametrize(
    ("beyond", "led"),
    [
        (exchange("tools/list", messages=[error(-32602, "Invalid cursor")]), "JSON-RPC error -32602"),
        (tool_page("b", "a", cursor=""), "the same tools again"),
        (tool_page(), "the same tools again"),
    ],
)
def test_an_empty_cursor_that_leads_nowhere_ends_the_list_as_it_does_for_most_clients(beyond, led) -> None:
    judged = judge(opened(discovered()), tool_page("a", "b", cursor=""), beyond)

    result = judged.result("tools_list")
    assert (result.outcome, judged.ids, judged.verdict) == (Outcome.WARN, [], Verdict.UP)
    assert result.findings[0].text.startswith(
        f"the last page has an empty nextCursor: a client that follows it gets {led}"
    )
    assert (result.facts["tools"], result.facts["pages"], result.facts["complete"]) == (["a", "b"], 1, True)


def test_a_page_behind_an_empty_cursor_that_the_front_door_fails_is_missed() -> None:
    crash = exchange("tools/list", status=502, body=b"Internal Server Error", media="text/plain", headers=FUNCTION_URL)
    judged = judge(opened(discovered()), tool_page("a", cursor=""), crash)
    assert judged.verdict is Verdict.DOWN


def test_a_cursor_that_comes_back_ends_the_reading() -> None:
    judged = judge(opened(), tool_page("a", cursor="x"), tool_page("b", cursor="x"))

    result = judged.result("tools_list")
    assert result.outcome is Outcome.WARN
    assert "comes back" in result.summary
    assert result.facts["stopped"] == "cursor-cycle"
    assert not result.facts["complete"]


def test_a_list_without_end_is_left_at_the_page_cap() -> None:
    pages = [tool_page(f"t{number}", cursor=f"c{number}") for number in range(CAPS.pages)]

    judged = judge(opened(), *pages)

    assert judged.result("tools_list").facts["pages"] == CAPS.pages
    assert judged.result("tools_list").facts["stopped"] == "too-many-pages"
    assert judged.result("tools_list").outcome is Outcome.WARN


def test_a_huge_list_is_left_at_the_item_cap() -> None:
    judged = judge(opened(), tool_page(*(f"t{number}" for number in range(CAPS.items)), cursor="more"))

    assert judged.result("tools_list").facts["pages"] == 1
    assert judged.result("tools_list").facts["stopped"] == "too-many-items"
    assert not judged.result("tools_list").facts["complete"]


def test_a_list_is_left_once_its_pages_weigh_too_much() -> None:
    pages = [replace(tool_page(f"t{number}", cursor=f"c{number}"), body_size=CAPS.bytes // 2) for number in range(2)]

    judged = judge(opened(), *pages)

    result = judged.result("tools_list")
    assert result.facts["stopped"] == "list-too-large"
    assert result.findings[0].text.endswith("and was read no further (list-too-large)")
    assert (result.outcome, judged.ids, judged.verdict) == (Outcome.WARN, [], Verdict.UP)


def test_an_endless_list_of_nothing_is_down() -> None:
    judged = judge(opened(), tool_page(cursor="x"), tool_page(cursor="x"))

    assert judged.ids == ["tools-list-failed"]
    assert "never end" in judged.diagnoses[0].summary


def test_entries_that_clients_drop_are_named_and_do_not_hide_the_others() -> None:
    entries = [tool("good"), tool("twice"), tool("twice"), {"name": "bare"}, {"name": "null", "inputSchema": None}, 7]
    judged = judge(opened(), exchange("tools/list", messages=[ok({"tools": entries})]))

    result = judged.result("tools_list")
    assert result.outcome is Outcome.WARN
    assert result.facts["tools"] == ["good", "twice", "bare", "null"]
    assert result.facts["invalid"] == [
        "1 tool without a name",
        "twice is listed 2 times",
        'bare has no inputSchema of type "object"',
        'null has no inputSchema of type "object"',
    ]
    assert judged.ids == ["tools-invalid"]
    assert judged.verdict == "degraded"
    assert "4 faults" in judged.diagnoses[0].summary


def test_a_list_that_clients_cannot_read_is_named_with_what_is_wrong_with_its_bytes() -> None:
    odd = Irregularity(code="json-non-standard", detail="NaN is not JSON")
    body = b'{"jsonrpc":"2.0","id":"1","result":{"tools":[NaN]}}'
    judged = judge(opened(), exchange("tools/list", body=body, messages=(), irregularities=(odd,)))

    assert judged.ids == ["malformed-response"]
    assert "no complete JSON: NaN is not JSON" in judged.diagnoses[0].summary


def test_a_failure_on_a_later_page_fails_the_list() -> None:
    judged = judge(
        opened(), tool_page("a", cursor="2"), exchange("tools/list", status=400, body=b"boom", media="text/plain")
    )

    assert judged.ids == ["tools-list-failed"]
    assert "on page 2" in judged.diagnoses[0].summary


def test_an_expected_tool_makes_a_server_without_tools_fail() -> None:
    judged = judge(opened(capabilities={"prompts": {}}), tool_page(), endpoint=endpoint(expected_tools=("add",)))

    assert judged.ids == ["tools-empty"]


def test_a_server_that_declares_nothing_and_lists_nothing_fails() -> None:
    assert judge(opened(capabilities={}), tool_page()).ids == ["tools-empty"]


def test_a_report_keeps_a_bounded_part_of_the_names_and_the_exact_count() -> None:
    names = [f"{number}-{'x' * 300}" for number in range(NAMES_KEPT + 5)]

    facts = judge(opened(), tool_page(*names, *names[:1])).result("tools_list").facts

    assert facts["tools"] == [name[:NAME_KEPT] for name in names[:NAMES_KEPT]]
    assert facts["tool_count"] == NAMES_KEPT + 5


def test_a_tool_whose_name_a_report_does_not_keep_is_listed_all_the_same() -> None:
    twins = ["y" * 200 + "1", "y" * 200 + "2"]
    names = [*(f"t{number}" for number in range(NAMES_KEPT)), *twins]
    watched = endpoint(expected_tools=(twins[1],), sentinels=(Sentinel(tool=twins[0]),))

    judged = judge(opened(), tool_page(*names), called(), endpoint=watched)

    assert judged.verdict == "up"
    assert judged.wire.asked[1][1] == {"name": twins[0], "arguments": {}}
    assert judged.result("tools_list").facts["tool_count"] == NAMES_KEPT + 2


def test_a_tool_that_only_begins_like_the_expected_one_is_another() -> None:
    watched = endpoint(expected_tools=("y" * NAME_KEPT,))

    judged = judge(opened(), tool_page("y" * NAME_KEPT + "z"), endpoint=watched)

    assert judged.ids == ["tools-missing"]


def test_only_an_explicit_hint_is_destructive() -> None:
    assert not Tool(name="plain").is_destructive
    assert not Tool(name="both", annotations={"destructiveHint": True, "readOnlyHint": True}).is_destructive
    assert Tool(name="rm", annotations={"destructiveHint": True}).is_destructive
