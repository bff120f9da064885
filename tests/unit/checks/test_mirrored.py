"""Which annotated parameters a tool has, and which annotations make clients drop it."""

from typing import Any

import pytest

from checks.mirrored import annotation_fault, mirrored_parameters

REGION = {"type": "string", "x-mcp-header": "Region"}


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_parameters_are_found_along_chains_of_properties() -> None:
    within = schema(zone={"type": "integer", "x-mcp-header": "Zone"}, plain={"type": "string"})
    found = mirrored_parameters(schema(region=REGION, within=within, list={"type": "array", "items": {}}))
    assert found == ((("region",), "Region"), (("within", "zone"), "Zone"))
    assert annotation_fault(schema(region=REGION, within=within)) is None


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (schema(a={"type": "string", "x-mcp-header": ""}), "no header name"),
        (schema(a={"type": "string", "x-mcp-header": "two words"}), "no header name"),
        (schema(a={"type": "string", "x-mcp-header": "Evil\r\nHost"}), "no header name"),
        (schema(a={"type": "string", "x-mcp-header": "Größe"}), "no header name"),
        (schema(a={"type": "string", "x-mcp-header": 5}), "no header name"),
        (schema(a={"type": "string", "x-mcp-header": None}), "no header name"),
        (schema(a=REGION, b={"type": "string", "x-mcp-header": "REGION"}), "same x-mcp-header"),
        (schema(a=REGION, b=schema(c={"type": "string", "x-mcp-header": "region"})), "same x-mcp-header"),
        (schema(a={"type": "number", "x-mcp-header": "A"}), "no string, integer or boolean"),
        (schema(a={"type": "object", "x-mcp-header": "A"}), "no string, integer or boolean"),
        (schema(a={"type": ["string", "null"], "x-mcp-header": "A"}), "no string, integer or boolean"),
        (schema(a={"x-mcp-header": "A"}), "no string, integer or boolean"),
        ({"x-mcp-header": "A", **schema()}, "where no chain of properties leads"),
        (schema(a={"type": "array", "items": REGION}), "where no chain of properties leads"),
        (schema(a={"type": "array", "prefixItems": [REGION]}), "where no chain of properties leads"),
        ({"anyOf": [schema(a=REGION)]}, "where no chain of properties leads"),
        ({"if": schema(a=REGION)}, "where no chain of properties leads"),
        ({"$defs": {"a": REGION}}, "where no chain of properties leads"),
        (schema(a={"type": "object", "additionalProperties": REGION}), "where no chain of properties leads"),
    ],
)
def test_an_annotation_that_breaks_a_rule_spoils_the_tool(broken: Any, says: str) -> None:
    fault = annotation_fault(broken)
    assert fault is not None
    assert says in fault
    assert mirrored_parameters(broken) == ()


@pytest.mark.parametrize(
    "harmless",
    [
        schema(**{"x-mcp-header": {"type": "string"}}),
        schema(a={"type": "object", "default": {"x-mcp-header": "A"}}),
        schema(a={"enum": [{"x-mcp-header": "A"}]}),
        {"properties": []},
        {"anyOf": REGION},
        None,
        [],
        "x",
        True,
    ],
)
def test_what_only_looks_like_an_annotation_is_none(harmless: Any) -> None:
    assert annotation_fault(harmless) is None
    assert mirrored_parameters(harmless) == ()


def test_a_schema_cannot_make_us_walk_without_end() -> None:
    endless: dict[str, Any] = {"type": "object"}
    endless["properties"] = {"again": endless}
    endless["items"] = endless
    assert annotation_fault(endless) is None


def test_names_that_a_server_chose_are_shown_safely() -> None:
    fault = annotation_fault(schema(**{"a\x1b[31m": {"x-mcp-header": ""}}))
    assert fault is not None
    assert "\x1b" not in fault
