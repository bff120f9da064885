"""The steps of a composite action, run as GitHub's runner runs them.

Of the runner, what our action needs: `shell: bash` is `bash --noprofile --norc -eo pipefail FILE`; each step has its
own files for outputs, paths and the summary; what a step appends to GITHUB_PATH stands first for those after it; a step
after a failed one is passed over; and the action's outputs are read also when it failed.
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.integration.recipes.bench import Bench


@dataclass(frozen=True)
class Run:
    """What is left of an action that ran."""

    has_failed: bool
    outputs: Mapping[str, str]
    log: str
    summary: str

    @property
    def annotations(self) -> list[str]:
        """The lines that GitHub shows beside the run."""
        return [line for line in self.log.splitlines() if re.match(r"::(error|warning|notice)\b", line)]


def run_action(action: Path, given: Mapping[str, str], bench: Bench, env: Mapping[str, str]) -> Run:
    """Run the action of a directory in a workspace of its own. Raises KeyError for an input that it does not have."""
    described = yaml.safe_load((action / "action.yml").read_text())
    inputs = {name: each.get("default", "") for name, each in described["inputs"].items()}
    if unknown := set(given) - set(inputs):
        raise KeyError(f"the action has no input {sorted(unknown)}")
    values = {f"inputs.{name}": value for name, value in {**inputs, **given}.items()}
    workspace, temporary = bench.home / "workspace", bench.home / "temporary"
    workspace.mkdir()
    temporary.mkdir()
    paths, log, summary, has_failed = bench.environment()["PATH"], "", "", False
    for number, step in enumerate(described["runs"]["steps"]):
        if has_failed:
            break
        files = {name: temporary / f"{name}-{number}" for name in ("OUTPUT", "PATH", "STEP_SUMMARY", "ENV")}
        for path in files.values():
            path.touch()
        variables = {
            **bench.environment(CI="true", GITHUB_ACTIONS="true", RUNNER_TEMP=str(temporary), PATH=paths),
            "GITHUB_ACTION_PATH": str(action),
            "GITHUB_WORKSPACE": str(workspace),
            **{f"GITHUB_{name}": str(path) for name, path in files.items()},
            **env,
            **{name: evaluated(value, values) for name, value in step.get("env", {}).items()},
        }
        assert step["shell"] == "bash"
        script = temporary / f"{number}.sh"
        script.write_text(evaluated(step["run"], values))
        done = bench.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)], workspace, variables)
        has_failed = done.returncode != 0
        log += done.stdout + done.stderr
        summary += files["STEP_SUMMARY"].read_text()
        paths = ":".join([*reversed(files["PATH"].read_text().splitlines()), paths])
        told = dict(line.split("=", 1) for line in files["OUTPUT"].read_text().splitlines())
        values.update({f"steps.{step.get('id')}.outputs.{name}": value for name, value in told.items()})
    outputs = {name: evaluated(each["value"], values) for name, each in described["outputs"].items()}
    return Run(has_failed, outputs, log, summary)


def evaluated(text: str, values: Mapping[str, str]) -> str:
    """The text with its expressions replaced, of which we use those that name one value; without one, it is empty."""
    return re.sub(r"\$\{\{\s*([\w.-]+)\s*\}\}", lambda found: values.get(found[1], ""), text)
