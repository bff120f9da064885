"""The lab as a whole: ports, what it records, and how it ends, alone and with its parent."""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

from prober.lab import SCENARIOS, Front, Lab, LabError, chosen
from tests.integration.lab.conftest import Eventually
from tests.ports import free_ports

REPOSITORY = Path(__file__).parents[3]
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def modern(method: str, params: dict | None = None, **meta: str) -> dict:
    """A request of the stateless era, as arguments of httpx."""
    params = params or {}
    named = {"mcp-name": params["name"]} if "name" in params else {}
    message = {"jsonrpc": "2.0", "id": "p1", "method": method, "params": {**params, "_meta": {**META, **meta}}}
    return {"json": message, "headers": {**HEADERS, "mcp-method": method, **named}}


def refuses(url: str) -> bool:
    with socket.socket() as each:
        return each.connect_ex((httpx.URL(url).host, httpx.URL(url).port)) != 0


async def test_the_whole_catalog_is_served_at_once_each_on_its_own_port() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with Lab() as lab:
        took = loop.time() - began
        own = [lab.url(each.id) for each in SCENARIOS if each.address is None]
        open_ones = [lab.url(each.id) for each in SCENARIOS if each.build is not None]
        assert len({httpx.URL(url).port for url in own}) == len(own)
        assert not any(refuses(url) for url in open_ones)
        assert refuses(lab.url("connect-failure"))
    assert took < 10
    assert all(refuses(url) for url in open_ones)


async def test_requests_are_recorded(client: httpx.AsyncClient) -> None:
    async with Lab(chosen(["stateless-json", "dual"])) as lab:
        await client.post(lab.url("dual"), **modern("server/discover"))
        await client.get(lab.url("dual"))
        assert [(each.method, each.path, each.rpc_method) for each in lab.served("dual")] == [
            ("POST", "/mcp", "server/discover"),
            ("GET", "/mcp", None),
        ]
        assert lab.served("stateless-json") == ()


async def test_a_base_port_gives_consecutive_ports() -> None:
    base = free_ports(2)
    async with Lab(chosen(["dual", "cold-start"]), port=base) as lab:
        assert lab.url("dual") == f"http://127.0.0.1:{base}/mcp"
        assert lab.url("cold-start") == f"http://127.0.0.1:{base + 1}/mcp"


async def test_a_taken_port_is_named_and_nothing_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(LabError, match=rf"port {port} of 127.0.0.1 cannot be used \(Address already in use\)"):
            await Lab(chosen(["dual"]), port=port).__aenter__()


async def test_scenarios_that_do_not_fit_below_the_last_port_are_refused() -> None:
    with pytest.raises(LabError, match="2 scenarios do not fit between port 65535 and 65535"):
        await Lab(chosen(["dual", "cold-start"]), port=65535).__aenter__()


async def test_a_host_that_is_none_is_named() -> None:
    with pytest.raises(LabError, match=r"of nowhere.invalid cannot be used \((?!Unknown error)"):
        await Lab(chosen(["dual"]), host="nowhere.invalid").__aenter__()


async def test_events_of_a_streaming_url_arrive_one_by_one_and_of_a_buffered_url_together(
    client: httpx.AsyncClient,
) -> None:
    loop = asyncio.get_running_loop()
    call = modern("tools/call", {"name": "slow_count", "arguments": {"n": 3, "seconds": 0.45}}, progressToken="t")

    async def arrivals(url: str) -> tuple[list[float], httpx.Headers]:
        async with client.stream("POST", url, **call) as response:
            times = [loop.time() async for line in response.aiter_lines() if line.startswith("data:")]
        return times, response.headers

    async with Lab(chosen(["stateless-streaming", "streaming-buffered"])) as lab:
        streamed, headers = await arrivals(lab.url("stateless-streaming"))
        assert len(streamed) == 4
        assert streamed[-1] - streamed[0] > 0.2
        assert "content-length" not in headers
        buffered, headers = await arrivals(lab.url("streaming-buffered"))
        assert len(buffered) == 4
        assert buffered[-1] - buffered[0] < 0.2
        assert "content-length" in headers


async def test_the_cold_start_is_paid_by_the_first_request_alone(client: httpx.AsyncClient) -> None:
    async with Lab(chosen(["cold-start"])) as lab:
        first, second = [await client.post(lab.url("cold-start"), **modern("server/discover")) for _ in range(2)]
    assert first.elapsed.total_seconds() > 1.0
    assert second.elapsed.total_seconds() < 1.0


async def test_the_certificate_of_the_tls_fault_is_refused_by_a_client_that_looks(client: httpx.AsyncClient) -> None:
    async with Lab(chosen(["tls-invalid"])) as lab:
        with pytest.raises(httpx.ConnectError, match="self-signed certificate"):
            await client.post(lab.url("tls-invalid"), **modern("server/discover"))


def test_every_https_scenario_is_the_tls_fault() -> None:
    assert [each.id for each in SCENARIOS if each.front is Front.HTTPS] == ["tls-invalid"]


async def start_lab(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "prober.lab", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )


async def test_the_process_prints_one_line_with_its_addresses_and_ends_on_sigterm() -> None:
    process = await start_lab("dual", "legacy-sse")
    urls = json.loads(await process.stdout.readline())["urls"]
    assert list(urls) == ["dual", "legacy-sse"]
    assert not refuses(urls["dual"])
    process.send_signal(signal.SIGTERM)
    rest, complaint = await process.communicate()
    assert (process.returncode, rest, complaint) == (0, b"", b"")


async def test_the_process_refuses_an_unknown_scenario() -> None:
    process = await start_lab("daul")
    output, complaint = await process.communicate()
    assert (process.returncode, output) == (2, b"")
    assert complaint == b"the lab has no scenario 'daul': did you mean dual?\n"


async def test_the_process_ends_with_its_parent(eventually: Eventually) -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'prober.lab', 'dual'])"
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY
    )
    url = json.loads(await parent.stdout.readline())["urls"]["dual"]
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    await eventually(lambda: refuses(url))
