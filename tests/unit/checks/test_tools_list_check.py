"""Reading all pages of a tool list, however the server cuts them, and never for ever."""

from checks.messages import Tool
from checks.model import Outcome
from checks.protocol.tools_list import ITEM_CAP, PAGE_CAP
from tests.unit.checks.conversations import endpoint, exchange, judge, ok, opened, tool, tool_page


def test_all_pages_are_read_with_the_cursors_that_the_server_gave() -> None:
    judged = judge(opened(), tool_page("a", cursor="two"), tool_page("b", cursor=""), tool_page("c"))

    result = judged.result("tools_list")
    assert [params for _, params, _ in judged.wire.asked] == [None, {"cursor": "two"}, {"cursor": ""}]
    assert result.outcome is Outcome.PASS
    assert result.facts["tools"] == ["a", "b", "c"]
    assert (result.facts["tool_count"], result.facts["pages"], result.facts["complete"]) == (3, 3, True)


def test_a_cursor_that_comes_back_ends_the_reading() -> None:
    judged = judge(opened(), tool_page("a", cursor="x"), tool_page("b", cursor="x"))

    result = judged.result("tools_list")
    assert result.outcome is Outcome.WARN
    assert "comes back" in result.summary
    assert not result.facts["complete"]


def test_a_list_without_end_is_left_at_the_page_cap() -> None:
    pages = [tool_page(f"t{number}", cursor=f"c{number}") for number in range(PAGE_CAP)]

    judged = judge(opened(), *pages)

    assert judged.result("tools_list").facts["pages"] == PAGE_CAP
    assert judged.result("tools_list").outcome is Outcome.WARN


def test_a_huge_list_is_left_at_the_item_cap() -> None:
    judged = judge(opened(), tool_page(*(f"t{number}" for number in range(ITEM_CAP)), cursor="more"))

    assert judged.result("tools_list").facts["pages"] == 1
    assert not judged.result("tools_list").facts["complete"]


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
    assert judged.verdict == "up"


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


def test_annotations_are_kept_and_only_an_explicit_hint_is_destructive() -> None:
    judged = judge(
        opened(), exchange("tools/list", messages=[ok({"tools": [tool("rm", annotations={"destructiveHint": True})]})])
    )

    assert judged.result("tools_list").facts["tool_annotations"] == {"rm": {"destructiveHint": True}}
    assert not Tool(name="plain").is_destructive
    assert not Tool(name="both", annotations={"destructiveHint": True, "readOnlyHint": True}).is_destructive
    assert Tool(name="rm", annotations={"destructiveHint": True}).is_destructive
