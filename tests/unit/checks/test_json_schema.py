"""JSON Schema: what is a violation, where, and what is left open; measured by another implementation."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.json_schema import BUDGET, equal, judge, problem_with

DRAFT_07 = "http://json-schema.org/draft-07/schema#"
NAMES = st.sampled_from(["a", "b", "c"])
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, -2.0]) | st.text("ab1", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def _keywords(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    number, size = st.integers(-2, 2), st.integers(0, 2)
    named = st.dictionaries(NAMES, schemas, max_size=2)
    some = st.lists(schemas, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
            "enum": st.lists(values, min_size=1, max_size=3),
            "const": values,
            "minimum": number, "maximum": number, "exclusiveMinimum": number, "exclusiveMaximum": number,
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            "minLength": size, "maxLength": size, "pattern": st.sampled_from(["^a", "b$", "[0-9]", "a+b?"]),
            "required": st.lists(NAMES, max_size=2, unique=True), "properties": named,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b|c"]), schemas, max_size=2),
            "additionalProperties": schemas, "propertyNames": schemas,
            "minProperties": size, "maxProperties": size,
            "items": schemas, "contains": schemas, "uniqueItems": st.booleans(), "minItems": size, "maxItems": size,
            "allOf": some, "anyOf": some, "oneOf": some, "not": schemas,
            "if": schemas, "then": schemas, "else": schemas,
            "$ref": st.sampled_from(["#/$defs/x", "#/$defs/y", "#named"]),
        },
    )  # fmt: skip


schemas = st.recursive(st.booleans() | st.just({}), _keywords, max_leaves=6)
definitions = st.fixed_dictionaries({"x": st.booleans() | st.just({"type": "integer"}), "y": st.just({"minLength": 2})})


@settings(max_examples=150, deadline=None)
@given(schema=schemas, inner=definitions, value=values)
def test_a_value_fits_where_another_validator_says_so(schema: Any, inner: Any, value: Any) -> None:
    rooted = {"allOf": [schema], "$defs": {**inner, "z": {"$anchor": "named", "type": ["string", "null"]}}}
    judged = judge(value, rooted)

    assert judged.is_whole
    assert (judged.fault is None) is jsonschema.Draft202012Validator(rooted).is_valid(value)


@settings(max_examples=80, deadline=None)
@given(schema=schemas, inner=definitions, value=values, tuples=st.lists(st.booleans(), max_size=2))
def test_draft_07_reads_references_and_arrays_in_its_own_way(schema: Any, inner: Any, value: Any, tuples: Any) -> None:
    rooted = {
        "$schema": DRAFT_07,
        "allOf": [schema, {"items": tuples, "additionalItems": {"type": "integer"}}],
        "dependencies": {"a": ["b"], "c": {"required": ["a"]}},
        "$defs": inner,
        # Under the keyword of this draft: elsewhere the other validator looks for no names, and raises.
        "definitions": {"z": {"$id": "#named", "type": ["string", "null"]}},
    }
    judged = judge(value, rooted)

    if judged.is_whole:
        assert (judged.fault is None) is jsonschema.Draft7Validator(rooted).is_valid(value)


@pytest.mark.parametrize(
    ("value", "schema", "fault"),
    [
        ({"a": {"b": 1}}, {"properties": {"a": {"properties": {"b": {"const": 2}}}}}, "$.a.b is not 2 (1)"),
        ({"a": [1, "x"]}, {"properties": {"a": {"items": {"type": "integer"}}}}, '$.a[1] is not of type integer ("x")'),
        ({}, {"required": ["a"]}, "$ has no a"),
        ({"b": 1}, {"additionalProperties": False}, "$.b must not be there"),
        ("x", {"enum": ["a", "b"]}, '$ is none of the allowed values ("x")'),
        (3, {"anyOf": [{"type": "string"}, {"maximum": 2}]}, "$ is as no schema of anyOf says (3)"),
        ("a b", {"pattern": "^[a-z]+$"}, '$ does not match the pattern "^[a-z]+$" ("a b")'),
        ({"children": [{"children": [1]}]}, {"type": "object", "properties": {"children": {"items": {"$ref": "#"}}}},
         "$.children[0].children[0] is not of type object (1)"),
    ],
)  # fmt: skip
def test_a_violation_is_told_with_its_path(value: Any, schema: Any, fault: str) -> None:
    assert judge(value, schema).fault == fault


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("x", {"$ref": "https://example.com/schema.json"}),
        ("x", {"$ref": "#/nowhere"}),
        ("x", {"pattern": "(?=a)b"}),
        ("x", {"not": {"pattern": r"(a)\1"}}),
        ({"a": 1}, {"unevaluatedProperties": False}),
        ("x", {"$dynamicRef": "#meta"}),
        ("é", {"pattern": r"\bé"}),
        ("x", {"type": "unheard-of"}),
        ("x", {"properties": {"a": {}}, "$defs": {}, "allOf": [{"$id": "https://example.com/x", "type": "object"}]}),
        ("x", {"$ref": "#"}),
        (list(range(BUDGET)), {"items": {"type": "integer", "minimum": 0}}),
        ({"a": 1}, {"oneOf": [{"$ref": "other.json"}, {"type": "object"}]}),
    ],
)
def test_what_cannot_be_judged_is_left_open_and_no_violation(value: Any, schema: Any) -> None:
    judged = judge(value, schema)

    assert judged.fault is None
    assert not judged.is_whole


@pytest.mark.parametrize("value", [None, 5, 5.0, [1], {"a": 1}, "x"])
@pytest.mark.parametrize(
    "schema",
    [
        True,
        None,
        7,
        [],
        {"required": "a", "properties": []},
        {"type": []},
        {"enum": "x"},
        {"minimum": "1"},
        {"items": 3, "allOf": {}},
        {"pattern": 3},
        {"nullable": True, "type": ["null", "integer", "string", "array", "object"]},
    ],
)
def test_what_is_no_schema_refuses_nothing(value: Any, schema: Any) -> None:
    assert judge(value, schema).fault is None


@given(
    value=values, schema=values | st.dictionaries(st.sampled_from(["$ref", "type", "anyOf", "items", "not"]), values)
)
def test_nothing_that_a_server_sends_is_too_much(value: Any, schema: Any) -> None:
    judge(value, schema)
    problem_with(schema)


def test_nesting_without_end_is_left_open() -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]

    assert not judge(deep, {"items": {"$ref": "#"}}).is_whole
    assert not judge([1], {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}).is_whole
    assert judge(deep, {"const": deep}).fault is None
    assert problem_with({"not": deep}) is not None


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "objekt"}, "$ has a type that there is not"),
        ({"properties": {"a": {"pattern": "(?!x)"}}}, "$.properties.a has a pattern that is refused by RE2"),
        ({"patternProperties": {"(a": {}}}, "$ has a pattern that is refused"),
        ({"items": [{"$ref": "https://example.com/x.json"}]}, "$.items[0] has a $ref that leads nowhere"),
        ({"$ref": "#/$defs/x"}, "$ has a $ref that leads nowhere"),
        ({"allOf": [{"unevaluatedItems": False}]}, "$.allOf[0] says unevaluatedItems"),
        ({"anyOf": [{"$id": "x"}]}, "$.anyOf[0] has an $id of its own"),
        ({"not": 3}, "$.not is no schema"),
        ({"pattern": 3}, "$ has a pattern that is no text"),
    ],
)
def test_a_schema_of_the_owner_that_could_not_be_judged_in_full_is_refused(schema: Any, said: str) -> None:
    problem = problem_with(schema)

    assert problem is not None
    assert problem.startswith(said)


def test_a_schema_of_the_owner_may_use_both_dialects() -> None:
    assert (
        problem_with({"$schema": DRAFT_07, "dependencies": {"a": ["b"]}, "definitions": {"x": {"$id": "#x"}}})
        is not None
    )
    assert problem_with({"$schema": DRAFT_07, "dependencies": {"a": ["b"]}, "items": [{}, True]}) is None
    assert (
        problem_with({"$defs": {"x": {"$anchor": "x", "type": "string"}}, "properties": {"a": {"$ref": "#x"}}}) is None
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True), (1, True, False), (0, False, False), ([1], [1, 2], False), ({"a": 1}, {"a": 1.0}, True),
        ("1", 1, False),
    ],
)  # fmt: skip
def test_equality_is_that_of_json(one: Any, other: Any, same: bool) -> None:
    assert equal(one, other) is same
