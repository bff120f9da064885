import asyncio
import os
from pathlib import Path

import pytest

from prober.lab.front_doors.function_url import FunctionUrl
from prober.lab.runtime.api import process_function


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


async def test_a_process_fetches_events_and_delivers_answers(deploy, client) -> None:
    url, function = await deploy()
    first, second = [(await client.post(url, content=b"{}", headers={"content-type": "text/json"})) for _ in range(2)]
    assert first.json()["body"] == "{}"
    assert first.json()["request_id"] == first.headers["x-amzn-requestid"]
    assert first.json()["pid"] == second.json()["pid"]
    assert function.started == 1


async def test_a_process_sees_the_sandbox_and_not_the_machine(deploy, client, monkeypatch) -> None:
    monkeypatch.setenv("SOMEBODYS_SECRET", "hidden")
    url, _ = await deploy({"TABLE": "orders"})
    seen = (await client.get(url)).json()["env"]
    assert {"TABLE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION"} <= set(seen)
    assert "SOMEBODYS_SECRET" not in seen


async def test_a_reported_error_fails_the_call_and_keeps_the_process(deploy, client) -> None:
    url, function = await deploy()
    assert (await client.get(f"{url}/error")).status_code == 502
    assert (await client.get(url)).status_code == 200
    assert function.started == 1


async def test_a_process_that_dies_fails_the_call_and_is_replaced(deploy, client) -> None:
    url, function = await deploy()
    assert (await client.get(f"{url}/die")).text == "Internal Server Error"
    assert (await client.get(url)).status_code == 200
    assert function.started == 2


@pytest.mark.parametrize("how", ["error", "exit"])
async def test_a_process_that_cannot_start_fails_every_call_after_another_try(deploy, client, how) -> None:
    url, function = await deploy({"BREAK_INIT": how})
    assert [(await client.get(url)).status_code for _ in range(2)] == [502, 502]
    assert function.started == 3


async def test_a_command_that_does_not_exist_fails_every_call(serve, client) -> None:
    port = await serve(FunctionUrl(function=process_function(["/no/such/command"])))
    assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 502


async def test_the_time_limit_kills_the_process(deploy, client) -> None:
    url, function = await deploy(timeout_s=2.0)
    pid = (await client.get(url)).json()["pid"]
    assert (await client.get(f"{url}/hang")).status_code == 502
    assert not is_alive(pid)
    assert (await client.get(url)).json()["pid"] != pid
    assert function.started == 2


async def test_overlapping_events_run_in_processes_of_their_own(deploy, client) -> None:
    url, function = await deploy()
    answers = await asyncio.gather(client.get(url), client.get(url))
    assert len({answer.json()["pid"] for answer in answers}) == 2
    assert function.started == 2


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads process states from /proc")
async def test_a_process_is_frozen_between_events(deploy, client, eventually) -> None:
    url, _ = await deploy()
    pid = (await client.get(url)).json()["pid"]
    await eventually(lambda: state_of(pid) == "T")
    assert (await client.get(url)).json()["pid"] == pid


async def test_closing_the_function_leaves_no_process_behind(deploy, client) -> None:
    url, function = await deploy()
    pid = (await client.get(url)).json()["pid"]
    await function.close()
    assert not is_alive(pid)
