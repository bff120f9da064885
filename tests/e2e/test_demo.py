"""The demo and `up` as real processes: what a new user runs first."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(180)

STARTS_WITHIN_S = 30
STOPS_WITHIN_S = 10
TOLD_WITHIN_S = 90
ANSWERS_WITHIN_S = 60
"""What a dashboard may take on a machine that has much else to do."""


@pytest.fixture
def directory() -> Iterator[Path]:
    """An empty directory. Not pytest's own: as root, the database runs as another user, who could not enter that."""
    made = Path(tempfile.mkdtemp(prefix="prober-e2e-", dir="/var/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command that runs until stopped, and the first line that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "prober.cli", *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def descendants(pid: int) -> set[int]:
    """Every process below `pid`, from /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(entry.name)] = int(fields[1])
    below: set[int] = set()
    frontier = {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier}
        below |= frontier
    return below


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if (Path("/proc") / str(pid)).exists() and not is_zombie(pid)}


def is_zombie(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def gone_within(pids: set[int], seconds: float) -> set[int]:
    """Those of `pids` that are still there after at most `seconds`."""
    deadline = time.monotonic() + seconds
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive(pids)


def test_the_demo_reaches_every_right_verdict_and_ends_with_0(directory: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "prober.cli", "demo", "--check", "--port", "0", "--data-dir", str(directory)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        # What configures an owner's prober is nothing to the demo: it would take his endpoints for removed.
        env={**os.environ, "DATABASE_URL": "postgresql://owner@127.0.0.1:9/real", "PROBER_CLOUDWATCH_ENABLED": "true"},
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "every verdict is right" in finished.stdout


def test_ctrl_c_ends_the_demo_soon_and_leaves_no_process(directory: Path) -> None:
    with running("demo", "--port", "0", "--data-dir", str(directory)) as (process, line):
        assert line.startswith("dashboard: http://127.0.0.1:")
        address = line.removeprefix("dashboard: ").rstrip("/")
        assert b"/endpoints/tools-empty" in fetched(f"{address}/?q=tools-empty")
        below = descendants(process.pid)
        assert len(below) >= 3, "a database, a lab and a dashboard"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=STOPS_WITHIN_S) == 0
        assert time.monotonic() - began < STOPS_WITHIN_S
        assert gone_within(below, 1) == set()


def test_a_killed_demo_takes_its_children_along_and_starts_again(directory: Path) -> None:
    with running("demo", "--port", "0", "--data-dir", str(directory)) as (process, _):
        below = descendants(process.pid)
        process.kill()
        process.wait()
        assert gone_within(below, 10) == set()
    began = time.monotonic()
    with running("demo", "--port", "0", "--data-dir", str(directory)) as (process, line):
        assert line.startswith("dashboard: ")
        assert time.monotonic() - began < STARTS_WITHIN_S
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=STOPS_WITHIN_S) == 0


def test_the_demo_tells_of_an_incident_that_opens_and_closes(directory: Path) -> None:
    notices = directory / "demo" / "notices.jsonl"
    with running("demo", "--port", "0", "--data-dir", str(directory)) as (process, _):
        deadline = time.monotonic() + TOLD_WITHIN_S
        told: list[dict[str, str]] = []
        while time.monotonic() < deadline and len(told) < 2:
            time.sleep(0.5)
            lines = notices.read_text().splitlines() if notices.exists() else []
            told = [each for line in lines if (each := json.loads(line)["data"])["endpoint"] == "flapping"]
        process.send_signal(signal.SIGINT)
        process.wait(timeout=STOPS_WITHIN_S)
    assert [each["kind"] for each in told[:2]] == ["opened", "closed"]
    assert len({each["thread"] for each in told[:2]}) == 1, "both are of one incident"
    assert told[0]["diagnosis"] == "function-crash"


def test_an_edit_of_the_configuration_counts_without_a_restart(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    config = directory / "prober.yaml"
    head = "network: {allow_cidrs: [127.0.0.0/8]}\nendpoints:\n"
    first = "  - {name: first, url: 'http://127.0.0.1:9/mcp', interval: 2s}\n"
    second = "  - {name: second, url: 'http://127.0.0.1:9/mcp', interval: 2s}\n"
    config.write_text(head + first)
    arguments = ("up", "--config", str(config), "--data-dir", str(directory / "data"), "--port", "0")
    with running(*arguments) as (process, line):
        address = line.removeprefix("dashboard: ")
        assert names(address, wanted={"first"}) == {"first"}
        config.write_text(head + second)
        assert names(address, wanted={"second"}) == {"second"}
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=STOPS_WITHIN_S) == 0


def names(address: str, wanted: set[str]) -> set[str]:
    """The endpoints that the dashboard lists, once they are the wanted ones or the time is up."""
    found: set[str] = set()
    deadline = time.monotonic() + ANSWERS_WITHIN_S
    while time.monotonic() < deadline and found != wanted:
        time.sleep(0.3)
        found = {each["name"] for each in json.loads(fetched(f"{address}/api/endpoints"))["endpoints"]}
    return found


def fetched(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=ANSWERS_WITHIN_S) as answer:
        body: bytes = answer.read()
    return body
