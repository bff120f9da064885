"""The strict rules, each by a message that breaks it, and what deployed servers do without breaking any."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from checks.irregularities import Irregular
from checks.model import Exchange, Finding, Irregularity
from checks.shapes import (
    of_bytes,
    of_call,
    of_envelope,
    of_opening,
    of_page,
    of_pages,
    of_tools,
    rulebook,
    structure_fault,
    unusable_tools,
)
from checks.spec import META_SERVER_INFO, REVISIONS, Era
from tests.unit.checks.conversations import (
    CACHED,
    COMPLETE,
    called,
    discovered,
    error,
    exchange,
    initialized,
    ok,
    opened,
    progress,
    tool,
    tool_page,
)

NEWEST = "2026-07-28"
HANDSHAKES = [revision for revision, era in REVISIONS.items() if era is Era.HANDSHAKE]
INFO = {META_SERVER_INFO: {"name": "orders", "version": ""}}
DISCOVERED = {
    **COMPLETE,
    **CACHED,
    "supportedVersions": [NEWEST],
    "capabilities": {"tools": {}},
    "_meta": INFO,
}
INITIALIZED = {"capabilities": {}, "serverInfo": {"name": "orders", "version": "1"}}


def texts(findings: Iterable[Finding], revision: str | None = None) -> list[str]:
    found = list(findings)
    assert all(finding.rule is not None and finding.rule.startswith("https://") for finding in found)
    if revision is not None:
        assert all(f"/{revision}/" in str(finding.rule) for finding in found)
    return [finding.text for finding in found]


def without(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != name}


def opening_of(result: Any, method: str = "server/discover", **more: Any) -> Exchange:
    return exchange(method, messages=[ok(result)], **more)


def page_of(*tools: Any, **more: Any) -> Exchange:
    return exchange("tools/list", messages=[ok({**COMPLETE, **CACHED, "tools": list(tools), **more})])


def call_of(**result: Any) -> Exchange:
    return exchange("tools/call", messages=[ok({**COMPLETE, "content": [], **result})])


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_official_servers_send_breaks_no_rule_of_any_revision(revision: str) -> None:
    opening = (
        opening_of(DISCOVERED)
        if revision == NEWEST
        else opening_of({"protocolVersion": revision, **INITIALIZED}, "initialize")
    )
    assert texts(of_opening(opening, (), revision)) == []
    described = tool("add", description="Adds.", annotations={"readOnlyHint": True}, title="Add")
    pages = [page_of(described, nextCursor=""), page_of(tool("sub"))]
    assert [text for page in pages for text in texts(of_page(page, revision))] == []
    assert texts(of_pages(pages, revision)) == []
    assert texts(of_tools(pages, revision)) == []
    assert texts(unusable_tools(pages, revision)) == []
    assert texts(of_call(called("5", is_error=True), revision)) == []


@pytest.mark.parametrize(
    ("result", "said"),
    [
        *((without(DISCOVERED, name), f"has no {name}") for name in (*COMPLETE, *CACHED, "capabilities")),
        (without(DISCOVERED, "supportedVersions"), "has no supportedVersions"),
        ({**DISCOVERED, "supportedVersions": ["2025-11-25"]}, "does not name 2026-07-28"),
        ({**DISCOVERED, "supportedVersions": [7]}, "not an array of strings"),
        ({**DISCOVERED, "ttlMs": "0"}, "ttlMs that is not an integer from 0 on"),
        ({**DISCOVERED, "ttlMs": -1}, "ttlMs that is not"),
        ({**DISCOVERED, "ttlMs": True}, "ttlMs that is not"),
        ({**DISCOVERED, "cacheScope": "shared"}, 'not "public" or "private"'),
        ({**DISCOVERED, "capabilities": {"tools": True}}, "capabilities has a tools that is not an object"),
        ({**DISCOVERED, "instructions": None}, "strict clients"),
        (without(DISCOVERED, "_meta"), "what software it is, as servers should"),
        ({**DISCOVERED, "_meta": {META_SERVER_INFO: {"name": "x"}}}, "has no version"),
    ],
)
def test_a_discovery_is_measured_by_its_revision(result: Any, said: str) -> None:
    found = texts(of_opening(opening_of(result), (), NEWEST), NEWEST)
    assert any(said in text for text in found)


def test_a_discovery_that_hands_out_a_session_id_deviates() -> None:
    deviant = discovered(headers=(("Mcp-Session-Id", "s"),))
    assert "session id" in texts(of_opening(deviant, (), NEWEST), NEWEST)[0]


@pytest.mark.parametrize("revision", HANDSHAKES)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"protocolVersion": 20251125}, "protocolVersion that is not a string"),
        ({"capabilities": None}, "capabilities that is not an object"),
        ({"serverInfo": "orders"}, "serverInfo that is not an object"),
        ({"serverInfo": {"version": "1"}}, "serverInfo has no name"),
        ({"serverInfo": {"name": "orders", "version": None}}, "version that is not a string"),
        ({"capabilities": {"tools": []}}, "tools that is not an object"),
    ],
)
def test_an_initialization_is_measured_by_the_rules_of_the_revision_that_it_names(
    revision: str, change: Mapping[str, Any], said: str
) -> None:
    deviant = opening_of({"protocolVersion": revision, **INITIALIZED, **change}, "initialize")
    assert said in texts(of_opening(deviant, (), revision), revision)[0]


@pytest.mark.parametrize(
    ("before", "deviates"),
    [
        (exchange("server/discover", messages=[ok({"supportedVersions": ["2025-11-25", "2025-06-18"]})]), True),
        (
            exchange("server/discover", status=400, messages=[error(-32022, "no", data={"supported": ["2025-11-25"]})]),
            True,
        ),
        (exchange("server/discover", messages=[ok({"supportedVersions": ["2025-06-18"]})]), False),
        (exchange("server/discover", status=404, messages=[error(-32601, "no", data="2025-11-25")]), False),
    ],
)
def test_a_supported_version_must_be_echoed_where_the_server_has_said_that_it_supports_it(
    before: Exchange, deviates: bool
) -> None:
    answered = initialized("2025-06-18", request={"protocolVersion": "2025-11-25"})
    assert bool(texts(of_opening(answered, (before,), "2025-06-18"), "2025-06-18")) is deviates


@pytest.mark.parametrize(
    ("era", "version", "rules"),
    [
        (Era.HANDSHAKE, "2031-01-01", "2025-11-25"),
        (Era.STATELESS, "2031-01-01", NEWEST),
        (Era.HANDSHAKE, "2024-11-05", "2024-11-05"),
    ],
)
def test_an_unpublished_revision_is_measured_by_the_newest_of_its_era(era: Era, version: str, rules: str) -> None:
    opener = opened(era=era, version=version).opener
    assert opener is not None
    assert rulebook(opener) == rules


@pytest.mark.parametrize(
    ("more", "revision", "said"),
    [
        ({"nextCursor": None}, "2025-06-18", "null instead of leaving it out, which strict clients refuse"),
        ({"nextCursor": 7}, "2025-06-18", "nextCursor that is not a string"),
        ({"ttlMs": 1.5}, NEWEST, "ttlMs"),
        ({"resultType": "partial"}, NEWEST, "must take for invalid"),
        ({"resultType": "input_required"}, NEWEST, "must take for invalid"),
    ],
)
def test_a_page_is_measured_by_its_revision(more: Mapping[str, Any], revision: str, said: str) -> None:
    assert said in texts(of_page(page_of(tool("a"), **more), revision), revision)[0]


def test_members_of_the_newest_revision_are_asked_of_no_older_one() -> None:
    bare = exchange("tools/list", messages=[ok({"tools": []})])
    assert len(texts(of_page(bare, NEWEST), NEWEST)) == 3
    assert [texts(of_page(bare, revision)) for revision in HANDSHAKES] == [[], [], [], []]


def test_the_pages_of_a_list_share_their_cache_scope() -> None:
    pages = [page_of(tool("a")), page_of(tool("b"), cacheScope="public")]
    assert "differ in their cacheScope" in texts(of_pages(pages, NEWEST), NEWEST)[0]
    assert texts(of_pages(pages, "2025-11-25")) == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"inputSchema": {"type": "object"}}, "1 tool without a name"),
        ({"name": "", "inputSchema": {"type": "object"}}, "1 tool without a name"),
        (7, "1 tool without a name"),
        ({"name": "a"}, 'no inputSchema of type "object"'),
        ({"name": "a", "inputSchema": None}, 'no inputSchema of type "object"'),
        ({"name": "a", "inputSchema": {"type": "array"}}, 'no inputSchema of type "object"'),
        ({"name": "a", "inputSchema": {}}, 'no inputSchema of type "object"'),
    ],
)
@pytest.mark.parametrize("revision", REVISIONS)
def test_what_costs_clients_a_tool_is_named(entry: Any, said: str, revision: str) -> None:
    (text,) = texts(unusable_tools([page_of(tool("good"), entry)], revision), revision)
    assert said in text


def test_a_name_that_stands_on_two_pages_is_counted() -> None:
    assert texts(unusable_tools([page_of(tool("a")), page_of(tool("a"))], NEWEST)) == ["a is listed 2 times"]


def annotated(**schema: Any) -> dict[str, Any]:
    return tool("a", inputSchema={"type": "object", **schema})


def test_a_header_annotation_that_clients_must_refuse_costs_the_tool_in_the_newest_revision() -> None:
    pages = [page_of(annotated(properties={"x": {"type": "number", "x-mcp-header": "X"}}))]

    assert texts(unusable_tools(pages, NEWEST), NEWEST) == [
        "a: “x” has an x-mcp-header, but is no string, integer or boolean"
    ]
    assert texts(unusable_tools(pages, "2025-11-25")) == []


def test_a_header_annotation_on_a_nested_parameter_is_allowed() -> None:
    inner = {"type": "object", "properties": {"y": {"type": "integer", "x-mcp-header": "Y"}, "default": True}}
    entry = annotated(properties={"x": inner, "z": {"default": {"x-mcp-header": "no annotation"}}})
    assert texts(unusable_tools([page_of(entry)], NEWEST)) == []


@pytest.mark.parametrize(
    ("more", "revision", "said"),
    [
        ({"description": 7}, "2024-11-05", "description that is not a string"),
        ({"annotations": None}, "2025-06-18", "strict clients"),
        ({"annotations": {"readOnlyHint": "yes"}}, "2025-03-26", "readOnlyHint that is not a boolean"),
        ({"outputSchema": {"type": "array"}}, "2025-11-25", 'outputSchema that is not of type "object"'),
        ({"outputSchema": {}}, "2025-06-18", 'outputSchema that is not of type "object"'),
        ({"execution": []}, "2025-11-25", "execution that is not an object"),
    ],
)
def test_a_tool_is_measured_by_its_revision(more: Mapping[str, Any], revision: str, said: str) -> None:
    (text,) = texts(of_tools([page_of(tool("a", **more))], revision), revision)
    assert text.startswith("a: ")
    assert said in text


@pytest.mark.parametrize(
    ("more", "revision"),
    [
        ({"annotations": []}, "2024-11-05"),
        ({"outputSchema": {"type": "array"}}, "2025-03-26"),
        ({"outputSchema": {"type": "array"}}, NEWEST),
        ({"outputSchema": {"$ref": "#/x"}}, NEWEST),
        ({"execution": 7}, NEWEST),
        ({"inputSchema": {"type": "object", "properties": {"x": True}}}, "2025-06-18"),
        ({"x-own": {"a": 1}, "_meta": {}}, "2024-11-05"),
    ],
)
def test_what_a_revision_does_not_speak_of_breaks_no_rule_of_it(more: Mapping[str, Any], revision: str) -> None:
    assert texts(of_tools([page_of(tool("a", **more))], revision)) == []


def test_one_fault_of_many_tools_is_one_finding_that_names_the_first() -> None:
    page = page_of(*(tool(f"t{number}", annotations=None) for number in range(9)))
    (text,) = texts(of_tools([page], "2025-06-18"))
    assert text.startswith("t0, t1, t2, t3, t4 and 4 more tools: has annotations: null")


@pytest.mark.parametrize("name", ["a b", "naïve", "x" * 129, "a/b"])
def test_a_name_beyond_the_recommendation_is_a_risk_from_the_revision_that_recommends_it(name: str) -> None:
    assert "some clients" in texts(of_tools([page_of(tool(name))], "2025-11-25"), "2025-11-25")[0]
    assert texts(of_tools([page_of(tool(name))], "2025-06-18")) == []


@pytest.mark.parametrize("name", ["a", "get.Thing_2-x", "..", "x" * 128])
def test_a_plain_name_is_none(name: str) -> None:
    assert texts(of_tools([page_of(tool(name))], NEWEST)) == []


IMAGE = {"type": "image", "data": "AA==", "mimeType": "image/png"}


@pytest.mark.parametrize(
    ("result", "revision", "said"),
    [
        ({"content": None}, "2025-06-18", "content that is not an array"),
        ({"content": [7]}, "2024-11-05", "block 1 is not an object"),
        ({"content": [{"type": "text"}]}, "2024-11-05", "has no text"),
        ({"content": [IMAGE, without(IMAGE, "mimeType")]}, "2025-03-26", "block 2 has no mimeType"),
        ({"content": [{**IMAGE, "type": "audio"}]}, "2024-11-05", '"audio", which 2024-11-05 does not have'),
        ({"content": [{"type": "resource_link", "uri": "a:b", "name": "n"}]}, "2025-03-26", "does not have"),
        ({"content": [{"type": "video"}]}, NEWEST, '"video", which 2026-07-28 does not have'),
        ({"content": [{"type": "resource", "resource": {"uri": "a:b"}}]}, "2025-11-25", "without uri and text or blob"),
        ({"isError": "no"}, "2025-06-18", "isError that is not a boolean"),
        ({"isError": None}, "2025-06-18", "strict clients"),
        ({"structuredContent": [1], "content": [{"type": "text", "text": "[1]"}]}, "2025-11-25", "not an object"),
        ({"structuredContent": {"a": 1}}, "2025-06-18", "without the same as text, as it should"),
        ({"resultType": "task", "taskId": "t"}, NEWEST, "has not declared tasks"),
        ({"resultType": "partial"}, NEWEST, "must take for invalid"),
        ({"resultType": "input_required"}, NEWEST, "without inputRequests and without requestState"),
        ({"resultType": "input_required", "inputRequests": {"a": {}}}, NEWEST, "has declared no capability"),
    ],
)
def test_a_tool_result_is_measured_by_its_revision(result: Mapping[str, Any], revision: str, said: str) -> None:
    assert said in texts(of_call(call_of(**result), revision), revision)[0]


@pytest.mark.parametrize(
    ("result", "revision"),
    [
        ({"structuredContent": [1], "content": [{"type": "text", "text": "[1]"}]}, NEWEST),
        ({"structuredContent": 7}, "2025-03-26"),
        ({"content": [{**IMAGE, "type": "audio"}]}, "2025-03-26"),
        ({"content": [{"type": "resource", "resource": {"uri": "a:b", "text": ""}}]}, "2024-11-05"),
        ({"resultType": "input_required", "requestState": "s"}, NEWEST),
        ({"resultType": "whatever"}, "2025-11-25"),
        ({"isError": True, "extra": {"a": 1}}, "2024-11-05"),
    ],
)
def test_a_tool_result_that_its_revision_allows_breaks_no_rule(result: Mapping[str, Any], revision: str) -> None:
    assert texts(of_call(call_of(**result), revision)) == []


ANSWER = {"jsonrpc": "2.0", "id": "7", "result": {}}
SUM = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
TEXT = [{"type": "text", "text": "{}"}]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({}, "has no structuredContent"),
        ({"structuredContent": {}, "content": TEXT}, "$ has no sum"),
        ({"structuredContent": {"sum": "5"}, "content": TEXT}, "$.sum is not of type integer"),
    ],
)
def test_a_result_keeps_what_the_output_schema_promises(result: Mapping[str, Any], said: str) -> None:
    assert said in (structure_fault(result, SUM, "2025-06-18") or "")
    assert structure_fault({**result, "isError": True}, SUM, "2025-06-18") is None
    assert structure_fault(result, SUM, "2025-03-26") is None
    assert structure_fault(result, None, "2025-06-18") is None


def test_structured_content_may_be_any_json_in_the_stateless_era() -> None:
    assert structure_fault({"structuredContent": None}, {"type": "null"}, NEWEST) is None
    assert structure_fault({"structuredContent": None}, {"type": "null"}, "2025-11-25") is not None
    assert structure_fault({"structuredContent": [1]}, {"type": "array"}, NEWEST) is None


@pytest.mark.parametrize(
    ("messages", "revision", "said"),
    [
        ([[ANSWER]], "2025-11-25", "batch array"),
        ([[ANSWER]], "2024-11-05", "batch array"),
        (["hello", ok({})], NEWEST, "no JSON object"),
        ([{"jsonrpc": "2.0", "id": 7, "result": {}}], "2025-06-18", "back as 7 instead of"),
        ([{**ok({}), "error": None}], "2025-06-18", "error: null beside its result"),
        ([ok([])], "2025-06-18", "a result that is not an object"),
        ([error(-32603, "x", "other")], "2025-11-25", 'carries the id "other"'),
        ([{"jsonrpc": "2.0", "id": None, "error": {"code": "7", "message": "x"}}], "2025-06-18", "no integer code"),
        ([{"jsonrpc": "2.0", "id": None, "error": {"code": 7}}], "2025-03-26", "no message"),
        ([error(-32050, "x")], NEWEST, "must not use"),
        ([error(-32002, "x")], NEWEST, "must not use"),
        ([ok({}), {"jsonrpc": "2.0", "id": "zzz", "result": {}}], "2025-06-18", "1 response to no request of ours"),
        ([{"jsonrpc": "2.0", "method": "notifications/message", "params": {}}, ok({})], NEWEST, "no logLevel"),
    ],
)
def test_an_envelope_is_measured_by_its_revision(messages: list[Any], revision: str, said: str) -> None:
    found = texts(of_envelope(exchange("tools/list", rpc_id="7", messages=messages), revision), revision)
    assert any(said in text for text in found)


def test_a_request_of_the_server_is_allowed_only_before_the_newest_revision() -> None:
    asks = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    streaming = exchange("tools/call", messages=[asks, ok({})], media="text/event-stream")
    assert '"ping" to the client' in texts(of_envelope(streaming, NEWEST), NEWEST)[0]
    assert [texts(of_envelope(streaming, revision)) for revision in HANDSHAKES] == [[], [], [], []]


@pytest.mark.parametrize(
    ("messages", "revision"),
    [
        ([error(-32600, "Missing session ID", "server-error")], "2025-11-25"),
        ([error(-32600, "x", None)], "2025-06-18"),
        ([{"jsonrpc": "2.0", "error": {"code": -32000, "message": "x"}}], "2025-03-26"),
        ([{**error(-32603, "boom"), "errorContent": [{"type": "text", "text": "boom"}]}], "2024-11-05"),
        ([error(-32022, "x", data={"supported": []})], NEWEST),
        ([error(-32002, "x")], "2025-11-25"),
        ([[ANSWER]], "2025-03-26"),
        ([progress(1), progress(2), ok({})], NEWEST),
        ([{"jsonrpc": "2.0", "method": "notifications/message", "params": {}}, ok({})], "2025-11-25"),
    ],
)
def test_envelopes_of_deployed_servers_break_no_rule(messages: list[Any], revision: str) -> None:
    assert texts(of_envelope(exchange("tools/list", rpc_id="7", messages=messages), revision)) == []


@pytest.mark.parametrize("code", Irregular)
def test_what_is_odd_about_the_bytes_is_said_with_its_rule(code: Irregular) -> None:
    odd = tool_page("a", irregularities=(Irregularity(code=code, detail="something odd"),))
    found = texts(of_bytes(odd, NEWEST))
    if code is Irregular.TOO_MANY_ADDRESSES:
        assert found == []
    else:
        assert found[0].startswith("tools/list: something odd")
