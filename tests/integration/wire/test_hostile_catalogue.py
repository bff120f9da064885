"""Every server of the hostile catalogue costs bounded time and memory, leaves nothing open, and has its own reason."""

import asyncio
import json
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from checks.model import Endpoint, Outcome, Verdict
from prober.clock import SystemClock
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.probing.runner import Assignment, probe
from tests.integration.wire.hostile import CASES, TOOLS, Case
from tests.integration.wire.scripted import Out, Request, Script, result, running, stateless

SLACK_S = 5.0
MEMORY_KIB = 32 * 1024
HEALTHY = 50
CHILD = Path(__file__).with_name("hostile_child.py")

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory and descriptors in /proc")


def healthy() -> Script:
    async def script(request: Request, out: Out) -> None:
        await out.json(result(request, TOOLS))

    return stateless(script)


class Forks:
    """A process that forks for every probe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        self._is_warm = False

    async def probe(self, url: str, *, timeout_s: float, settings: Mapping[str, Any]) -> dict[str, Any]:
        if not self._is_warm:
            async with running(healthy()) as server:
                warmed = await self._ask({"url": server.url, "timeout_s": 10.0, "settings": {}, "warm_up": True})
            assert warmed["report"]["verdict"] == "up"
            self._is_warm = True
        return await self._ask({"url": url, "timeout_s": timeout_s, "settings": dict(settings)})

    async def _ask(self, task: Mapping[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(self._exchange, json.dumps(task))

    def _exchange(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(line, file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate(timeout=10)


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    started = Forks()
    yield started
    started.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_a_hostile_server_costs_little_and_is_named(case: Case, forks: Forks) -> None:
    async with running(case.script) as server:
        seen = await forks.probe(server.url, timeout_s=case.timeout_s, settings=case.settings)
    assert seen["took"] < case.timeout_s + SLACK_S
    assert seen["descriptors"] == 0
    assert seen["grown_kib"] < MEMORY_KIB
    assert server.asked[len(server.asked) - len(case.asked) :] == list(case.asked)
    assert_judged(case, seen["report"])
    assert_storable(seen["report"])


def assert_judged(case: Case, report: Mapping[str, Any]) -> None:
    results = report["results"]
    exchanges = [exchange for each in results for exchange in each["exchanges"]]
    errors = [exchange["transport_error"] for exchange in exchanges if exchange["transport_error"]]
    codes = [odd["code"] for exchange in exchanges for odd in exchange["irregularities"]]
    findings = [finding["text"] for each in results for finding in each["findings"]]
    diagnoses = [diagnosis["id"] for diagnosis in report["diagnoses"]]
    stops = [each["facts"].get("stopped") for each in results]
    assert Outcome.ERROR not in {each["outcome"] for each in results}
    if case.error is not None:
        assert case.error in [(error["failure"], error["reason"]) for error in errors]
        assert report["verdict"] == (case.verdict or Verdict.DOWN)
    assert case.code is None or set(codes) == {case.code}
    assert case.finding is None or any(case.finding in text for text in findings), findings
    assert case.diagnosis is None or case.diagnosis in diagnoses
    assert case.stopped is None or case.stopped in stops
    assert case.read is None or case.read in [(len(each["messages"]), each["comments"]) for each in exchanges]
    assert case.verdict is None or report["verdict"] == case.verdict, diagnoses


def assert_storable(report: Mapping[str, Any]) -> None:
    """PostgreSQL takes it, and what people read in it does not act."""
    assert "\\u0000" not in json.dumps(report).replace("\\\\", "")
    json.dumps(report, ensure_ascii=False).encode("utf-8")
    shown = [each["summary"] for each in (*report["results"], *report["diagnoses"])]
    shown += [finding["text"] for each in report["results"] for finding in each["findings"]]
    acting = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not [text for text in shown if any(unicodedata.category(character) in acting for character in text)]


BESIDE = (
    "24,001 headers",
    "1 GiB of JSON in chunks",
    "1 GiB in gzip",
    "endless events",
    "an endless event",
    "endless comments",
    "only keep-alives",
    "silence",
    "JSON nested 100,000 deep",
    "JSON of 340,000 lists",
    "100,000 tools on a page",
    "pages without end",
)


@pytest.mark.parametrize("case", [case for case in CASES if case.id in BESIDE], ids=lambda case: case.id)
async def test_healthy_endpoints_beside_a_hostile_one_come_out_up(case: Case) -> None:
    clock = SystemClock()
    net = Net(GuardPolicy(allow_private=True), clock=clock)

    async def verdict_on(url: str, timeout_s: float) -> tuple[Verdict, list[str]]:
        endpoint = Endpoint(name="beside", url=url, timeout_s=timeout_s)
        report = await probe(Assignment(endpoint=endpoint, slot=clock.now()), net=net, clock=clock)
        return report.verdict, [
            exchange.transport_error.reason for exchange in report.exchanges if exchange.transport_error is not None
        ]

    async with running(case.script) as hostile, running(healthy()) as server:
        hurting = [asyncio.create_task(verdict_on(hostile.url, case.timeout_s)) for _ in range(3)]
        seen = await asyncio.gather(*(verdict_on(server.url, 10.0) for _ in range(HEALTHY)))
        await asyncio.gather(*hurting)
    assert seen == [(Verdict.UP, [])] * HEALTHY


def test_the_catalogue_is_as_long_as_is_said_of_it() -> None:
    assert len(CASES) >= 90
    assert len({case.id for case in CASES}) == len(CASES)
    assert {case.id for case in CASES} >= set(BESIDE)
