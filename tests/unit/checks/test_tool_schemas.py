"""A schema that no validator takes is named with its place; what any dialect allows is not."""

from typing import Any

import pytest

from checks.tool_schemas import Budget, broken_schemas, schema_fault
from checks.unit import ListCaps
from tests.unit.checks.conversations import exchange, judge, ok, opened, tool, tool_page

NEWEST, MIDDLE, OLD = "2026-07-28", "2025-11-25", "2025-06-18"
DRAFT_07 = "http://json-schema.org/draft-07/schema#"
DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


VALID: list[tuple[Any, str]] = [
    ({"type": "object"}, NEWEST),
    ({"type": "object", "properties": {}, "required": [], "additionalProperties": False}, NEWEST),
    (of(a={"type": ["string", "null"]}, b=True, c={}, d={"enum": []}), NEWEST),
    (of(a={"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "title": None}), NEWEST),
    (of(type={"type": "string"}, items={"type": "string"}, required={"type": "boolean"}), NEWEST),
    ({**of(a={"$ref": "#/$defs/A"}, b={"$ref": "#"}), "$defs": {"A": {"items": {"$ref": "#/$defs/A"}}}}, NEWEST),
    ({**of(a={"$ref": "#/definitions/a~1b%20c"}), "definitions": {"a/b c": {}}}, OLD),
    (of(a={"$id": "https://example.com/a", "items": {"$ref": "#/$defs/B"}, "$defs": {"B": {}}}), NEWEST),
    (of(a={"$ref": "https://example.com/other.json"}, b={"$ref": "#anchor"}), NEWEST),
    (of(a={"type": "array", "prefixItems": [{"type": "string"}], "items": False}), NEWEST),
    (of(a={"type": "array", "items": [{"type": "string"}]}), OLD),
    ({**of(a={"type": "array", "items": [{"type": "string"}]}), "$schema": DRAFT_07}, NEWEST),
    (of(a={"type": "number", "exclusiveMinimum": True}), OLD),
    (of(a={"minLength": 2.0, "multipleOf": 0.01, "maximum": -1, "pattern": "(?<x>["}), NEWEST),
    ({"$schema": "http://json-schema.org/draft-04/schema#", "type": "any"}, NEWEST),
    ({"$schema": "https://example.com/own", "type": 7}, NEWEST),
    (of(a={"const": {"type": "any"}, "examples": [{"type": 7}], "nullable": True, "x-own": 1}), NEWEST),
]

BROKEN: list[tuple[Any, str, str]] = [
    ({"type": "object", "properties": []}, OLD, "inputSchema has properties that are not an object"),
    ({"type": "object", "properties": None}, NEWEST, "inputSchema has properties that are not an object"),
    (of(a={"type": "any"}), OLD, 'inputSchema.properties.a says type: "any", which is not a type of JSON Schema'),
    (of(a={"type": []}), NEWEST, "says type"),
    (of(a={"type": ["string", "string"]}), NEWEST, "says type"),
    (of(a={"type": None}), NEWEST, "says type"),
    (of(a="string"), NEWEST, 'inputSchema.properties.a is no schema ("string")'),
    (of(a={"type": "string", "required": True}), NEWEST, "says required"),
    ({"type": "object", "required": "a"}, OLD, 'inputSchema says required: "a", which is not an array of'),
    ({"type": "object", "required": ["a", "a"]}, OLD, "says required"),
    (of(a={"enum": "x"}), OLD, "says enum"),
    (of(a={"exclusiveMinimum": True}), NEWEST, "says exclusiveMinimum: true, which is not a number"),
    (of(a={"minimum": "1"}), OLD, "says minimum"),
    (of(a={"maxLength": -1}), OLD, "says maxLength"),
    (of(a={"maxLength": float("inf")}), OLD, "says maxLength"),
    (of(a={"multipleOf": 0}), OLD, "says multipleOf"),
    (of(a={"anyOf": []}), OLD, "has anyOf that is not an array of schemas"),
    (of(a={"allOf": {"type": "string"}}), OLD, "has allOf"),
    (of(a={"items": [{"type": "string"}]}), MIDDLE, "inputSchema.properties.a.items is no schema"),
    ({**of(a={"items": [{}]}), "$schema": DRAFT_2020}, OLD, "inputSchema.properties.a.items is no schema"),
    (of(a={"additionalProperties": "no"}), OLD, "inputSchema.properties.a.additionalProperties is no schema"),
    (of(a={"$ref": "#/$defs/Missing"}), OLD, "has a $ref to #/$defs/Missing, which is not there"),
    (of(a={"$ref": 7}), OLD, "has a $ref that is not a string"),
    (
        of(a={"items": {"oneOf": [{"not": {"type": "x"}}]}}),
        OLD,
        "inputSchema.properties.a.items.oneOf[0].not says type",
    ),
]


@pytest.mark.parametrize(("schema", "revision"), VALID)
def test_what_a_dialect_allows_is_no_fault(schema: Any, revision: str) -> None:
    assert schema_fault(schema, "inputSchema", revision) is None
    assert judge(opened(version=revision), listing(inputSchema={**schema, "type": "object"})).ids == []


@pytest.mark.parametrize(("schema", "revision", "said"), BROKEN)
def test_a_broken_schema_is_named_with_its_place(schema: Any, revision: str, said: str) -> None:
    assert said in str(schema_fault(schema, "inputSchema", revision))


def test_input_and_output_schemas_are_read_and_each_is_told_once() -> None:
    tools = [tool("a", inputSchema={"type": "object", "properties": []}, outputSchema=of(x={"type": "any"}, y=7))]

    told = [finding.text for finding in broken_schemas(tools, NEWEST)]

    assert [text.split(" ")[:2] for text in told] == [["a:", "inputSchema"], ["a:", "outputSchema.properties.x"]]


def test_reading_is_bounded_and_nesting_does_no_harm() -> None:
    deep: Any = {"type": "any"}
    for _ in range(5000):
        deep = {"items": deep}
    wide = of(**{f"p{number}": {"type": "string"} for number in range(1000)}, last={"type": "any"})

    assert schema_fault(deep, "inputSchema", NEWEST) is not None
    assert len(str(schema_fault(of(**{"n" * 900_000: {"type": "any"}}), "inputSchema", NEWEST))) < 300
    assert schema_fault(wide, "inputSchema", NEWEST, Budget(500)) is None


def listing(**members: Any) -> Any:
    return exchange(
        "tools/list",
        messages=[
            ok(
                {
                    "resultType": "complete",
                    "ttlMs": 0,
                    "cacheScope": "private",
                    "tools": [{**tool("a"), **members}, tool("b")],
                }
            )
        ],
    )


@pytest.mark.parametrize(
    "members",
    [
        {"inputSchema": None},
        {"inputSchema": {"type": "string"}},
        {"inputSchema": of(a={"type": "any"})},
        {"outputSchema": of(a={"$ref": "#/$defs/A"})},
        {"inputSchema": of(a={"type": "number", "x-mcp-header": "A"})},
        {"name": "b"},
        {"name": ""},
        {"name": 7},
    ],
)
def test_a_tool_that_clients_drop_degrades_the_endpoint(members: dict[str, Any]) -> None:
    judged = judge(opened(), listing(**members))

    assert judged.ids == ["tools-invalid"]
    assert judged.verdict == "degraded"
    assert "1 fault " in judged.diagnoses[0].summary


def test_a_cursor_that_comes_back_degrades_the_endpoint() -> None:
    pages = [tool_page("a", cursor="1"), tool_page("b", cursor="2"), tool_page("c", cursor="1")]

    judged = judge(opened(), *pages)

    assert judged.ids == ["tools-invalid"]
    assert "never ends (3 pages read)" in judged.diagnoses[0].summary


@pytest.mark.parametrize(
    ("names", "caps", "ids"),
    [
        (["a"] * 50, ListCaps(), ["tools-invalid"]),
        ([f"t{number}" for number in range(50)], ListCaps(), []),
        (["a"] * 5, ListCaps(pages=5), ["tools-invalid"]),
        ([f"t{number}" for number in range(5)], ListCaps(pages=5), []),
        ([f"t{number}" for number in range(5)], ListCaps(items=5), []),
    ],
)
def test_a_list_is_endless_where_it_repeats_and_not_where_it_is_merely_longer_than_what_is_read(
    names: list[str], caps: ListCaps, ids: list[str]
) -> None:
    pages = [tool_page(name, cursor=str(number)) for number, name in enumerate(names)]

    assert judge(opened(), *pages, caps=caps).ids == ids


def test_where_nothing_of_the_list_is_a_tool_the_list_is_empty() -> None:
    assert judge(opened(), exchange("tools/list", messages=[ok({"tools": [{"title": "x"}]})])).ids == ["tools-empty"]
