"""Whole conversations with scripted servers: both eras, sessions, the older transport, resumption."""

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checks.messages import error_of, result_of
from checks.model import Failure
from checks.spec import Era, Transport
from prober.limits import Limits
from prober.wire.redact import SentHeader
from tests.integration.wire.scripted import (
    DISCOVERED,
    SOON_S,
    TENANT,
    TOOLS,
    LegacyServer,
    Out,
    Prober,
    Request,
    error,
    handshake,
    hang,
    list_tools,
    make_prober,
    remembered_handshake,
    result,
    running,
    stateless,
    without_an_end,
)


async def test_a_stateless_conversation_says_with_each_request_what_it_speaks(prober: Prober) -> None:
    async with running(stateless(list_tools)) as server:
        wire = await prober.open(server.url)
        await wire.request("tools/list")
        await wire.request("tools/call", {"name": "größe", "arguments": {}}, progress=True)
    opening = wire.opening
    assert opening.opener is not None
    assert (opening.opener.transport, opening.opener.era) == (Transport.STREAMABLE_HTTP, Era.STATELESS)
    assert (opening.server_name, opening.server_version, opening.instructions) == ("scripted", "7", "Be kind.")
    assert opening.capabilities == {"tools": {}}
    assert not opening.has_session
    ids = [request.json["id"] for request in server.requests]
    assert len(set(ids)) == 3
    assert all(isinstance(rpc_id, str) for rpc_id in ids)
    for request in server.requests:
        meta = request.json["params"]["_meta"]
        assert request.headers["accept"] == "application/json, text/event-stream"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["accept-encoding"] == "identity"
        assert request.headers["mcp-method"] == request.json["method"]
        assert request.headers["mcp-protocol-version"] == meta["io.modelcontextprotocol/protocolVersion"]
        assert meta["io.modelcontextprotocol/clientCapabilities"] == {}
        assert meta["io.modelcontextprotocol/clientInfo"]["name"] == "mcp-prober"
    call = server.requests[-1]
    assert call.headers["mcp-name"] == "=?base64?Z3LDtsOfZQ==?="
    assert call.json["params"]["_meta"]["progressToken"] not in ids
    assert server.connections == 1


async def test_arguments_that_a_tool_annotates_travel_in_headers_too(prober: Prober) -> None:
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}

    async def annotated(request: Request, out: Out) -> None:
        await out.json(result(request, {"tools": [{"name": "query", "inputSchema": schema}]}))

    async with running(stateless(annotated)) as server:
        wire = await prober.open(server.url)
        await wire.request("tools/list")
        await wire.request("tools/call", {"name": "query", "arguments": {"region": "eu-1"}})
    assert server.requests[-1].headers["mcp-param-region"] == "eu-1"


async def test_a_handshake_carries_its_session_and_revision_and_ends_with_a_delete(prober: Prober) -> None:
    async with running(handshake(list_tools)) as server:
        wire = await prober.open(server.url)
        listed = await wire.request("tools/list")
        await prober.close()
    assert result_of(listed) == TOOLS
    assert server.asked == ["server/discover", "initialize", "notifications/initialized", "tools/list", "DELETE"]
    assert wire.opening.has_session
    discover, initialize, *later = server.requests
    assert discover.headers["mcp-protocol-version"] == "2026-07-28"
    assert "mcp-session-id" not in initialize.headers
    assert "mcp-protocol-version" not in initialize.headers
    assert initialize.json["params"]["protocolVersion"] == "2025-11-25"
    assert [request.headers["mcp-session-id"] for request in later] == ["s-1"] * 3
    assert [request.headers["mcp-protocol-version"] for request in later] == ["2025-11-25"] * 3
    assert [exchange.id for exchange in wire.opening.exchanges] == ["x1", "x2", "x3"]
    assert [exchange.status for exchange in wire.opening.exchanges] == [400, 200, 202]
    assert listed.reused_connection
    assert wire.opening.exchanges[0].timings.connect_ms is not None
    assert listed.timings.connect_ms is None


@pytest.mark.parametrize(
    ("version", "session", "deleted"),
    [
        ("2024-11-05", "s", False),
        ("2025-03-26", "s", False),
        ("2025-06-18", "s", True),
        ("2025-11-25", None, False),
    ],
)
async def test_a_session_is_deleted_only_where_that_is_safe(
    prober: Prober, version: str, session: str | None, deleted: bool
) -> None:
    async with running(handshake(list_tools, version, session)) as server:
        wire = await prober.open(server.url)
        listed = await wire.request("tools/list")
        await prober.close()
    assert ("DELETE" in server.asked) is deleted
    assert wire.opening.opener is not None
    assert wire.opening.opener.protocol_version == version
    sends_version = version >= "2025-06-18"
    assert (dict(listed.request_headers).get("MCP-Protocol-Version") is not None) is sends_version


async def test_a_session_is_deleted_after_a_failed_request_and_past_the_deadline_too(prober: Prober) -> None:
    async with running(handshake(hang)) as server:
        wire = await prober.open(server.url, timeout_s=SOON_S)
        failed = await wire.request("tools/list")
        await prober.close()
    assert failed.transport_error is not None
    assert (failed.transport_error.failure, failed.transport_error.reason) == (Failure.DEADLINE, "no-answer")
    assert server.asked[-1] == "DELETE"


async def test_a_delete_that_hangs_costs_no_more_than_its_own_budget() -> None:
    prober = make_prober(Limits(close_s=0.1))
    async with running(without_an_end(list_tools)) as server:
        await prober.open(server.url)
        async with asyncio.timeout(20):
            await prober.close()


async def test_an_event_stream_is_read_with_the_arrival_of_each_event(prober: Prober) -> None:
    async def count(request: Request, out: Out) -> None:
        await out.stream()
        for number in range(3):
            await out.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": number}})
            await out.chunk(": ping\n\n")
            await asyncio.sleep(0.05)
        await out.event(result(request, {"content": []}), id="e-9")
        await out.end()

    async with running(stateless(count)) as server:
        wire = await prober.open(server.url)
        exchange = await wire.request("tools/call", {"name": "count"})
        again = await wire.request("tools/list")
    times = [message.at_ms for message in exchange.messages]
    assert len(times) == 4
    assert all(later - earlier >= 40 for earlier, later in itertools.pairwise(times))
    assert (exchange.timings.first_event_ms, exchange.timings.last_event_ms) == (times[0], times[-1])
    assert exchange.timings.first_byte_ms is not None
    assert exchange.timings.first_byte_ms <= times[0]
    assert exchange.comments == 3
    assert exchange.messages[-1].event_id == "e-9"
    assert not exchange.unterminated
    assert b": ping" in exchange.body
    assert again.reused_connection


async def test_a_stream_that_stays_open_after_the_answer_is_left(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        await out.stream()
        await out.event(result(request, TOOLS))
        await out.chunk("data: unfinished")
        await asyncio.sleep(60)

    async with running(stateless(script)) as server:
        wire = await prober.open(server.url)
        exchange = await wire.request("tools/list")
    assert result_of(exchange) == TOOLS
    assert exchange.transport_error is None
    assert not exchange.unterminated
    assert exchange.timings.total_ms < 1000


async def test_an_endless_stream_after_the_answer_is_left_as_well(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        await out.stream()
        await out.event(result(request, TOOLS))
        while True:
            await out.chunk(": ping\n\n")
            await asyncio.sleep(0.01)

    async with running(stateless(script)) as server:
        wire = await prober.open(server.url)
        async with asyncio.timeout(20):
            exchange = await wire.request("tools/list")
    assert result_of(exchange) == TOOLS
    assert exchange.transport_error is None


async def test_an_event_cut_at_the_end_of_the_stream_is_noticed(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        await out.stream()
        await out.chunk("data: " + json.dumps(result(request, TOOLS)))
        await out.end()

    async with running(stateless(script)) as server:
        wire = await prober.open(server.url)
        exchange = await wire.request("tools/list")
    assert exchange.unterminated
    assert exchange.messages == ()


async def test_a_wrong_id_ends_the_wait_and_stays_visible(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        await out.stream()
        await out.event({"jsonrpc": "2.0", "id": "someone else's", "result": TOOLS})
        await asyncio.sleep(60)

    async with running(stateless(script)) as server:
        wire = await prober.open(server.url)
        exchange = await wire.request("tools/list")
    assert result_of(exchange) is None
    assert exchange.messages[0].data["id"] == "someone else's"


async def test_an_answer_that_comes_on_a_resumed_stream_is_found(prober: Prober) -> None:
    asked: list[Any] = []

    async def script(request: Request, out: Out) -> None:
        await out.stream()
        if request.method == "POST":
            asked.append(request.json["id"])
            await out.chunk("id: 3_4\ndata:\nretry: 30\n\n")
            await out.end()
            return
        note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
        await out.event(note, id="3_5")
        await out.event({"jsonrpc": "2.0", "id": asked[0], "result": TOOLS}, id="3_6")
        await asyncio.sleep(60)

    async with running(handshake(script)) as server:
        wire = await prober.open(server.url)
        exchange = await wire.request("tools/call", {"name": "slow"})
    assert result_of(exchange) == TOOLS
    assert exchange.transport_error is None
    assert len(exchange.messages) == 2
    get = server.requests[-1]
    assert (get.method, get.headers["last-event-id"], get.headers["mcp-session-id"]) == ("GET", "3_4", "s-1")
    assert exchange.messages[0].at_ms >= 30
    assert exchange.method == "POST"


async def test_a_stream_that_cannot_be_resumed_keeps_what_was_known(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        if request.method == "GET":
            await out.reply(405)
            return
        await out.stream()
        await out.chunk("id: 1\ndata:\nretry: 0\n\n")
        await out.end()

    async with running(handshake(script)) as server:
        wire = await prober.open(server.url)
        exchange = await wire.request("tools/list")
    assert server.asked.count("GET") == 1
    assert exchange.status == 200
    assert exchange.transport_error is None
    assert exchange.messages == ()


async def test_a_delay_that_leads_past_the_deadline_is_not_waited_for(prober: Prober) -> None:
    async def script(_: Request, out: Out) -> None:
        await out.stream()
        await out.chunk("id: 1\ndata:\nretry: 99999999\n\n")
        await out.end()

    async with running(handshake(script)) as server:
        wire = await prober.open(server.url)
        exchange = await wire.request("tools/list")
    assert exchange.transport_error is not None
    assert exchange.transport_error.reason == "resume-delay"
    assert "GET" not in server.asked


async def test_the_older_transport_is_found_and_answers_come_on_its_stream(prober: Prober) -> None:
    async with running(LegacyServer()) as server:
        wire = await prober.open(server.url)
        listed = await wire.request("tools/list")
        await prober.close()
    assert server.asked == [
        "server/discover",
        "initialize",
        "GET",
        "initialize",
        "notifications/initialized",
        "tools/list",
    ]
    opener = wire.opening.opener
    assert opener is not None
    assert (opener.transport, opener.era, opener.protocol_version) == (Transport.SSE, Era.HANDSHAKE, "2024-11-05")
    assert wire.opening.server_name == "legacy"
    assert listed.status == 202
    assert result_of(listed) == TOOLS
    assert len(listed.messages) == 2
    assert listed.timings.last_event_ms is not None
    assert listed.timings.total_ms >= listed.timings.last_event_ms
    posts = server.requests[3:]
    assert {request.target for request in posts} == {"/messages/?session_id=1"}
    assert all("mcp-protocol-version" not in request.headers for request in posts)


@pytest.mark.parametrize("endpoint", ["http://elsewhere.example/messages", "//evil.example/x", "https://127.0.0.1/x"])
async def test_an_endpoint_of_another_origin_is_not_followed(prober: Prober, endpoint: str) -> None:
    async with running(LegacyServer(endpoint)) as server:
        wire = await prober.open(server.url, transport=Transport.SSE)
    assert not wire.opening.established
    refused = wire.opening.exchanges[-1].transport_error
    assert refused is not None
    assert (refused.failure, refused.reason) == (Failure.PROTOCOL, "foreign-endpoint")
    assert server.asked == ["GET"]


async def test_a_stream_whose_first_event_names_no_endpoint_is_no_way_in(prober: Prober) -> None:
    async def script(_: Request, out: Out) -> None:
        await out.stream()
        await out.event({"hello": 1})
        await asyncio.sleep(60)

    async with running(script) as server:
        wire = await prober.open(server.url, transport=Transport.SSE)
    error_seen = wire.opening.exchanges[-1].transport_error
    assert error_seen is not None
    assert error_seen.reason == "no-endpoint-event"


async def test_a_silent_stream_is_not_waited_for_until_the_deadline() -> None:
    async def script(_: Request, out: Out) -> None:
        await out.stream()
        await asyncio.sleep(60)

    prober = make_prober(Limits(first_event_s=0.1))
    async with running(script) as server:
        wire = await prober.open(server.url, transport=Transport.SSE)
        error_seen = wire.opening.exchanges[-1].transport_error
        assert error_seen is not None
        assert (error_seen.failure, error_seen.reason) == (Failure.DEADLINE, "no-event")
        await prober.close()


async def test_a_request_that_the_stream_never_answers_ends_at_the_deadline(prober: Prober) -> None:
    async with running(LegacyServer(answers=False)) as server:
        wire = await prober.open(server.url, timeout_s=0.5, transport=Transport.SSE)
        exchange = await wire.request("tools/list")
    assert exchange.status == 202
    assert exchange.transport_error is not None
    assert (exchange.transport_error.failure, exchange.transport_error.reason) == (Failure.DEADLINE, "no-answer")


async def test_a_stream_that_ends_leaves_its_requests_lost(prober: Prober) -> None:
    class Ending(LegacyServer):
        async def _answer(self, request: Request) -> None:
            if request.rpc_method == "tools/list":
                assert self.stream is not None
                await self.stream.end()
            else:
                await super()._answer(request)

    async with running(Ending()) as server:
        wire = await prober.open(server.url, transport=Transport.SSE)
        exchange = await wire.request("tools/list")
    assert exchange.transport_error is not None
    assert exchange.transport_error.failure is Failure.CONNECTION_LOST


async def test_the_remembered_way_is_taken_at_once_and_keeps_its_reason_and_age(prober: Prober) -> None:
    at = datetime.now(UTC) - timedelta(hours=2)
    memory = remembered_handshake("2025-06-18", at)
    async with running(handshake(list_tools)) as server:
        wire = await prober.open(server.url, remembered=memory)
    assert server.asked[0] == "initialize"
    opener = wire.opening.opener
    assert opener is not None
    assert (opener.reason, opener.chosen_at, opener.protocol_version) == ("as it was", at, "2025-11-25")


async def test_a_session_id_of_a_refusal_is_not_used(prober: Prober) -> None:
    async with running(handshake(list_tools, session=None)) as server:
        wire = await prober.open(server.url)
        await wire.request("tools/list")
        await prober.close()
    assert all(request.headers.get("mcp-session-id") is None for request in server.requests)
    assert not wire.opening.has_session


async def test_a_refusal_at_the_door_ends_the_opening_and_later_requests_are_not_sent(prober: Prober) -> None:
    async def script(_: Request, out: Out) -> None:
        await out.reply(403, b'{"Message":null}', content_type="application/json")

    async with running(script) as server:
        wire = await prober.open(server.url)
        exchange = await wire.request("tools/list")
    assert not wire.opening.established
    assert [each.status for each in wire.opening.exchanges] == [403]
    assert len(server.requests) == 1
    assert exchange.transport_error is not None
    assert (exchange.transport_error.failure, exchange.transport_error.reason) == (Failure.OBSERVER, "not-open")


async def test_a_version_that_the_server_names_is_tried_once_more(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        if len(server.requests) == 1:
            await out.json(error(request, -32022, "no", {"supported": ["2026-07-28"]}), status=400)
        else:
            await out.json(result(request, DISCOVERED))

    async with running(script) as server:
        wire = await prober.open(server.url)
    assert server.asked == ["server/discover", "server/discover"]
    assert wire.opening.established


async def test_secrets_are_sent_but_never_shown(prober: Prober) -> None:
    token = "tok-123456789"

    async def echo(request: Request, out: Out) -> None:
        await out.json(
            error(request, -32603, f"bad credentials: {request.headers['authorization']}"), f"X-Echo: {token}"
        )

    bearer = SentHeader(name="Authorization", value=f"Bearer {token}", shown="Bearer ${env:TOKEN}")
    async with running(stateless(echo)) as server:
        wire = await prober.open(server.url, headers=[bearer, TENANT])
        exchange = await wire.request("tools/call", {"name": token})
    assert all(request.headers["authorization"] == f"Bearer {token}" for request in server.requests)
    assert token not in repr(exchange)
    shown = dict(exchange.request_headers)
    assert shown["Authorization"] == "Bearer ${env:TOKEN}"
    assert shown["X-Tenant"] == "blue"
    assert exchange.header("x-echo") == "[redacted]"
    seen = error_of(exchange)
    assert seen is not None
    assert seen.message.startswith("bad credentials")


async def test_the_query_of_the_address_is_sent_but_never_shown(prober: Prober) -> None:
    async def echo(request: Request, out: Out) -> None:
        await out.json(error(request, -32603, "no such key: k-123456789"), f"Location: {request.target}")

    async with running(stateless(echo)) as server:
        wire = await prober.open(f"{server.url}?api_key=k-123456789")
        exchange = await wire.request("tools/list")
    assert {request.target for request in server.requests} == {"/mcp?api_key=k-123456789"}
    assert wire.opening.established
    assert "k-123456789" not in repr((exchange, wire.opening))
    assert exchange.url == f"{server.url}?[redacted]"


async def test_a_secret_with_a_line_break_is_not_sent_and_not_shown(prober: Prober) -> None:
    broken = SentHeader(name="X-Api-Key", value="made\r\nup: 1", shown="${file:/run/key}")
    async with running(stateless(list_tools)) as server:
        wire = await prober.open(server.url, headers=[broken])
    failed = wire.opening.exchanges[0].transport_error
    assert failed is not None
    assert (failed.failure, failed.reason) == (Failure.OBSERVER, "invalid-header")
    assert "X-Api-Key" in failed.detail
    assert "made" not in failed.detail
    assert server.requests == []
