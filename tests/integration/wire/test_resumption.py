"""Event streams that a server closes before the answer, to be asked for it again (2025-11-25, basic/transports)."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import pytest

from checks.messages import result_of
from checks.model import Exchange, Failure
from checks.spec import Era
from checks.wire import Alteration
from prober.limits import Limits
from tests.integration.wire.scripted import (
    BEARER,
    TOOLS,
    Out,
    Prober,
    Request,
    Script,
    failure_of,
    handshake,
    make_prober,
    running,
    stateless,
)

PRIMING = "id: 3_4\ndata:\nretry: 10\n\n"
Answers = Callable[[int, Request, Out], Awaitable[None]]


class Polling:
    """Answers a POST by what `post` says and each GET by `get`, which is given the number of the GET."""

    def __init__(self, get: Answers, post: str = PRIMING) -> None:
        self.rpc_id: Any = None
        self.gets = 0
        self.got_at: list[float] = []
        self._get = get
        self._post = post

    async def __call__(self, request: Request, out: Out) -> None:
        if request.method == "GET":
            self.gets += 1
            self.got_at.append(monotonic())
            await self._get(self.gets, request, out)
            return
        self.rpc_id = request.json["id"]
        await out.stream()
        await out.chunk(self._post)
        await out.end()

    async def answer(self, out: Out) -> None:
        await out.event({"jsonrpc": "2.0", "id": self.rpc_id, "result": TOOLS}, id="last")


async def ask(prober: Prober, script: Script, timeout_s: float = 5.0, **settings: Any) -> tuple[Exchange, list[str]]:
    """What came of one call, and the Last-Event-IDs that the server was asked for."""
    async with running(script) as server:
        wire = await prober.open(server.url, timeout_s=timeout_s, **settings)
        exchange = await wire.request("tools/call", {"name": "slow"})
    return exchange, [request.headers["last-event-id"] for request in server.requests if request.method == "GET"]


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_a_stream_with_an_id_is_resumed_whatever_the_revision(prober: Prober, version: str) -> None:
    async def get(_: int, __: Request, out: Out) -> None:
        await out.stream()
        await polling.answer(out)
        await out.end()

    polling = Polling(get)
    exchange, asked_for = await ask(prober, handshake(polling, version))
    assert result_of(exchange) == TOOLS
    assert asked_for == ["3_4"]


async def test_a_stream_may_break_off_again_and_again_and_goes_on_after_its_last_event(prober: Prober) -> None:
    async def get(number: int, _: Request, out: Out) -> None:
        await out.stream()
        if number == 1:
            note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
            await out.event(note, id="3_5")
            await out.chunk("id: 3_6\ndata:\nretry: 120\n\n")
        elif number == 3:
            await polling.answer(out)
            await asyncio.sleep(60)
        await out.end()

    polling = Polling(get)
    exchange, asked_for = await ask(prober, handshake(polling))
    assert result_of(exchange) == TOOLS
    assert asked_for == ["3_4", "3_6", "3_6"]
    assert [message.data.get("method") for message in exchange.messages] == ["notifications/progress", None]
    first, second, third = polling.got_at
    assert second - first >= 0.12
    assert third - second >= 0.12


async def test_a_stream_that_is_torn_down_after_an_id_is_resumed_too(prober: Prober) -> None:
    async def get(_: int, __: Request, out: Out) -> None:
        await out.stream()
        await polling.answer(out)

    polling = Polling(get)

    async def tear(request: Request, out: Out) -> None:
        if request.method == "GET":
            await polling(request, out)
            return
        polling.rpc_id = request.json["id"]
        await out.stream()
        await out.chunk(PRIMING)
        out.writer.close()

    exchange, asked_for = await ask(prober, handshake(tear))
    assert asked_for == ["3_4"]
    assert result_of(exchange) == TOOLS
    assert exchange.transport_error is None


@pytest.mark.parametrize("packed", [(True, False), (False, True), (True, True)])
async def test_a_stream_is_unpacked_as_each_of_its_parts_says(prober: Prober, packed: tuple[bool, bool]) -> None:
    async def send(text: str, out: Out, is_packed: bool) -> None:
        data = gzip.compress(text.encode()) if is_packed else text.encode()
        await out.stream(*(["Content-Encoding: gzip"] if is_packed else []))
        await out.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await out.end()

    async def poll(request: Request, out: Out) -> None:
        if request.method == "GET":
            answer = {"jsonrpc": "2.0", "id": asked[-1], "result": TOOLS}
            await send(f"data: {json.dumps(answer)}\n\n", out, packed[1])
            return
        asked.append(request.json["id"])
        await send(PRIMING, out, packed[0])

    asked: list[Any] = []
    exchange, asked_for = await ask(prober, handshake(poll))
    assert asked_for == ["3_4"]
    assert (result_of(exchange), exchange.transport_error) == (TOOLS, None)
    assert [each.code for each in exchange.irregularities] == ["compressed"]


async def test_without_an_id_there_is_nothing_to_resume(prober: Prober) -> None:
    async def get(_: int, __: Request, out: Out) -> None:
        await out.reply(500)

    exchange, asked_for = await ask(prober, handshake(Polling(get, post="data:\nretry: 0\n\n")))
    assert asked_for == []
    assert (exchange.messages, exchange.transport_error) == ((), None)


async def test_nothing_is_resumed_in_the_stateless_era(prober: Prober) -> None:
    async def get(_: int, __: Request, out: Out) -> None:
        await out.reply(500)

    exchange, asked_for = await ask(prober, stateless(Polling(get)), era=Era.STATELESS)
    assert asked_for == []
    assert (exchange.messages, exchange.transport_error) == ((), None)


@pytest.mark.parametrize("status", [200, 204, 400, 404, 405, 500])
async def test_a_refused_resumption_leaves_what_was_found_before(prober: Prober, status: int) -> None:
    async def get(_: int, __: Request, out: Out) -> None:
        await out.json({"jsonrpc": "2.0", "id": polling.rpc_id, "result": TOOLS}, status=status)

    polling = Polling(get)
    exchange, asked_for = await ask(prober, handshake(polling))
    assert asked_for == ["3_4"]
    assert (exchange.status, exchange.media_type) == (200, "text/event-stream")
    assert (exchange.messages, exchange.transport_error) == ((), None)


async def test_a_resumption_that_dies_on_its_way_says_so(prober: Prober) -> None:
    async def get(_: int, __: Request, out: Out) -> None:
        await out.raw(b"nonsense\r\n\r\n")

    exchange, _ = await ask(prober, handshake(Polling(get)))
    assert failure_of(exchange) == (Failure.PROTOCOL, "malformed-http")


async def test_a_server_that_breaks_off_without_end_is_given_up() -> None:
    async def get(_: int, __: Request, out: Out) -> None:
        await out.stream()
        await out.chunk("id: 9\ndata:\nretry: 0\n\n")
        await out.end()

    prober = make_prober(Limits(resumptions=3))
    exchange, asked_for = await ask(prober, handshake(Polling(get)))
    await prober.close()
    assert asked_for == ["3_4", "9", "9"]
    assert result_of(exchange) is None


async def test_where_the_server_names_no_delay_a_second_is_waited(prober: Prober) -> None:
    async def get(_: int, __: Request, out: Out) -> None:
        await out.reply(500)

    script = handshake(Polling(get, post="id: 1\ndata:\n\n"))
    exchange, asked_for = await ask(prober, script, timeout_s=0.9)
    assert asked_for == []
    assert failure_of(exchange) == (Failure.DEADLINE, "resume-delay")


async def test_an_answer_that_came_before_the_break_is_not_asked_for_again(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        await out.stream()
        await out.event({"jsonrpc": "2.0", "id": request.json["id"], "result": TOOLS}, id="1")
        out.writer.close()

    exchange, asked_for = await ask(prober, handshake(script))
    assert result_of(exchange) == TOOLS
    assert asked_for == []


async def test_the_answer_to_initialize_is_resumed_within_the_session_that_came_with_it(prober: Prober) -> None:
    asked: list[Any] = []
    info = {"name": "scripted", "version": "7"}
    opened = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": info}

    async def script(request: Request, out: Out) -> None:
        if request.method == "GET":
            assert request.headers["mcp-session-id"] == "s-9"
            await out.stream()
            await out.event({"jsonrpc": "2.0", "id": asked[0], "result": opened})
            await out.end()
        elif request.rpc_method == "initialize":
            asked.append(request.json["id"])
            await out.stream("Mcp-Session-Id: s-9")
            await out.chunk(PRIMING)
            await out.end()
        else:
            await out.reply(202)

    async with running(script) as server:
        wire = await prober.open(server.url, era=Era.HANDSHAKE)
        await prober.close()
    assert wire.opening.has_session
    assert server.asked == ["initialize", "GET", "notifications/initialized", "DELETE"]


async def test_a_resumption_carries_the_credentials_of_its_request_or_none(prober: Prober) -> None:
    async def get(_: int, __: Request, out: Out) -> None:
        await out.reply(405)

    async with running(handshake(Polling(get))) as server:
        wire = await prober.open(server.url, headers=[BEARER])
        await wire.request("tools/list")
        await wire.request("tools/list", altered=Alteration(with_credentials=False))
    carried = ["authorization" in request.headers for request in server.requests if request.method == "GET"]
    assert carried == [True, False]
