"""Every request of a probe is a span of one trace, which its server can record."""

import re

from checks.spec import Era
from checks.wire import Alteration
from prober.wire.tracing import Trace
from tests.integration.wire.scripted import (
    LegacyServer,
    Out,
    Prober,
    Request,
    handshake,
    list_tools,
    running,
    stateless,
)

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01")


def spans(requests: list[Request]) -> list[tuple[str, str]]:
    """Trace and span of each request."""
    found = [TRACEPARENT.fullmatch(request.headers["traceparent"]) for request in requests]
    return [each.group(1, 2) for each in found if each is not None]


async def test_every_request_is_a_span_of_its_own_of_one_trace(prober: Prober) -> None:
    async with running(handshake(list_tools)) as server:
        wire = await prober.open(server.url, era=Era.HANDSHAKE)
        await wire.request("tools/list")
        await prober.close()
    assert server.asked == ["initialize", "notifications/initialized", "tools/list", "DELETE"]
    found = spans(server.requests)
    assert (len(found), len({trace for trace, _ in found}), len({span for _, span in found})) == (4, 1, 4)


async def test_the_stateless_era_says_the_same_span_in_header_and_meta(prober: Prober) -> None:
    async with running(stateless(list_tools)) as server:
        wire = await prober.open(server.url)
        exchange = await wire.request("tools/list")
    assert [request.json["params"]["_meta"]["traceparent"] for request in server.requests] == [
        request.headers["traceparent"] for request in server.requests
    ]
    assert len(set(spans(server.requests))) == 2
    assert dict(exchange.request_headers)["traceparent"] == server.requests[-1].headers["traceparent"]


async def test_the_handshake_era_says_it_in_the_header_alone(prober: Prober) -> None:
    async with running(handshake(list_tools)) as server:
        wire = await prober.open(server.url, era=Era.HANDSHAKE)
        await wire.request("tools/list", progress=True)
    assert all("traceparent" not in request.body.decode() for request in server.requests)


async def test_old_servers_with_a_stream_are_traced_too(prober: Prober) -> None:
    async with running(LegacyServer()) as server:
        wire = await prober.open(server.url)
        await wire.request("tools/list")
    found = spans(server.requests)
    assert len(found) == len(server.requests)
    assert len({trace for trace, _ in found}) == 1


async def test_preflights_are_those_of_a_browser_that_was_told_nothing(prober: Prober) -> None:
    async def script(request: Request, out: Out) -> None:
        if request.method == "OPTIONS":
            await out.reply(204)
        else:
            await stateless(list_tools)(request, out)

    async with running(script) as server:
        wire = await prober.open(server.url)
        await wire.preflight("https://o", "POST", ["content-type"])
    assert server.asked[-1] == "OPTIONS"
    assert "traceparent" not in server.requests[-1].headers


async def test_a_request_can_differ_by_having_none(prober: Prober) -> None:
    altered = Alteration(headers={"traceparent": None}, meta={"traceparent": None})
    async with running(stateless(list_tools)) as server:
        wire = await prober.open(server.url)
        await wire.request("tools/list", altered=altered)
    assert "traceparent" not in server.requests[-1].headers
    assert "traceparent" not in server.requests[-1].json["params"]["_meta"]


def test_a_trace_has_the_id_that_it_is_given_or_one_of_its_own() -> None:
    given = Trace("0123456789abcdef" * 2)
    assert TRACEPARENT.fullmatch(given.parent()) is not None
    assert given.parent().split("-")[1] == given.id
    assert Trace().id != Trace().id
