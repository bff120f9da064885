"""A table of healthy conversations of both eras, as deployed servers hold them: no detector says a word."""

import pytest

from checks.model import Endpoint, Exchange, Expectation, Failure, Opening, Outcome, Profile, Sentinel, Verdict
from checks.spec import Era, Transport
from tests.unit.checks.conversations import (
    CACHED,
    COMPLETE,
    FUNCTION_URL,
    called,
    discovered,
    endpoint,
    error,
    exchange,
    initialized,
    judge,
    notified,
    ok,
    opened,
    streamed,
    tool,
    tool_page,
)

ADD = Sentinel(tool="add", arguments={"a": 2, "b": 3}, expect=Expectation(text="5"))
WATCHED = endpoint(sentinels=(ADD,), expected_tools=("add",))
ANY = endpoint(sentinels=(Sentinel(tool="add"),), streaming=True)

SDK_REFUSAL = exchange("server/discover", status=400, messages=[error(-32600, "Missing session ID", "server-error")])
SSE = "text/event-stream"
ZOD = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "a": {"type": "number", "exclusiveMinimum": 0},
        "pair": {"type": "array", "minItems": 2, "maxItems": 2, "items": [{"type": "string"}, {"type": "number"}]},
        "tree": {"anyOf": [{"type": "null"}, {"$ref": "#/properties/tree"}]},
    },
    "required": ["a"],
    "additionalProperties": False,
}


def handshake(*before: Exchange, version: str = "2025-11-25", **more: object) -> Opening:
    """The handshake era, after whatever was tried before."""
    return opened(*before, initialized(version), notified(), era=Era.HANDSHAKE, version=version, **more)


HEALTHY: dict[str, tuple[Opening, tuple[Exchange, ...], Endpoint]] = {
    "stateless": (opened(), (tool_page("add"), called("5")), WATCHED),
    "stateless on event streams": (
        opened(discovered(media=SSE)),
        (tool_page("add", media=SSE), called("5", media=SSE)),
        WATCHED,
    ),
    "handshake after a refused discover": (handshake(SDK_REFUSAL), (tool_page("add"), called("5")), WATCHED),
    "handshake after a 405": (
        handshake(exchange("server/discover", status=405, media="text/plain", body=b"Method Not Allowed")),
        (tool_page("add"), called("5")),
        WATCHED,
    ),
    "handshake after a 404 page": (
        handshake(exchange("server/discover", status=404, media="text/html", body=b"<pre>Cannot POST</pre>")),
        (tool_page("add"), called("5")),
        WATCHED,
    ),
    "awslabs handler": (
        handshake(
            exchange("server/discover", status=404, messages=[error(-32601, "Method not found")]),
            version="2024-11-05",
            has_session=True,
        ),
        (tool_page("add", headers=FUNCTION_URL), called("5", headers=FUNCTION_URL)),
        WATCHED,
    ),
    "legacy event stream": (
        opened(
            exchange(None, media=SSE, body=b"event: endpoint\r\ndata: /messages/?session_id=1\r\n\r\n"),
            initialized(status=202, media="text/plain"),
            notified(),
            era=Era.HANDSHAKE,
            transport=Transport.SSE,
        ),
        (tool_page("add", status=202), called("5", status=202)),
        WATCHED,
    ),
    "pages with an empty cursor": (
        opened(),
        (tool_page("subtract", cursor=""), tool_page("add"), called("5")),
        WATCHED,
    ),
    "a cursor that is null": (
        opened(),
        (exchange("tools/list", messages=[ok({"tools": [tool("add")], "nextCursor": None})]), called("5")),
        WATCHED,
    ),
    "ids as numbers, extra members, a null error": (
        opened(),
        (
            exchange(
                "tools/list", rpc_id="7", messages=[{**ok({"tools": [tool("add")]}), "id": 7, "error": None, "x": 1}]
            ),
            called("5"),
        ),
        WATCHED,
    ),
    "a batch array": (
        handshake(version="2025-03-26"),
        (exchange("tools/list", messages=[[{**ok({"tools": [tool("add")]}), "id": "b"}]], rpc_id="b"), called("5")),
        WATCHED,
    ),
    "prompts and no tools": (
        opened(capabilities={"prompts": {}}),
        (exchange("tools/list", status=404, messages=[error(-32601, "Method not found")]),),
        endpoint(),
    ),
    "resources and an empty list": (opened(capabilities={"resources": {}}), (tool_page(),), endpoint()),
    "a tool that needs input": (
        opened(),
        (tool_page("add"), exchange("tools/call", messages=[ok({"resultType": "input_required"})])),
        WATCHED,
    ),
    "structured content, no text": (
        opened(),
        (tool_page("add"), called("", result={"structuredContent": {"sum": 5, "unit": "pcs"}})),
        endpoint(sentinels=(Sentinel(tool="add", expect=Expectation(json={"sum": 5})),)),
    ),
    "events one by one": (opened(), (tool_page("add"), streamed(600.0, 1200.0, 1800.0)), ANY),
    "events of a fast tool together": (opened(), (tool_page("add"), streamed(40.0, 41.0, 42.0)), ANY),
    "one event after a long time": (opened(), (tool_page("add"), streamed(3000.0)), ANY),
    "a fast tool in JSON": (opened(), (tool_page("add"), called(wait_ms=300.0)), ANY),
    "a burst where nobody expects streaming": (
        opened(),
        (tool_page("add"), streamed(1800.0, 1801.0, headers=(("Content-Length", "300"),))),
        endpoint(sentinels=(Sentinel(tool="add"),), streaming=False),
    ),
    "a burst where nothing is said, without a length": (
        opened(),
        (tool_page("add"), streamed(1800.0, 1801.0)),
        endpoint(sentinels=(Sentinel(tool="add"),)),
    ),
    "a JSON answer after long where nothing is said": (
        opened(),
        (tool_page("add"), called(wait_ms=4000.0)),
        endpoint(sentinels=(Sentinel(tool="add"),)),
    ),
    "slow but steady": (
        opened(discovered(wait_ms=900.0, headers=FUNCTION_URL, reused=False)),
        (tool_page("add", wait_ms=880.0), called("5", wait_ms=910.0)),
        WATCHED,
    ),
    "answers after whole seconds": (
        opened(discovered(wait_ms=3020.0, headers=FUNCTION_URL)),
        (tool_page("add", wait_ms=3010.0), called("5", wait_ms=3030.0)),
        WATCHED,
    ),
    "a stream that is lost after whole seconds, behind its answer": (
        opened(),
        (tool_page("add"), streamed(1000.0, 3000.0, total_ms=3010.0, failure=Failure.CONNECTION_LOST)),
        ANY,
    ),
    "events of which some come joined": (
        opened(),
        (tool_page("add"), streamed(1200.0, 1201.0, 1800.0, 1801.0, wait_ms=20.0)),
        ANY,
    ),
    "a 202 with a body for a notification": (
        opened(
            initialized(),
            exchange("notifications/initialized", status=202, media="text/plain", body=b"Accepted"),
            era=Era.HANDSHAKE,
        ),
        (tool_page("add"), called("5")),
        WATCHED,
    ),
    "schemas of draft-07, as the TypeScript SDK writes them": (
        opened(),
        (
            exchange(
                "tools/list",
                messages=[ok({**COMPLETE, **CACHED, "tools": [tool("add", inputSchema=ZOD, outputSchema=ZOD)]})],
            ),
            called("5", result={"structuredContent": {"a": 1}}),
        ),
        WATCHED,
    ),
    "many pages": (
        opened(),
        (*(tool_page(f"t{number}", cursor=str(number)) for number in range(40)), tool_page("add"), called("5")),
        WATCHED,
    ),
    "connection lost after the answer": (
        opened(),
        (tool_page("add", media=SSE, unterminated=True), called("5")),
        WATCHED,
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_no_detector_speaks_on_a_healthy_conversation(name: str) -> None:
    opening, answers, watched = HEALTHY[name]

    judged = judge(opening, *answers, endpoint=watched)

    assert judged.ids == []
    assert judged.verdict is Verdict.UP
    assert Outcome.FAIL not in {result.outcome for result in judged.results}


@pytest.mark.parametrize("name", ["stateless", "handshake after a refused discover"])
def test_every_check_passes_on_an_ordinary_server(name: str) -> None:
    opening, answers, watched = HEALTHY[name]

    outcomes = {result.check: result.outcome for result in judge(opening, *answers, endpoint=watched).results}

    assert outcomes == {
        "lifecycle": Outcome.PASS,
        "tools_list": Outcome.PASS,
        "sentinel_call": Outcome.PASS,
        "streaming": Outcome.SKIP,
    }


def test_the_quick_profile_asks_for_the_tool_list_only() -> None:
    judged = judge(opened(), tool_page("add"), endpoint=WATCHED, profile=Profile.QUICK)

    assert [result.check for result in judged.results] == ["lifecycle", "tools_list"]
    assert [method for method, _, _ in judged.wire.asked] == ["tools/list"]


def test_a_deviation_in_the_opening_makes_no_fault_of_what_was_tried_before_it() -> None:
    foreign = exchange("server/discover", body=b'{"ok": true}', headers=FUNCTION_URL)
    opening = opened(foreign, initialized(), notified(status=200), era=Era.HANDSHAKE)
    judged = judge(opening, tool_page("add"))
    assert judged.result("lifecycle").outcome is Outcome.WARN
    assert (judged.ids, judged.verdict) == ([], Verdict.UP)
