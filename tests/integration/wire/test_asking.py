"""The other ways to ask: altered requests, many at once, other openings, subscriptions, preflights, documents."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from checks.messages import error_of, result_of
from checks.model import Failure
from checks.spec import META_CLIENT_CAPABILITIES, META_VERSION, Era, Transport
from checks.wire import Alteration
from prober.limits import Limits
from prober.wire.redact import SentHeader
from tests.integration.wire.scripted import (
    BEARER,
    DISCOVERED,
    TENANT,
    TOOLS,
    Certificates,
    LegacyServer,
    Out,
    Prober,
    Request,
    error,
    failure_of,
    handshake,
    list_tools,
    make_prober,
    result,
    running,
    stateless,
    trusting,
    without_an_end,
)

API_KEY = SentHeader(name="X-Api-Key", value="key-123456789", shown="${env:KEY}")


# altered requests


async def test_headers_of_a_stateless_request_are_replaced_left_out_and_added(prober: Prober) -> None:
    headers = {"mcp-method": "tools/call", "Accept": "application/json", "Content-Type": None, "Origin": "https://o"}
    async with running(stateless(list_tools)) as server:
        wire = await prober.open(server.url)
        exchange = await wire.request("tools/list", altered=Alteration(headers=headers))
    sent = server.requests[-1].headers
    assert (sent["mcp-method"], sent["accept"], sent["origin"]) == ("tools/call", "application/json", "https://o")
    assert "content-type" not in sent
    assert sent["mcp-protocol-version"] == "2026-07-28"
    names = [name.lower() for name, _ in exchange.request_headers]
    assert len(names) == len(set(names))
    assert server.requests[-1].json["method"] == "tools/list"


async def test_the_name_and_the_version_in_the_headers_can_differ_from_the_body(prober: Prober) -> None:
    headers = {"Mcp-Name": "other", "MCP-Protocol-Version": "1900-01-01"}
    async with running(stateless(list_tools)) as server:
        wire = await prober.open(server.url)
        await wire.request("resources/read", {"uri": "a://b"}, altered=Alteration(headers=headers))
    request = server.requests[-1]
    assert (request.headers["mcp-name"], request.headers["mcp-protocol-version"]) == ("other", "1900-01-01")
    assert request.json["params"]["_meta"][META_VERSION] == "2026-07-28"
    assert request.json["params"]["uri"] == "a://b"


async def test_members_of_meta_are_replaced_and_left_out(prober: Prober) -> None:
    meta = {META_VERSION: "1900-01-01", META_CLIENT_CAPABILITIES: None, "io.example/more": 1}
    async with running(stateless(list_tools)) as server:
        wire = await prober.open(server.url)
        await wire.request("tools/list", altered=Alteration(meta=meta))
        everything = dict.fromkeys(server.requests[0].json["params"]["_meta"])
        await wire.request("tools/list", altered=Alteration(meta=everything))
    sent = server.requests[-2].json["params"]["_meta"]
    assert (sent[META_VERSION], sent["io.example/more"]) == ("1900-01-01", 1)
    assert META_CLIENT_CAPABILITIES not in sent
    assert server.requests[-2].headers["mcp-protocol-version"] == "2026-07-28"
    assert "_meta" not in server.requests[-1].json["params"]


async def test_a_handshake_request_is_altered_in_its_session_and_revision(prober: Prober) -> None:
    async with running(handshake(list_tools)) as server:
        wire = await prober.open(server.url)
        await wire.request("tools/list", altered=Alteration(headers={"Mcp-Session-Id": None}))
        await wire.request("ping", altered=Alteration(headers={"MCP-Protocol-Version": "1900-01-01"}))
        await wire.request("tools/list")
    without, other, plain = (request.headers for request in server.requests[-3:])
    assert "mcp-session-id" not in without
    assert without["mcp-protocol-version"] == "2025-11-25"
    assert (other["mcp-session-id"], other["mcp-protocol-version"]) == ("s-1", "1900-01-01")
    assert (plain["mcp-session-id"], plain["mcp-protocol-version"]) == ("s-1", "2025-11-25")


async def test_a_request_of_the_older_transport_is_altered_too(prober: Prober) -> None:
    async with running(LegacyServer()) as server:
        wire = await prober.open(server.url, transport=Transport.SSE, headers=[BEARER])
        altered = Alteration(headers={"Origin": "https://o"}, with_credentials=False)
        exchange = await wire.request("tools/list", altered=altered)
    assert result_of(exchange) is not None
    sent = server.requests[-1].headers
    assert sent["origin"] == "https://o"
    assert "authorization" not in sent
    assert server.requests[-2].headers["authorization"] == BEARER.value


@pytest.mark.parametrize("era", list(Era))
async def test_a_request_can_go_without_the_credentials_of_the_owner(prober: Prober, era: Era) -> None:
    then = stateless(list_tools) if era is Era.STATELESS else handshake(list_tools)
    async with running(then) as server:
        wire = await prober.open(server.url, era=era, headers=[BEARER, API_KEY, TENANT])
        exchange = await wire.request("tools/list", altered=Alteration(with_credentials=False))
        await wire.request("tools/list")
    without, with_all = (request.headers for request in server.requests[-2:])
    assert "authorization" not in without
    assert "x-api-key" not in without
    assert without["x-tenant"] == "blue"
    assert (with_all["authorization"], with_all["x-api-key"]) == (BEARER.value, API_KEY.value)
    assert "Authorization" not in dict(exchange.request_headers)


@pytest.mark.parametrize("value", [None, "Bearer made-up"])
async def test_an_alteration_cannot_reach_credentials(prober: Prober, value: str | None) -> None:
    names = ("Authorization", "x-api-key", "Cookie", "X-Amz-Security-Token", "x-custom")
    own = SentHeader(name="X-Custom", value="custom-123456789", shown="${env:CUSTOM}")
    async with running(stateless(list_tools)) as server:
        wire = await prober.open(server.url, headers=[BEARER, API_KEY, own])
        await wire.request("tools/list", altered=Alteration(headers=dict.fromkeys(names, value)))
    sent = server.requests[-1].headers
    assert (sent["authorization"], sent["x-api-key"], sent["x-custom"]) == (BEARER.value, API_KEY.value, own.value)
    assert "cookie" not in sent
    assert "x-amz-security-token" not in sent


async def test_a_plain_header_of_the_owner_and_one_of_the_client_can_be_altered(prober: Prober) -> None:
    async with running(stateless(list_tools)) as server:
        wire = await prober.open(server.url, headers=[TENANT])
        altered = Alteration(headers={"X-Tenant": "red", "User-Agent": None})
        exchange = await wire.request("tools/list", altered=altered)
    assert server.requests[-1].headers["x-tenant"] == "red"
    assert dict(exchange.request_headers)["X-Tenant"] == "red"
    assert "user-agent" not in server.requests[-1].headers


# many at once


async def test_many_requests_run_at_once_over_connections_of_their_own_in_one_session(prober: Prober) -> None:
    together = asyncio.Barrier(4)

    async def wait_for_all(request: Request, out: Out) -> None:
        await together.wait()
        await out.json(result(request, TOOLS))

    async with running(handshake(wait_for_all)) as server:
        wire = await prober.open(server.url)
        exchanges = await wire.at_once("tools/list", 4)
        await prober.close()
    asked = [request for request in server.requests if request.rpc_method == "tools/list"]
    assert len({request.connection for request in asked} | {server.requests[0].connection}) == 5
    assert {request.headers["mcp-session-id"] for request in asked} == {"s-1"}
    assert [exchange.id for exchange in exchanges] == ["x4", "x5", "x6", "x7"]
    assert all(result_of(exchange) == TOOLS for exchange in exchanges)
    assert not any(exchange.reused_connection for exchange in exchanges)
    assert all(exchange.offset_ms > 0 for exchange in exchanges)
    assert server.asked[-1] == "DELETE"
    assert server.requests[-1].connection == server.requests[0].connection


async def test_a_stateless_conversation_asks_many_at_once_as_well(prober: Prober) -> None:
    async with running(stateless(list_tools)) as server:
        wire = await prober.open(server.url)
        exchanges = await wire.at_once("tools/list", 3)
    assert len({request.connection for request in server.requests}) == 4
    assert len({exchange.rpc_id for exchange in exchanges}) == 3
    assert {request.headers["mcp-method"] for request in server.requests[1:]} == {"tools/list"}


async def test_one_of_many_that_fails_takes_none_of_the_others_with_it(prober: Prober) -> None:
    async def break_one(request: Request, out: Out) -> None:
        if request.connection == 3:
            out.writer.transport.abort()
        else:
            await out.json(result(request, TOOLS))

    async with running(handshake(break_one)) as server:
        wire = await prober.open(server.url)
        exchanges = await wire.at_once("tools/list", 3)
    failures = [failure_of(exchange) for exchange in exchanges]
    assert failures.count((Failure.CONNECTION_LOST, "before-answer")) == 1
    assert failures.count(None) == 2
    assert server.asked.count("tools/list") == 3


async def test_nothing_is_asked_at_once_where_a_conversation_is_one_connection_or_none_is_open(prober: Prober) -> None:
    async with running(LegacyServer()) as server:
        wire = await prober.open(server.url, transport=Transport.SSE)
        before = len(server.requests)
        assert await wire.at_once("tools/list", 3) == ()
        assert len(server.requests) == before
    closed = await prober.open(server.url)
    assert not closed.opening.established
    assert await closed.at_once("tools/list", 3) == ()


# sessions


async def test_a_session_is_ended_once_and_later_requests_still_carry_it(prober: Prober) -> None:
    async with running(handshake(list_tools)) as server:
        wire = await prober.open(server.url)
        ended = await wire.end_session()
        again = await wire.end_session()
        await wire.request("tools/list")
        await prober.close()
    assert ended is not None
    assert (ended.method, ended.status) == ("DELETE", 200)
    assert again is None
    assert server.asked[-2:] == ["DELETE", "tools/list"]
    assert server.requests[-1].headers["mcp-session-id"] == "s-1"


@pytest.mark.parametrize(("version", "session"), [("2024-11-05", "s"), ("2025-03-26", "s"), ("2025-11-25", None)])
async def test_a_session_is_not_ended_where_there_is_none_or_that_is_not_safe(
    prober: Prober, version: str, session: str | None
) -> None:
    async with running(handshake(list_tools, version, session)) as server:
        wire = await prober.open(server.url)
        assert await wire.end_session() is None
    assert "DELETE" not in server.asked


async def test_other_conversations_have_no_session_to_end(prober: Prober) -> None:
    async with running(stateless(list_tools)) as server:
        assert await (await prober.open(server.url)).end_session() is None
    async with running(LegacyServer()) as server:
        assert await (await prober.open(server.url, transport=Transport.SSE)).end_session() is None


async def test_the_end_of_a_session_is_waited_for_no_longer_than_its_budget() -> None:
    prober = make_prober(Limits(close_s=0.1))
    async with running(without_an_end(list_tools)) as server:
        wire = await prober.open(server.url)
        async with asyncio.timeout(20):
            ended = await wire.end_session()
            await prober.close()
    assert ended is not None
    assert failure_of(ended) == (Failure.DEADLINE, "no-answer")
    assert server.asked.count("DELETE") == 1


# other openings


async def test_another_handshake_beside_is_opened_by_its_revision_and_ended_again(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        offered = request.json["params"]["protocolVersion"] if request.rpc_method == "initialize" else "2025-11-25"
        await handshake(list_tools, offered, f"s-{offered}")(request, out)

    async with running(script) as server:
        wire = await prober.open(server.url, era=Era.HANDSHAKE)
        beside = await wire.open_beside(Era.HANDSHAKE, "2025-06-18")
        after = server.asked[2:]
        await wire.request("tools/list")
    assert beside.opener is not None
    assert (beside.opener.protocol_version, beside.opener.era) == ("2025-06-18", Era.HANDSHAKE)
    assert beside.opener.reason == "initialize negotiated 2025-06-18"
    assert (beside.server_name, beside.has_session) == ("scripted", True)
    assert [exchange.rpc_method for exchange in beside.exchanges] == ["initialize", "notifications/initialized"]
    assert after == ["initialize", "notifications/initialized", "DELETE"]
    offered, *later = server.requests[2:5]
    assert offered.json["params"]["protocolVersion"] == "2025-06-18"
    assert {request.headers["mcp-session-id"] for request in later} == {"s-2025-06-18"}
    assert server.requests[-1].headers["mcp-session-id"] == "s-2025-11-25"
    assert wire.opening.opener is not None
    assert wire.opening.opener.protocol_version == "2025-11-25"


async def test_an_old_revision_beside_is_ended_by_delete_where_the_server_speaks_a_newer_one(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        offered = request.json["params"]["protocolVersion"] if request.rpc_method == "initialize" else "2025-11-25"
        await handshake(list_tools, offered, f"s-{offered}")(request, out)

    async with running(script) as server:
        wire = await prober.open(server.url, era=Era.HANDSHAKE)
        await wire.open_beside(Era.HANDSHAKE, "2024-11-05")
    deleted = [each.headers["mcp-session-id"] for each in server.requests if each.method == "DELETE"]
    assert deleted == ["s-2024-11-05"]


async def test_what_was_negotiated_beside_counts_and_not_what_was_offered(prober: Prober) -> None:
    async with running(handshake(list_tools, "2025-03-26", "s")) as server:
        wire = await prober.open(server.url, era=Era.HANDSHAKE)
        beside = await wire.open_beside(Era.HANDSHAKE, "2025-11-25")
    assert beside.opener is not None
    assert beside.opener.protocol_version == "2025-03-26"
    assert "DELETE" not in server.asked


async def test_the_other_era_is_tried_beside_and_no_other_way_after_it(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        if request.rpc_method == "initialize":
            await out.json(error(request, -32022, "no", {"supported": ["2026-07-28"]}), status=400)
        else:
            await stateless(list_tools)(request, out)

    async with running(script) as server:
        wire = await prober.open(server.url)
        refused = await wire.open_beside(Era.HANDSHAKE, "2025-11-25")
        opened = await wire.open_beside(Era.STATELESS, "2026-07-28")
        unknown = await wire.open_beside(Era.STATELESS, "2099-01-01")
    assert not refused.established
    assert [exchange.status for exchange in refused.exchanges] == [400]
    assert opened.opener is not None
    assert (opened.opener.era, opened.server_name) == (Era.STATELESS, "scripted")
    assert not unknown.established
    assert server.asked == ["server/discover", "initialize", "server/discover", "server/discover"]
    assert server.requests[-1].headers["mcp-protocol-version"] == "2099-01-01"


async def test_a_session_beside_is_ended_after_a_failure_too() -> None:
    async def script(request: Request, out: Out) -> None:
        if request.rpc_method == "notifications/initialized" and len(server.requests) > 3:
            await asyncio.sleep(60)
        await handshake(list_tools)(request, out)

    prober = make_prober()
    async with running(script) as server:
        wire = await prober.open(server.url, timeout_s=0.5, era=Era.HANDSHAKE)
        beside = await wire.open_beside(Era.HANDSHAKE, "2025-11-25")
        assert server.asked[-1] == "DELETE"
        assert failure_of(beside.exchanges[-1]) == (Failure.DEADLINE, "no-answer")
        await prober.close()


async def test_a_conversation_beside_one_of_the_older_transport_has_a_stream_of_its_own(prober: Prober) -> None:
    async with running(LegacyServer()) as server:
        wire = await prober.open(server.url, transport=Transport.SSE)
        beside = await wire.open_beside(Era.HANDSHAKE, "2024-11-05")
        stateless_beside = await wire.open_beside(Era.STATELESS, "2026-07-28")
    assert beside.established
    assert server.asked == ["GET", "initialize", "notifications/initialized"] * 2
    assert not stateless_beside.established
    assert failure_of(stateless_beside.exchanges[0]) == (Failure.OBSERVER, "not-open")


async def test_nothing_is_opened_beside_a_wire_that_is_not_open(prober: Prober) -> None:
    async with running(list_tools) as server:
        url = server.url
    wire = await prober.open(url)
    beside = await wire.open_beside(Era.HANDSHAKE, "2025-11-25")
    assert not beside.established
    assert failure_of(beside.exchanges[0]) == (Failure.OBSERVER, "not-open")


# subscriptions


async def test_a_subscription_is_left_at_its_acknowledgement() -> None:
    hung_up = asyncio.Event()

    async def script(request: Request, out: Out) -> None:
        await out.stream()
        params = {"notifications": {"toolsListChanged": True}}
        await out.event({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params})
        assert await out.reader.read() == b""
        hung_up.set()

    prober = make_prober()
    async with running(stateless(script)) as server:
        wire = await prober.open(server.url)
        exchange = await wire.listen({"toolsListChanged": True})
        async with asyncio.timeout(20):
            await hung_up.wait()
        await prober.close()
    assert exchange.transport_error is None
    assert [message.data["method"] for message in exchange.messages] == ["notifications/subscriptions/acknowledged"]
    assert exchange.timings.total_ms < 1000
    request = server.requests[-1]
    assert request.headers["mcp-method"] == "subscriptions/listen"
    assert request.json["params"]["notifications"] == {"toolsListChanged": True}
    assert request.json["params"]["_meta"][META_VERSION] == "2026-07-28"


async def test_a_refused_subscription_is_over_with_its_error(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        await out.json(error(request, -32601, "no such method"), status=404)

    async with running(stateless(script)) as server:
        wire = await prober.open(server.url)
        exchange = await wire.listen({"toolsListChanged": True})
    refused = error_of(exchange)
    assert refused is not None
    assert (exchange.status, refused.code) == (404, -32601)


async def test_a_subscription_that_stays_silent_is_left_before_the_deadline() -> None:
    async def script(_: Request, out: Out) -> None:
        await out.stream()
        await asyncio.sleep(60)

    prober = make_prober(Limits(first_event_s=0.1))
    async with running(stateless(script)) as server:
        wire = await prober.open(server.url)
        async with asyncio.timeout(20):
            exchange = await wire.listen({"toolsListChanged": True})
        assert failure_of(exchange) == (Failure.DEADLINE, "incomplete")
        assert (await wire.pause(1)) is True
        await prober.close()


async def test_nothing_is_subscribed_to_in_the_era_of_handshakes(prober: Prober) -> None:
    async with running(handshake(list_tools)) as server:
        wire = await prober.open(server.url)
        before = len(server.requests)
        exchange = await wire.listen({"toolsListChanged": True})
        assert len(server.requests) == before
    assert failure_of(exchange) == (Failure.OBSERVER, "not-open")
    assert exchange.rpc_method == "subscriptions/listen"


# as others ask


async def test_a_preflight_is_what_a_browser_would_send(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        if request.method == "OPTIONS":
            await out.reply(204, b"", "Access-Control-Allow-Origin: *")
        else:
            await stateless(list_tools)(request, out)

    async with running(script) as server:
        wire = await prober.open(server.url, headers=[BEARER, TENANT])
        names = ["MCP-Protocol-Version", "content-type", "Authorization", "Content-Type"]
        exchange = await wire.preflight("https://app.example", "POST", names)
        await wire.preflight("https://app.example", "GET", [])
    request, without = server.requests[-2:]
    assert (request.method, request.target, request.body) == ("OPTIONS", "/mcp", b"")
    assert request.headers["origin"] == "https://app.example"
    assert request.headers["access-control-request-method"] == "POST"
    assert request.headers["access-control-request-headers"] == "authorization,content-type,mcp-protocol-version"
    assert request.headers["accept"] == "*/*"
    assert not {"authorization", "x-tenant", "content-type", "content-length", "mcp-method"} & set(request.headers)
    assert exchange.status == 204
    assert exchange.header("access-control-allow-origin") == "*"
    assert "access-control-request-headers" not in without.headers


async def test_a_document_is_fetched_without_anything_of_the_owner(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        if request.method == "GET":
            await out.json({"resource": "x"})
        else:
            await stateless(list_tools)(request, out)

    async with running(script) as server:
        wire = await prober.open(server.url, headers=[BEARER, TENANT])
        target = server.url.replace("http://", "HTTP://user:pass@").replace("/mcp", "/.well-known/x?y=1")
        exchange = await wire.fetch(target)
    request = server.requests[-1]
    assert (request.method, request.target) == ("GET", "/.well-known/x?y=1")
    assert request.headers["accept"] == "application/json"
    assert not {"authorization", "x-tenant"} & set(request.headers)
    assert [message.data for message in exchange.messages] == [{"resource": "x"}]
    assert server.connections == 1


async def test_a_redirect_of_a_document_is_not_followed(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        if request.method == "GET":
            await out.reply(302, b"", f"Location: {server.url}/elsewhere")
        else:
            await stateless(list_tools)(request, out)

    async with running(script) as server:
        wire = await prober.open(server.url)
        exchange = await wire.fetch(f"{server.url}/here")
    assert exchange.status == 302
    assert server.asked.count("GET") == 1


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://127.0.0.1:{port}/x",
        "http://127.0.0.1/x",
        "http://localhost:{port}/x",
        "http://127.0.0.1:{port}@evil.example/x",
        "http://127.0.0.1.evil.example:{port}/x",
        "http://127.1:{port}/x",
        "//127.0.0.1:{port}/x",
        "/x",
        "ftp://127.0.0.1:{port}/x",
        "file:///etc/passwd",
        "http://[x",
        "http://127.0.0.1:{port}/\x00",
        "http://\ud800/",
        "",
    ],
)
async def test_a_document_of_another_origin_is_not_asked_for(prober: Prober, elsewhere: str) -> None:
    async with running(stateless(list_tools)) as server:
        wire = await prober.open(server.url)
        port = server.url.split(":")[2].split("/")[0]
        exchange = await wire.fetch(elsewhere.replace("{port}", port))
        assert (len(server.requests), server.connections) == (1, 1)
    assert failure_of(exchange) == (Failure.BLOCKED, "foreign-origin")
    assert exchange.request_headers == ()
    assert exchange.timings.connect_ms is None
    assert exchange.url.isprintable()


async def test_every_exchange_has_its_number_whatever_way_it_was_asked(prober: Prober) -> None:
    async with running(handshake(list_tools)) as server:
        wire = await prober.open(server.url, era=Era.HANDSHAKE)
        exchanges = [
            *wire.opening.exchanges,
            *(await wire.at_once("ping", 2)),
            await wire.preflight("https://o", "POST", []),
            await wire.fetch("http://elsewhere.example/"),
            await wire.listen({}),
        ]
        beside = await wire.open_beside(Era.HANDSHAKE, "2025-06-18")
        exchanges += [*beside.exchanges]
    numbers = [int(exchange.id.removeprefix("x")) for exchange in exchanges]
    assert numbers == sorted(set(numbers))
    offsets = [exchange.offset_ms for exchange in exchanges]
    assert offsets == sorted(offsets)


# signatures and certificates


class Seal:
    """A signer that puts down what it is shown, and seals it with a counter."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []

    def sign(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Sequence[SentHeader]:
        self.seen.append((method, url, {name.lower(): value for name, value in headers}, body))
        seal = f"AWS4-HMAC-SHA256 Signature={len(self.seen):064x}"
        return [
            SentHeader(name="Authorization", value=seal, shown="${signature}"),
            SentHeader(name="X-Amz-Security-Token", value="session-token-0123456789", shown="${session token}"),
        ]


async def test_a_signer_sees_exactly_what_goes_out_with_every_request() -> None:
    async def script(request: Request, out: Out) -> None:
        if request.method == "GET":
            await out.stream()
            await out.event({"jsonrpc": "2.0", "id": server.requests[-2].json["id"], "result": TOOLS})
            await out.end()
            return
        await out.stream()
        await out.chunk("id: 1\ndata:\nretry: 0\n\n")
        await out.end()

    seal, prober = Seal(), make_prober()
    async with running(handshake(script)) as server:
        url = f"{server.url}/größe?q=a b"
        wire = await prober.open(url, era=Era.HANDSHAKE, headers=[TENANT], signer=seal)
        listed = await wire.request("tools/list", altered=Alteration(headers={"Origin": "https://o"}))
        await prober.close()
    assert result_of(listed) == TOOLS
    assert server.asked == ["initialize", "notifications/initialized", "tools/list", "GET", "DELETE"]
    origin = server.url.removesuffix("/mcp")
    for number, (request, (method, signed_url, headers, body)) in enumerate(
        zip(server.requests, seal.seen, strict=True), start=1
    ):
        sent = dict(request.headers)
        assert sent.pop("authorization").endswith(f"{number:064x}")
        assert sent.pop("x-amz-security-token") == "session-token-0123456789"
        assert (method, signed_url, body) == (request.method, f"{origin}{request.target}", request.body)
        assert headers == sent


async def test_what_goes_without_credentials_goes_unsigned() -> None:
    async def script(request: Request, out: Out) -> None:
        if request.method in ("OPTIONS", "GET"):
            await out.reply(204)
        else:
            await stateless(list_tools)(request, out)

    seal, prober = Seal(), make_prober()
    async with running(script) as server:
        wire = await prober.open(server.url, signer=seal)
        await wire.request("tools/list", altered=Alteration(with_credentials=False))
        await wire.preflight("https://o", "POST", ["authorization"])
        await wire.fetch(f"{server.url}/x")
        await prober.close()
    assert len(seal.seen) == 1
    assert all("authorization" not in request.headers for request in server.requests[1:])


async def test_a_signature_is_never_shown_even_where_the_server_repeats_it() -> None:
    async def echo(request: Request, out: Out) -> None:
        repeated = {name: request.headers[name] for name in ("authorization", "x-amz-security-token")}
        await out.json(error(request, -32603, json.dumps(repeated)), f"X-Echo: {repeated['x-amz-security-token']}")

    prober = make_prober()
    async with running(stateless(echo)) as server:
        wire = await prober.open(server.url, signer=Seal())
        exchange = await wire.request("tools/list")
        await prober.close()
    assert dict(exchange.request_headers)["Authorization"] == "${signature}"
    assert dict(exchange.request_headers)["X-Amz-Security-Token"] == "${session token}"
    assert exchange.header("x-echo") == "[redacted]"
    for secret in ("session-token-0123456789", f"Signature={2:064x}"):
        assert secret not in repr(exchange)


async def test_an_exchange_knows_when_the_certificate_expires(certificates: Certificates) -> None:
    prober = make_prober(trust=trusting(certificates.authority))
    async with running(stateless(list_tools), tls=certificates.server()) as server:
        wire = await prober.open(server.url)
        listed = await wire.request("tools/list")
        await prober.close()
    expires = wire.opening.exchanges[0].certificate_expires_at
    assert expires is not None
    assert expires > datetime.now(UTC)
    assert listed.reused_connection
    assert listed.certificate_expires_at == expires


async def test_an_exchange_without_tls_knows_of_no_certificate(prober: Prober) -> None:
    async with running(stateless(list_tools)) as server:
        wire = await prober.open(server.url)
    assert wire.opening.exchanges[0].certificate_expires_at is None
    assert wire.opening.capabilities == DISCOVERED["capabilities"]
