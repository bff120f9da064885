"""The lab's MCP servers of every era, asked as a faultless client asks."""

import base64
import json
from typing import Any

import pytest

from prober.lab.http import Request
from prober.lab.servers.dual import DualServer
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.legacy_sse import LegacySseServer
from prober.lab.servers.stateless import StatelessServer
from prober.lab.servers.toolbox import ADD, WHOAMI, slow_count
from tests.unit.lab.messages import META, VERSION, Post, events_of, handshake, json_of, stateless


async def quickly(seconds: float) -> None:
    """In place of the sleep of a slow tool."""


async def test_discover_names_the_revision_and_its_caching(post: Post) -> None:
    answer = await json_of(await StatelessServer()(stateless(post, "server/discover")))
    result = answer["result"]
    assert (answer["id"], result["resultType"], result["supportedVersions"]) == ("p1", "complete", [VERSION])
    assert result["cacheScope"] in ("public", "private")
    assert result["ttlMs"] >= 0
    assert result["_meta"][f"{META}serverInfo"]["name"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"MCP_Protocol_Version": None}, 400, -32020),
        ({"MCP_Protocol_Version": "1999-01-01"}, 400, -32020),
        ({"MCP_Protocol_Version": "2025-11-25"}, 400, -32020),
        ({"MCP_Protocol_Version": "1999-01-01", "meta": {f"{META}protocolVersion": "1999-01-01"}}, 400, -32022),
        ({"Mcp_Method": None}, 400, -32020),
        ({"Mcp_Method": "tools/call"}, 400, -32020),
        ({"meta": {f"{META}protocolVersion": "2025-11-25"}}, 400, -32020),
        ({"meta": {f"{META}protocolVersion": None}}, 400, -32602),
        ({"meta": {f"{META}clientCapabilities": None}}, 400, -32602),
        ({"accept": "application/json"}, 406, -32600),
    ],
)
async def test_the_stateless_era_refuses_a_request_that_breaks_a_header_rule(
    post: Post, change: dict[str, Any], status: int, code: int
) -> None:
    response = await StatelessServer()(stateless(post, "tools/list", **change))
    assert (response.status, (await json_of(response))["error"]["code"]) == (status, code)


async def test_an_unknown_revision_is_answered_with_the_known_ones(post: Post) -> None:
    meta = {f"{META}protocolVersion": "1999-01-01"}
    response = await StatelessServer()(stateless(post, "tools/list", meta=meta, MCP_Protocol_Version="1999-01-01"))
    assert (await json_of(response))["error"]["data"] == {"supported": [VERSION], "requested": "1999-01-01"}


async def test_a_stateless_server_refuses_a_handshake_and_names_its_revision(post: Post) -> None:
    response = await StatelessServer()(handshake(post, "initialize", {"protocolVersion": "2025-11-25"}))
    error = (await json_of(response))["error"]
    assert (response.status, error["code"], error["data"]["supported"]) == (400, -32022, [VERSION])


async def test_an_unknown_method_is_a_404_in_the_stateless_era(post: Post) -> None:
    response = await StatelessServer()(stateless(post, "ping"))
    assert (response.status, (await json_of(response))["error"]["code"]) == (404, -32601)


@pytest.mark.parametrize("name", ["add", f"=?base64?{base64.b64encode(b'add').decode()}?="])
async def test_a_call_names_its_tool_in_a_header_plain_or_wrapped(post: Post, name: str) -> None:
    call = stateless(post, "tools/call", {"name": "add", "arguments": {"a": 2, "b": 3}}, Mcp_Name=name)
    result = (await json_of(await StatelessServer()(call)))["result"]
    assert (result["content"][0]["text"], result["structuredContent"], result["isError"]) == ("5", {"sum": 5}, False)


@pytest.mark.parametrize("name", [None, "whoami", "=?base64?%%%?="])
async def test_a_call_whose_header_names_another_tool_is_refused(post: Post, name: str | None) -> None:
    call = stateless(post, "tools/call", {"name": "add", "arguments": {"a": 2, "b": 3}}, Mcp_Name=name)
    response = await StatelessServer()(call)
    assert (response.status, (await json_of(response))["error"]["code"]) == (400, -32020)


async def test_a_progress_token_turns_the_answer_into_an_event_stream(post: Post) -> None:
    server = StatelessServer(tools=[slow_count(quickly)])
    params = {"name": "slow_count", "arguments": {"n": 2, "seconds": 1}}
    call = stateless(post, "tools/call", params, meta={"progressToken": "t"}, Mcp_Name="slow_count")
    response = await server(call)
    assert response.header("content-type") == "text/event-stream"
    first, second, answer = await events_of(response)
    assert [each["params"]["progress"] for each in (first, second)] == [1, 2]
    assert first["params"]["progressToken"] == "t"
    assert (answer["id"], answer["result"]["structuredContent"]) == ("p1", {"count": 2})


async def test_a_server_that_does_not_stream_ignores_the_progress_token(post: Post) -> None:
    server = StatelessServer(tools=[slow_count(quickly)], streams=False)
    params = {"name": "slow_count", "arguments": {"n": 2, "seconds": 1}}
    call = stateless(post, "tools/call", params, meta={"progressToken": "t"}, Mcp_Name="slow_count")
    assert (await server(call)).header("content-type") == "application/json"


async def test_pages_of_the_tool_list_lead_to_every_tool(post: Post) -> None:
    server, names, cursor = StatelessServer(page_size=2), [], None
    for _ in range(2):
        params = {"cursor": cursor} if cursor else {}
        page = (await json_of(await server(stateless(post, "tools/list", params))))["result"]
        names += [tool["name"] for tool in page["tools"]]
        cursor = page.get("nextCursor")
    assert (names, cursor) == (["add", "slow_count", "whoami"], None)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_the_stateless_era_takes_post_alone(method: str) -> None:
    response = await StatelessServer()(Request(method=method, target="/mcp"))
    assert (response.status, response.header("allow")) == (405, "POST")


@pytest.mark.parametrize("server", [StatelessServer(), HandshakeServer()])
@pytest.mark.parametrize(
    ("body", "code"), [(b"{", -32700), (b"[]", -32600), (b'{"jsonrpc":"2.0","method":"x","params":[]}', -32600)]
)
async def test_a_body_that_is_no_message_is_refused(
    post: Post, server: StatelessServer | HandshakeServer, body: bytes, code: int
) -> None:
    response = await server(post(body))
    assert (response.status, (await json_of(response))["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    ("requested", "answered"),
    [("2025-03-26", "2025-03-26"), ("2025-06-18", "2025-06-18"), ("2026-07-28", "2025-06-18"), ("x", "2025-06-18")],
)
async def test_the_handshake_echoes_a_revision_that_it_speaks_and_offers_its_newest_else(
    post: Post, requested: str, answered: str
) -> None:
    server = HandshakeServer(newest="2025-06-18", streams=False)
    response = await server(handshake(post, "initialize", {"protocolVersion": requested}))
    assert (await json_of(response))["result"]["protocolVersion"] == answered


async def test_a_session_lives_from_initialize_to_delete(post: Post) -> None:
    server = HandshakeServer()
    opening = await server(handshake(post, "initialize", {"protocolVersion": "2025-11-25"}))
    session = opening.header("mcp-session-id")
    assert session is not None
    assert (
        await server(handshake(post, "notifications/initialized", rpc_id=None, Mcp_Session_Id=session))
    ).status == 202
    listed = await events_of(await server(handshake(post, "tools/list", Mcp_Session_Id=session)))
    assert [tool["name"] for tool in listed[0]["result"]["tools"]] == ["add", "slow_count", "whoami"]
    end = Request(method="DELETE", target="/mcp", headers=(("Mcp-Session-Id", session),))
    assert [(await server(end)).status for _ in range(2)] == [200, 404]


@pytest.mark.parametrize(("session", "status"), [(None, 400), ("of-another-instance", 404)])
async def test_a_server_with_sessions_refuses_a_request_without_a_known_one(
    post: Post, session: str | None, status: int
) -> None:
    assert (await HandshakeServer()(handshake(post, "tools/list", Mcp_Session_Id=session))).status == status


async def test_a_server_without_sessions_needs_none_and_has_none_to_delete(post: Post) -> None:
    server = HandshakeServer(has_sessions=False, streams=False)
    assert (await json_of(await server(handshake(post, "ping"))))["result"] == {}
    assert (await server(Request(method="DELETE", target="/mcp"))).status == 405


@pytest.mark.parametrize(("newest", "status"), [("2025-11-25", 400), ("2025-03-26", 200)])
async def test_the_version_header_is_judged_only_by_revisions_that_know_it(
    post: Post, newest: str, status: int
) -> None:
    server = HandshakeServer(newest=newest, has_sessions=False, streams=False)
    assert (await server(handshake(post, "ping", MCP_Protocol_Version="1999-01-01"))).status == status


async def opened(post: Post, server: Any, version: str) -> str | None:
    """The id of a fresh session of that revision."""
    return (await server(handshake(post, "initialize", {"protocolVersion": version}))).header("mcp-session-id")


BATCH = [
    {"jsonrpc": "2.0", "id": 1, "method": "ping"},
    {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}},
    {"jsonrpc": "2.0", "id": 2, "method": "nope"},
]


@pytest.mark.parametrize("streams", [False, True])
async def test_a_batch_of_the_revision_that_has_them_is_answered_as_a_whole(post: Post, streams: bool) -> None:
    server = HandshakeServer(streams=streams)
    response = await server(post(BATCH, Mcp_Session_Id=await opened(post, server, "2025-03-26")))
    answered = await events_of(response) if streams else await json_of(response)
    assert [(each["id"], each.get("result"), each.get("error", {}).get("code")) for each in answered] == [
        (1, {}, None),
        (2, None, -32601),
    ]


async def test_a_batch_of_one_is_answered_by_a_batch_and_one_of_notifications_by_nothing(post: Post) -> None:
    server = HandshakeServer(newest="2025-03-26", has_sessions=False, streams=False)
    assert await json_of(await server(post(BATCH[:1]))) == [{"jsonrpc": "2.0", "id": 1, "result": {}}]
    silent = await server(post(BATCH[1:2]))
    assert (silent.status, silent.body) == (202, b"")


async def test_no_other_revision_has_batches_and_no_batch_opens_a_conversation(post: Post) -> None:
    server = HandshakeServer(streams=False)
    later = post(BATCH, Mcp_Session_Id=await opened(post, server, "2025-06-18"))
    opening = post(
        [{"jsonrpc": "2.0", "id": 1, "method": "initialize"}], Mcp_Session_Id=await opened(post, server, "2025-03-26")
    )
    for refused in (later, opening):
        response = await server(refused)
        assert (response.status, (await json_of(response))["error"]["code"]) == (400, -32600)


async def test_a_server_may_speak_one_revision_alone_even_an_unpublished_one(post: Post) -> None:
    server = HandshakeServer(newest="2099-01-01", oldest="2099-01-01", has_sessions=False, streams=False)
    answer = await json_of(await server(handshake(post, "initialize", {"protocolVersion": "2025-11-25"})))
    assert answer["result"]["protocolVersion"] == "2099-01-01"
    assert (await server(handshake(post, "ping", MCP_Protocol_Version="2099-01-01"))).status == 200
    assert (await server(handshake(post, "ping", MCP_Protocol_Version="2025-11-25"))).status == 400


async def test_an_unknown_tool_is_an_error_and_bad_arguments_are_a_failed_call(post: Post) -> None:
    server = HandshakeServer(has_sessions=False, streams=False)
    unknown = await json_of(await server(handshake(post, "tools/call", {"name": "nope"})))
    assert unknown["error"]["code"] == -32602
    failed = await json_of(await server(handshake(post, "tools/call", {"name": "add", "arguments": {"a": "2"}})))
    assert failed["result"]["isError"] is True


async def test_a_dual_server_answers_each_era_in_its_own_way(post: Post) -> None:
    server = DualServer()
    modern = await json_of(await server(stateless(post, "server/discover")))
    assert modern["result"]["supportedVersions"] == [VERSION]
    legacy = await events_of(await server(handshake(post, "initialize", {"protocolVersion": "2025-11-25"})))
    assert legacy[0]["result"]["protocolVersion"] == "2025-11-25"


async def test_legacy_sse_answers_on_the_stream_that_named_the_address(post: Post) -> None:
    server = LegacySseServer(tools=[ADD, WHOAMI])
    stream = (await server(Request(method="GET", target="/sse"))).body
    endpoint = (await anext(stream)).decode()
    assert endpoint.startswith("event: endpoint\ndata: /messages/?session_id=")
    address = endpoint.split("data: ")[1].strip()

    async def send(method: str, params: Any, rpc_id: int = 1) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": rpc_id, "method": method, "params": params}).encode()
        response = await server(Request(method="POST", target=address, body=body))
        assert response.status == 202
        return json.loads((await anext(stream)).decode().split("data: ")[1])

    opening = await send("initialize", {"protocolVersion": "2025-11-25"})
    assert opening["result"]["protocolVersion"] == "2024-11-05"
    assert (await send("tools/call", {"name": "whoami"}, 2))["id"] == 2
    await stream.aclose()
    gone = await server(Request(method="POST", target=address, body=b"{}"))
    assert gone.status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/sse", 405), ("GET", "/messages/", 405), ("GET", "/", 404)]
)
async def test_legacy_sse_keeps_its_two_addresses_apart(method: str, path: str, status: int) -> None:
    assert (await LegacySseServer()(Request(method=method, target=path))).status == status
