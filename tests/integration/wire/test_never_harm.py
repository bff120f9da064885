"""What the wire must never do to a server, and what it must not leave behind on one."""

import asyncio
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest

from checks.messages import result_of
from checks.model import Endpoint, Failure
from checks.spec import Era, Transport
from prober.clock import SystemClock
from prober.limits import Limits
from prober.wire.connect import connect
from tests.integration.wire.scripted import (
    SOON_S,
    TOOLS,
    LegacyServer,
    Out,
    Prober,
    Request,
    Server,
    failure_of,
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


async def take_note_of_cancellations(request: Request, out: Out) -> None:
    """Never answers a call, and takes notifications."""
    if request.rpc_method == "tools/call":
        await asyncio.sleep(60)
    await out.reply(202)


def ids_on(server: Server) -> list[str]:
    """Every id and progress token that the server was sent."""
    envelopes = [request.json for request in server.requests if request.body]
    ids = [envelope["id"] for envelope in envelopes if "id" in envelope]
    metas = [envelope.get("params", {}).get("_meta", {}) for envelope in envelopes]
    return [*ids, *(meta["progressToken"] for meta in metas if "progressToken" in meta)]


# before the handshake, and beside it


@pytest.mark.parametrize("settings", [{"era": Era.HANDSHAKE}, {"protocol_version": "2025-06-18"}, {"memory": True}])
async def test_no_request_precedes_a_handshake_that_is_pinned_or_remembered(
    prober: Prober, settings: dict[str, Any]
) -> None:
    memory = None
    if settings.pop("memory", False):
        memory = remembered_handshake("2025-11-25", datetime.now(UTC) - timedelta(hours=1))
    async with running(handshake(list_tools)) as server:
        wire = await prober.open(server.url, remembered=memory, **settings)
        await wire.request("tools/list")
        await prober.close()
    assert server.asked == ["initialize", "notifications/initialized", "tools/list", "DELETE"]


async def test_no_request_precedes_the_handshake_on_a_stream_of_the_older_transport(prober: Prober) -> None:
    async with running(LegacyServer()) as server:
        wire = await prober.open(server.url, transport=Transport.SSE)
        await wire.request("tools/list")
        await prober.close()
    assert server.asked == ["GET", "initialize", "notifications/initialized", "tools/list"]


@pytest.mark.parametrize("era", list(Era))
async def test_no_stream_is_opened_by_a_get(prober: Prober, era: Era) -> None:
    async with running(stateless(list_tools) if era is Era.STATELESS else handshake(list_tools)) as server:
        wire = await prober.open(server.url)
        await wire.request("tools/list")
        await wire.at_once("tools/list", 2)
        await wire.request("tools/call", {"name": "add"}, progress=True)
        await prober.close()
    assert "GET" not in server.asked


# ids and repetition


@pytest.mark.parametrize("era", list(Era))
async def test_no_id_is_used_twice_however_it_is_asked(prober: Prober, era: Era) -> None:
    async with running(stateless(list_tools) if era is Era.STATELESS else handshake(list_tools)) as server:
        wire = await prober.open(server.url)
        version = "2026-07-28" if era is Era.STATELESS else "2025-06-18"
        for _ in range(2):
            await wire.request("tools/list", progress=True)
            await wire.at_once("tools/list", 2)
            await wire.open_beside(era, version)
        await wire.request("ping", progress=True)
    ids = ids_on(server)
    assert len(ids) >= 12
    assert len(set(ids)) == len(ids)


async def test_no_id_is_used_twice_by_two_probes(prober: Prober) -> None:
    async with running(stateless(list_tools)) as server:
        for _ in range(2):
            await (await prober.open(server.url)).request("tools/list")
    assert len(set(ids_on(server))) == 4


@pytest.mark.parametrize("era", list(Era))
async def test_a_tool_is_called_once_whatever_becomes_of_the_call(prober: Prober, era: Era) -> None:
    async def fail(request: Request, out: Out) -> None:
        name = request.json["params"].get("name") if request.body else None
        if name == "reset":
            out.writer.transport.abort()
        elif name == "cut":
            await out.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nContent-Type: application/json\r\n\r\n{")
            out.writer.close()
        elif name == "busy":
            await out.reply(503, b"", "Retry-After: 0")
        elif name == "broken off":
            await out.stream()
            await out.chunk("id: 1\ndata:\nretry: 0\n\n")
            await out.end()
        else:
            await out.reply(405)

    names = ["reset", "cut", "busy", "broken off"]
    async with running(stateless(fail) if era is Era.STATELESS else handshake(fail)) as server:
        wire = await prober.open(server.url)
        for name in names:
            await wire.request("tools/call", {"name": name})
    calls = [request for request in server.requests if request.rpc_method == "tools/call"]
    assert [request.json["params"]["name"] for request in calls] == names


# calls that are left


async def test_a_call_that_missed_the_deadline_is_cancelled_before_the_session_ends(prober: Prober) -> None:
    async with running(handshake(take_note_of_cancellations)) as server:
        wire = await prober.open(server.url, timeout_s=SOON_S)
        call = await wire.request("tools/call", {"name": "slow"})
        assert server.asked[-1] == "tools/call"
        await prober.close()
    assert failure_of(call) == (Failure.DEADLINE, "no-answer")
    assert server.asked[-3:] == ["tools/call", "notifications/cancelled", "DELETE"]
    cancelled = server.requests[-2]
    assert cancelled.json["params"]["requestId"] == call.rpc_id
    assert "id" not in cancelled.json
    assert (cancelled.headers["mcp-session-id"], cancelled.headers["mcp-protocol-version"]) == ("s-1", "2025-11-25")


async def test_a_call_on_the_older_transport_is_cancelled_before_its_stream_closes(prober: Prober) -> None:
    async with running(LegacyServer(answers=False)) as server:
        wire = await prober.open(server.url, timeout_s=SOON_S, transport=Transport.SSE)
        call = await wire.request("tools/call", {"name": "slow"})
        await prober.close()
    assert server.asked[-2:] == ["tools/call", "notifications/cancelled"]
    assert server.requests[-1].json["params"]["requestId"] == call.rpc_id
    assert server.requests[-1].target == "/messages/?session_id=1"


async def test_a_call_whose_stream_never_ends_is_cancelled_as_well() -> None:
    async def script(request: Request, out: Out) -> None:
        if request.rpc_method == "notifications/cancelled":
            await out.reply(202)
            return
        await out.stream()
        while True:
            await out.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})

    prober = make_prober(Limits(events=5))
    async with running(handshake(script)) as server:
        wire = await prober.open(server.url)
        call = await wire.request("tools/call", {"name": "chatty"})
        await prober.close()
    assert failure_of(call) == (Failure.LIMIT, "too-many-events")
    assert server.asked[-2:] == ["notifications/cancelled", "DELETE"]


async def test_a_call_is_cancelled_when_the_probe_itself_is(prober: Prober) -> None:
    called = asyncio.Event()

    async def script(request: Request, out: Out) -> None:
        if request.rpc_method == "tools/call":
            called.set()
        await take_note_of_cancellations(request, out)

    async with running(handshake(script)) as server:
        wire = await prober.open(server.url)
        asking = asyncio.create_task(wire.request("tools/call", {"name": "slow"}))
        await called.wait()
        asking.cancel()
        await asyncio.wait([asking])
        await prober.close()
    assert asking.cancelled()
    assert server.asked[-2:] == ["notifications/cancelled", "DELETE"]


async def test_in_the_stateless_era_hanging_up_is_the_cancellation(prober: Prober) -> None:
    hung_up = asyncio.Event()

    async def script(_: Request, out: Out) -> None:
        assert await out.reader.read() == b""
        hung_up.set()

    async with running(stateless(script)) as server:
        wire = await prober.open(server.url, timeout_s=SOON_S)
        await wire.request("tools/call", {"name": "slow"})
        async with asyncio.timeout(20):
            await hung_up.wait()
        await prober.close()
    assert server.asked == ["server/discover", "tools/call"]


async def test_nothing_is_cancelled_that_is_over_or_no_call_or_a_task(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        if request.rpc_method == "tools/call" and "task" in request.json["params"]:
            await asyncio.sleep(60)
        elif request.rpc_method == "tools/call":
            await out.json(result(request, {"content": []}))
        else:
            await asyncio.sleep(60)

    for method, params in (("tools/call", {"name": "slow", "task": {}}), ("tools/list", {})):
        async with running(handshake(script)) as server:
            wire = await prober.open(server.url, timeout_s=SOON_S)
            answered = await wire.request("tools/call", {"name": "quick"})
            left = await wire.request(method, params)
            unsent = await wire.request("tools/call", {"name": "too late"})
            await prober.close()
        assert result_of(answered) == {"content": []}
        assert failure_of(left) == (Failure.DEADLINE, "no-answer")
        assert failure_of(unsent) == (Failure.DEADLINE, "exhausted")
        assert "notifications/cancelled" not in server.asked
        assert server.asked[-1] == "DELETE"


# the end


async def test_a_cancellation_that_hangs_leaves_time_to_end_the_session() -> None:
    prober = make_prober(Limits(close_s=SOON_S))
    async with running(without_an_end(hang)) as server:
        wire = await prober.open(server.url, timeout_s=SOON_S)
        await wire.request("tools/call", {"name": "slow"})
        began = monotonic()
        await prober.close()
        took = monotonic() - began
    assert server.asked[-2:] == ["notifications/cancelled", "DELETE"]
    assert took < 10


async def test_a_session_is_ended_when_the_opening_is_broken_off(prober: Prober) -> None:
    waiting = asyncio.Event()

    async def script(request: Request, out: Out) -> None:
        if request.rpc_method == "notifications/initialized":
            waiting.set()
            await asyncio.sleep(60)
        await handshake(list_tools)(request, out)

    async with running(script) as server:
        opening = asyncio.create_task(
            connect(
                Endpoint(name="scripted", url=server.url, era=Era.HANDSHAKE),
                net=prober.net,
                clock=SystemClock(),
                headers=(),
                remembered=None,
                deadline=asyncio.get_running_loop().time() + 5,
            )
        )
        await waiting.wait()
        opening.cancel()
        await asyncio.wait([opening])
    assert opening.cancelled()
    assert server.asked == ["initialize", "notifications/initialized", "DELETE"]


async def test_a_session_is_ended_by_one_delete_after_any_failure(prober: Prober) -> None:
    async def script(_: Request, out: Out) -> None:
        out.writer.transport.abort()

    async with running(handshake(script)) as server:
        wire = await prober.open(server.url)
        failed = await wire.request("tools/call", {"name": "crash"})
        await prober.close()
        await wire.close()
    assert failure_of(failed) == (Failure.CONNECTION_LOST, "before-answer")
    assert server.asked.count("DELETE") == 1
    assert server.requests[-1].headers["mcp-session-id"] == "s-1"


async def test_a_session_that_came_with_an_unusable_answer_is_left_alone(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        await out.json(result(request, TOOLS), "Mcp-Session-Id: s-1")

    async with running(script) as server:
        wire = await prober.open(server.url, era=Era.HANDSHAKE)
        await prober.close()
    assert not wire.opening.established
    assert server.asked == ["initialize"]


@pytest.mark.parametrize("endpoint", ["http://[x", "//[::1", "http://h:99999999/", "http://a@b@c/"])
async def test_an_endpoint_that_cannot_be_read_is_refused_and_breaks_nothing(prober: Prober, endpoint: str) -> None:
    async with running(LegacyServer(endpoint)) as server:
        wire = await prober.open(server.url, transport=Transport.SSE)
    assert not wire.opening.established
    assert "initialize" not in server.asked
    assert failure_of(wire.opening.exchanges[-1]) == (Failure.PROTOCOL, "foreign-endpoint")
