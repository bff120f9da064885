"""Functions that are processes and fetch their events from the lab's Runtime API."""

import asyncio
import os
import sys
from pathlib import Path

import httpx
import pytest

from prober.lab import Front, Lab, Scenario
from prober.lab.front_doors.function_url import FunctionUrl, InvokeMode
from prober.lab.runtime.api import process_function
from tests.integration.lab.conftest import Deploy, Eventually, Serve

STREAMS = InvokeMode.RESPONSE_STREAM

reads_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads process states from /proc")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


async def test_a_process_fetches_events_and_delivers_answers(deploy: Deploy, client: httpx.AsyncClient) -> None:
    url, function = await deploy()
    first, second = [(await client.post(url, content=b"{}", headers={"content-type": "text/json"})) for _ in range(2)]
    assert first.json()["body"] == "{}"
    assert first.json()["request_id"] == first.headers["x-amzn-requestid"]
    assert first.json()["pid"] == second.json()["pid"]
    assert function.started == 1


async def test_a_process_sees_the_sandbox_and_not_the_machine(
    deploy: Deploy, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMEBODYS_SECRET", "hidden")
    url, _ = await deploy({"TABLE": "orders"})
    seen = (await client.get(url)).json()["env"]
    assert {"TABLE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION"} <= set(seen)
    assert "SOMEBODYS_SECRET" not in seen


async def test_a_reported_error_fails_the_call_and_keeps_the_process(deploy: Deploy, client: httpx.AsyncClient) -> None:
    url, function = await deploy()
    assert (await client.get(f"{url}/error")).status_code == 502
    assert (await client.get(url)).status_code == 200
    assert function.started == 1


async def test_a_process_that_dies_fails_the_call_and_is_replaced(deploy: Deploy, client: httpx.AsyncClient) -> None:
    url, function = await deploy()
    assert (await client.get(f"{url}/die")).text == "Internal Server Error"
    assert (await client.get(url)).status_code == 200
    assert function.started == 2


@pytest.mark.parametrize("how", ["error", "exit"])
async def test_a_process_that_cannot_start_fails_every_call_after_another_try(
    deploy: Deploy, client: httpx.AsyncClient, how: str
) -> None:
    url, function = await deploy({"BREAK_INIT": how})
    assert [(await client.get(url)).status_code for _ in range(2)] == [502, 502]
    assert function.started == 3


async def test_a_command_that_does_not_exist_fails_every_call(serve: Serve, client: httpx.AsyncClient) -> None:
    port = await serve(FunctionUrl(function=process_function(["/no/such/command"])))
    assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 502


async def test_the_time_limit_kills_the_process(deploy: Deploy, client: httpx.AsyncClient) -> None:
    url, function = await deploy(timeout_s=2.0)
    pid = (await client.get(url)).json()["pid"]
    assert (await client.get(f"{url}/hang")).status_code == 502
    assert not is_alive(pid)
    assert (await client.get(url)).json()["pid"] != pid
    assert function.started == 2


async def test_overlapping_events_run_in_processes_of_their_own(deploy: Deploy, client: httpx.AsyncClient) -> None:
    url, function = await deploy()
    answers = await asyncio.gather(client.get(url), client.get(url))
    assert len({answer.json()["pid"] for answer in answers}) == 2
    assert function.started == 2


@reads_proc
async def test_a_process_is_frozen_between_events(
    deploy: Deploy, client: httpx.AsyncClient, eventually: Eventually
) -> None:
    url, _ = await deploy()
    pid = (await client.get(url)).json()["pid"]
    await eventually(lambda: state_of(pid) == "T")
    assert (await client.get(url)).json()["pid"] == pid


async def test_closing_the_function_leaves_no_process_behind(deploy: Deploy, client: httpx.AsyncClient) -> None:
    url, function = await deploy()
    pid = (await client.get(url)).json()["pid"]
    await function.close()
    assert not is_alive(pid)


async def test_a_lab_that_closes_leaves_no_process_of_its_scenarios_behind(client: httpx.AsyncClient) -> None:
    worker = [sys.executable, str(Path(__file__).with_name("worker.py"))]
    scenario = Scenario(
        id="process",
        title="A real process",
        verdict="up",
        front=Front.FUNCTION_URL_BUFFERED,
        build=lambda: FunctionUrl(function=process_function(worker)),
    )
    async with Lab([scenario]) as lab:
        pid = (await client.get(lab.url("process"))).json()["pid"]
        assert is_alive(pid)
    assert not is_alive(pid)


async def test_what_a_process_streams_arrives_as_it_is_written(deploy: Deploy, client: httpx.AsyncClient) -> None:
    url, function = await deploy(mode=STREAMS)
    loop = asyncio.get_running_loop()
    for _ in range(2):
        async with client.stream("GET", f"{url}/stream-slowly") as response:
            pieces = [(piece, loop.time()) async for piece in response.aiter_raw()]
        assert (response.status_code, response.headers["content-type"]) == (201, "text/event-stream")
        assert [piece for piece, _ in pieces] == [b"first,", b"last"]
        assert pieces[1][1] - pieces[0][1] > 0.2
    assert function.started == 1


async def test_a_stream_much_larger_than_any_buffer_passes(deploy: Deploy, client: httpx.AsyncClient) -> None:
    url, _ = await deploy(mode=STREAMS)
    assert len((await client.get(f"{url}/stream-at-length")).content) == 5_000_010


@pytest.mark.parametrize(("how", "processes"), [("and-die", 2), ("and-fail", 1)])
async def test_a_process_that_fails_in_mid_stream_breaks_the_connection(
    deploy: Deploy, client: httpx.AsyncClient, how: str, processes: int
) -> None:
    url, function = await deploy(mode=STREAMS)
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get(f"{url}/stream-{how}")
    assert (await client.get(f"{url}/stream-slowly")).text == "first,last"
    assert function.started == processes


async def test_the_time_limit_cuts_a_stream_and_kills_its_process(
    deploy: Deploy, client: httpx.AsyncClient, eventually: Eventually
) -> None:
    url, _ = await deploy(mode=STREAMS, timeout_s=1.0)
    async with client.stream("GET", f"{url}/stream-and-hang") as response:
        with pytest.raises(httpx.RemoteProtocolError):
            await response.aread()
    await eventually(lambda: not is_alive(int(response.headers["x-pid"])))


@reads_proc
async def test_a_client_that_leaves_a_stream_leaves_the_process_at_work(
    deploy: Deploy, client: httpx.AsyncClient, eventually: Eventually
) -> None:
    url, _ = await deploy(mode=STREAMS, concurrency=1)
    async with client.stream("GET", f"{url}/stream-slowly") as response:
        await anext(response.aiter_raw())
    assert (await client.get(url)).status_code == 429
    pid = int(response.headers["x-pid"])
    await eventually(lambda: state_of(pid) == "T")
    assert (await client.get(f"{url}/stream-slowly")).headers["x-pid"] == str(pid)


async def test_a_return_value_over_lambda_s_limit_is_an_internal_error(
    deploy: Deploy, client: httpx.AsyncClient
) -> None:
    url, function = await deploy()
    assert (await client.get(f"{url}/large")).text == "Internal Server Error"
    assert (await client.get(url)).status_code == 200
    assert function.started == 1


async def test_an_init_over_its_limit_starts_again_within_the_event(serve: Serve, client: httpx.AsyncClient) -> None:
    function = process_function([sys.executable, "-c", "import time; time.sleep(60)"], init_limit_s=0.3, timeout_s=0.5)
    address = f"http://127.0.0.1:{await serve(FunctionUrl(function=function))}/"
    loop = asyncio.get_running_loop()
    waits = []
    for _ in range(2):
        began = loop.time()
        assert (await client.get(address)).status_code == 502
        waits.append(loop.time() - began)
    await function.close()
    assert waits[0] >= 0.8
    assert waits[1] >= 0.5
    assert function.started == 3, "two within the first event, one within the second"


async def test_the_end_of_an_extension_is_the_end_of_the_sandbox(serve: Serve, client: httpx.AsyncClient) -> None:
    worker = [sys.executable, str(Path(__file__).with_name("worker.py"))]
    crashing = [sys.executable, "-c", "raise SystemExit(1)"]
    function = process_function(worker, extensions=[crashing])
    port = await serve(FunctionUrl(function=function))
    assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 502
    await function.close()


async def test_an_extension_registers_and_then_waits(serve: Serve, client: httpx.AsyncClient) -> None:
    program = (
        "import os, urllib.request as u;"
        "api = f\"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2020-01-01/extension\";"
        "answer = u.urlopen(u.Request(api + '/register', b'{}', {'Lambda-Extension-Name': 'e'}));"
        "assert answer.headers['Lambda-Extension-Identifier'];"
        "u.urlopen(api + '/event/next')"
    )
    worker = [sys.executable, str(Path(__file__).with_name("worker.py"))]
    function = process_function(worker, extensions=[[sys.executable, "-c", program]])
    url = f"http://127.0.0.1:{await serve(FunctionUrl(function=function))}/"
    assert [(await client.get(url)).status_code for _ in range(3)] == [200, 200, 200]
    assert function.started == 1
    await function.close()


@reads_proc
async def test_the_processes_of_a_lab_that_is_killed_die_with_it_frozen_or_not(eventually: Eventually) -> None:
    program = """
import asyncio, json, sys
from prober.lab.front_doors.function_url import FunctionUrl
from prober.lab.http import Request
from prober.lab.runtime.api import process_function

async def main() -> None:
    url = FunctionUrl(function=process_function([sys.executable, sys.argv[1]]))
    answer = await url(Request(method="GET", target="/"))
    print(json.loads(answer.body)["pid"], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
    lab = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(Path(__file__).with_name("worker.py"))),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    pid = int(await lab.stdout.readline())
    await eventually(lambda: state_of(pid) == "T")
    lab.kill()
    await lab.wait()
    await eventually(lambda: not is_alive(pid))
