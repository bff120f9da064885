"""`check` and `init` as processes against live servers: what a pipeline sees."""

import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from prober.settings import parse
from tests.integration.cli.conftest import ROOT, Command


def only(text: str) -> dict[str, Any]:
    """The report on the one endpoint of a run."""
    (endpoint,) = json.loads(text)["endpoints"]
    report: dict[str, Any] = endpoint["report"]
    return report


@pytest.mark.parametrize(
    ("scenario", "era", "version", "transport"),
    [
        ("stateless-streaming", "stateless", "2026-07-28", "streamable-http"),
        ("stateless-json", "stateless", "2026-07-28", "streamable-http"),
        ("handshake-sse", "handshake", "2025-11-25", "streamable-http"),
        ("handshake-json", "handshake", "2025-06-18", "streamable-http"),
        ("legacy-sse", "handshake", "2024-11-05", "sse"),
    ],
)
def test_a_healthy_server_is_up_in_its_own_era(
    command: Command, lab: dict[str, str], scenario: str, era: str, version: str, transport: str
) -> None:
    ended = command("check", lab[scenario], "--sentinel", "add", "--args", '{"a": 2, "b": 3}', "--format", "json")
    report = only(ended.stdout)
    assert (ended.returncode, json.loads(ended.stdout)["schema_version"], report["verdict"]) == (0, 1, "up")
    assert (report["era"], report["protocol_version"], report["transport"]) == (era, version, transport)
    assert [each["effect"] for each in report["diagnoses"] if each["effect"] != "information"] == []
    outcomes = {each["id"]: each["outcome"] for each in report["checks"]}
    assert outcomes["lifecycle"] == outcomes["tools_list"] == outcomes["sentinel_call"] == "pass"
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("scenario", "verdict"),
    [("adapter-missing", "down"), ("tools-empty", "down"), ("invoke-mode-mismatch", "down"), ("not-mcp", "down")],
)
def test_a_broken_server_is_named_with_evidence_fix_and_curl(
    command: Command, lab: dict[str, str], scenario: str, verdict: str
) -> None:
    ended = command("check", lab[scenario], "--format", "json")
    report = only(ended.stdout)
    assert (ended.returncode, report["verdict"]) == (1, verdict)
    cause = report["diagnoses"][0]
    assert cause["id"] == scenario
    assert cause["evidence"]
    assert cause["fix"]
    assert cause["reproduce"].startswith("curl ")


@pytest.mark.parametrize(("scenario", "refused"), [("session-lost", 1), ("session-lost-at-once", 5)])
def test_the_line_for_a_lost_session_shows_the_fault_in_a_new_one_and_nothing_at_a_healthy_server(
    command: Command, lab: dict[str, str], scenario: str, refused: int
) -> None:
    report = only(command("check", lab[scenario], "--profile", "full", "--format", "json").stdout)
    line = next(each["reproduce"] for each in report["diagnoses"] if each["id"] == "session-lost")

    def lost(url: str) -> int:
        shown = subprocess.run(
            ["sh", "-c", line.replace(lab[scenario], url)], capture_output=True, text=True, timeout=30, check=True
        )
        return shown.stdout.count("HTTP/1.1 404")

    assert 1 <= lost(lab[scenario]) <= refused
    assert lost(lab["handshake-sse"]) == 0


def test_the_text_report_reads_from_checks_to_fix(command: Command, lab: dict[str, str]) -> None:
    ended = command("check", lab["tools-empty"])
    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    assert lines[0] == lab["tools-empty"]
    asked = [line.split()[:2] for line in lines if line.startswith(("  pass ", "  fail ", "  skip "))]
    assert asked[:2] == [["pass", "lifecycle"], ["fail", "tools_list"]]
    assert any(line.startswith("DOWN after ") for line in lines)
    assert any(line.startswith("diagnosis: tools-empty (") for line in lines)
    assert "\x1b" not in ended.stdout


def test_a_full_probe_says_which_clients_can_connect_in_both_forms(command: Command, lab: dict[str, str]) -> None:
    text = command("check", lab["dual"], "--profile", "full")
    assert text.returncode == 0
    assert "which clients can connect\n  yes     stateless-era clients (2026-07-28): served\n" in text.stdout
    report = only(command("check", lab["dual"], "--profile", "full", "--format", "json").stdout)
    assert report["profile"] == "full"
    assert report["axes"]["session"] == "none"
    assert report["axes"]["replies"]["tools/list"]
    (eras,) = [each for each in report["checks"] if each["id"] == "eras"]
    assert eras["facts"]["revisions"]["2025-11-25"]["answer"] == "served"


def test_what_is_given_is_the_limit_of_a_full_probe_too(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        ended = command("check", address, "--profile", "full", "--timeout", "1", "--format", "json")
    assert only(ended.stdout)["timings"]["total_ms"] < 2500


def test_a_secret_is_sent_and_never_shown(command: Command, lab: dict[str, str]) -> None:
    for form in ("text", "json"):
        ended = command(
            "check", lab["auth-rejected"], "--bearer", "env:TOKEN", "--format", form, TOKEN="hunter2-hunter2"
        )
        assert ended.returncode == 4
        assert "hunter2" not in ended.stdout + ended.stderr
        assert "TOKEN" in ended.stdout


def test_a_closed_port_is_down_and_a_metadata_address_is_never_asked(command: Command) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        ended = command("check", f"http://127.0.0.1:{held.getsockname()[1]}/mcp", "--format", "json")
    assert (ended.returncode, only(ended.stdout)["verdict"]) == (1, "down")
    refused = only(command("check", "http://169.254.169.254/mcp", "--format", "json").stdout)
    assert refused["exchanges"][0]["error"]["failure"] == "blocked"


def test_a_certificate_that_nobody_signed_is_taken_only_by_choice(command: Command, lab: dict[str, str]) -> None:
    assert command("check", lab["tls-invalid"], "--profile", "quick").returncode == 1
    assert command("check", lab["tls-invalid"], "--profile", "quick", "--insecure").returncode == 0


def test_the_deadline_holds_for_a_server_that_says_nothing(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        accepted: list[socket.socket] = []
        threading.Thread(target=lambda: accepted.append(silent.accept()[0]), daemon=True).start()
        ended = command("check", f"http://127.0.0.1:{silent.getsockname()[1]}/", "--timeout", "1", "--format", "json")
    report = only(ended.stdout)
    assert (ended.returncode, report["verdict"]) == (1, "down")
    assert report["timings"]["total_ms"] < 3000


def test_ctrl_c_ends_quietly_with_130() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        subprocess.Popen(
            [sys.executable, "-m", "prober.cli", "check", f"http://127.0.0.1:{silent.getsockname()[1]}/"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        ) as process,
    ):
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        connection.close()
    assert (process.returncode, out, err) == (130, "", "")


def test_init_writes_a_file_that_the_check_accepts_and_never_over_another(
    command: Command, lab: dict[str, str], tmp_path: Path
) -> None:
    written = command("init", lab["stateless-streaming"])
    assert (written.returncode, written.stderr) == (0, "")
    path = tmp_path / "prober.yaml"
    settings = parse(path.read_bytes(), "prober.yaml", {})
    (endpoint,) = settings.endpoints
    assert endpoint.url == lab["stateless-streaming"]
    assert endpoint.expected_tools == ("add", "slow_count", "whoami")
    assert settings.network.allow_cidrs == ("127.0.0.1/32",)
    assert command("config", "check").returncode == 0
    before = path.read_bytes()
    refused = command("init", lab["dual"])
    assert (refused.returncode, path.read_bytes()) == (2, before)
    assert "--force" in refused.stderr
    assert command("init", lab["dual"], "--force").returncode == 0
    assert path.read_bytes() != before


def test_init_of_a_broken_server_writes_nothing_and_says_why(
    command: Command, lab: dict[str, str], tmp_path: Path
) -> None:
    ended = command("init", lab["adapter-missing"])
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "diagnosis: adapter-missing" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_init_says_so_when_it_cannot_even_look_at_the_place_of_its_file(command: Command) -> None:
    ended = command("init", "http://127.0.0.1:9/mcp", "--output", "x" * 300)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "cannot be written: File name too long" in ended.stderr
    assert "--output" in ended.stderr


def test_a_reader_that_leaves_early_causes_no_traceback() -> None:
    line = f"{sys.executable} -m prober.cli lab --list | true"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=ROOT, timeout=30, check=True)
    assert ended.stderr == ""


def test_the_lab_says_where_it_is_and_ends_with_ctrl_c(command: Command) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "prober.cli", "lab", "tools-empty", "dual"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(2)]
        commands = [line for line in iter(process.stdout.readline, "Ctrl-C ends the lab.\n") if " check " in line]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert [line[0] for line in lines] == ["tools-empty", "dual"]
    assert all(line[1].startswith("http://127.0.0.1:") for line in lines)
    assert [line[1] in said for line, said in zip(lines, commands, strict=True)] == [True, True]
    assert command("lab", "tool-empty").returncode == 2


def test_an_answer_that_begins_too_late_fails_the_run(command: Command, lab: dict[str, str]) -> None:
    ended = command(
        "check", lab["slow-but-steady"], "--profile", "quick", "--answer-within", "100ms", "--format", "json"
    )
    (demanded,) = json.loads(ended.stdout)["endpoints"][0]["demands"]
    assert (ended.returncode, demanded["id"], demanded["outcome"]) == (1, "answer_within", "fail")
    assert command("check", lab["slow-but-steady"], "--answer-within", "0").returncode == 2
