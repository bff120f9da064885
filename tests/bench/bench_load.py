"""What many probes at once cost and how honest their times stay: ours, httpx, aiohttp and blackbox_exporter, over TLS.

1. CPU-seconds per 1,000 probes with 1, 50 and 200 in flight. blackbox_exporter sends one POST per probe, the others
   five requests; where it is not installed (Debian package prometheus-blackbox-exporter, or its path in
   BLACKBOX_EXPORTER) its lines are left out.
2. The latency that a client adds: what it reports for tools/list, less what the server took, with 50 probes in flight.
3. Memory of 1,000 of our probes in flight at one moment.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import uvloop
from bench_probe import Probe, plain_httpx, remembered_at, request, unverified, whole_probe
from target import RESULTS, VERSION, pin_to_core, running

from checks.model import Endpoint
from prober.clock import SystemClock
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.wire.connect import connect

IN_FLIGHT = (1, 50, 200)
SERVICE_S = 0.1
"""What a warm function takes, so that 50 probes in flight wait most of the time, as real ones do."""

MEMORY_PAUSE_S = 4.0

ACCEPT = {"Accept": "application/json, text/event-stream"}


def plain_aiohttp(url: str) -> Probe:
    """One session and one connection per probe, one TLS context for all."""
    context = unverified(httpx.create_ssl_context())

    async def probe() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            params = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
            async with session.post(url, json=request(1, "initialize", params), headers=ACCEPT) as opened:
                assert (await opened.json())["result"]
                session_id = opened.headers["mcp-session-id"]
            headers = {**ACCEPT, "Mcp-Session-Id": session_id, "MCP-Protocol-Version": VERSION}
            note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            async with session.post(url, json=note, headers=headers):
                pass
            async with session.post(url, json=request(2, "tools/list", {}), headers=headers) as listed:
                assert (await listed.json())["result"] == RESULTS["tools/list"]
            call = request(3, "tools/call", {"name": "add", "arguments": {}})
            async with session.post(url, json=call, headers=headers) as called:
                lines = (await called.text()).splitlines()
            events = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
            assert events[-1]["result"] == RESULTS["tools/call"]
            async with session.delete(url, headers=headers):
                pass

    return probe


# CPU


async def in_flight(probe: Probe, probes: int, at_once: int) -> None:
    turns = iter(range(probes))

    async def worker() -> None:
        for _ in turns:
            await probe()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, probes)):
            group.create_task(worker())


async def own_cpu(probe: Probe, probes: int, at_once: int) -> float:
    await probe()
    began = time.process_time()
    await in_flight(probe, probes, at_once)
    return (time.process_time() - began) / probes * 1000


async def exporter_cpu(exporter: "Exporter", url: str, probes: int, at_once: int) -> float:
    """The exporter's own CPU; that of whoever asks it to probe is not counted, as Prometheus is another process."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def probe() -> None:
            query = {"target": url, "module": "mcp"}
            async with session.get(f"{exporter.url}/probe", params=query) as answer:
                assert "probe_success 1" in await answer.text()

        await probe()
        began = exporter.cpu_s()
        await in_flight(probe, probes, at_once)
        return (exporter.cpu_s() - began) / probes * 1000


async def measure_cpu(url: str, probes: int, rounds: int, exporter: "Exporter | None") -> None:
    shared = unverified(httpx.create_ssl_context())
    clients = {
        "our whole probe": whole_probe(url),
        "httpx, one TLS context for all": plain_httpx(url, shared),
        "aiohttp, one TLS context for all": plain_aiohttp(url),
    }
    for at_once in IN_FLIGHT:
        costs: dict[str, list[float]] = {name: [] for name in clients}
        for _ in range(rounds):
            for name, probe in clients.items():
                costs[name].append(await own_cpu(probe, probes, at_once))
            if exporter is not None:
                single = await exporter_cpu(exporter, url, probes, at_once)
                costs.setdefault("blackbox_exporter, a single POST", []).append(single)
        ours = costs["our whole probe"]
        for name, seconds in costs.items():
            ratio = statistics.median(other / own for other, own in zip(seconds, ours, strict=True))
            median = statistics.median(seconds)
            print(f"{at_once:4} in flight  {name:34}{median:7.2f} CPU-s per 1,000 probes {ratio:6.2f} times ours")


class Exporter:
    """A running blackbox_exporter."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process = process
        self.url = url

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def blackbox_exporter() -> Iterator[Exporter | None]:
    binary = os.environ.get("BLACKBOX_EXPORTER") or shutil.which("prometheus-blackbox-exporter")
    if binary is None:
        print("blackbox_exporter is not installed: its lines are left out")
        yield None
        return
    params = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    module = {
        "prober": "http",
        "timeout": "30s",
        "http": {
            "method": "POST",
            "body": json.dumps(request(1, "initialize", params)),
            "headers": {"Content-Type": "application/json", **ACCEPT},
            "tls_config": {"insecure_skip_verify": True},
        },
    }
    with tempfile.TemporaryDirectory() as directory, socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{chosen.getsockname()[1]}"
        chosen.close()
        settings = Path(directory) / "blackbox.json"  # JSON is YAML
        settings.write_text(json.dumps({"modules": {"mcp": module}}))
        command = [binary, f"--config.file={settings}", f"--web.listen-address={where}", "--log.level=error"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            until_it_listens(where)
            yield Exporter(process, f"http://{where}")
        finally:
            process.terminate()
            process.wait()


def until_it_listens(where: str) -> None:
    for _ in range(100):
        try:
            httpx.get(f"http://{where}/-/healthy", trust_env=False).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("blackbox_exporter did not start")


# added latency


def our_list(url: str, waits: list[float]) -> Probe:
    """Notes what our own report says that the server kept us waiting for tools/list."""
    clock = SystemClock()
    net = Net(GuardPolicy(allow_private=True), clock=clock)
    endpoint = Endpoint(name="bench", url=url, verify_tls=False)
    remembered = remembered_at(clock.now())

    async def probe() -> None:
        deadline = asyncio.get_running_loop().time() + 60
        wire = await connect(endpoint, net=net, clock=clock, headers=(), remembered=remembered, deadline=deadline)
        listed = await wire.request("tools/list")
        await wire.close()
        assert listed.timings.wait_ms is not None
        waits.append(listed.timings.wait_ms)

    return probe


def httpx_list(url: str, waits: list[float]) -> Probe:
    """The same with plain httpx, which knows no more than when the call began and when it ended."""
    context = unverified(httpx.create_ssl_context())

    async def probe() -> None:
        async with httpx.AsyncClient(verify=context, timeout=60) as client:
            params = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
            await client.post(url, json=request(1, "initialize", params), headers=ACCEPT)
            await client.post(url, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=ACCEPT)
            began = time.perf_counter()
            await client.post(url, json=request(2, "tools/list", {}), headers=ACCEPT)
            waits.append((time.perf_counter() - began) * 1000)
            await client.delete(url)

    return probe


async def measure_latency(url: str, service_s: float, probes: int) -> None:
    makers: dict[str, Callable[[str, list[float]], Probe]] = {"ours": our_list, "httpx": httpx_list}
    for name, maker in makers.items():
        waits: list[float] = []
        probe = maker(url, waits)
        await probe()
        waits.clear()
        await in_flight(probe, probes, 50)
        added = sorted(wait - service_s * 1000 for wait in waits)
        p50, p99 = statistics.median(added), added[int(len(added) * 0.99) - 1]
        took = f"a server that takes {service_s * 1000:.0f} ms" if service_s else "a server that answers at once"
        print(f"  50 in flight  {name:8} adds p50 {p50:7.2f} ms, p99 {p99:7.2f} ms to {took}")


# memory


async def measure_memory(url: str, count: int) -> None:
    probe = our_list(url, [])
    await probe()
    before = resident_mib()
    tasks = [asyncio.create_task(probe()) for _ in range(count)]
    peak = before
    while not all(task.done() for task in tasks):
        peak = max(peak, resident_mib())
        await asyncio.sleep(0.05)
    failed = sum(task.exception() is not None for task in tasks)
    print(
        f"  {count:,} in flight: {peak - before:.0f} MiB above the {before:.0f} MiB of the process, "
        f"{(peak - before) * 1024 / count:.0f} KiB per probe; {failed} failed"
    )


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probes", type=int, default=400, help="per client and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, default=1000, help="probes in flight for the memory figure")
    options: Any = parser.parse_args()
    with blackbox_exporter() as exporter:
        pin_to_core(last=False)
        with running() as url:
            uvloop.run(measure_cpu(url, options.probes, options.rounds, exporter))
            uvloop.run(measure_latency(url, 0.0, options.probes * 2))
        with running(pause_s=SERVICE_S) as url:
            uvloop.run(measure_latency(url, SERVICE_S, options.probes * 2))
        with running(pause_s=MEMORY_PAUSE_S) as url:
            uvloop.run(measure_memory(url, options.memory))


if __name__ == "__main__":
    main()
