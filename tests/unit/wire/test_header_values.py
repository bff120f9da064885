"""What the stateless era mirrors from a body into headers."""

from typing import Any

import pytest

from prober.wire.header_values import annotated_parameters, header_value, name_headers, parameter_headers


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("add", "add"),
        ("two words", "two words"),
        ("", ""),
        ("größe", "=?base64?Z3LDtsOfZQ==?="),
        (" padded", "=?base64?IHBhZGRlZA==?="),
        ("line\nbreak", "=?base64?bGluZQpicmVhaw==?="),
        ("tab\tstop", "tab\tstop"),
        ("bell\x07", "=?base64?YmVsbAc=?="),
        ("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="),
        ("=?base64?=", "=?base64?PT9iYXNlNjQ/PQ==?="),
        ("=?BASE64?YQ==?=", "=?BASE64?YQ==?="),
        ("=?base64?open", "=?base64?open"),
    ],
)
def test_a_value_is_encoded_only_where_a_header_could_not_carry_it(text: str, sent: str) -> None:
    assert header_value(text) == sent


@pytest.mark.parametrize(
    ("method", "params", "headers"),
    [
        ("tools/call", {"name": "add", "arguments": {}}, [("Mcp-Name", "add")]),
        ("prompts/get", {"name": "hello"}, [("Mcp-Name", "hello")]),
        ("resources/read", {"uri": "file:///x"}, [("Mcp-Name", "file:///x")]),
        ("tasks/get", {"taskId": "t-1"}, [("Mcp-Name", "t-1")]),
        ("tasks/cancel", {"taskId": "t-1"}, [("Mcp-Name", "t-1")]),
        ("tools/list", {"name": "not a name"}, []),
        ("tools/call", {"name": 5}, []),
    ],
)
def test_a_request_that_names_something_says_so(
    method: str, params: dict[str, Any], headers: list[tuple[str, str]]
) -> None:
    assert name_headers(method, params) == headers


def test_annotated_arguments_are_mirrored_by_type_and_missing_ones_are_not() -> None:
    annotated = annotated_parameters(
        {
            "type": "object",
            "properties": {
                "region": {"type": "string", "x-mcp-header": "Region"},
                "limit": {"type": "integer", "x-mcp-header": "Limit"},
                "dry": {"type": "boolean", "x-mcp-header": "Dry"},
                "absent": {"type": "string", "x-mcp-header": "Absent"},
                "null": {"type": "string", "x-mcp-header": "Null"},
                "plain": {"type": "string"},
                "whole": {"type": "integer", "x-mcp-header": "Whole"},
                "below": {"type": "integer", "x-mcp-header": "Below"},
                "misfit": {"type": "string", "x-mcp-header": "Misfit"},
                "within": {"type": "object", "properties": {"zone": {"type": "string", "x-mcp-header": "Zone"}}},
            },
        }
    )
    arguments = {
        "region": "eu",
        "limit": 7,
        "dry": False,
        "null": None,
        "plain": "x",
        "whole": 42.0,
        "below": -3,
        "misfit": ["no", "primitive"],
        "within": {"zone": "ä"},
    }
    assert parameter_headers(annotated, arguments) == [
        ("Mcp-Param-Region", "eu"),
        ("Mcp-Param-Limit", "7"),
        ("Mcp-Param-Dry", "false"),
        ("Mcp-Param-Whole", "42"),
        ("Mcp-Param-Below", "-3"),
        ("Mcp-Param-Zone", "=?base64?w6Q=?="),
    ]


@pytest.mark.parametrize("schema", [None, [], {"properties": []}, {"properties": {"a": None}}, "x"])
def test_a_schema_that_is_none_annotates_nothing(schema: Any) -> None:
    assert annotated_parameters(schema) == ()


def test_an_annotation_that_spoils_the_tool_leaves_nothing_to_mirror() -> None:
    properties = {"a": {"type": "string", "x-mcp-header": "A"}, "bad": {"type": "string", "x-mcp-header": "a"}}
    assert annotated_parameters({"type": "object", "properties": properties}) == ()


def test_no_tool_makes_us_send_very_many_headers() -> None:
    properties = {f"p{number}": {"type": "string", "x-mcp-header": f"P{number}"} for number in range(99)}
    assert len(annotated_parameters({"type": "object", "properties": properties})) == 50
