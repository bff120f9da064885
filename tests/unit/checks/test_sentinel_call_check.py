"""Sentinels: what is called, what is left alone, and what counts as the expected answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.expectations import contains
from checks.inventory import fingerprint_of
from checks.model import Exchange, Expectation, Failure, Outcome, Sentinel
from checks.proofs import shown_json
from checks.spec import Era
from tests.unit.checks.conversations import (
    Judged,
    called,
    endpoint,
    error,
    exchange,
    failed,
    judge,
    ok,
    opened,
    tool,
    tool_page,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def outcomes(judged: Judged) -> list[str]:
    return [fact["outcome"] for fact in judged.result("sentinel_call").facts["sentinels"]]


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


@pytest.mark.parametrize(
    ("annotations", "safe_to_repeat", "is_called"),
    [
        ({"readOnlyHint": True}, False, True),
        ({"readOnlyHint": True, "destructiveHint": True}, False, True),
        ({"readOnlyHint": False}, False, False),
        ({"readOnlyHint": "true"}, False, False),
        ({"idempotentHint": True, "destructiveHint": False}, False, False),
        ({}, False, False),
        (None, False, False),
        ({}, True, True),
        ({"destructiveHint": True}, True, True),
    ],
)
def test_only_a_tool_that_reads_or_that_its_owner_vouches_for_is_called(
    annotations: Any, safe_to_repeat: bool, is_called: bool
) -> None:
    listing = exchange("tools/list", messages=[ok({"tools": [tool("a", annotations=annotations)]})])
    watched = endpoint(sentinels=(Sentinel(tool="a", safe_to_repeat=safe_to_repeat),))

    judged = judge(opened(), listing, called(), endpoint=watched)

    assert outcomes(judged) == ["ok" if is_called else "skipped"]
    assert judged.verdict == "up"
    if not is_called:
        assert len(judged.wire.asked) == 1
        assert "set safe_to_repeat: true" in judged.result("sentinel_call").summary


def test_a_pinned_tool_is_called_as_long_as_it_is_the_same() -> None:
    now = tool("a", description="Reads.")
    listing = exchange("tools/list", messages=[ok({"tools": [now]})])
    same = endpoint(sentinels=(Sentinel(tool="a", pinned=fingerprint_of(now)),))
    moved = endpoint(sentinels=(Sentinel(tool="a", pinned=fingerprint_of(tool("a")), safe_to_repeat=True),))

    asked, paused = judge(opened(), listing, called(), endpoint=same), judge(opened(), listing, endpoint=moved)

    assert outcomes(asked) == ["ok"]
    assert (outcomes(paused), len(paused.wire.asked)) == (["changed"], 1)
    assert (paused.ids, paused.verdict) == (["tools-drift"], "degraded")
    assert fingerprint_of(now) in paused.diagnoses[0].evidence[0].text


def test_a_pinned_tool_that_no_list_shows_is_not_called() -> None:
    watched = endpoint(sentinels=(Sentinel(tool="z", pinned="0" * 16, safe_to_repeat=True),))

    judged = judge(opened(), tool_page("a", cursor="x"), tool_page("b", cursor="x"), endpoint=watched)

    assert outcomes(judged) == ["skipped"]


SUM = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
USER = "arn:aws:sts::123456789012:assumed-role/orders-role/orders"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
LACKS = "orders-role lacks dynamodb:GetItem"
SENTENCE = f"User: {USER} is not authorized to perform: dynamodb:GetItem on resource: {TABLE}"


def awslabs(said: str) -> Exchange:
    """The answer of awslabs' handler to a tool that raises: JSON-RPC on a 500, with the text once more beside it."""
    member = {"errorContent": [{"type": "text", "text": said}]}
    return exchange("tools/call", status=500, messages=[{**error(-32603, "Error executing tool"), **member}])


@pytest.mark.parametrize(
    ("answer", "expect", "outcome", "diagnosis", "said"),
    [
        (
            exchange("tools/call", messages=[ok({"structuredContent": {"sum": 5}})]),
            {"at": {"$.sum": 5}},
            "ok",
            None,
            "",
        ),
        (
            exchange("tools/call", messages=[error(-32603, "no")]),
            {},
            "error",
            "sentinel-error",
            "JSON-RPC error -32603",
        ),
        (awslabs("division by zero"), {}, "error", "sentinel-error", "JSON-RPC error -32603"),
        (called("boom", is_error=True), {}, "failed", "sentinel-failed", "isError: boom"),
        (called("", is_error=True), {"text": "x"}, "failed", "sentinel-failed", "no text"),
        (
            called("", result={"structuredContent": {"sum": 6}}),
            {"at": {"$.sum": 5}},
            "mismatch",
            "sentinel-mismatch",
            "expected 5 at $.sum, got 6",
        ),
        (
            called("", result={"structuredContent": {"sum": "6"}}),
            {"at": {"$.sum": 5}},
            "invalid",
            "sentinel-mismatch",
            "$.sum is not of type integer",
        ),
        (called(), {}, "invalid", "sentinel-mismatch", "has no structuredContent"),
        (called(SENTENCE, is_error=True), {}, "access-denied", "sentinel-access-denied", LACKS),
        (awslabs(SENTENCE), {}, "access-denied", "sentinel-access-denied", LACKS),
        (
            called(
                f"AccessDeniedException: {SENTENCE} with an explicit deny in a service control policy", is_error=True
            ),
            {},
            "access-denied",
            "sentinel-access-denied",
            "an explicit deny in a service control policy keeps",
        ),
        (
            called(
                "An error occurred (AccessDenied) when calling the GetObject operation: Access Denied", is_error=True
            ),
            {},
            "access-denied",
            "sentinel-access-denied",
            "lacks a permission for the operation GetObject",
        ),
        (
            called("{}", result={"content": [{"type": "text", "text": SENTENCE}], "structuredContent": {"sum": 0}}),
            {"text": "shipped"},
            "access-denied",
            "sentinel-access-denied",
            LACKS,
        ),
    ],
)
def test_each_way_to_fail_is_a_finding_of_its_own(
    answer: Exchange, expect: dict[str, Any], outcome: str, diagnosis: str | None, said: str
) -> None:
    listing = exchange("tools/list", messages=[ok({"tools": [tool("a", outputSchema=SUM)]})])
    watched = endpoint(sentinels=(Sentinel(tool="a", expect=Expectation(**expect)),))

    judged = judge(opened(era=Era.HANDSHAKE), listing, answer, endpoint=watched)

    assert outcomes(judged) == [outcome]
    assert judged.ids == ([] if diagnosis is None else [diagnosis])
    assert len(judged.wire.asked) == 2
    if diagnosis is not None:
        assert said in judged.diagnoses[0].summary
        assert judged.verdict == "degraded"


def test_a_denial_names_who_may_not_do_what_on_what() -> None:
    watched = endpoint(sentinels=(Sentinel(tool="a"),))

    denial = judge(opened(), tool_page("a"), called(SENTENCE, is_error=True), endpoint=watched).diagnoses[0]

    assert denial.facts == {"action": "dynamodb:GetItem", "resource": TABLE, "principal": USER}
    assert f'"Resource": "{TABLE}"' in denial.fix


@pytest.mark.parametrize("kind", ["input_required", "task"])
def test_what_a_server_asks_back_is_not_answered(kind: str) -> None:
    asked = exchange("tools/call", messages=[ok({"resultType": kind, "inputRequests": {}, "task": {"taskId": "t"}})])

    judged = judge(opened(), tool_page("a"), asked, endpoint=endpoint(sentinels=(Sentinel(tool="a"),)))

    assert outcomes(judged) == ["skipped"]
    assert len(judged.wire.asked) == 2
    assert judged.verdict == "up"


def test_a_destructive_tool_is_left_alone_however_long_its_name_is_and_however_often_it_is_listed() -> None:
    name = "drop-" + "x" * 200
    destructive, plain = tool(name, annotations={"destructiveHint": True}), tool(name)
    for entries in ([destructive, plain], [plain, destructive]):
        listing = exchange("tools/list", messages=[ok({"tools": entries})])

        judged = judge(opened(), listing, endpoint=endpoint(sentinels=(Sentinel(tool=name),)))

        assert len(judged.wire.asked) == 1


def test_a_tool_that_clients_must_drop_over_its_header_annotations_is_called_in_the_handshake_era_alone() -> None:
    schema = {"type": "object", "properties": {"value": {"type": "string", "x-mcp-header": "no token"}}}
    watched = endpoint(sentinels=(Sentinel(tool="a", arguments={"value": "x"}, safe_to_repeat=True),))
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


def test_a_tool_that_an_unfinished_list_may_hide_is_called_where_its_owner_vouches_for_it() -> None:
    judged = judge(
        opened(),
        tool_page("a", cursor="x"),
        tool_page("b", cursor="x"),
        called(),
        endpoint=endpoint(sentinels=(Sentinel(tool="z", safe_to_repeat=True), Sentinel(tool="y"))),
    )

    assert outcomes(judged) == ["ok", "skipped"]


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
        (Expectation(matches=r"^order-\d+$"), {"content": [{"type": "text", "text": "order-7"}]}, True),
        (Expectation(matches=r"^order-\d+$"), {"content": [{"type": "text", "text": "an order-7"}]}, False),
        (Expectation(matches=r"^.öß.$"), {"content": [{"type": "text", "text": "größ"}]}, False),
        (Expectation(at={"$.a[0]": 1, "$.b": None}), {"structuredContent": {"a": [1.0], "b": None, "c": 1}}, True),
        (Expectation(at={"$.a[0]": 1, "$.b": None}), {"structuredContent": {"a": [1]}}, False),
        (Expectation(at={"$.a": 1}), {"structuredContent": {"a": True}}, False),
        (Expectation(at={"$.a": {"b": 1}}), {"structuredContent": {"a": {"b": 1, "c": 2}}}, False),
        (Expectation(at={"$": 5}), {"content": [{"type": "text", "text": "5"}]}, True),
        (Expectation(schema={"required": ["a"]}), {"structuredContent": {"a": 1}}, True),
        (Expectation(schema={"required": ["a"]}), {"structuredContent": {}}, False),
        (Expectation(schema={"type": "object"}), {"content": [{"type": "text", "text": "no JSON"}]}, False),
        (Expectation(schema={"properties": {"a": {"pattern": "^.$"}}}), {"structuredContent": {"a": "é"}}, True),
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
