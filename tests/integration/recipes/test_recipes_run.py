"""The recipes as a pipeline runs them, with the real command, against servers that pass, fail and are not there.

Against the real runners, as far as they run without their clouds: `tests/interop/test_pipelines.py`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.integration.commands import Commands
from tests.integration.recipes.bench import Bench, bench_in
from tests.integration.recipes.composite import run_action

ROOT = Path(__file__).parents[3]
RECIPES = ROOT / "docs" / "recipes"
ACTION = ROOT / ".github" / "actions" / "check"
NOWHERE = "http://127.0.0.1:9/mcp"
NEVER_THERE = "127.0.0.1:1"
"""A canary that does not answer: then a lost connection says nothing of the server."""


@pytest.fixture(scope="module")
def lab() -> Iterator[dict[str, str]]:
    """A server that passes and one that fails."""
    words = [sys.executable, "-m", "prober.lab", "handshake-json", "tools-empty"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            urls = json.loads(process.stdout.readline())["urls"]
            yield {"passes": urls["handshake-json"], "fails": urls["tools-empty"], "is nowhere": NOWHERE}
        finally:
            process.terminate()


@pytest.fixture
def bench(tmp_path: Path, commands: Commands) -> Iterator[Bench]:
    with bench_in(tmp_path, commands) as made:
        # One quick probe decides as three would; that they are asked for is seen in the words.
        made.adding = ("--canary", NEVER_THERE, "--passes", "1", "--profile", "quick")
        made.does("python3", 'if [[ "$1 $2" != "-m venv" ]]; then exec /usr/bin/python3 "$@"; fi')
        yield made


class Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as their arguments."""


Loader.add_multi_constructor("!", lambda loader, _, node: getattr(node, "value", None))


def installs(bench: Bench) -> None:
    """Let `python3 -m venv PLACE` make a place in which pip and, once that ran, the prober are."""
    bench.does(
        "python3",
        f"""[[ "$1 $2" == "-m venv" ]] || exec /usr/bin/python3 "$@"
mkdir -p "$3/bin"
cp "$BENCH/bin/pip" "$3/bin/pip"
ln -s {bench.prober} "$3/bin/mcp-prober"
""",
    )


@pytest.mark.parametrize(("state", "code"), [("passes", 0), ("fails", 1), ("is nowhere", 3)])
def test_the_action_tells_a_run_of_github_what_became_of_the_server(
    bench: Bench, lab: dict[str, str], state: str, code: int
) -> None:
    installs(bench)
    given = {"targets": f"{lab[state]}\n", "canaries": NEVER_THERE, "reports": "junit=mcp.xml\nsarif=mcp.sarif\n"}
    run = run_action(ACTION, given, bench, {})
    assert (run.has_failed, run.outputs) == (code != 0, {"exit-code": str(code)})
    said = {0: "passed", 1: "failed", 3: "unobserved"}[code]
    assert f"1 {said}" in run.summary.splitlines()[0]
    levels = {each.split(" ")[0] for each in run.annotations} - {"::notice"}
    assert levels == {0: set(), 1: {"::error"}, 3: {"::warning"}}[code]
    sarif = json.loads((bench.home / "workspace" / "mcp.sarif").read_text())
    assert bool(sarif["runs"][0]["results"]) == (code != 0)
    assert fails_in(bench.home / "workspace" / "mcp.xml") == (code != 0)


def test_the_action_has_its_credential_from_the_environment_of_its_step(bench: Bench, lab: dict[str, str]) -> None:
    installs(bench)
    run = run_action(
        ACTION, {"targets": lab["passes"], "bearer": "env:MCP_TOKEN"}, bench, {"MCP_TOKEN": "s3cr3t-t0k3n"}
    )
    assert run.outputs == {"exit-code": "0"}
    assert "s3cr3t" not in run.log + run.summary + "".join(map(str, bench.asked))
    assert run_action_again(bench, lab["passes"]).outputs == {"exit-code": "2"}, "it is not set there"


def run_action_again(bench: Bench, url: str) -> Any:
    for each in ("workspace", "temporary"):
        (bench.home / each).rename(bench.home / f"first-{each}")
    return run_action(ACTION, {"targets": url, "bearer": "env:MCP_TOKEN"}, bench, {})


def test_the_action_checks_nothing_where_it_cannot_be_installed(bench: Bench) -> None:
    installs(bench)
    bench.does("pip", "exit 1")
    run = run_action(ACTION, {"targets": NOWHERE}, bench, {})
    assert (run.has_failed, run.outputs, bench.asked) == (True, {"exit-code": ""}, [])


def job(bench: Bench, lines: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the lines of a job as GitLab's runner does: all of them in one shell, up to one that fails."""
    words = ["bash", "-eo", "pipefail", "-c", "\n".join(lines)]
    return bench.run(words, bench.home, bench.environment(**variables))


def test_a_job_of_gitlab_fails_where_the_server_does_and_shows_why(bench: Bench, lab: dict[str, str]) -> None:
    smoke = yaml.safe_load((RECIPES / "gitlab-ci.yml").read_text())["smoke"]
    bench.install()
    variables = {**smoke["variables"], "MCP_URL": lab["fails"], "MCP_WAIT": "2s", "MCP_TOKEN": "a-token"}
    assert job(bench, [*smoke["before_script"], *smoke["script"]], **variables).returncode == 1
    assert bench.said == [f"pip install --quiet {variables['MCP_PROBER']}"]
    assert fails_in(bench.home / smoke["artifacts"]["reports"]["junit"])


@pytest.mark.parametrize("code", range(6))
def test_gitlab_rolls_back_for_a_fault_of_the_server_alone(bench: Bench, code: int) -> None:
    jobs = yaml.safe_load((RECIPES / "gitlab-ci.yml").read_text())
    smoke, rollback = jobs["smoke"], jobs["rollback"]
    bench.install()
    bench.ends = code
    ended = job(bench, smoke["script"], **smoke["variables"], MCP_URL=NOWHERE).returncode
    assert ended == code
    assert bench.asked[0][:6] == ["check", NOWHERE, "--wait", "120s", "--passes", "3"]
    assert (ended in smoke["allow_failure"]["exit_codes"]) == (code == 3)
    kept = (bench.home / smoke["artifacts"]["reports"]["dotenv"]).read_text()
    assert (smoke["artifacts"]["when"], kept) == ("always", f"MCP_EXIT={code}\n")
    said = job(bench, rollback["script"], MCP_EXIT=str(code))
    assert (said.returncode, "takes the deployment back" in said.stdout) == (0, code == 1)
    assert (rollback["needs"], rollback["when"]) == (["smoke"], "on_failure")


def phases(bench: Bench, buildspec: dict[str, Any], env: dict[str, str]) -> tuple[bool, dict[str, str]]:
    """Whether a build succeeds, and the variables that it exports: all commands in one shell, up to one that fails.

    https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
    """
    set_by_file = buildspec["env"].get("variables", {})
    exported = buildspec["env"].get("exported-variables", [])
    told = bench.home / "exported"
    told.unlink(missing_ok=True)
    commands = [line for phase in ("install", "build") for line in buildspec["phases"][phase]["commands"]]
    ending = "".join(f'; printf "%s=%s\\n" {name} "${name}" >>{told}' for name in exported)
    script = "".join(f"{{ {line}\n}} || {{ failed=1{ending}; exit 1; }}\n" for line in commands) + f"true{ending}\n"
    done = bench.run(["bash", "-c", script], bench.home, bench.environment(**{**set_by_file, **env}))
    lines = told.read_text().splitlines() if told.exists() else []
    return done.returncode == 0, dict(line.split("=", 1) for line in lines)


def test_a_build_of_codebuild_signs_what_it_asks_and_keeps_its_reports(bench: Bench, lab: dict[str, str]) -> None:
    buildspec = yaml.safe_load((RECIPES / "buildspec.yml").read_text())
    bench.install()
    # A Function URL says in its name for which region a request is signed; the lab's address does not.
    bench.adding += ("--sigv4", "lambda/eu-central-1")
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "of-nobody"}
    assert phases(bench, buildspec, {"MCP_URL": lab["passes"], **keys}) == (True, {})
    (report,) = buildspec["reports"].values()
    for name in report["files"]:
        assert not fails_in(bench.home / report["base-directory"] / name)
    assert all((bench.home / name).stat().st_size for name in buildspec["artifacts"]["files"])


@pytest.mark.parametrize("code", range(6))
def test_a_build_of_codebuild_fails_with_every_exit_code_but_that_of_a_pass(bench: Bench, code: int) -> None:
    bench.install()
    bench.ends = code
    assert phases(bench, yaml.safe_load((RECIPES / "buildspec.yml").read_text()), {})[0] == (code == 0)


def project() -> tuple[dict[str, Any], dict[str, str]]:
    """The build of codepipeline.yaml, and its variables that have a value in the template."""
    template = yaml.load((RECIPES / "codepipeline.yaml").read_text(), Loader)
    properties = template["Resources"]["Smoke"]["Properties"]
    set_there = {each["Name"]: each["Value"] for each in properties["Environment"]["EnvironmentVariables"]}
    return yaml.safe_load(properties["Source"]["BuildSpec"]), set_there


def test_the_project_of_a_pipeline_says_that_it_observed_nothing(bench: Bench, lab: dict[str, str]) -> None:
    buildspec, variables = project()
    bench.install()
    given = {"MCP_URL": lab["is nowhere"], "MCP_WAIT": "2s", "MCP_UNSURE": "tell"}
    assert phases(bench, buildspec, {**variables, **given}) == (True, {"MCP_EXIT": "3"})
    assert fails_in(bench.home / "reports" / "mcp.xml")


@pytest.mark.parametrize("code", range(6))
def test_only_a_fault_of_the_server_fails_the_project_of_a_pipeline_that_rolls_back(bench: Bench, code: int) -> None:
    buildspec, variables = project()
    bench.install()
    bench.ends = code
    assert phases(bench, buildspec, variables) == (code == 0, {"MCP_EXIT": str(code)})
    assert phases(bench, buildspec, {**variables, "MCP_UNSURE": "tell"}) == (code != 1, {"MCP_EXIT": str(code)})


def test_the_hook_after_sam_asks_what_was_deployed(bench: Bench, lab: dict[str, str]) -> None:
    bench.install()
    outputs = [{"OutputKey": "Other", "OutputValue": "x"}, {"OutputKey": "McpUrl", "OutputValue": lab["fails"]}]
    bench.answer("sam", json.dumps(outputs))
    env = bench.environment(STACK="Orders", WAIT="2s")
    assert bench.run([str(RECIPES / "sam-post-deploy.sh")], bench.home, env).returncode == 1
    deployed, *asked = [line.partition(" --")[0] for line in bench.said]
    # Both ends of a pipe start at once: either may be the first to say so.
    assert (deployed, sorted(asked)) == ("sam deploy", ["python3 -c ", "sam list stack-outputs"])
    assert bench.asked[0][:2] == ["check", lab["fails"]]
    assert fails_in(bench.home / "mcp.xml")


def test_the_hook_after_the_cdk_asks_what_was_deployed(bench: Bench, lab: dict[str, str]) -> None:
    bench.install()
    written = json.dumps({"Orders": {"McpUrl": lab["passes"]}})
    bench.does("cdk", f"echo '{written}' >cdk-outputs.json")
    env = bench.environment(STACK="Orders")
    assert bench.run([str(RECIPES / "cdk-post-deploy.sh")], bench.home, env).returncode == 0
    assert [line.partition(" --")[0] for line in bench.said] == ["cdk deploy Orders", "python3 -c "]
    assert bench.asked[0][:2] == ["check", lab["passes"]]
    assert not fails_in(bench.home / "mcp.xml")


@pytest.mark.parametrize("tool", ["sam", "cdk"])
def test_a_hook_asks_nothing_where_the_deployment_fails_or_names_no_address(bench: Bench, tool: str) -> None:
    script, env = str(RECIPES / f"{tool}-post-deploy.sh"), bench.environment(STACK="Orders")
    bench.install()
    (bench.home / "cdk-outputs.json").write_text(json.dumps({"Orders": {"McpUrl": NOWHERE}}))
    bench.does(tool, "exit 7")
    assert bench.run([script], bench.home, env).returncode == 7
    bench.does(tool, "echo '{}' >cdk-outputs.json")
    bench.answer("sam", "[]")
    done = bench.run([script], bench.home, env)
    assert (done.returncode, bench.asked) == (1, [])
    assert done.stderr.endswith("stack Orders has no output McpUrl: give it one, or name another with OUTPUT\n")


def fails_in(path: Path) -> bool:
    """Whether a file of JUnit's form, which has to hold a test, tells of one that failed."""
    suites = ElementTree.parse(path).getroot()
    assert suites.findall(".//testcase")
    return bool(suites.findall(".//testcase/failure") or suites.findall(".//testcase/error"))
