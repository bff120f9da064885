"""Expectations hold or do not, whatever a server sends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.expectations import OPEN, mismatch_of
from checks.json_schema import BUDGET
from checks.model import Expectation

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
texts = st.text(st.characters(), max_size=8)
blocks = (
    st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": texts | values}) | values, max_size=3) | values
)
results = st.fixed_dictionaries({}, optional={"content": blocks, "structuredContent": values, "isError": values})
EVERYTHING = Expectation(
    text="a",
    matches="^a.*b$",
    json={"a": [1, {"b": None}]},
    at={"$.a[0]": 1, "$": {"a": 1}},
    schema={"type": "object", "properties": {"a": {"$ref": "#"}}, "patternProperties": {"^b+$": {"maxLength": 3}}},
)


@given(results)
def test_no_result_is_too_much(result: dict[str, Any]) -> None:
    for expect in (
        EVERYTHING,
        Expectation(matches=EVERYTHING.matches),
        Expectation(json=EVERYTHING.json),
        Expectation(at=EVERYTHING.at),
        Expectation(schema=EVERYTHING.schema),
    ):
        assert mismatch_of(result, expect) is None or len(mismatch_of(result, expect) or "") < 1000


@given(values)
def test_every_value_is_what_it_is(value: Any) -> None:
    result = {"structuredContent": {"here": value}}

    assert (
        mismatch_of(result, Expectation(at={"$.here": value}, schema={"properties": {"here": {"const": value}}}))
        is None
    )


def test_nesting_without_end_is_a_mismatch() -> None:
    deep: Any = 1
    for _ in range(20_000):
        deep = [deep]
    result = {"structuredContent": deep}

    assert mismatch_of(result, Expectation(at={"$": [1]})) is not None
    assert mismatch_of(result, Expectation(json=[1])) is not None
    assert mismatch_of(result, Expectation(schema={"items": {"$ref": "#"}})) == OPEN


def test_what_is_too_large_for_its_schema_is_told() -> None:
    result = {"structuredContent": list(range(BUDGET))}

    assert mismatch_of(result, Expectation(schema={"items": {"type": "integer"}})) == OPEN
    assert "$[0] is not of type string" in (
        mismatch_of(result, Expectation(schema={"items": {"type": "string"}})) or ""
    )


@pytest.mark.parametrize("expect", [Expectation(matches="(?=a)"), Expectation(at={"a": 1})])
def test_what_another_release_let_pass_is_told_and_no_bug(expect: Expectation) -> None:
    assert "cannot be used" in (mismatch_of({"content": [], "structuredContent": {}}, expect) or "")
