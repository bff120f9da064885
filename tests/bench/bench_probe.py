"""CPU that one full probe costs: ours, beside the same requests with plain httpx, over TLS to a local server.

A probe is initialize, initialized, tools/list (4 KB of JSON), tools/call (two events) and DELETE, all answers parsed.
The clients take turns, so that a machine whose speed drifts drifts under all of them.
"""

import argparse
import asyncio
import json
import ssl
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx
import httpx_sse
import uvloop
from target import RESULTS, VERSION, pin_to_core, running

from checks.messages import result_of
from checks.model import Endpoint, Expectation, Opener, Sentinel, Verdict
from checks.spec import Era, Transport
from prober.clock import SystemClock
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.probing import runner
from prober.probing.runner import Assignment
from prober.wire.connect import connect

Probe = Callable[[], Awaitable[None]]


def remembered_at(now: datetime) -> Opener:
    return Opener(
        transport=Transport.STREAMABLE_HTTP,
        era=Era.HANDSHAKE,
        protocol_version=VERSION,
        reason="bench",
        chosen_at=now,
    )


def whole_probe(url: str) -> Probe:
    """The scheduler's own: the wire, every check, every detector, the report."""
    clock = SystemClock()
    net = Net(GuardPolicy(allow_private=True), clock=clock)
    sentinel = Sentinel(tool="tool_0", expect=Expectation(text="5"), safe_to_repeat=True)
    endpoint = Endpoint(name="bench", url=url, verify_tls=False, streaming=True, sentinels=(sentinel,))

    async def probe() -> None:
        now = clock.now()
        assignment = Assignment(endpoint=endpoint, slot=now, remembered=remembered_at(now))
        report = await runner.probe(assignment, net=net, clock=clock)
        assert report.verdict is Verdict.UP, report.diagnoses

    return probe


def our_wire(url: str) -> Probe:
    clock = SystemClock()
    net = Net(GuardPolicy(allow_private=True), clock=clock)
    endpoint = Endpoint(name="bench", url=url, verify_tls=False)
    remembered = remembered_at(clock.now())

    async def probe() -> None:
        deadline = asyncio.get_running_loop().time() + 30
        wire = await connect(endpoint, net=net, clock=clock, headers=(), remembered=remembered, deadline=deadline)
        listed = await wire.request("tools/list")
        called = await wire.request("tools/call", {"name": "add", "arguments": {}}, progress=True)
        await wire.close()
        assert result_of(listed) == RESULTS["tools/list"]
        assert result_of(called) == RESULTS["tools/call"]

    return probe


def plain_httpx(url: str, shared: ssl.SSLContext | None) -> Probe:
    """One client per probe. Without a shared context each client makes its own, as it does by default."""

    async def probe() -> None:
        context = shared or unverified(httpx.create_ssl_context())
        async with httpx.AsyncClient(verify=context, timeout=30) as client:
            headers = {"Accept": "application/json, text/event-stream"}
            params = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
            opened = await client.post(url, json=request(1, "initialize", params), headers=headers)
            headers |= {"Mcp-Session-Id": opened.headers["mcp-session-id"], "MCP-Protocol-Version": VERSION}
            assert opened.json()["result"]
            await client.post(url, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers)
            listed = await client.post(url, json=request(2, "tools/list", {}), headers=headers)
            assert listed.json()["result"] == RESULTS["tools/list"]
            call = request(3, "tools/call", {"name": "add", "arguments": {}})
            async with httpx_sse.aconnect_sse(client, "POST", url, json=call, headers=headers) as source:
                events = [json.loads(event.data) async for event in source.aiter_sse()]
            assert events[-1]["result"] == RESULTS["tools/call"]
            await client.delete(url, headers=headers)

    return probe


def request(rpc_id: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": rpc_id, "method": method, "params": params}


def unverified(context: ssl.SSLContext) -> ssl.SSLContext:
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def cpu_per_thousand(probe: Probe, probes: int, at_once: int) -> float:
    """CPU-seconds of this process for 1,000 probes, measured over `probes` of them."""
    turns = iter(range(probes))

    async def worker() -> None:
        for _ in turns:
            await probe()

    await probe()
    began = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())
    return (time.process_time() - began) / probes * 1000


async def measure(url: str, probes: int, rounds: int, at_once: int) -> None:
    clients = {
        "our whole probe": whole_probe(url),
        "our wire alone": our_wire(url),
        "httpx, one TLS context for all": plain_httpx(url, unverified(httpx.create_ssl_context())),
        "httpx, all defaults": plain_httpx(url, None),
    }
    costs: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(rounds):
        for name, probe in clients.items():
            costs[name].append(await cpu_per_thousand(probe, probes, at_once))
    ours = costs["our whole probe"]
    for name, seconds in costs.items():
        ratio = statistics.median(other / own for other, own in zip(seconds, ours, strict=True))
        print(f"{name:32}{statistics.median(seconds):7.2f} CPU-s per 1,000 probes   {ratio:5.2f} times ours")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probes", type=int, default=100, help="per client and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=20)
    options = parser.parse_args()
    pin_to_core(last=False)
    with running() as url:
        uvloop.run(measure(url, options.probes, options.rounds, options.at_once))


if __name__ == "__main__":
    main()
