"""The recipes and the action for pipelines: what they run is what we take, and what they name is there.

That they run, and decide by how the check ends, is for `tests/integration/recipes`.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from prober.cli.arguments import endpoint_from
from tests.contract.command_lines import parsed

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs" / "recipes"
ACTION = ROOT / ".github" / "actions" / "check"
TEMPLATES = sorted(path.name for path in RECIPES.glob("*.yaml"))
WITHOUT_A_COMMAND = {
    "mcp-prober.service",
    "codepipeline-rollback.yaml",
    "eventbridge.yaml",
    "eventbridge-deploy-mark.yaml",
    "github-actions.yml",
}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
SCRIPTS = [*sorted(RECIPES.glob("*.sh")), *sorted(ACTION.glob("*.sh"))]
URL = "https://abc123.lambda-url.eu-central-1.on.aws/mcp"

INPUTS = {
    "TARGETS": "", "CONFIG": "", "LABEL": "", "PROFILE": "standard", "WAIT": "", "PASSES": "1", "BEARER": "",
    "EXPECT_TOOLS": "", "EXPECT_VERSION": "", "BASELINE": "", "FAIL_ON": "degraded", "REPORTS": "",
    "COLD": "", "CANARIES": "", "ANSWER_WITHIN": "",
}  # fmt: skip


class Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as their arguments."""


Loader.add_multi_constructor("!", lambda loader, _, node: getattr(node, "value", None))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


def commands(path: Path) -> list[list[str]]:
    """The words of every command line of ours, with its variables filled in."""
    text = path.read_text()
    held = list(texts(yaml.load(text, Loader))) if path.suffix in (".yml", ".yaml") else [text]
    lines = [re.sub(r"^\s*-?\s+", "", line) for each in held for line in each.splitlines()]
    ours = [line.strip() for line in lines if line.strip().startswith("mcp-prober ")]
    values = {"MCP_WAIT": "120s", "WAIT": "120s"}
    filled = [re.sub(r"\$\{?(\w+)\}?", lambda found: values.get(found[1], URL), line) for line in ours]
    return [shlex.split(line.partition("||")[0])[1:] for line in filled]


@pytest.mark.parametrize("path", sorted(RECIPES.iterdir()), ids=lambda path: path.name)
def test_every_command_of_a_recipe_is_one_that_we_take(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = commands(path)
    assert bool(found) != (path.name in WITHOUT_A_COMMAND)
    monkeypatch.setenv("MCP_TOKEN", "a-token")
    for words in found:
        options = parsed(words)
        assert [endpoint_from(options, each).url for each in options.targets] == [URL]


@pytest.mark.parametrize("name", TEMPLATES)
def test_cloudformation_has_nothing_to_say_against_a_template(name: str) -> None:
    from cfnlint.api import lint  # takes its time, which those who only collect the tests are spared

    assert [str(match) for match in lint((RECIPES / name).read_text())] == []


def test_the_pipeline_that_rolls_back_goes_by_what_its_project_says() -> None:
    project = yaml.load((RECIPES / "codepipeline.yaml").read_text(), Loader)["Resources"]["Smoke"]["Properties"]
    (exported,) = yaml.safe_load(project["Source"]["BuildSpec"])["env"]["exported-variables"]
    pipeline = yaml.load((RECIPES / "codepipeline-rollback.yaml").read_text(), Loader)["Resources"]["Pipeline"]
    _, release, unsure = pipeline["Properties"]["Stages"]
    deploy, smoke = sorted(release["Actions"], key=lambda action: int(action["RunOrder"]))
    assert [each["ActionTypeId"]["Category"] for each in (deploy, smoke)] == ["Deploy", "Build"]
    assert release["OnFailure"] == {"Result": "ROLLBACK"}
    given = json.loads(smoke["Configuration"]["EnvironmentVariables"])
    assert {each["name"] for each in given} <= {each["Name"] for each in project["Environment"]["EnvironmentVariables"]}
    (condition,) = unsure["BeforeEntry"]["Conditions"]
    (rule,) = condition["Rules"]
    variable = f"#{{{smoke['Namespace']}.{exported}}}"
    assert condition["Result"] == "SKIP", "what follows where the rule does not hold"
    assert rule["Configuration"] == {"Variable": variable, "Operator": "NE", "Value": "0"}
    assert variable in unsure["Actions"][0]["Configuration"]["CustomData"]


def test_a_recipe_installs_this_version_and_not_whichever_is_newest() -> None:
    named = [each for path in RECIPES.iterdir() for each in re.findall(r"mcp-prober==(\S+)", path.read_text())]
    assert set(named) == {VERSION}
    assert not [path for path in RECIPES.iterdir() if re.search(r"MCP_PROBER: mcp-prober(?!==)", path.read_text())]


def test_the_list_of_recipes_is_complete() -> None:
    listed = set(re.findall(r"\]\(([\w.-]+)\)", (RECIPES / "README.md").read_text()))
    assert listed == {each.name for each in RECIPES.iterdir()} - {"README.md"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run_and_read_by_bash(path: Path) -> None:
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_the_workflow_uses_inputs_that_the_action_has() -> None:
    workflow = yaml.safe_load((RECIPES / "github-actions.yml").read_text())
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    (ours,) = [step for step in steps if step.get("uses") == "./.github/actions/check"]
    assert set(ours["with"]) <= set(action["inputs"])
    (check,) = [step for step in action["runs"]["steps"] if step.get("id") == "check"]
    assert set(check["env"]) == set(INPUTS)
    assert {re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", each)[1] for each in check["env"].values()} == set(
        action["inputs"]
    )
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"], "an input in a script would be run as one"


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    """A directory with an `mcp-prober` that writes down its words and ends with $CODE."""
    directory = tmp_path / "bin"
    directory.mkdir()
    stub = directory / "mcp-prober"
    stub.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "with open(os.environ['SAID'], 'a') as file: file.write(json.dumps(sys.argv) + '\\n')\n"
        "sys.exit(int(os.environ.get('CODE', '0')))\n"
    )
    stub.chmod(0o755)
    return directory


def ran(script: Path, stubs: Path, **env: str) -> tuple[int, list[list[str]], str]:
    """The exit code of a script, the words of every program that it ran, and what it told GitHub."""
    said, output = stubs.parent / "said", stubs.parent / "output"
    done = subprocess.run(
        [str(script)],
        env={"PATH": f"{stubs}:{os.environ['PATH']}", "SAID": str(said), "GITHUB_OUTPUT": str(output), **env},
        cwd=stubs.parent,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    lines = said.read_text().splitlines() if said.exists() else []
    words = [[Path(first).name, *others] for first, *others in map(json.loads, lines)]
    return done.returncode, words, output.read_text() if output.exists() else done.stderr


def test_the_action_makes_one_command_line_of_its_inputs(stubs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "a-token")
    code, (words,), told = ran(
        ACTION / "check.sh", stubs, **INPUTS | {
            "TARGETS": f"\n  {URL}\n{URL}?b\n", "WAIT": "120s", "PASSES": "3", "BEARER": "env:TOKEN",
            "EXPECT_TOOLS": "find\n list orders \n", "REPORTS": f"junit={stubs}/a.xml\nsarif={stubs}/b\n",
            "EXPECT_VERSION": "1.4", "ANSWER_WITHIN": "2s", "COLD": "5", "CANARIES": "proxy.example:3128\n10.0.0.1:443",
        },
    )  # fmt: skip
    assert (code, told) == (0, "exit-code=0\n")
    options = parsed(words[1:])
    assert options.targets == [URL, f"{URL}?b"]
    assert (options.wait, options.passes, options.bearer, options.expect_version) == ("120s", "3", "env:TOKEN", "1.4")
    assert options.expect_tool == ["find", "list orders"]
    assert options.answer_within == "2s"
    assert (options.cold, options.canary) == ("5", ["proxy.example:3128", "10.0.0.1:443"])
    assert options.report == [f"junit={stubs}/a.xml", f"sarif={stubs}/b"]


@pytest.mark.parametrize(
    ("inputs", "targets", "is_all"),
    [
        ({"CONFIG": "prober.yaml"}, [], True),
        ({"CONFIG": "prober.yaml", "TARGETS": "orders\nsearch"}, ["orders", "search"], False),
        ({"CONFIG": "prober.yaml", "LABEL": "team=a"}, [], False),
    ],
)
def test_the_action_chooses_from_a_configuration(
    stubs: Path, inputs: dict[str, str], targets: list[str], is_all: bool
) -> None:
    _, (words,), _ = ran(ACTION / "check.sh", stubs, **INPUTS | inputs)
    options = parsed(words[1:])
    assert (options.targets, options.all) == (targets, is_all)


@pytest.mark.parametrize("hostile", ["$(touch pwned)", "`touch pwned`", "; touch pwned", "--insecure", "a b * ? \"'"])
def test_no_input_of_the_action_is_run_or_taken_for_an_option(stubs: Path, hostile: str) -> None:
    inputs = {name: hostile for name in INPUTS if name not in ("PROFILE", "PASSES", "FAIL_ON")}
    _, (words,), _ = ran(ACTION / "check.sh", stubs, **INPUTS | inputs)
    assert not (stubs.parent / "pwned").exists()
    assert words[words.index("--") + 1 :] == [hostile]
    assert "--insecure" not in words[: words.index("--")]
    assert f"--wait={hostile}" in words


def test_the_action_ends_as_the_check_does_and_says_how(stubs: Path) -> None:
    code, _, told = ran(ACTION / "check.sh", stubs, **INPUTS | {"TARGETS": URL, "CODE": "3"})
    assert (code, told) == (3, "exit-code=3\n")


def test_the_action_installs_what_it_came_with_by_hash() -> None:
    text = (ACTION / "install.sh").read_text()
    assert '--require-hashes -r "$source_of_action/requirements.lock"' in text
    assert '--no-build-isolation --no-deps "$source_of_action"' in text
    assert (ACTION / "../../.." / "requirements.lock").resolve() == ROOT / "requirements.lock"
