"""The fingerprint of a tool: the same for all ways to write the same tool, another for another tool."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.inventory import DEFINITION_KEPT, TOOLS_KEPT, canonical, inventory_of, spelled

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)
SCHEMAS = st.fixed_dictionaries(
    {"type": st.just("object")},
    optional={
        "required": st.lists(st.text(max_size=5), max_size=5),
        "properties": st.dictionaries(st.text(max_size=5), VALUES, max_size=4),
        "description": st.text(),
        "x-own": VALUES,
    },
)
TOOLS = st.fixed_dictionaries(
    {"name": st.text(min_size=1), "inputSchema": SCHEMAS},
    optional={"title": st.text(), "description": st.text(), "outputSchema": SCHEMAS, "annotations": VALUES},
)


@given(TOOLS, st.randoms(use_true_random=False))
def test_the_order_of_keys_and_of_required_names_does_not_matter(tool: Any, chance: random.Random) -> None:
    assert inventory_of([_shuffled(tool, chance)]) == inventory_of([tool])


@given(TOOLS)
def test_whitespace_and_escapes_of_the_json_do_not_matter(tool: Any) -> None:
    again = json.loads(json.dumps(tool, indent=3, ensure_ascii=False))

    assert inventory_of([again]).fingerprint == inventory_of([tool]).fingerprint


@given(TOOLS, VALUES)
def test_what_no_client_acts_on_does_not_matter(tool: Any, value: Any) -> None:
    more = {**tool, "_meta": value, "icons": value, "execution": value}

    assert inventory_of([more]) == inventory_of([tool])


@given(st.lists(TOOLS, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_the_tools_does_not_matter(tools: list[Any], chance: random.Random) -> None:
    mixed = chance.sample(tools, len(tools))

    assert inventory_of(mixed).fingerprint == inventory_of(tools).fingerprint


@given(TOOLS)
def test_the_canonical_form_is_its_own_canonical_form(tool: Any) -> None:
    once = canonical(tool)

    assert spelled(canonical(once)) == spelled(once)


@given(TOOLS, st.text(min_size=1))
def test_another_description_is_another_tool(tool: Any, text: str) -> None:
    other = {**tool, "description": tool.get("description", "") + text}

    assert inventory_of([other]).fingerprint != inventory_of([tool]).fingerprint


def test_fingerprints_are_those_of_every_release() -> None:
    tool = {
        "name": "get_order",
        "description": "Zoë's order",
        "inputSchema": {"type": "object", "required": ["b", "a"], "properties": {"a": {"minimum": 1.0}}},
        "annotations": {"readOnlyHint": True},
    }

    found = inventory_of([tool])

    assert (found.fingerprint, found.tools[0].fingerprint) == ("b400a06c33c20992", "e600edfbf39febcd")
    assert inventory_of([]).fingerprint == "e3b0c44298fc1c14"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"minimum": 1}, {"minimum": 1.0}),
        ({"enum": ["b", "a"]}, {"enum": ["a", "b"]}),
        ({"type": ["null", "string"]}, {"type": ["string", "null"]}),
        ({"properties": {"required": {"enum": [2, 1]}}}, {"properties": {"required": {"enum": [1, 2]}}}),
    ],
)
def test_what_json_schema_calls_equal_has_one_fingerprint(one: Any, other: Any) -> None:
    assert inventory_of([_tool(one)]) == inventory_of([_tool(other)])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"const": {"required": ["b", "a"]}}, {"const": {"required": ["a", "b"]}}),
        ({"default": ["b", "a"]}, {"default": ["a", "b"]}),
        ({"minimum": 1}, {"minimum": True}),
        ({"prefixItems": [{"type": "string"}, {}]}, {"prefixItems": [{}, {"type": "string"}]}),
    ],
)
def test_what_json_schema_tells_apart_has_two_fingerprints(one: Any, other: Any) -> None:
    assert inventory_of([_tool(one)]).fingerprint != inventory_of([_tool(other)]).fingerprint


def test_a_tool_that_is_listed_twice_is_another_list() -> None:
    assert inventory_of([_tool({})] * 2).fingerprint != inventory_of([_tool({})]).fingerprint


def test_a_member_that_is_null_is_a_member_that_is_missing() -> None:
    assert inventory_of([{**_tool({}), "annotations": None}]) == inventory_of([_tool({})])


def test_text_that_postgresql_does_not_take_is_kept_as_escapes() -> None:
    found = inventory_of([{"name": "a\x00", "description": "\ud800"}])

    assert found.tools[0].definition == {"name": "a\\u0000", "description": "\\ud800"}


def test_a_definition_that_is_too_large_is_kept_as_its_fingerprint() -> None:
    found = inventory_of([{"name": "large", "description": "x" * DEFINITION_KEPT}, _tool({})])

    assert [each.definition is None for each in found.tools] == [False, True]
    assert len(found.tools[1].fingerprint) == 16


def test_what_is_kept_of_a_list_is_bounded_and_its_fingerprint_counts_every_tool() -> None:
    many = [{"name": f"t{number:05}", "description": "x" * 10_000} for number in range(TOOLS_KEPT + 1)]

    found = inventory_of(many)

    assert len(found.tools) == TOOLS_KEPT
    assert sum(len(spelled(each.definition)) for each in found.tools if each.definition) <= 512 * 1024
    assert found.fingerprint != inventory_of(many[:-1]).fingerprint


def _tool(schema: Any) -> dict[str, Any]:
    return {"name": "get_order", "inputSchema": {"type": "object", "properties": {"a": schema}}}


def _shuffled(value: Any, chance: random.Random) -> Any:
    """The value with the keys of every object in another order, and the names that a schema requires, too."""
    if isinstance(value, dict):
        keys = chance.sample(list(value), len(value))
        return {key: _mixed(key, value[key], chance) for key in keys}
    return [_shuffled(each, chance) for each in value] if isinstance(value, list) else value


def _mixed(key: str, value: Any, chance: random.Random) -> Any:
    if key == "required" and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return chance.sample(value, len(value))
    return _shuffled(value, chance)
