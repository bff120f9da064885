"""What the documents say about the code is so: commands, configuration, paths, names."""

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from checks.catalog import CHECKS
from checks.model import Profile
from prober.cli import main
from prober.cli.arguments import endpoint_from
from prober.cli.dispatch import COMMANDS
from prober.cli.errors import ExitCode
from prober.settings import load
from tests.contract.command_lines import parsed

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / ".github" / "CONTRIBUTING.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
DOCS = {f"docs/{path.name}": path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
GUIDES = {"README.md": README, **DOCS}
"""What users read."""
DOCUMENTS = {**GUIDES, ".github/CONTRIBUTING.md": CONTRIBUTING, "CHANGELOG.md": CHANGELOG}
PLACEHOLDERS = {"URL": "https://example.com/mcp", "PORT": "8000"}

MACHINE_PATH = re.compile(r"(?<![\w.$}~-])/(?:root|home|work|Users)/\w")
PACKAGE_HOST = re.compile(
    r"(?:pypi|pythonhosted|npmjs|golang|docker|ghcr|quay|jfrog|artifactory|nexus)[\w.-]*\.(?:org|io|com|net|local)/\S",
    re.IGNORECASE,
)


def fenced(text: str, language: str) -> list[str]:
    """The blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def command_lines() -> list[str]:
    """Every command line of ours in a console block of a guide, and every one in running text that has arguments."""
    return list(dict.fromkeys(line for text in GUIDES.values() for line in command_lines_of(text)))


def command_lines_of(text: str) -> list[str]:
    blocks = [line for block in fenced(text, "console") for line in block.replace("\\\n", " ").splitlines()]
    inline = [code for code in re.findall(r"`(mcp-prober [^`]+)`", text) if len(code.split()) > 1]
    lines = [re.sub(r"^(\$ )?(\.venv/bin/)?", "", line) for line in blocks]
    return [line for line in [*lines, *inline] if line.startswith("mcp-prober ")]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("line", command_lines())
def test_a_command_of_the_guides_is_one_that_we_take(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PLACEHOLDERS.items():
        line = re.sub(rf"\b{name}\b", value, line)
    for variable in re.findall(r"env:(\w+)", line):
        monkeypatch.setenv(variable, "a-token")
    options = parsed(shlex.split(line, comments=True)[1:])
    for address in getattr(options, "targets", [getattr(options, "url", None)]):
        if address is not None and getattr(options, "config", None) is None:
            assert endpoint_from(options, address).url.startswith("http")


def test_the_guides_show_commands() -> None:
    assert len(command_lines_of(README)) > 5
    assert len(command_lines()) > 20


@pytest.mark.parametrize("name", [name for name, text in GUIDES.items() if fenced(text, "yaml")])
def test_the_configuration_in_the_guides_is_fine(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prober.yaml"
    for example in fenced(GUIDES[name], "yaml"):
        for variable in re.findall(r"env:(\w+)", example):
            monkeypatch.setenv(variable, "https://hooks.example.com/a")
        file.write_text(example)
        assert main(["config", "check", str(file)]) == ExitCode.UP, capsys.readouterr().err
        assert load(file, {}).endpoints


def test_the_policies_in_the_guides_allow_what_is_asked_of_aws_and_no_more() -> None:
    (policy,) = (json.loads(each) for each in fenced(DOCS["docs/aws.md"], "json"))
    allowed = {
        each["Action"] if isinstance(each["Action"], str) else tuple(each["Action"]) for each in policy["Statement"]
    }
    assert allowed == {
        "sns:Publish",
        "cloudwatch:PutMetricData",
        "logs:FilterLogEvents",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameter",
        ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"),
        "execute-api:Invoke",
    }
    asked = {"publish", "put_metric_data", "filter_log_events", "get_secret_value", "get_parameter"}
    sources = "".join(path.read_text() for path in (ROOT / "prober").rglob("*.py"))
    assert all(re.search(rf"\b{operation}\(", sources) for operation in asked)


def test_help_lists_every_command_and_the_documents_name_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = set(re.findall(r"^    ([\w-]+)\s", capsys.readouterr().out, re.MULTILINE))
    assert shown == set(COMMANDS)
    for text in DOCUMENTS.values():
        assert set(re.findall(r"mcp-prober (?!-)([a-z-]+)\b(?=[^\n]*`)", text)) <= {*COMMANDS, "help"}


def test_the_changelog_names_every_command() -> None:
    assert {name for name in COMMANDS if not re.search(rf"`(mcp-prober )?{name}`", CHANGELOG)} == set()


def test_the_exit_codes_in_the_readme_are_those_of_the_program() -> None:
    table = {int(number) for number in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert table == {code.value for code in ExitCode if code is not ExitCode.INTERRUPTED}


def test_the_example_of_a_full_probe_has_a_line_for_every_check() -> None:
    (example,) = [block for block in fenced(DOCS["docs/check.md"], "console") if "--profile full" in block]
    shown = re.findall(r"^  (?:pass|warn|fail|skip)  (\w+) ", example, re.MULTILINE)
    assert shown == [each.id for each in CHECKS if Profile.FULL in each.profiles]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_names_only_files_that_exist(name: str) -> None:
    text = DOCUMENTS[name]
    linked = re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", text)
    quoted = re.findall(r"`((?:\.?[\w-]+/)+[\w.-]*|[\w-]+\.(?:md|yml|toml))`", text)
    # The environment may be elsewhere (`make VENV=`); the others are no files of this repository.
    no_files_of_ours = {".venv/bin/mcp-prober", "config/prober.yaml", "server/discover", "notifications/cancelled"}
    beside = ROOT / name
    missing = [path for path in linked if not (beside.parent / path.partition("#")[0]).exists()]
    missing += [path for path in quoted if not (ROOT / path).exists() and path not in no_files_of_ours]
    assert missing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_names_only_targets_that_make_has(name: str) -> None:
    used = re.findall(r"(?:`|^)make ([a-z0-9-]+)", DOCUMENTS[name], re.MULTILINE)
    assert set(used) <= make_targets()


def test_the_gate_and_the_workflow_run_what_exists() -> None:
    gate = (ROOT / ".ci" / "run").read_text()
    assert set(re.findall(r"^make ([a-z0-9-]+)", gate, re.MULTILINE)) <= make_targets()
    assert {"test", "check", "interop", "e2e", "demo"} <= set(re.findall(r"^make ([a-z0-9-]+)", gate, re.MULTILINE))
    assert ".ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_contributing_tells_the_layers_that_the_linter_holds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each.get("containers") == ["prober"])
    told = " → ".join(f"{{{layer}}}" if "|" in layer else layer for layer in layers)
    assert told in " ".join(CONTRIBUTING.split())


def test_contributing_names_every_kind_of_test() -> None:
    kinds = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith("_")}
    told = set(re.findall(r"^- `tests/(\w+)`", CONTRIBUTING, re.MULTILINE))
    assert told == kinds


def test_no_file_knows_the_machine_that_it_was_written_on() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("only a git checkout tells which files are part of the project")
    # The checkout may belong to another user than the one who runs the tests.
    listing = subprocess.check_output([git, "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, text=True)
    found = []
    for name in filter(None, listing.split("\0")):
        path = ROOT / name
        if not path.is_file() or path.suffix in {".png", ".mod", ".sum"}:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if MACHINE_PATH.search(line) or PACKAGE_HOST.search(line):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert found == []


def test_every_mapping_of_the_configuration_has_a_section_and_no_default_is_a_bare_number_of_seconds() -> None:
    document = DOCS["docs/configuration.md"]
    keys = re.findall(r"^\| `(\w+)` \| [^|]*mapping, see below", document, re.MULTILINE)
    sections = {
        re.split(r"[.\[]", name.removesuffix("[]"))[-1] for name in re.findall(r"^## `([^`]+)`", document, re.MULTILINE)
    }
    assert set(keys) <= sections
    assert not re.findall(r"\| duration[^|]*\| `[0-9.]+` \|", document)
