"""`config check` and `config schema`."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from prober.cli import main

GOOD = """\
endpoints:
  - {name: a, url: "https://a.example/mcp", interval: 5m, headers: {X-Api-Key: "env:KEY"}}
  - {name: b, url: "https://b.example/mcp", enabled: false}
notifiers:
  - {kind: slack, webhook: "env:HOOK"}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "prober.yaml"
    path.write_text(GOOD)
    return path


def test_a_good_file_says_what_is_in_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path} is fine: 1 of 2 endpoints enabled, 1 notifier\n"


def test_secrets_that_are_not_to_be_had_here_are_warned_of_and_count_where_one_is_strict(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", "https://hooks.example/x")
    monkeypatch.delenv("KEY", raising=False)
    assert main(["config", "check", str(path)]) == 0
    assert capsys.readouterr().err.startswith("mcp-prober: warning: endpoint a: ")
    assert main(["config", "check", str(path), "--strict"]) == 5
    capsys.readouterr()
    monkeypatch.setenv("KEY", "k")
    assert main(["config", "check", str(path), "--strict"]) == 0
    assert capsys.readouterr().err == ""


def test_a_bad_file_ends_with_2_and_every_problem_on_stderr(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("endpoints:\n  - name: a\n    adress: x\nnotifiers:\n  - kind: slakc\n")
    assert main(["config", "check", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "mcp-prober: error: the configuration has 3 problems",
        f"  {path}:2: endpoints[0].url: is missing",
        "    add it",
        f"  {path}:3: endpoints[0].adress: is not a known key",
        "    known here: name, url, labels, interval, timeout, transport, era, protocol_version, expected_tools, "
        "sentinels, streaming, headers, auth, on_request, browser_origins, full_every, cold_every, cool_down, "
        "client_timeout, slow_after, function, verify_tls, depends_on, fail_after, recover_after, metrics, public, "
        "enabled",
        f"  {path}:5: notifier slakc: there is no such kind",
        "    did you mean slack?",
    ]


def test_a_file_that_is_not_there_ends_with_2_and_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "check", str(tmp_path / "gone.yaml")]) == 2
    assert "mcp-prober init URL" in capsys.readouterr().err


def test_the_schema_is_valid_and_agrees_with_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    assert not list(validator.iter_errors(yaml.safe_load(GOOD)))
    for fault in ("interval: soon", "transport: http", "protocol_version: '2020-01-01'", "zzz: 1", "auth: {bearer: x}"):
        broken = yaml.safe_load(f"endpoints: [{{name: a, url: 'https://a.example/', {fault}}}]")
        assert list(validator.iter_errors(broken)), fault
