"""`check` as the last step of a deployment: what a pipeline branches on, against live servers that change meanwhile."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import ROOT, Command

TOOL = {"name": "find", "description": "Finds.", "inputSchema": {"type": "object"}}
Behaviour = Callable[[int], tuple[int, str, list[dict[str, Any]]]]
"""From the number of the conversation: HTTP status, version of the server, tools."""


class Deployed:
    """A small MCP server of the handshake era whose conversations each may meet another deployment."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.conversations = 0
        self._behaviour = behaviour
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self._answer(*outer.answer(asked))

            def do_GET(self) -> None:
                self._answer(405, None)

            def do_DELETE(self) -> None:
                self._answer(405, None)

            def _answer(self, status: int, body: Any) -> None:
                content = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/mcp"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def answer(self, asked: dict[str, Any]) -> tuple[int, Any]:
        method = asked.get("method")
        if method == "server/discover":
            return 400, {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "unknown"}}
        if method == "initialize":
            self.conversations += 1
        status, version, tools = self._behaviour(self.conversations)
        if status != 200:
            return status, {"message": "Internal server error"}
        results = {
            "initialize": {
                "protocolVersion": asked.get("params", {}).get("protocolVersion"),
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "deployed", "version": version},
            },
            "tools/list": {"tools": tools},
        }
        if method not in results:
            return 202, None
        return 200, {"jsonrpc": "2.0", "id": asked["id"], "result": results[method]}

    def __enter__(self) -> "Deployed":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def steady() -> Iterator[Deployed]:
    with Deployed(lambda _: (200, "1.4.2", [TOOL])) as deployed:
        yield deployed


def endpoint_of(text: str) -> dict[str, Any]:
    (endpoint,) = json.loads(text)["endpoints"]
    found: dict[str, Any] = endpoint
    return found


def test_a_deploy_that_warms_up_is_waited_for_and_shows_as_such(command: Command) -> None:
    with Deployed(lambda number: (200 if number > 2 else 502, "1", [TOOL])) as deployed:
        ended = command(
            "check", deployed.url, "--wait", "30s", "--passes", "2", "--profile", "quick", "--format", "json"
        )
    found = endpoint_of(ended.stdout)
    assert (ended.returncode, found["conclusion"]) == (0, "passed")
    conclusions = [each["conclusion"] for each in found["attempts"]]
    assert conclusions[0] == "failed"
    assert conclusions[-2:] == ["passed", "passed"]
    (ready,) = [each for each in found["demands"] if each["id"] == "ready"]
    assert ready["summary"].startswith("2 of 2 probes in a row passed, after ")


def test_the_new_version_is_waited_for_while_the_old_one_answers(command: Command) -> None:
    with Deployed(lambda number: (200, "2.0.1" if number > 1 else "1.9", [TOOL])) as deployed:
        ended = command("check", deployed.url, "--wait", "20s", "--expect-version", "2.0", "--profile", "quick")
    assert ended.returncode == 0
    assert "pass  expect_version" in ended.stdout


def test_one_deadline_ends_all_of_it(command: Command) -> None:
    with Deployed(lambda _: (502, "1", [])) as deployed:
        began = time.monotonic()
        ended = command("check", deployed.url, "--wait", "4s", "--profile", "quick", "--format", "json")
    assert time.monotonic() - began < 30
    assert ended.returncode == 1
    found = endpoint_of(ended.stdout)
    assert "4 s leave no time for another" in found["why"][0]
    assert len(found["attempts"]) > 2


def test_the_deadline_holds_for_servers_that_say_nothing(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        addresses = [f"http://127.0.0.1:{each.getsockname()[1]}/mcp" for each in (one, two)]
        began = time.monotonic()
        ended = command("check", *addresses, "--wait", "3s", "--timeout", "1m", "--profile", "quick")
    assert time.monotonic() - began < 40
    assert ended.returncode in (1, 3)


def test_a_baseline_is_saved_compared_and_stale_by_any_change(
    command: Command, steady: Deployed, tmp_path: Path
) -> None:
    file = str(tmp_path / "tools.json")
    assert command("check", steady.url, "--save-baseline", file).returncode == 0
    assert command("check", steady.url, "--baseline", file).returncode == 0
    changed = {**TOOL, "inputSchema": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}}
    with Deployed(lambda _: (200, "2", [changed])) as deployed:
        ended = command("check", deployed.url, "--baseline", file)
    assert ended.returncode == 1
    assert "baseline: 2 changes since" in " ".join(ended.stdout.split())
    assert "(1 breaking and 1 additive)" in " ".join(ended.stdout.split())
    before = Path(file).read_bytes()
    with Deployed(lambda _: (502, "2", [])) as deployed:
        failed = command("check", deployed.url, "--save-baseline", file)
    assert (failed.returncode, Path(file).read_bytes()) == (1, before)
    assert "is not written" in failed.stderr
    Path(file).write_text("{}")
    refused = command("check", steady.url, "--baseline", file)
    assert (refused.returncode, refused.stdout) == (2, "")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--expect-version", "1.4"], 0),
        (["--expect-version", "1.5"], 1),
        (["--expect-tool", "find"], 0),
        (["--expect-tool", "pay", "--fail-on", "down"], 1),
        (["--streaming"], 3),
        (["--cold", "2"], 3),
        (["--passes", "0"], 2),
        (["--wait", "never"], 2),
        (["--cold", "2", "--profile", "full", "--ask", "cold-starts"], 2),
        (["--report", "html=x"], 2),
    ],
)
def test_what_is_asked_decides_the_exit_code(command: Command, steady: Deployed, words: list[str], code: int) -> None:
    ended = command("check", steady.url, *words)
    assert ended.returncode == code, ended.stdout + ended.stderr


def test_instances_that_are_forced_are_told_from_warm_ones(command: Command, lab: dict[str, str]) -> None:
    ended = command("check", lab["cold-start"], "--cold", "4", "--format", "json")
    report = endpoint_of(ended.stdout)["report"]
    (burst,) = [each for each in report["checks"] if each["id"] == "cold_starts"]
    assert (ended.returncode, burst["facts"]["asked"]) == (0, 4)
    assert len(burst["facts"]["cold_ms"]) + len(burst["facts"]["warm_ms"]) == 4
    assert burst["facts"]["cold_ms"]


def test_credentials_that_are_refused_end_with_4(command: Command, lab: dict[str, str]) -> None:
    assert command("check", lab["auth-rejected"], "--profile", "quick").returncode == 4


def test_endpoints_of_a_configuration_are_asked_by_its_rules_and_the_worst_decides(
    command: Command, lab: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "prober.yaml").write_text(
        "endpoints:\n"
        f"  - {{name: good, url: '{lab['dual']}', labels: {{team: a}}}}\n"
        f"  - {{name: empty, url: '{lab['tools-empty']}', labels: {{team: b}}}}\n"
        "network: {allow_cidrs: [127.0.0.1/32]}\n"
    )
    assert command("check", "--config", "prober.yaml", "--label", "team=a").returncode == 0
    ended = command("check", "--config", "prober.yaml", "--all", "--report", "junit=r.xml", "--format", "ndjson")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 1
    assert [(each.get("name"), each["conclusion"]) for each in lines] == [
        ("good", "passed"), ("empty", "failed"), (None, "failed"),
    ]  # fmt: skip
    assert "tools-empty" in (tmp_path / "r.xml").read_text()
    closed = (tmp_path / "prober.yaml").read_text().partition("network:")[0]
    (tmp_path / "prober.yaml").write_text(closed)
    refused = command("check", "--config", "prober.yaml", "good", "--format", "json")
    assert (refused.returncode, endpoint_of(refused.stdout)["conclusion"]) == (3, "unobserved")


@pytest.mark.parametrize(("canary_answers", "code"), [(True, 1), (False, 3)])
def test_a_network_of_our_own_that_is_down_is_no_failure_of_the_endpoint(
    command: Command, tmp_path: Path, canary_answers: bool, code: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary, socket.socket() as held, socket.socket() as silent:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        silent.bind(("127.0.0.1", 0))
        place = (canary if canary_answers else silent).getsockname()[1]
        (tmp_path / "prober.yaml").write_text(
            f"endpoints: [{{name: gone, url: 'http://127.0.0.1:{held.getsockname()[1]}/mcp'}}]\n"
            "network: {allow_cidrs: [127.0.0.1/32]}\n"
            f"observer: {{canaries: ['127.0.0.1:{place}']}}\n"
        )
        ended = command("check", "--config", "prober.yaml", "--all", "--profile", "quick")
        address = f"http://127.0.0.1:{held.getsockname()[1]}/mcp"
        at_the_prompt = command("check", address, "--profile", "quick", "--canary", f"127.0.0.1:{place}")
    assert ended.returncode == code, ended.stdout
    assert at_the_prompt.returncode == code, at_the_prompt.stdout


def test_a_bundle_holds_what_a_bug_report_needs(command: Command, lab: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    ended = command(
        "check", lab["tools-empty"] + "?key=hunter2", "--header", "X-Api-Key=env:KEY", "--bundle", str(file),
        KEY="hunter2-hunter2",
    )  # fmt: skip
    assert ended.returncode == 1
    with zipfile.ZipFile(file) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert set(found) == {"manifest.json", "report.txt", "report.json", "report.md", "evidence.json"}
    assert not [name for name, text in found.items() if "hunter2" in text]
    manifest = json.loads(found["manifest.json"])
    assert manifest["endpoints"][0]["headers"] == {"X-Api-Key": "env:KEY"}
    assert json.loads(found["evidence.json"])[0]["report"]["verdict"] == "down"


def test_ctrl_c_ends_at_once_also_while_it_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        line = [sys.executable, "-m", "prober.cli", "check", address, "--wait", "5m", "--timeout", "5m"]
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
            connection, _ = silent.accept()
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            took = time.monotonic() - began
            connection.close()
    assert (process.returncode, out, err) == (130, "", "")
    assert took < 10


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_person_sees_progress_and_a_pipe_only_the_report(steady: Deployed, no_color: str) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "prober.cli", "check", steady.url, "--passes", "2", "--profile", "quick"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", "NO_COLOR": no_color},
    ) as process:
        os.close(theirs)
        out, _ = process.communicate(timeout=30)
        shown = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # Linux says so where the other end has gone
                break
            if not chunk:
                break
            shown += chunk
    os.close(ours)
    assert process.returncode == 0
    assert b"passed 1 of 2" in shown
    assert b"\x1b[3" not in shown if no_color else b"\x1b[3" in shown
    assert "\x1b" not in out
    assert "pass  ready" in out


def test_github_actions_gets_annotations_and_a_summary_beside_the_report(
    command: Command, lab: dict[str, str], tmp_path: Path
) -> None:
    summary = tmp_path / "summary.md"
    ended = command(
        "check", lab["tools-empty"], "--profile", "quick", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary)
    )
    assert ended.stderr.startswith("::error title=")
    assert "tools-empty" in summary.read_text()
    assert "DOWN after" in ended.stdout
