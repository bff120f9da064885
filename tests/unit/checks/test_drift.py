"""Changes from one list of tools to another: what is breaking, what is additive, what only reads otherwise."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.drift import CHANGES_KEPT, Difference, Impact, difference
from checks.inventory import DEFINITION_KEPT, Inventory, inventory_of

B, A, T = Impact.BREAKING, Impact.ADDITIVE, Impact.TEXT

STRING, NUMBER, INTEGER, NULL = {"type": "string"}, {"type": "number"}, {"type": "integer"}, {"type": "null"}
CLOSED = {"additionalProperties": False}
LINE = {"type": "object", "properties": {"sku": STRING}}
TREE = {"type": "object", "properties": {"below": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}

ONE_VALUE: list[tuple[Any, Any, str, Impact, Impact]] = [
    # the schema of one argument or member before and after, the kind, its impact in the input and in the output
    (STRING, INTEGER, "type-changed", B, B),
    (NUMBER, INTEGER, "type-changed", B, A),
    (INTEGER, NUMBER, "type-changed", A, B),
    (STRING, {"type": ["string", "null"]}, "type-changed", A, B),
    ({"type": ["string", "null"]}, STRING, "type-changed", B, A),
    (STRING, {}, "widened", A, B),
    ({}, STRING, "narrowed", B, A),
    ({"enum": ["a", "b"]}, {"enum": ["a"]}, "values-removed", B, A),
    ({"enum": ["a"]}, {"enum": ["a", "b"]}, "values-added", A, B),
    ({"enum": ["a", "b"]}, {"enum": ["b", "c"]}, "values-changed", B, B),
    ({"const": "a"}, {"enum": ["a", "b"]}, "values-added", A, B),
    (STRING, {"type": "string", "enum": ["a"]}, "values-removed", B, A),
    ({**INTEGER, "minimum": 1}, {**INTEGER, "minimum": 2}, "bound-changed", B, A),
    ({**INTEGER, "minimum": 2}, {**INTEGER, "minimum": 1}, "bound-changed", A, B),
    ({**INTEGER, "maximum": 9}, {**INTEGER, "maximum": 8}, "bound-changed", B, A),
    (STRING, {**STRING, "maxLength": 8}, "bound-changed", B, A),
    ({**STRING, "minLength": 1}, STRING, "bound-changed", A, B),
    ({"exclusiveMinimum": 1}, {"exclusiveMinimum": 2}, "bound-changed", B, A),
    ({**INTEGER, "multipleOf": 2}, {**INTEGER, "multipleOf": 6}, "bound-changed", B, A),
    ({**NUMBER, "multipleOf": 0.3}, {**NUMBER, "multipleOf": 0.1}, "bound-changed", A, B),
    ({**INTEGER, "multipleOf": 2}, {**INTEGER, "multipleOf": 3}, "bound-changed", B, B),
    ({"type": "array"}, {"type": "array", "uniqueItems": True}, "bound-changed", B, A),
    (STRING, {**STRING, "pattern": "^a"}, "pattern-changed", B, A),
    ({**STRING, "format": "date"}, STRING, "format-changed", A, B),
    ({"type": "array", "items": STRING}, {"type": "array", "items": INTEGER}, "type-changed", B, B),
    ({"type": "array"}, {"type": "array", "items": STRING}, "narrowed", B, A),
    (LINE, {**LINE, "required": ["sku"]}, "required-added", B, A),
    ({**LINE, "required": ["sku"]}, LINE, "required-removed", A, B),
    (LINE, {**LINE, **CLOSED}, "closed", B, A),
    ({**LINE, **CLOSED}, LINE, "opened", A, B),
    ({"anyOf": [STRING, NULL]}, STRING, "choice-removed", B, A),
    (STRING, {"anyOf": [STRING, NULL]}, "choice-added", A, B),
    ({"type": ["string", "null"]}, {"anyOf": [STRING, NULL, INTEGER]}, "choice-added", A, B),
    ({"anyOf": [INTEGER, NULL]}, {"anyOf": [NUMBER, NULL]}, "type-changed", A, B),
    ({"oneOf": [STRING, NULL]}, {}, "widened", A, B),
    (True, False, "narrowed", B, A),
]

UNTOLD: list[tuple[Any, Any]] = [
    ({"pattern": "^a"}, {"pattern": "^b"}),
    ({**STRING, "x-own": 1}, {**STRING, "x-own": 2}),
    ({**STRING, "x-own": 1}, STRING),
    ({"allOf": [STRING, {"minLength": 1}]}, {"allOf": [STRING]}),
    ({"minimum": 1, "exclusiveMinimum": True}, {"minimum": 1, "exclusiveMinimum": False}),
    ({"anyOf": [STRING, INTEGER]}, {"anyOf": [NULL, LINE]}),
    ({"$ref": "https://schemas.example.com/a"}, {"$ref": "https://schemas.example.com/b"}),
    ({"type": "array", "items": [STRING]}, {"type": "array", "items": [INTEGER]}),
    ({"if": STRING}, {"if": INTEGER}),
]

SAME: list[tuple[Any, Any]] = [
    (LINE, {**LINE, "additionalProperties": True}),
    ({"const": "a"}, {"enum": ["a"]}),
    ({"type": ["string", "null"]}, {"anyOf": [STRING, NULL]}),
    ({"anyOf": [STRING, NULL]}, {"anyOf": [NULL, STRING]}),
    ({"type": ["integer", "number"]}, NUMBER),
    (True, {}),
]


@pytest.mark.parametrize(("before", "after", "kind", "on_input", "_"), ONE_VALUE)
def test_an_argument_that_accepts_less_breaks_callers(
    before: Any, after: Any, kind: str, on_input: Impact, _: Impact
) -> None:
    found = _difference(_with_argument(before), _with_argument(after))

    assert [(each.kind, each.impact, each.certain) for each in found.changes] == [(kind, on_input, True)]


@pytest.mark.parametrize(("before", "after", "kind", "_", "on_output"), ONE_VALUE)
def test_a_result_that_may_be_more_breaks_readers(
    before: Any, after: Any, kind: str, _: Impact, on_output: Impact
) -> None:
    found = _difference(_with_member(before), _with_member(after))

    assert [(each.kind, each.impact, each.certain) for each in found.changes] == [(kind, on_output, True)]


@pytest.mark.parametrize(("before", "after"), UNTOLD)
@pytest.mark.parametrize("place", [lambda each: _with_argument(each), lambda each: _with_member(each)])
def test_what_no_rule_tells_counts_as_breaking_and_says_that_it_is_not_certain(
    before: Any, after: Any, place: Any
) -> None:
    found = _difference(place(before), place(after))

    assert found.impact is B
    assert not found.is_certain
    assert "if it matters" in found.changes[0].line


@pytest.mark.parametrize(("before", "after"), SAME)
def test_what_is_only_written_otherwise_is_no_more_than_text(before: Any, after: Any) -> None:
    found = _difference(_with_argument(before), _with_argument(after))

    assert [(each.kind, each.impact) for each in found.changes] == [("written-otherwise", T)]


@pytest.mark.parametrize("keyword", ["title", "description", "default", "deprecated", "examples", "$comment"])
def test_what_only_describes_an_argument_is_text(keyword: str) -> None:
    found = _difference(_with_argument(STRING), _with_argument({**STRING, keyword: "a"}))

    assert [(each.path, each.impact) for each in found.changes] == [(f"inputSchema/properties/a/{keyword}", T)]


def test_a_tool_that_is_gone_breaks_and_a_new_one_adds() -> None:
    found = difference(inventory_of([_tool(name="old")]), inventory_of([_tool(name="new")]))

    assert [(each.tool, each.kind, each.impact) for each in found.changes] == [
        ("old", "tool-removed", B),
        ("new", "tool-added", A),
    ]
    assert found.impact is B
    assert found.is_certain


def test_a_new_argument_breaks_only_where_it_is_required() -> None:
    before = _tool(inputSchema=LINE)
    wider = {**LINE, "properties": {"sku": STRING, "size": INTEGER}}

    assert _difference(before, _tool(inputSchema=wider)).impact is A
    required = _difference(before, _tool(inputSchema={**wider, "required": ["size"]}))
    assert [(each.kind, each.impact) for each in required.changes] == [("required-added", B), ("property-added", A)]


@pytest.mark.parametrize(("rest", "impact"), [({}, A), (CLOSED, B), ({"additionalProperties": STRING}, B)])
def test_an_argument_that_is_no_longer_described_breaks_where_it_is_no_longer_accepted(
    rest: Any, impact: Impact
) -> None:
    before = _tool(inputSchema={**LINE, **rest})

    found = _difference(before, _tool(inputSchema={"type": "object", **rest}))

    assert [(each.kind, each.impact) for each in found.changes] == [("property-removed", impact)]


def test_a_member_that_is_no_longer_promised_breaks_readers() -> None:
    gone = _difference(_tool(outputSchema=LINE), _tool(outputSchema={"type": "object"}))
    added = _difference(_tool(outputSchema={"type": "object"}), _tool(outputSchema=LINE))

    assert [(each.kind, each.impact) for each in gone.changes] == [("property-removed", B)]
    assert [(each.kind, each.impact) for each in added.changes] == [("property-added", A)]


def test_a_promise_of_structured_results_breaks_where_it_is_taken_back() -> None:
    assert _difference(_tool(outputSchema=LINE), _tool()).impact is B
    assert _difference(_tool(), _tool(outputSchema=LINE)).impact is A


@pytest.mark.parametrize(
    ("before", "after", "kind", "impact"),
    [
        ({}, {"destructiveHint": True}, "became-destructive", B),
        ({"destructiveHint": False}, {"destructiveHint": True}, "became-destructive", B),
        ({"readOnlyHint": True}, {"readOnlyHint": False}, "no-longer-read-only", B),
        ({"readOnlyHint": True}, {}, "no-longer-read-only", B),
        ({"readOnlyHint": True}, {"readOnlyHint": True, "destructiveHint": True}, "hint-changed", T),
        ({"destructiveHint": True}, {}, "hint-changed", T),
        ({}, {"idempotentHint": True}, "hint-changed", T),
        ({"title": "a"}, {"title": "b"}, "hint-changed", T),
    ],
)
def test_a_tool_that_may_now_do_harm_breaks_those_who_let_it_run(
    before: Any, after: Any, kind: str, impact: Impact
) -> None:
    found = _difference(_tool(annotations=before), _tool(annotations=after))

    assert [(each.kind, each.impact) for each in found.changes] == [(kind, impact)]


def test_a_change_behind_a_reference_is_found_where_it_is_used() -> None:
    before = _tool(inputSchema={"properties": {"a": {"$ref": "#/$defs/Size"}}, "$defs": {"Size": NUMBER}})
    after = _tool(inputSchema={"properties": {"a": {"$ref": "#/$defs/Size"}}, "$defs": {"Size": INTEGER}})

    found = _difference(before, after)

    assert [(each.path, each.impact) for each in found.changes] == [("inputSchema/properties/a/type", B)]


@pytest.mark.parametrize("where", ["anyOf", "allOf", "x-own"])
def test_a_change_behind_a_reference_in_a_list_is_found_too(where: str) -> None:
    def tool(size: Any) -> dict[str, Any]:
        return _tool(
            inputSchema={"properties": {"a": {where: [{"$ref": "#/definitions/S"}]}}, "definitions": {"S": size}}
        )

    assert _difference(tool(NUMBER), tool(INTEGER)).impact is B


def test_a_schema_written_out_is_the_one_that_was_referred_to() -> None:
    before = _tool(
        inputSchema={"properties": {"a": {"$ref": "#/$defs/S"}, "b": {"$ref": "#/$defs/S"}}, "$defs": {"S": STRING}}
    )
    after = _tool(inputSchema={"properties": {"a": STRING, "b": INTEGER}})

    found = _difference(before, after)

    assert [(each.path, each.impact) for each in found.changes] == [("inputSchema/properties/b/type", B)]


def test_a_schema_that_refers_to_itself_is_compared_to_its_end() -> None:
    before = _tool(inputSchema={"$ref": "#/$defs/Tree", "$defs": {"Tree": TREE}})
    after = _tool(inputSchema={"$ref": "#/$defs/Tree", "$defs": {"Tree": {**TREE, "required": ["below"]}}})

    assert [each.kind for each in _difference(before, after).changes] == ["required-added"]
    loop = {"$ref": "#/$defs/L", "$defs": {"L": {"$ref": "#/$defs/L"}}}
    assert _difference(_tool(inputSchema=loop), _tool(inputSchema={**loop, "title": "a"})).impact is T


def test_a_change_where_nothing_refers_to_is_no_more_than_text() -> None:
    before = _tool(inputSchema={"$defs": {"Unused": NUMBER}})

    assert _difference(before, _tool(inputSchema={"$defs": {"Unused": INTEGER}})).impact is T


def test_a_change_far_into_a_long_description_can_be_read() -> None:
    long = "word " * 500
    found = _difference(_tool(description=long + "old end"), _tool(description=long + "new end"))

    (change,) = found.changes
    assert (change.impact, change.path) == (T, "description")
    assert (change.before or "").endswith("old end")
    assert (change.after or "").endswith("new end")


def test_a_line_says_what_changed_and_whom_it_hurts() -> None:
    found = _difference(_with_argument(NUMBER), _with_argument(INTEGER))

    assert [each.line for each in found.changes] == [
        "get_order inputSchema/properties/a/type type changed: “number” → “integer” (breaking)"
    ]


def test_the_worst_change_stands_first() -> None:
    before = [_tool(description="a"), _tool(name="gone")]
    after = [_tool(description="b"), _tool(name="new")]

    found = difference(inventory_of(before), inventory_of(after))

    assert [each.impact for each in found.changes] == [B, A, T]
    assert (found.count(B), found.count(A), found.count(T)) == (1, 1, 1)


def test_lists_that_are_alike_have_no_difference() -> None:
    same = inventory_of([_tool()])

    assert difference(same, same) == Difference()
    assert difference(same, same).impact is None


def test_tools_that_are_too_large_to_keep_differ_without_saying_how() -> None:
    found = _difference(_tool(description="x" * DEFINITION_KEPT), _tool(description="y" * DEFINITION_KEPT))

    assert [(each.kind, each.impact, each.certain) for each in found.changes] == [("too-large-to-compare", B, False)]


def test_a_tool_that_comes_twice_is_a_difference_that_nobody_can_judge() -> None:
    found = difference(inventory_of([_tool()]), inventory_of([_tool(), _tool()]))

    assert [(each.kind, each.certain) for each in found.changes] == [("list-changed", False)]


def test_what_a_hostile_server_writes_is_cleaned_and_bounded() -> None:
    name = "\u202e\x1b[31m" + "x" * 5000
    many = {f"{name}{number}": STRING for number in range(3000)}
    found = difference(inventory_of([]), inventory_of([_tool(name=f"{name}{n}") for n in range(900)]))
    inner = _difference(_tool(), _tool(inputSchema={"properties": many}))

    assert len(found.changes) == CHANGES_KEPT
    assert not found.is_whole
    assert all(len(each.line) < 1000 and each.line.isprintable() for each in (*found.changes, *inner.changes))


def test_references_without_end_cost_no_time_without_end() -> None:
    names = [f"D{number}" for number in range(60)]
    webs = [
        {
            "$ref": "#/$defs/D0",
            "$defs": {n: {"properties": {m: {"$ref": f"#/$defs/{m}"} for m in names}} for n in order},
        }
        for order in (names, names)
    ]
    webs[1]["$defs"]["D59"]["title"] = "a"

    assert _difference(_tool(inputSchema=webs[0]), _tool(inputSchema=webs[1])).changes


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: {"items": inner},
        lambda inner: {"anyOf": [inner]},
        lambda inner: {"properties": {"a": inner}},
        lambda inner: {"x-own": inner},
        lambda inner: [inner],
    ],
)
def test_schemas_as_deep_as_they_are_read_at_most_are_compared(around: Any) -> None:
    before, after = STRING, INTEGER
    for _ in range(120):
        before, after = around(before), around(after)

    assert _difference(_tool(inputSchema=before), _tool(inputSchema=after)).changes


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["string", "a", "#/properties/a", "#"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "properties",
                    "required",
                    "items",
                    "anyOf",
                    "$ref",
                    "enum",
                    "additionalProperties",
                    "minimum",
                    "a",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(JSON, JSON)
def test_whatever_a_server_writes_as_schema_is_compared_without_an_error(before: Any, after: Any) -> None:
    one, other = _inventory(_tool(inputSchema=before)), _inventory(_tool(inputSchema=after))

    found = difference(one, other)

    assert bool(found.changes) is (one.fingerprint != other.fingerprint)


def _tool(**members: Any) -> dict[str, Any]:
    return {"name": "get_order", **members}


def _with_argument(schema: Any) -> dict[str, Any]:
    return _tool(inputSchema={"type": "object", "properties": {"a": schema}})


def _with_member(schema: Any) -> dict[str, Any]:
    return _tool(outputSchema={"type": "object", "properties": {"a": schema}})


def _inventory(tool: Any) -> Inventory:
    return inventory_of([tool])


def _difference(before: Any, after: Any) -> Difference:
    return difference(_inventory(before), _inventory(after))
