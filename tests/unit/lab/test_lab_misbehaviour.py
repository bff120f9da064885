"""Wrappers that break a good server in one way, and leave the rest of it alone."""

import json
from typing import Any

import pytest

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import apart
from prober.lab.http import CutShort, Request, Response
from prober.lab.runtime.function import FunctionFailed
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer
from tests.unit.lab.messages import META, VERSION, Post, events_of, handshake, json_of, stateless


async def test_one_method_s_result_is_changed_and_nothing_else(post: Post) -> None:
    app = bad.rewritten(StatelessServer(streams=False), {"tools/list": lambda result: {**result, "tools": []}})
    assert (await json_of(await app(stateless(post, "tools/list"))))["result"]["tools"] == []
    assert (await json_of(await app(stateless(post, "server/discover"))))["result"]["supportedVersions"] == [VERSION]
    refused = await app(stateless(post, "tools/list", Mcp_Method=None))
    assert (await json_of(refused))["error"]["code"] == -32020


async def test_an_event_stream_is_left_as_it_is(post: Post) -> None:
    app = bad.rewritten(HandshakeServer(has_sessions=False), {"tools/list": lambda result: {}})
    assert (await app(handshake(post, "tools/list"))).header("content-type") == "text/event-stream"


async def test_one_method_s_bytes_are_changed_and_nothing_else(post: Post) -> None:
    app = bad.respelled(StatelessServer(streams=False), "tools/list", lambda body: b"\xef\xbb\xbf" + body)
    assert (await app(stateless(post, "tools/list"))).body.startswith(b"\xef\xbb\xbf{")
    assert (await app(stateless(post, "server/discover"))).body.startswith(b"{")


@pytest.mark.parametrize(
    "contradiction",
    [{"Mcp_Method": "tools/call"}, {"Mcp_Method": None}, {"MCP_Protocol_Version": "2025-11-25"}],
)
async def test_a_heedless_server_serves_what_the_body_says(post: Post, contradiction: dict[str, Any]) -> None:
    app = bad.reread(StatelessServer(streams=False), bad.heedless)
    assert (await app(stateless(post, "tools/list", **contradiction))).status == 200
    call = {"name": "add", "arguments": {"a": 2, "b": 3}}
    assert (await app(stateless(post, "tools/call", call, Mcp_Name="whoami"))).status == 200
    assert (await app(Request(method="GET", target="/mcp"))).status == 405


async def test_a_server_may_take_every_revision_for_its_own_and_still_see_a_contradiction(post: Post) -> None:
    app = bad.reread(StatelessServer(streams=False), bad.speaking(VERSION))
    ancient = {"meta": {f"{META}protocolVersion": "1900-01-01"}, "MCP_Protocol_Version": "1900-01-01"}
    assert (await app(stateless(post, "tools/list", **ancient))).status == 200
    torn = await app(stateless(post, "tools/list", MCP_Protocol_Version="1900-01-01"))
    assert (await json_of(torn))["error"]["code"] == -32020
    legacy = bad.reread(HandshakeServer(has_sessions=False, streams=False), bad.speaking("2025-11-25"))
    assert [
        (await legacy(handshake(post, "ping", MCP_Protocol_Version=each))).status for each in (None, "1900-01-01")
    ] == [200, 200]


async def test_a_handshake_may_be_taken_for_that_of_another_revision(post: Post) -> None:
    change = bad.offering({"2025-11-25": "2025-06-18"})
    app = bad.reread(HandshakeServer(has_sessions=False, streams=False), change)

    async def agreed(version: str) -> Any:
        answer = await json_of(await app(handshake(post, "initialize", {"protocolVersion": version})))
        return answer["result"]["protocolVersion"]

    assert [await agreed(each) for each in ("2025-11-25", "2025-03-26")] == ["2025-06-18", "2025-03-26"]
    assert (await app(handshake(post, "ping"))).status == 200


async def test_a_session_may_outlive_its_end(post: Post) -> None:
    app = bad.undeletable(HandshakeServer(streams=False))
    opening = await app(handshake(post, "initialize", {"protocolVersion": "2025-11-25"}))
    session = opening.header("mcp-session-id")
    end = Request(method="DELETE", target="/mcp", headers=(("Mcp-Session-Id", session or ""),))
    assert (await app(end)).status == 200
    assert (await app(handshake(post, "ping", Mcp_Session_Id=session))).status == 200


async def test_a_session_may_be_badly_named_and_good_all_the_same(post: Post) -> None:
    app = bad.badly_named(HandshakeServer(streams=False), "session ")
    opening = await app(handshake(post, "initialize", {"protocolVersion": "2025-11-25"}))
    session = opening.header("mcp-session-id")
    assert (session or "").startswith("session ")
    assert (await app(handshake(post, "ping", Mcp_Session_Id=session))).status == 200


def test_a_turning_list_begins_with_another_tool_each_time() -> None:
    turn = bad.turning()
    assert [turn({"tools": ["a", "b", "c"]})["tools"] for _ in range(3)] == [
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]


def test_a_task_may_never_end_or_end_wrong() -> None:
    done = {"taskId": "t", "status": "completed", "result": {"structuredContent": {"sum": 5}}}
    assert bad.endless(done) == {"taskId": "t", "status": "working"}
    assert bad.mistaken(done)["result"]["structuredContent"] == {"sum": 6}
    assert bad.mistaken({"status": "working"}) == {"status": "working"}


async def test_a_fixed_result_answers_the_request_that_was_made(post: Post) -> None:
    answer = bad.rpc_result({"a": 1})(post({"jsonrpc": "2.0", "id": "p7", "method": "x"}))
    assert await json_of(answer) == {"jsonrpc": "2.0", "id": "p7", "result": {"a": 1}}


async def test_a_session_may_be_minted_where_there_is_none(post: Post) -> None:
    app = bad.minting(StatelessServer())
    assert (await app(stateless(post, "tools/list"))).header("mcp-session-id") == "lab-session"


async def test_a_subscription_may_be_acknowledged_to_somebody_else(post: Post) -> None:
    (told,) = await events_of(bad.misacknowledged(stateless(post, "subscriptions/listen")))
    assert told["params"]["_meta"] == {f"{META}subscriptionId": 77}


async def test_instances_that_stand_apart_share_no_memory() -> None:
    def app() -> Any:
        own = iter(range(10))

        async def count(request: Request) -> Response:
            return Response(body=json.dumps(next(own)).encode())

        return count

    request = Request(method="POST", target="/mcp")
    warm, fresh = apart(app)(), apart(app, idle_s=0.0)()
    assert [(await warm(request)).body for _ in range(3)] == [b"0", b"1", b"2"]
    assert [(await fresh(request)).body for _ in range(3)] == [b"0"] * 3


async def test_an_instance_that_leaks_dies_of_its_last_request() -> None:
    app = bad.leaking(StatelessServer(), 3)
    asked = Request(method="GET", target="/")
    assert [(await app(asked)).status for _ in range(2)] == [405, 405]
    for _ in range(2):
        with pytest.raises(FunctionFailed, match="signal: killed") as ended:
            await app(asked)
        assert ended.value.lost


async def test_a_server_that_is_gone_still_answers_at_the_one_path() -> None:
    app = bad.gone_but_for("/")
    assert (await app(Request(method="GET", target="/"))).status == 200
    with pytest.raises(ConnectionRefusedError):
        await app(Request(method="POST", target="/mcp"))


async def test_a_broken_stream_ends_within_an_event_and_says_nothing_about_it() -> None:
    request = Request(method="POST", target="/mcp", body=b'{"id":1}')
    body = bad.broken_stream(request).body
    assert b"\n\n" not in await anext(body)
    with pytest.raises(CutShort):
        await anext(body)
