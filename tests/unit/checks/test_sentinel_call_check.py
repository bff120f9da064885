"""Sentinels: what is called, what is left alone, and what counts as the expected answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.model import Expectation, Failure, Outcome, Sentinel
from checks.proofs import shown_json
from checks.protocol.sentinel_call import contains
from checks.spec import Era
from tests.unit.checks.conversations import called, endpoint, exchange, failed, judge, ok, opened, tool, tool_page

DESTRUCTIVE = exchange("tools/list", messages=[ok({"tools": [tool("drop", annotations={"destructiveHint": True})]})])

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_each_sentinel_is_called_once_with_its_arguments_even_when_it_fails() -> None:
    watched = endpoint(sentinels=(Sentinel(tool="a", arguments={"x": 1}), Sentinel(tool="b")))

    judged = judge(opened(), tool_page("a", "b"), called(is_error=True), called(), endpoint=watched)

    assert [asked[1:] for asked in judged.wire.asked[1:]] == [
        ({"name": "a", "arguments": {"x": 1}}, False),
        ({"name": "b", "arguments": {}}, False),
    ]
    assert [fact["outcome"] for fact in judged.result("sentinel_call").facts["sentinels"]] == ["failed", "ok"]


def test_progress_is_asked_for_where_streaming_is_expected() -> None:
    watched = endpoint(sentinels=(Sentinel(tool="a"),), streaming=True)

    assert judge(opened(), tool_page("a"), called(), endpoint=watched).wire.asked[1][2] is True


def test_a_destructive_tool_is_left_alone_unless_its_owner_allows_it() -> None:
    careful = endpoint(sentinels=(Sentinel(tool="drop"),))
    bold = endpoint(sentinels=(Sentinel(tool="drop", allow_destructive=True),))

    left_alone = judge(opened(), DESTRUCTIVE, endpoint=careful)
    asked = judge(opened(), DESTRUCTIVE, called(), endpoint=bold)

    assert len(left_alone.wire.asked) == 1
    assert left_alone.result("sentinel_call").outcome is Outcome.SKIP
    assert asked.result("sentinel_call").outcome is Outcome.PASS


def test_a_destructive_tool_is_left_alone_however_long_its_name_is_and_however_often_it_is_listed() -> None:
    name = "drop-" + "x" * 200
    destructive, plain = tool(name, annotations={"destructiveHint": True}), tool(name)
    for entries in ([destructive, plain], [plain, destructive]):
        listing = exchange("tools/list", messages=[ok({"tools": entries})])

        judged = judge(opened(), listing, endpoint=endpoint(sentinels=(Sentinel(tool=name),)))

        assert len(judged.wire.asked) == 1


def test_a_tool_that_clients_must_drop_over_its_header_annotations_is_called_in_the_handshake_era_alone() -> None:
    schema = {"type": "object", "properties": {"value": {"type": "string", "x-mcp-header": "no token"}}}
    watched = endpoint(sentinels=(Sentinel(tool="a", arguments={"value": "x"}, allow_destructive=True),))
    listing = exchange("tools/list", messages=[ok({"tools": [{"name": "a", "inputSchema": schema}]})])

    stateless = judge(opened(), listing, endpoint=watched)
    handshake = judge(opened(era=Era.HANDSHAKE), listing, called(), endpoint=watched)

    assert len(stateless.wire.asked) == 1
    assert "x-mcp-header" in stateless.result("sentinel_call").summary
    assert handshake.result("sentinel_call").outcome is Outcome.PASS


def test_a_tool_that_answers_only_through_tasks_is_left_alone() -> None:
    listing = exchange("tools/list", messages=[ok({"tools": [tool("long", execution={"taskSupport": "required"})]})])

    judged = judge(opened(), listing, endpoint=endpoint(sentinels=(Sentinel(tool="long"),)))

    assert len(judged.wire.asked) == 1
    assert judged.verdict == "up"


def test_nothing_is_called_when_the_list_could_not_be_had() -> None:
    judged = judge(
        opened(), failed(Failure.DEADLINE, method="tools/list"), endpoint=endpoint(sentinels=(Sentinel(tool="a"),))
    )

    assert len(judged.wire.asked) == 1
    assert judged.result("sentinel_call").outcome is Outcome.SKIP


def test_a_tool_that_an_unfinished_list_may_hide_is_called_all_the_same() -> None:
    judged = judge(
        opened(),
        tool_page("a", cursor="x"),
        tool_page("b", cursor="x"),
        called(),
        endpoint=endpoint(sentinels=(Sentinel(tool="z"),)),
    )

    assert judged.result("sentinel_call").outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("expect", "result", "matches"),
    [
        (Expectation(), {"content": []}, True),
        (Expectation(text="5"), {"content": [{"type": "text", "text": "2+3=5"}]}, True),
        (Expectation(text="5"), {"content": [{"type": "image", "data": "5"}]}, False),
        (Expectation(text="5"), {"content": "5"}, False),
        (Expectation(json={"sum": 5}), {"structuredContent": {"sum": 5, "unit": "pcs"}}, True),
        (Expectation(json={"sum": 5}), {"structuredContent": {"sum": 6}}, False),
        (Expectation(json={"sum": 5}), {"content": [{"type": "text", "text": '{"sum": 5}'}]}, True),
        (Expectation(json={"sum": 5}), {"content": [{"type": "text", "text": "no JSON"}]}, False),
        (Expectation(json=[1, {"a": 2}]), {"structuredContent": [1, {"a": 2, "b": 3}]}, True),
        (Expectation(json=[1]), {"structuredContent": [1, 2]}, False),
        (Expectation(json=1), {"structuredContent": True}, False),
        (Expectation(text="5", json={"sum": 5}), {"structuredContent": {"sum": 5}}, False),
    ],
)
def test_every_given_part_of_an_expectation_must_hold(expect: Expectation, result: Any, matches: bool) -> None:
    judged = judge(
        opened(),
        tool_page("a"),
        exchange("tools/call", messages=[ok(result)]),
        endpoint=endpoint(sentinels=(Sentinel(tool="a", expect=expect),)),
    )

    assert (judged.ids == []) is matches


def test_an_answer_nested_to_the_limit_is_a_mismatch_and_no_bug_of_ours() -> None:
    nested = nest(5000)

    judged = judge(
        opened(),
        tool_page("a"),
        exchange("tools/call", messages=[ok({"structuredContent": nested})], body=b"{}"),
        endpoint=endpoint(sentinels=(Sentinel(tool="a", expect=Expectation(json={"sum": 5})),)),
    )

    assert judged.ids == ["sentinel-mismatch"]
    assert len(judged.diagnoses[0].summary) < 1000


def test_nesting_that_cannot_be_written_again_is_named() -> None:
    assert shown_json(nest(100_000)) == "deeply nested JSON"


def nest(depth: int) -> Any:
    nested: Any = 1
    for _ in range(depth):
        nested = [nested]
    return nested


@given(json_values)
def test_every_value_contains_itself(value: Any) -> None:
    assert contains(value, value)


@given(st.dictionaries(st.text(max_size=3), json_values), st.text(max_size=3), json_values)
def test_an_object_contains_itself_without_a_member(value: dict[str, Any], key: str, member: Any) -> None:
    assert contains({**value, key: member}, {name: each for name, each in value.items() if name != key})
